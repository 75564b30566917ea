#!/bin/sh
# What garage-sign does, request by request (aktualizr-wire 6): pull, edit, sign, push; root and targets off line while
# devices go on; delegations; binaries in parts. ota-test-sign is its signing half.
# shellcheck source=tests/integration/lib.sh disable=SC2317,SC2016 # functions are called by name
. "$(dirname "$0")/lib.sh"

sign=${OTA_TEST_SIGN:-$top/build/release/tests/ota-test-sign}
settings "spool_quiet_seconds = 1" "build_owners = ci"
start_all
start_build
echo secret | "$top/scripts/ota-builder" -c "$conf" --url "$build_url" guest "$T/guest.zip" >/dev/null
repo=/api/v1/user_repo
local=$T/local
mkdir "$local"

# get NAME: into $local/NAME; the checksum into $local/checksum
get() {
	[ "$(push "$repo/$1")" = 200 ] || return 1
	cp "$T/body" "$local/$1"
	sed -n 's/^x-ats-role-checksum: \([0-9a-f]*\).*/\1/ip' "$T/headers" >"$local/checksum"
}
code() { jq -r .code "$T/body"; }
put_targets() { # put_targets FILE [CHECKSUM]
	push "$repo/targets" -X PUT --data-binary "@$1" ${2:+-H "x-ats-role-checksum: $2"}
}
later() { date -u -d '+30 days' +%Y-%m-%dT%H:%M:%SZ; }
# edit FILTER [ARG...]: targets.json of the last pull, version + 1, through jq, into $local/edited
edit() {
	filter=$1
	shift
	jq -c --arg later "$(later)" "$@" ".signed | .version += 1 | .expires = \$later | $filter" \
		"$local/targets.json" >"$local/edited"
}
guest() { # guest METHOD PATH: as somebody who is no owner
	curl -s -o "$T/body" -w '%{http_code}\n' --cacert "$T/pki/server-ca.pem" -u guest:secret -X "$1" \
		-H 'Content-Length: 0' "$build_url$2"
}
targets_version() { jq .signed.version "$T/repository/published/current/targets.json"; }

# ---- a device that works from the start
enroll car7
commit_of app 1.0 >/dev/null
drop app 1.0
ok "publishes a drop" published app 1.0
device car7 poll >/dev/null 2>&1
echo "app 1.0" >"$T/mount/devices/car7/assign"
ok "a device installs it" device car7 poll

# ---- pull
ok "pulls the root" get root.json
ok "pulls root 1" is "$(push $repo/1.root.json)" 200
ok "there is no root 9" is "$(push $repo/9.root.json)" 404
ok "in Repo Server's words" is "$(code)" root_role_not_found
ok "pulls targets" get targets.json
ok "with the checksum of the file" is "$(cat "$local/checksum")" "$(sha256sum <"$local/targets.json" | cut -d' ' -f1)"
ok "pulls snapshot" is "$(push $repo/snapshot.json)" 200
ok "and timestamp" is "$(push $repo/timestamp.json)" 200
ok "refuses who has no password" is "$(curl -s -o /dev/null -w '%{http_code}' --cacert "$T/pki/server-ca.pem" "$build_url$repo/root.json")" 401

