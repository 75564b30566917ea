#!/bin/sh
# What each builder may push: packages, hardware ids, refs, signed targets, until when; by password and by certificate.
# shellcheck source=tests/integration/lib.sh disable=SC2317,SC2016 # functions are called by name; jq's variables
. "$(dirname "$0")/lib.sh"

sign=${OTA_TEST_SIGN:-$top/build/release/tests/ota-test-sign}
settings "build_owners = ci" "spool_quiet_seconds = 0"
cat >"$T/build-refs" <<'END'
brake/pads   brake-pads  ecu-brake
brake/other  app         ecu-brake
brake/board  brake-pads  ecu-brake,rpi4
END
start_signd
start_watcher
start_build
repo=/api/v1/user_repo
local=$T/local
mkdir "$local"

# builder NAME OPTION...: adds him, with the password that is his name
builder() {
	who=$1
	shift
	echo "$who" | "$top/scripts/ota-builder" -c "$conf" --url "$build_url" "$@" "$who" "$T/$who.zip"
}
# as NAME PATH [CURL ARGUMENT...]: prints the status, leaves the body in $T/body
as() {
	who=$1 path=$2
	shift 2
	curl -s -o "$T/body" -D "$T/headers" -w '%{http_code}' --max-time 30 --cacert "$T/pki/server-ca.pem" -u "$who:$who" "$@" \
		"$build_url$path"
}
# allowed STATUS NAME ...; denied WORDS NAME ...: 403, and what the refusal says
allowed() {
	want=$1
	shift
	is "$(as "$@")" "$want" || { cat "$T/body" && false; }
}
denied() {
	words=$1
	shift
	is "$(as "$@")" 403 && is "$(jq -r .code "$T/body")" not_allowed && has "$T/body" "$words"
}
targets() { jq -r '.signed.targets | keys | join(" ")' "$T/repository/published/current/targets.json"; }

# ---- the file
ok "ota-builder adds one without limits" builder free
ok "... which leaves no line" not test -e "$T/build-limits"
ok "ota-builder adds one with limits" builder brakes --names 'brake-*' --hardware 'ecu-*' --refs 'brake/*' --push-only --expires 30d
ok "... as a line" has "$T/build-limits" \
	'^brakes names=brake-\* hardware=ecu-\* refs=brake/\* push-only until=[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}Z$'
ok "a new password leaves it" builder brakes
ok "... as it was" is "$(grep -c '^brakes names=' "$T/build-limits")" 1
builder signer --names 'brake-*' --hardware 'ecu-*'
ok "other limits take its place" builder signer --names 'brake-*' --hardware 'ecu-*,mcu'
ok "... and no other's" is "$(cut -d' ' -f1-3 "$T/build-limits")" "signer names=brake-* hardware=ecu-*,mcu
brakes names=brake-* hardware=ecu-*"
builder 1e1 --names 'brake-*'
ok "a name like a number is not another like it" sh -c "echo 10 | $top/scripts/ota-builder -c $conf --url $build_url --names 'x-*' 10 $T/10.zip &&
	grep -q '^1e1 names=brake-' $T/build-limits"
sed -i '/^1/d' "$T/build-limits"
ok "refuses a list with a blank" refuses "a list of patterns has" builder x --names 'a b'
ok "refuses what is no date" refuses "neither a date" builder x --expires soon
ok "refuses a date that is none" refuses "no date" builder x --expires 2027-02-31

# ---- commits and refs
commit=$(commit_of brake-pads 1)
free=0
for object in $(cd "$T/brake-pads-1.drop/objects" && find . -type f ! -name '*.commit' | sed 's|^\./||') \
	"$(echo "$commit" | sed 's/^../&\//').commit"; do
	[ "$(as brakes "/api/v3/objects/$object" --data-binary "@$T/brake-pads-1.drop/objects/$object")" = 204 ] || free=1
done
ok "takes objects of whom it may be" is $free 0
ok "takes a ref and its release that are within" allowed 200 brakes /api/v3/refs/heads/brake/pads -d "$commit"
ok "... published" wait_for 5 grep -q brake-pads "$T/repository/published/current/targets.json"
ok "refuses another ref" denied 'the ref \\"main\\" is none of those that this builder may push: brake/\*' brakes \
	/api/v3/refs/heads/main -d "$commit"
