#!/bin/sh
# Repo Server's interface while all keys are on line: binaries, targets that are elsewhere, suppliers, and what a device makes of
# them.
# shellcheck source=tests/integration/lib.sh disable=SC2317,SC2016 # functions are called by name
. "$(dirname "$0")/lib.sh"

sign=${OTA_TEST_SIGN:-$top/build/release/tests/ota-test-sign}
settings "spool_quiet_seconds = 1" "build_owners = ci"
start_all
start_build
repo=/api/v1/user_repo
current=$T/repository/published/current
code() { jq -r .code "$T/body"; }
offered() { jq -e --arg file "$1" ".signed.targets[\$file] | $2" "$current/targets.json"; }

enroll car1
device car1 poll >/dev/null 2>&1
head -c 3000000 /dev/urandom >"$T/fw.bin"
sha=$(sha256sum <"$T/fw.bin" | cut -d' ' -f1)
query='name=fw&version=1.0&hardwareIds=qemux86-64,other&targetFormat=BINARY'
ok "takes a binary" is "$(push "$repo/targets/fw/main-1.0.bin?$query" -X PUT --data-binary "@$T/fw.bin")" 204
ok "offers it by its hash" offered fw/main-1.0.bin ".hashes == {sha256: \"$sha\"} and .length == 3000000"
ok "and its hardware ids" offered fw/main-1.0.bin '.custom.hardwareIds == ["qemux86-64", "other"]'
ok "the same again changes nothing" is "$(push "$repo/targets/fw/main-1.0.bin?$query" -X PUT --data-binary "@$T/fw.bin")" 204
ok "never takes other content under that name" is "$(push "$repo/targets/fw/main-1.0.bin?$query" -X PUT --data-binary @"$conf")" 409
ok "nor one without hardware ids" is "$(push "$repo/targets/x-1?name=x&version=1" -X PUT --data-binary @"$conf")" 400
ok "in words" says "hardware" jq -r .description "$T/body"
ok "serves it to builders" is "$(push "$repo/targets/fw/main-1.0.bin")" 200
ok "whole" cmp "$T/body" "$T/fw.bin"
ok "the tree has it" wait_for 10 test -e "$T/mount/packages/fw/1.0/hash"
ok "with its sha512 aside" is "$(cat "$T/mount/packages/fw/1.0/sha512")" "$(sha512sum <"$T/fw.bin" | cut -d' ' -f1)"
echo "fw 1.0" >"$T/mount/devices/car1/assign"
ok "refuses to take away what is assigned" is "$(push "$repo/targets/fw/main-1.0.bin" -X DELETE)" 409
ok "a device installs it" device car1 poll
ok "the server knows" wait_for 5 has "$T/mount/devices/car1/status" ": UpToDate: car1-ecu runs fw/main-1.0.bin"

ok "takes a target that is elsewhere" is "$(push "$repo/targets/cdn-1" -H 'Content-Type: application/json' -d '{"uri":
	"https://cdn.example/cdn-1","checksum":{"method":"sha256","hash":"'"$sha"'"},"length":3000000,"hardwareIds":["qemux86-64"],
	"name":"cdn","version":"1"}')" 200
ok "offers it with its address" offered cdn-1 '.custom.uri == "https://cdn.example/cdn-1"'
ok "refuses one without a length" is "$(push "$repo/targets/cdn-2" -H 'Content-Type: application/json' -d '{"uri":
	"https://cdn.example/cdn-2","checksum":{"method":"sha256","hash":"'"$sha"'"},"hardwareIds":["qemux86-64"],"name":"cdn",
	"version":"2"}')" 400
ok "takes it away" is "$(push "$repo/targets/cdn-1" -X DELETE)" 204
ok "from targets.json" not offered cdn-1 .
ok "what is not there cannot go" is "$(push "$repo/targets/cdn-1" -X DELETE)" 404

# ---- a supplier whom the owner trusts, with keys on line
mkdir "$T/keys-of-supplier"
id=$("$sign" key ed25519 "$T/keys-of-supplier" supplier)
ok "trusts a key" is "$(push $repo/trusted-delegations/keys -X PUT -d "[$(cat "$T/keys-of-supplier/supplier.pub")]")" 204
ok "refuses a delegation to a key that is not known" is "$(push $repo/trusted-delegations -X PUT -d '[{"name":"supplier",
	"keyids":["'"$(printf '%064d' 1)"'"],"paths":["brake*"],"threshold":1}]')" 400
ok "delegates to it" is "$(push $repo/trusted-delegations -X PUT -d '[{"name":"supplier","keyids":["'"$id"'"],"paths":["brake*"],
	"threshold":1}]')" 204
ok "and does not end the search there unless told" is "$(jq '.signed.delegations.roles[0].terminating' "$current/targets.json")" false
head -c 20000 /dev/urandom >"$T/brake.bin"
brake=$(sha256sum <"$T/brake.bin" | cut -d' ' -f1)
jq -nc --arg later "$(date -u -d '+20 days' +%Y-%m-%dT%H:%M:%SZ)" --arg sha "$(sha256sum <"$T/fw.bin" | cut -d' ' -f1)" \
	'{_type: "Targets", version: 1, expires: $later, targets: {"brake-1": {hashes: {sha256: $sha}, length: 3000000, custom: {name:
	"brake", version: "1", hardwareIds: ["qemux86-64"], targetFormat: "BINARY"}}}}' |
	"$sign" sign - "$T/keys-of-supplier/supplier.sec" >"$T/supplier.json"
ok "takes what he signed" is "$(push $repo/delegations/supplier.json -X PUT --data-binary "@$T/supplier.json")" 204
ok "the snapshot lists it" jq -e '.signed.meta["supplier.json"].version == 1' "$current/snapshot.json"
ok "the tree says whose it is" wait_for 10 has "$T/mount/packages/brake/1/delegation" supplier
ok "it can be assigned" sh -c "echo 'brake 1' >'$T/mount/devices/car1/assign'"
ok "the hash of $brake was never handed in" not test -e "$T/repository/binaries/$(echo "$brake" | cut -c1-2)"
ok "the owner ends the trust" is "$(push $repo/trusted-delegations/supplier -X DELETE)" 204
ok "and its packages go" wait_for 10 not test -e "$T/mount/packages/brake"
ok "which the device is told" wait_for 15 has "$T/mount/devices/car1/status" "not in the image repository any more"
finish