# ---- what only owners may
for request in "POST root" "GET root/private_keys/$(jq -r '.signed.roles.root.keyids[0]' "$local/root.json")" \
	"DELETE root/private_keys/$(jq -r '.signed.roles.root.keyids[0]' "$local/root.json")" \
	"PUT trusted-delegations" "PUT trusted-delegations/keys" "DELETE targets/app-1.0"; do
	ok "${request%/*} is for owners" is "$(guest "${request% *}" "$repo/${request#* }")" 403
done

# ---- move-offline: the key comes, the new root goes, the key is deleted
root_id=$(jq -r '.signed.roles.root.keyids[0]' "$local/root.json")
ok "does not hand the root key out by itself" is "$(push "$repo/root/private_keys/$root_id")" 403
ok "and says who can allow it" says "administrator did not allow" jq -r .description "$T/body"
touch "$T/keys/image/allow-take"
ok "hands it out when the administrator allowed it" is "$(push "$repo/root/private_keys/$root_id")" 200
ok "and nobody keeps a copy on the way" has "$T/headers" "[Cc]ache-[Cc]ontrol: no-store"
"$sign" take "$local" old <"$T/body" >"$local/old.id"
rm "$T/body"
ok "it is the root's key" is "$(cat "$local/old.id")" "$root_id"
ok "once" is "$(push "$repo/root/private_keys/$root_id")" 403
ok "it is in no log" not grep -rqF "$(sed -n 2p "$local/old.sec")" "$T"/*.log
ok "deletes it" is "$(push "$repo/root/private_keys/$root_id" -X DELETE)" 204
ok "for real" not test -e "$T/keys/image/root-1.key"
ok "a device goes on" device car7 poll

new_root=$("$sign" key ed25519 "$local" root)
new_targets=$("$sign" key rsa "$local" targets)
jq -c --slurpfile root "$local/root.pub" --slurpfile targets "$local/targets.pub" --arg rid "$new_root" --arg tid "$new_targets" '
	.signed | .version += 1 | del(.keys[.roles.root.keyids[0]], .keys[.roles.targets.keyids[0]])
	| .keys[$rid] = $root[0] | .keys[$tid] = $targets[0]
	| .roles.root.keyids = [$rid] | .roles.targets.keyids = [$tid]' "$local/root.json" >"$local/next"
"$sign" sign "$local/next" "$local/root.sec" >"$local/half"
ok "refuses a root that the old key did not sign" is "$(push "$repo/root" --data-binary "@$local/half")" 400
ok "in Repo Server's words" is "$(code)" invalid_root_role
"$sign" sign "$local/half" "$local/old.sec" >"$local/2.root.json"
ok "takes the one that both signed" is "$(push "$repo/root" --data-binary "@$local/2.root.json")" 204
ok "serves it to builders at once" get root.json
ok "byte for byte" cmp "$local/root.json" "$local/2.root.json"
ok "the targets key is gone" not test -e "$T/keys/image/targets-1.key"
ok "a device goes on between root and targets" device car7 poll
ok "which sees the old root" cmp "$T/repository/published/current/root.json" "$T/keys/image/1.root.json"
stop signd
start_signd
ok "a restarted signer goes on" device car7 poll

# ---- what comes now is stored
commit2=$(commit_of app 2.0)
drop app 2.0
ok "a drop is stored" wait_for 20 file_with "$T/spool/done/app-2.0.receipt.json" '"result": "stored"'
ok "with what targets need" is "$(jq -r '.stored[0] | .name, .version, .commit' "$T/spool/done/app-2.0.receipt.json" | tr '\n' ' ')" \
	"app 2.0 $commit2 "
ok "and is told so" has "$T/spool/done/app-2.0.receipt.json" "ota-sign targets add"
ok "the commit is there" ostree --repo="$T/repository/ostree" show "$commit2"
ok "and offered to nobody" not grep -q "$commit2" "$T/repository/published/current/targets.json"

printf 'late/*\tlate\tqemux86-64\n' >"$T/build-refs"
ok "a pushed ref is set" is "$(push /api/v3/refs/heads/late/app -X POST -d "$commit2")" 200
ok "and the answer says that nothing is published" has "$T/headers" "^X-OTA-Not-Published: the keys of targets are off line"
ok "the receipt says what targets need" sh -c "grep -q 'name late, version .* commit $commit2' $T/spool/done/push-late-app-*.receipt.json"
ok "the ref is there" test -e "$T/repository/ostree/refs/heads/late/app"

# ---- targets, signed elsewhere
get targets.json
sum=$(cat "$local/checksum")
edit '.targets["app-2.0"] = (.targets["app-1.0"] | .hashes.sha256 = $two | .custom.version = "2.0") | .targets["tool-2"] = {hashes: {sha256: $sha}, length: 5, custom: {name: "tool", version: "2",
	hardwareIds: ["qemux86-64"], targetFormat: "BINARY", uri: "https://example.net/tool-2", createdAt: "2026-01-01T00:00:00Z",
	updatedAt: "2026-01-01T00:00:00Z"}}' --arg sha "$(printf tool2 | sha256sum | cut -d' ' -f1)" --arg two "$commit2"
"$sign" sign "$local/edited" "$local/targets.sec" >"$local/signed"
ok "wants to know what was edited" is "$(put_targets "$local/signed")" 428
ok "in Repo Server's words" is "$(code)" role_checksum_not_provided
ok "refuses an edit of something else" is "$(put_targets "$local/signed" "$(echo | sha256sum | cut -d' ' -f1)")" 412
ok "in Repo Server's words" is "$(code)" role_checksum_mismatch
"$sign" sign "$local/edited" "$local/root.sec" >"$local/bad"
ok "refuses the signature of another key" is "$(put_targets "$local/bad" "$sum")" 400
ok "in Repo Server's words" is "$(code)" invalid_offline_targets
jq -c '.version += 1' "$local/edited" >"$local/far"
"$sign" sign "$local/far" "$local/targets.sec" >"$local/bad"
ok "refuses a version that is not the next" is "$(put_targets "$local/bad" "$sum")" 409
ok "in Repo Server's words" is "$(code)" invalid_version_bump
ok "takes signed targets" is "$(put_targets "$local/signed" "$sum")" 204
ok "says how large they may be" has "$T/headers" "[Xx]-[Aa][Tt][Ss]-[Tt]argets-[Rr]ole-[Ss]ize-[Ll]imit: [0-9]"
ok "publishes them byte for byte" cmp "$local/signed" "$T/repository/published/current/targets.json"
ok "with the new root" cmp "$local/2.root.json" "$T/repository/published/current/root.json"
wait_for 10 test -d "$T/mount/packages/tool/2"
ok "a device takes root and targets that were signed elsewhere" device car7 poll
echo "app 2.0" >"$T/mount/devices/car7/assign"
ok "and installs what was dropped meanwhile" says "installed app-2.0" device car7 poll
ok "a device that is new does so too" sh -c "$top/scripts/ota-device-cert -c $conf --ca-dir $T/pki car8 $T/car8"
device car8 poll >/dev/null 2>&1
echo "app 1.0" >"$T/mount/devices/car8/assign"
ok "and installs" device car8 poll

# ---- delegations
supplier=$("$sign" key ed25519 "$local" supplier)
get targets.json
edit '.delegations = {keys: {($id): $key[0]}, roles: [{name: "supplier", keyids: [$id], paths: ["brake*"], threshold: 1,
	terminating: false}]}' --arg id "$supplier" --slurpfile key "$local/supplier.pub"
"$sign" sign "$local/edited" "$local/targets.sec" >"$local/signed"
ok "takes targets that trust a supplier" is "$(put_targets "$local/signed" "$(cat "$local/checksum")")" 204
ok "shows whom it trusts" is "$(push $repo/trusted-delegations && jq -r '.[0].name' "$T/body")" "200
supplier"
ok "and by which keys" is "$(push $repo/trusted-delegations/keys && jq -r '.[0].keytype' "$T/body")" "200
ED25519"
delegation() { # delegation FILE-NAME
	jq -nc --arg later "$(later)" --arg name "$1" --arg sha "$(printf brake | sha256sum | cut -d' ' -f1)" '{_type: "Targets",
		version: 1, expires: $later, targets: {($name): {hashes: {sha256: $sha}, length: 5, custom: {name: "brake",
		version: "1", hardwareIds: ["qemux86-64"], targetFormat: "BINARY", uri: "https://example.net/b",
		createdAt: "2026-01-01T00:00:00Z", updatedAt: "2026-01-01T00:00:00Z"}}}}'
}
delegation brake-1 >"$local/d"
"$sign" sign "$local/d" "$local/root.sec" >"$local/bad"
"$sign" sign "$local/d" "$local/supplier.sec" >"$local/good"
delegation app-9 | "$sign" sign - "$local/supplier.sec" >"$local/outside"
ok "refuses a delegation by another key" is "$(push $repo/delegations/supplier.json -X PUT --data-binary "@$local/bad")" 400
ok "in Repo Server's words" is "$(code)" payload_signature_invalid
ok "refuses what was not delegated" is "$(push $repo/delegations/supplier.json -X PUT --data-binary "@$local/outside")" 400
ok "in Repo Server's words" is "$(code)" invalid_delegated_target
ok "refuses a delegation that nobody made" is "$(push $repo/delegations/nobody.json -X PUT --data-binary "@$local/good")" 400
ok "in Repo Server's words" is "$(code)" delegations_not_defined
ok "has none before it is pushed" is "$(push $repo/delegations/supplier.json)" 404
ok "in Repo Server's words" is "$(code)" delegations_not_found
ok "takes the supplier's" is "$(push $repo/delegations/supplier.json -X PUT --data-binary "@$local/good")" 204
ok "serves it" is "$(push $repo/delegations/supplier.json)" 200
ok "byte for byte" cmp "$T/body" "$local/good"
ok "a device still polls" device car7 poll
ok "trust cannot be changed here while targets are off line" is "$(push $repo/trusted-delegations -X PUT -d '[]')" 412
ok "in words" is "$(code)" role_keys_not_found

# ---- binaries in parts
perl -e 'srand(1); print chr(rand 256) for 1 .. 9_000_000' >"$T/blob"
sha=$(sha256sum "$T/blob" | cut -d' ' -f1)
ok "begins an upload" is "$(push "$repo/multipart/initiate/blob-1?fileSize=9000000&force=false" -d "")" 200
id=$(jq -r .uploadId "$T/body")
size=$(jq .partSize "$T/body")
head -c "$size" "$T/blob" >"$T/part1"
tail -c "+$((size + 1))" "$T/blob" >"$T/part2"
put_part() { # put_part NUMBER FILE [MD5]
	md5=${3:-$(openssl md5 -binary "$2" | base64)}
	push "$repo/multipart/url/blob-1?part=$1&uploadId=$id&md5=x&contentLength=$(stat -c %s "$2")" >/dev/null
	uri=$(jq -r .uri "$T/body")
	push "${uri#"$build_url"}" -X PUT --data-binary "@$2" -H "Content-MD5: $md5"
}
etag() { sed -n 's/^etag: "\([^"]*\)".*/\1/ip' "$T/headers"; }
ok "refuses a part that was damaged on the way" is "$(put_part 1 "$T/part1" AAAAAAAAAAAAAAAAAAAAAA==)" 400
ok "in S3's words" is "$(code)" bad_digest
put_part 1 "$T/part1" >"$T/status"
one=$(etag)
ok "takes part 1" is "$(cat "$T/status")" 200
ok "once more as well" is "$(put_part 1 "$T/part1")" 200
ok "is not complete without part 2" is "$(push "$repo/multipart/complete/blob-1" -X PUT -d \
	"{\"uploadId\":\"$id\",\"partETags\":[{\"part\":1,\"eTag\":\"$one\"}]}")" 400
put_part 2 "$T/part2" >"$T/status"
two=$(etag)
ok "takes part 2" is "$(cat "$T/status")" 200
ok "is complete" is "$(push "$repo/multipart/complete/blob-1" -X PUT -d \
	"{\"uploadId\":\"$id\",\"partETags\":[{\"part\":1,\"eTag\":\"$one\"},{\"part\":2,\"eTag\":\"$two\"}]}")" 204
ok "has the bytes" cmp "$T/blob" "$T/repository/binaries/$(echo "$sha" | cut -c1-2)/$(echo "$sha" | cut -c3-)"
ok "an id works once" is "$(push "$repo/multipart/complete/blob-1" -X PUT -d "{\"uploadId\":\"$id\",\"partETags\":[]}")" 404
ok "says where what was uploaded can be verified" is "$(push "$repo/uploads/blob-1")" 302
where=$(sed -n 's/^location: \(.*\)\r$/\1/ip' "$T/headers")
ok "without a password" is "$(curl -s --cacert "$T/pki/server-ca.pem" "$where" | sha256sum | cut -d' ' -f1)" "$sha"
ok "to nobody who guesses" is "$(curl -s -o /dev/null -w '%{http_code}' --cacert "$T/pki/server-ca.pem" "${where%?}x")" 404
ok "and nothing else" is "$(curl -s -o /dev/null -w '%{http_code}' --cacert "$T/pki/server-ca.pem" \
	"$build_url$repo/download/../targets.json")" 401
for n in 1 2 3 4 5 6 7 8; do push "$repo/multipart/initiate/many-$n?fileSize=9" -d "" >/dev/null; done
ok "one builder leaves room for others" is "$(push "$repo/multipart/initiate/many-9?fileSize=9" -d "")" 503
ok "does not overwrite without force" is "$(push "$repo/multipart/initiate/blob-1?fileSize=9&force=false" -d "")" 409
get targets.json
edit '.targets["blob-1"] = {hashes: {sha256: $sha}, length: 9000000, custom: {name: "blob", version: "1",
	hardwareIds: ["qemux86-64"], targetFormat: "BINARY", uri: null, cliUploaded: true, createdAt: "2026-01-01T00:00:00Z",
	updatedAt: "2026-01-01T00:00:00Z"}}' --arg sha "$sha"
"$sign" sign "$local/edited" "$local/targets.sec" >"$local/signed"
ok "offers it (add-uploaded)" is "$(put_targets "$local/signed" "$(cat "$local/checksum")")" 204
ok "serves it to builders" is "$(push $repo/targets/blob-1)" 200
ok "whole" cmp "$T/body" "$T/blob"
ok "sends builders to where other bytes are" is "$(push $repo/targets/tool-2)" 302
ok "a device reads targets that offer it" device car8 poll
ok "does not sign a new target while targets are off line" is "$(push \
	"$repo/targets/x-1?name=x&version=1&hardwareIds=qemux86-64" -X PUT --data-binary @"$T/part2")" 412
ok "asks for a collection of garbage" is "$(push $repo/ostree -X DELETE)" 202
finish