ok "refuses another package" denied 'the package \\"app\\" is none of those' brakes /api/v3/refs/heads/brake/other -d "$commit"
ok "... in failed/ too" has "$T/spool/failed/push-brake-other-$(echo "$commit" | cut -c1-12).reason.txt" 'the package "app"'
ok "refuses a hardware id among others" denied 'the hardware id \\"rpi4\\" is none of those' brakes \
	/api/v3/refs/heads/brake/board -d "$commit"
for ref in main brake/other brake/board; do ok "... and sets no ref $ref" allowed 404 free "/api/v3/refs/heads/$ref"; done
ok "... nor publishes any of it" is "$(targets)" "brake-pads-$commit"
ok "lets one without limits" allowed 200 free /api/v3/refs/heads/brake/other -d "$commit"

# ---- files
head -c 100 /dev/zero >"$T/blob"
file() { echo "$repo/targets/$1?name=$2&version=1&hardwareIds=$3"; }
ok "takes a file of a package that is within" allowed 204 brakes "$(file brake-fw-1 brake-fw ecu-brake)" -T "$T/blob"
ok "refuses one of another" denied 'the package \\"fw\\"' brakes "$(file brake-2 fw ecu-brake)" -T "$T/blob"
ok "refuses one for another hardware" denied 'the hardware id \\"rpi4\\"' brakes "$(file brake-2 brake-fw ecu-brake,rpi4)" -T "$T/blob"
described() {
	jq -nc --arg name "$1" '{name: $name, version: "3", hardwareIds: ["ecu-brake"], targetFormat: "BINARY", length: 5,
		uri: "https://example.net/x", checksum: {method: "sha256", hash: ("0" * 64)}}'
}
ok "takes a description that is within" allowed 200 brakes "$repo/targets/brake-far-3" -d "$(described brake-far)"
ok "refuses another" denied 'the package \\"far\\"' brakes "$repo/targets/brake-far-4" -d "$(described far)"
allowed 204 free "$(file brake-z-1 brake-z rpi4)" -T "$T/blob"
offered=$(jq -c '.signed.targets["brake-z-1"]' "$T/repository/published/current/targets.json")
ok "refuses more for a target that is for other hardware too" denied 'brake-z-1: the hardware id \\"rpi4\\"' brakes \
	"$(file brake-z-1 brake-z ecu-brake)" -T "$T/blob"
ok "... and another address of it" denied 'brake-z-1: the hardware id \\"rpi4\\"' brakes "$repo/targets/brake-z-1" -d "$(jq -nc \
	--arg hash "$(sha256sum <"$T/blob" | cut -d' ' -f1)" '{name: "brake-z", version: "1", hardwareIds: ["ecu-brake"],
	targetFormat: "BINARY", length: 100, uri: "https://example.net/z", checksum: {method: "sha256", hash: $hash}}')"
ok "... which stays as it was" is "$(jq -c '.signed.targets["brake-z-1"]' "$T/repository/published/current/targets.json")" "$offered"
ok "offers none of what was refused" not grep -E '"(brake-2|brake-far-4)"' "$T/repository/published/current/targets.json"

# ---- only pushing
ok "takes no signed targets of one who may only push" denied "brakes may only push" brakes "$repo/targets" -X PUT -d '{}'
ok "nor a delegation" denied "brakes may only push" brakes "$repo/delegations/x.json" -X PUT -d '{}'
ok "nor an order to collect garbage" denied "brakes may only push" brakes "$repo/ostree" -X DELETE
ok "he reads what is offered" allowed 200 brakes "$repo/targets.json"

# ---- until when, and who else
builder late --expires 2026-01-01
ok "one whose time is over is no builder" allowed 403 late "$repo/targets.json"
ok "... in words" has "$T/body" "this builder could push until 2026-01-01T23:59:59Z"
echo '* names=-' >>"$T/build-limits"
ok "a line for all others" denied 'the package \\"fw\\" is none of those that this builder may push: -' free \
	"$(file fw-1 fw rpi4)" -T "$T/blob"
