#!/bin/sh
# Taking over the fleet of another server: its roots go on by the keys of its root, and its devices, which have stored its
# metadata and told their ECUs once, poll and install as if nothing had happened. The other server is an instance of ours,
# whose documents have the same form, behind the REST interface of OTA-CE, which answers from files.
# shellcheck source=tests/integration/lib.sh disable=SC2317,SC2016,SC2086 # functions are called by name; ids have no blanks
. "$(dirname "$0")/lib.sh"

import() { "$top/scripts/ota-import" "$@"; }
backup() { "$top/scripts/ota-backup" "$@"; }
ota() { "$OTA_BIN/ota-sign" "$@"; }
# answers PATH: where the answer to GET PATH is put
answers() { echo "$T/rest/$(printf '%s' "$1" | tr / @)"; }
holder() { "$QUICK_SIGN" "$@" --keys "$T/holder" --passphrase-file "$T/word"; }
# take_over REPOSITORY KEY: as docs/OPERATIONS.md has it
take_over() {
	ota root begin "$1" -c "$conf" --online --rotate root --rotate targets --rotate snapshot --rotate timestamp "$T/draft-$1" &&
		holder root sign "$T/draft-$1" --key "$2" --yes && ota root finish -c "$conf" "$T/draft-$1"
}

settings "spool_quiet_seconds = 1"
car1=11111111-2222-3333-4444-555555555551
car2=11111111-2222-3333-4444-555555555552
echo "correct horse battery" >"$T/word"
chmod 600 "$T/word"

# ---- the old server: roots that were rotated, two devices of which one has an update open
start_all
for role in image director; do ota rotate "$role" root -c "$conf" --yes >/dev/null; done
for id in $car1 $car2; do
	enroll $id >/dev/null
	device $id poll >/dev/null 2>&1
done
commit_of app 1 >/dev/null
commit_of app 2 >/dev/null
drop app 1
ok "the old server publishes" published app 1
echo "app 1" >"$T/mount/devices/$car1/assign"
ok "its device installs" says "installed app-1" device $car1 poll
echo "app 1" >"$T/mount/devices/$car2/assign"

mkdir "$T/rest"
current=$T/repository/published/current
for role in targets snapshot timestamp; do cp "$current/$role.json" "$(answers /api/v1/user_repo/$role.json)"; done
for n in 1 2; do
	cp "$current/$n.root.json" "$(answers /api/v1/user_repo/$n.root.json)"
	cp "$T/keys/director/$n.root.json" "$(answers /api/v1/admin/repo/$n.root.json)"
done
jq -nc --arg a $car1 --arg b $car2 '{total: 2, offset: 0, limit: 50, values: [{uuid: $a, deviceName: "Anna", deviceId: "VIN1", notes: "a \"b\"\nc"},
	{uuid: $b, deviceName: "Bob", deviceId: "VIN2"}]}' >"$(answers /api/v1/devices)"
echo '{"total":2,"values":[{"id":"g1","groupName":"pilots","groupType":"static"},{"id":"g2","groupName":"second","groupType":"dynamic",
	"expression":"deviceid contains VIN2"}]}' >"$(answers /api/v1/device_groups)"
echo "{\"total\":1,\"values\":[\"$car1\"]}" >"$(answers /api/v1/device_groups/g1/devices)"
echo '{"total":0,"values":[]}' >"$(answers /api/v1/device_groups/g2/devices)"
for id in $car1 $car2; do
	jq -c '[.ecus[] | {id: .serial, hardwareId: .hardwareId, primary: true}]' "$T/mount/devices/$id/device.json" >"$(answers /api/v1/admin/devices/$id)"
	jq -c '.ecus[0].publicKey' "$T/mount/devices/$id/device.json" >"$(answers /api/v1/admin/devices/$id/ecus/$id-ecu/public_key)"
done
echo "[{\"correlationId\":\"urn:here-ota:mtu:x\"}]" >"$(answers /api/v1/assignments/$car2)"
start rest perl -MIO::Socket::INET -e '
	my $s = IO::Socket::INET->new(Listen => 5, LocalAddr => "127.0.0.1", ReuseAddr => 1) or die;
	open my $p, ">", "$ARGV[0].port" or die; print $p $s->sockport; close $p;
	while (my $c = $s->accept) {
		my ($path) = <$c> =~ m{^GET (/[^? ]*)}; while (<$c> =~ /\S/) {}
		$path =~ tr{/}{@}; my $f; local $/;
		if (open $f, "<", "$ARGV[0]/$path") { my $b = <$f>; printf $c "HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n%s", length $b, $b }
		else { print $c "HTTP/1.0 404 Not Found\r\n\r\n{}" }
		close $c;
	}' "$T/rest"
