#!/bin/sh
# What leaves targets.json: old versions by keep_versions, single ones by otafs's request; never what is needed.
# shellcheck source=tests/integration/lib.sh disable=SC2317 # functions are called by name
. "$(dirname "$0")/lib.sh"

in=$T/spool/incoming
current=$T/repository/published/current
offered() { jq -e ".signed.targets[\"$1\"]" "$current/targets.json" >/dev/null; }
request() { # request ID JSON: as otafs writes it
	printf '%s' "$2" >"$T/fleet/requests/$1.tmp"
	mv "$T/fleet/requests/$1.tmp" "$T/fleet/requests/$1.json"
}
refused() { wait_for 10 test -e "$T/repository/report/refused/$1" && has "$T/repository/report/refused/$1" "$2"; }
publish() { # publish VERSION
	echo "firmware $1" >"$in/fw-$1"
	echo "{\"name\":\"fw\",\"version\":\"$1\",\"hardwareIds\":[\"mcu\"]}" >"$in/fw-$1.push.json"
	wait_for 20 test -e "$T/spool/done/fw-$1.receipt.json"
}
sha() { echo "firmware $1" | sha256sum | cut -d' ' -f1; }

settings "spool_quiet_seconds = 1" "spool_incomplete_seconds = 3" "keep_versions = 2"
start_signd && start_watcher || exit 1
commit=$(commit_of app 1)
drop app 1
wait_for 20 test -e "$T/spool/done/app-1.receipt.json"
for v in 1 2 3; do publish $v; done
ok "without word of the fleet all stay" offered fw-1

mkdir -p "$T/fleet/requests"
echo "{\"running\":[{\"sha256\":\"$(sha 1)\"}],\"assigned\":[{\"target\":\"fw-2\",\"sha256\":\"$(sha 2)\"}]}" >"$T/fleet/fleet.json"
publish 4
ok "what runs and what is assigned stays" offered fw-1
ok "assigned" offered fw-2
echo "{\"running\":[],\"assigned\":[]}" >"$T/fleet/fleet.json"
publish 5
ok "then the two newest stay" offered fw-4
ok "and the others go" not offered fw-1
ok "all" not offered fw-3
ok "the log tells" has "$T/watcher.log" 'target retired file="fw-1" .*newer versions'

ok "the commit has its ref" test -e "$T/repository/ostree/refs/heads/qemux86-64/app"
request 1-1 '{"retire":"app-1"}'
ok "a request: it goes" wait_for 10 not offered app-1
ok "and its ref" wait_for 5 not test -e "$T/repository/ostree/refs/heads/qemux86-64/app"
ok "objects are left to garbage collection" test -e \
	"$T/repository/ostree/objects/$(echo "$commit" | sed 's|^..|&/|').commit"
request 1-2 '{"retire":"never-there"}'
request 1-3 '{"remove":"x"}'
echo "{\"running\":[],\"assigned\":[{\"target\":\"fw-5\",\"sha256\":\"$(sha 5)\"}]}" >"$T/fleet/fleet.json"
request 1-4 '{"retire":"fw-5"}'
request 1-5 '{"retire":'
ok "a request of another kind is refused" refused 1-3 'is no {"retire":FILE}'
ok "what is assigned stays" refused 1-4 'fw-5: is assigned to a device'
ok "half a request is refused" refused 1-5 'request: not JSON'
ok "what is not there is done" not test -e "$T/repository/report/refused/1-2"
ok "the target is there" offered fw-5
rm "$T/fleet/requests/1-4.json"
request 1-6 '{"retire":"fw-4"}'
ok "the next request: it goes" wait_for 10 not offered fw-4
ok "the answer goes with its request" wait_for 5 not test -e "$T/repository/report/refused/1-4"

stop watcher
request 1-7 '{"retire":"fw-5"}'
echo "{\"running\":[],\"assigned\":[]}" >"$T/fleet/fleet.json"
start watcher "$OTA_BIN/ota-watcher" -c "$conf"
ok "what was asked while it was away" wait_for 10 not offered fw-5
finish