ok "is not for owners" allowed 204 ci "$(file fw-1 fw rpi4)" -u ci:secret -T "$T/blob"
cp "$T/build-limits" "$T/limits"
sed -i -e '$d' -e 's/^brakes names/brakes nmaes/' "$T/build-limits"
ok "a line that cannot be read lets its builder do nothing" allowed 503 brakes "$repo/targets.json"
ok "... and says which" has "$T/body" 'build_limits: line [0-9]: \\"nmaes=brake-[*]\\" is none of names='
ok "others go on" allowed 200 signer "$repo/targets.json"
sed '$d' "$T/limits" >"$T/build-limits"

# ---- certificates
ok "a builder by certificate has limits too" sh -c "$top/scripts/ota-builder -c $conf --url $build_url --certificate \
	--ca-dir $T/pki --names 'wheel-*' --expires 10d wheels $T/wheels.zip"
(cd "$local" && unzip -qo "$T/wheels.zip" && openssl pkcs12 -in client_auth.p12 -passin pass: -nodes -out wheels.pem 2>/dev/null)
ok "his certificate ends with them" not openssl x509 -in "$local/wheels.pem" -noout -checkend $((12 * 86400))
ok "... not before" openssl x509 -in "$local/wheels.pem" -noout -checkend $((9 * 86400))
by_certificate() {
	curl -s -o "$T/body" -w '%{http_code}' --max-time 30 --cacert "$T/pki/server-ca.pem" --cert "$local/wheels.pem" \
		-T "$T/blob" "$build_url$1"
}
ok "and he is held to them" is "$(by_certificate "$(file x-1 x rpi4)")" 403
ok "within them he pushes" is "$(by_certificate "$(file wheel-1 wheel-x rpi4)")" 204
# ---- targets that a builder has signed: the key of targets is his from now on
touch "$T/keys/image/allow-take"
allowed 200 ci "$repo/root.json" -u ci:secret >/dev/null && cp "$T/body" "$local/root.json"
root_id=$(jq -r '.signed.roles.root.keyids[0]' "$local/root.json")
allowed 200 ci "$repo/root/private_keys/$root_id" -u ci:secret >/dev/null
"$sign" take "$local" old <"$T/body" >/dev/null
new_targets=$("$sign" key ed25519 "$local" targets)
jq -c --slurpfile targets "$local/targets.pub" --arg tid "$new_targets" '.signed | .version += 1
	| del(.keys[.roles.targets.keyids[0]]) | .keys[$tid] = $targets[0] | .roles.targets.keyids = [$tid]' \
	"$local/root.json" >"$local/next"
"$sign" sign "$local/next" "$local/old.sec" >"$local/2.root.json"
ok "the keys of targets go to the builder" allowed 204 ci "$repo/root" -u ci:secret --data-binary "@$local/2.root.json"

# edited NAME FILTER: what is offered, through jq, signed, handed in by NAME; prints the status
edited() {
	as free "$repo/targets.json" >/dev/null && cp "$T/body" "$local/targets.json"
	jq -c --arg later "$(date -u -d '+30 days' +%Y-%m-%dT%H:%M:%SZ)" ".signed | .version += 1 | .expires = \$later | $2" \
		"$local/targets.json" >"$local/edited"
	"$sign" sign "$local/edited" "$local/targets.sec" >"$local/signed"
	as "$1" "$repo/targets" -X PUT --data-binary "@$local/signed" \
		-H "x-ats-role-checksum: $(sha256sum <"$local/targets.json" | cut -d' ' -f1)"
}
new='{hashes: {sha256: ("1" * 64)}, length: 5, custom: {name: "NAME", version: "9", hardwareIds: ["HARDWARE"], targetFormat: "BINARY",
	uri: "https://example.net/y", createdAt: "2026-01-01T00:00:00Z", updatedAt: "2026-01-01T00:00:00Z"}}'