needs 5 test -s "$T/rest.port"
rest=http://127.0.0.1:$(cat "$T/rest.port")
ok "saves all that it answers" says "has 2 devices" import save --reposerver "$rest" --director "$rest" --registry "$rest" "$T/old"
for key in image director; do
	cp "$(find "$T/keys/$key" -name 'root-*.key')" "$T/$key.seed"
	holder key import $key "$T/$key.seed" >/dev/null
done
cp -r "$T/repository/ostree" "$T/treehub"

# ---- what is not whole or not signed is refused
broken() { # broken COMMAND: a copy after that
	rm -rf "$T/broken" "$T/none"
	cp -r "$T/old" "$T/broken"
	(cd "$T/broken" && eval "$1")
}
broken "rm image/1.root.json"
ok "refuses a chain with a gap" refuses "1.root.json: is missing" import convert "$T/broken" "$T/none"
broken "jq -c .signed.version=3 director/2.root.json >x; mv x director/2.root.json"
ok "or a root that is not the next" refuses "version 3 does not follow version 1" import convert "$T/broken" "$T/none"
broken "jq -c '.signed.expires=\"2099-01-01T00:00:00Z\"' director/2.root.json >x; mv x director/2.root.json"
ok "or not signed" refuses "signed by the root before: .*0 of 1" import convert "$T/broken" "$T/none"
broken "jq -c '.signed.targets={}' image/targets.json >x; mv x image/targets.json"
ok "or targets that are not" refuses "targets.json: is not signed by the keys of root 2" import convert "$T/broken" "$T/none"

broken "rm -r image director && cp -r '$top/tests/vectors/repo' image && cp -r '$top/tests/vectors/director' director"
ok "takes what OTA-CE writes, long expired, with a delegation" import convert "$T/broken" "$T/none"
ok "of which nothing is lost" cmp "$top/tests/vectors/repo/delegations/supplier01.json" "$T/none/published/current/delegations/supplier01.json"

# ---- the new one: another machine, as far as keys and state go
for program in web gate otafs watcher signd; do stop $program; done
rm -rf "$T/keys" "$T/state" "$T/repository" "$T/fleet" "$T/spool"
echo "fleet_ca = $T/pki/device-ca.pem" >>"$conf"
ok "makes of it what can be restored" says "Roots: image 2, director 2" import convert --treehub "$T/treehub" "$T/old" "$T/converted"
ok "which is whole" backup verify "$T/converted"
ok "restores it" backup restore -c "$conf" "$T/converted"
start_signd
start_watcher
start_otafs
ok "says where the keys are" says "elsewhere" ota status -c "$conf"
ok "and what to do" has "$T/mount/status/expiring" "ota-sign root begin image --online --rotate timestamp DRAFT"
ok "without which nothing is signed" has "$T/watcher.log" "signed with keys that are not here"
ok "the holder of the old image root signs the next" take_over image image
ok "and that of the director" take_over director director
ok "all is published with it" wait_for 20 sh -c "[ \$(jq .signed.version $current/root.json) = 3 ] && [ \$(jq .signed.version $current/targets.json) -gt 100000 ]"
ok "by keys that are here" not sh -c "'$OTA_BIN/ota-sign' status -c '$conf' | grep elsewhere"
ok "the same is offered" test -e "$T/mount/packages/app/1/hash"
ok "its objects are here" test -n "$(find "$T/repository/ostree/objects" -name '*.commit')"

ok "makes the devices" says "2 devices, 2 groups" import devices -c "$conf" "$T/old"
ok "and tells what was open" has "$T/says.out" "$car2: had an update open"
ok "with names" is "$(cat "$T/mount/devices/$car1/name") $(cat "$T/mount/devices/$car2/tags")" "Anna deviceId=VIN2"
ok "notes of several lines" is "$(cat "$T/mount/devices/$car1/notes")" "a \"b\"
c"
ok "groups" is "$(cd "$T/mount/groups/pilots" && echo 1111*) $(cat "$T/mount/groups/second/rule")" "$car1 tag(deviceId) contains VIN2"
ok "whose rules find them" is "$(cat "$T/mount/groups/second/count")" 1
ok "and may be done once more" import devices -c "$conf" "$T/old"

# ---- the devices, which hear of none of it
start gate "$OTA_BIN/ota-gate" -c "$conf"
needs 10 test -S "$T/gate.sock"
render
start_web_server
ok "car1 goes on" device $car1 poll
ok "without telling its ECUs again" not grep -q "POST /director/ecus" "$T/ok.out"
drop app 2
ok "the new server publishes" published app 2
echo "app 2" >"$T/mount/devices/$car1/assign"
ok "car1 installs" says "installed app-2" device $car1 poll
ok "by the new root" has "$T/says.out" "/repo/3.root.json 200"
echo "app 1" >"$T/mount/devices/$car2/assign"
ok "car2 installs what the old server had for it" says "installed app-1" device $car2 poll
ok "the report is taken by the keys that were imported" has "$T/mount/devices/$car2/status" "UpToDate: $car2-ecu runs app-1"
finish