adding() { echo ".targets[\"$1\"] = $new" | sed "s/NAME/$2/; s/HARDWARE/$3/"; }
kept() {
	words=$1
	shift
	sum=$(sha256sum <"$T/repository/published/current/targets.json")
	is "$(edited "$@")" 403 && is "$(jq -r .code "$T/body")" not_allowed && has "$T/body" "$words" &&
		is "$(sha256sum <"$T/repository/published/current/targets.json")" "$sum"
}
ok "takes signed targets of one without limits" is "$(edited free "$(adding app-9 app rpi4)")" 204
ok "of one with limits, what is within" is "$(edited signer "$(adding brake-9 brake-x mcu)")" 204
ok "no package beyond" kept 'app-10: the package \\"app\\"' signer "$(adding app-10 app mcu)"
ok "no hardware beyond" kept 'brake-10: the hardware id \\"rpi4\\"' signer "$(adding brake-10 brake-x rpi4)"
ok "no change of what is beyond" kept 'app-9: the package \\"app\\"' signer '.targets["app-9"].custom.uri = "https://example.net/z"'
ok "not even to what would be within" kept 'app-9: the package \\"app\\"' signer '.targets["app-9"].custom.name = "brake-z"'
ok "nor that it goes" kept 'app-9: the package \\"app\\"' signer 'del(.targets["app-9"])'
key=$("$sign" key ed25519 "$local" supplier)
trust=".delegations = {keys: {\"$key\": $(cat "$local/supplier.pub")}, roles: [{name: \"sup\", keyids: [\"$key\"],
	paths: [\"*\"], threshold: 1, terminating: false}]}"
ok "nor whom targets trust" kept 'does not change which delegations are trusted' signer "$trust"
ok "what is within may go" is "$(edited signer 'del(.targets["brake-9"])')" 204
ok "one without limits may trust somebody" is "$(edited free "$trust")" 204
delegated() { # delegated VERSION NAME: a delegation that offers one target
	jq -nc --arg later "$(date -u -d '+30 days' +%Y-%m-%dT%H:%M:%SZ)" "{_type: \"Targets\", version: $1, expires: \$later, targets: {}}
		| $(adding "sup-$1" "$2" mcu)" >"$local/delegation"
	"$sign" sign "$local/delegation" "$local/supplier.sec" >"$local/delegated"
}
delegated 1 brake-y
ok "a delegation is taken of one whose limits its targets are in" allowed 204 signer "$repo/delegations/sup.json" -X PUT \
	--data-binary "@$local/delegated"
delegated 2 other
ok "no other" denied 'sup-2: the package \\"other\\"' signer "$repo/delegations/sup.json" -X PUT --data-binary "@$local/delegated"
ok "but of one who has none" allowed 204 free "$repo/delegations/sup.json" -X PUT --data-binary "@$local/delegated"


# ---- guessing
guess() { curl -s -o "$T/body" -D "$T/headers" -w '%{http_code}' --cacert "$T/pki/server-ca.pem" -u free:wrong "$@" "$build_url$repo/targets.json"; }
for _ in 1 2 3 4 5 6 7 8 9 10; do guess -X GET >"$T/guess"; done
ok "a wrong password is 401" is "$(cat "$T/guess")" 401
ok "after ten no more is looked at: 429" is "$(guess -X GET)" 429
ok "... for a while" has "$T/headers" '^[Rr]etry-[Aa]fter: [0-9]'
ok "... in JSON" is "$(jq -r .code "$T/body")" too_many_requests
ok "... whatever is handed in" is "$(guess -T "$T/blob")" 429
ok "... for a while" has "$T/headers" '^[Rr]etry-[Aa]fter: [0-9]'
truncate -s 1G "$T/sparse"
nobodys() { # he may be cut off before he has read why
	curl -s -o /dev/null -w '%{http_code}' --max-time 5 --cacert "$T/pki/server-ca.pem" -T "$T/sparse" "$build_url$repo/targets/x" |
		grep -Eqx '401|100|000' && test -z "$(find "$T/gateway" -size +1M)"
}
ok "what somebody without a name sends is not waited for" nobodys
finish
