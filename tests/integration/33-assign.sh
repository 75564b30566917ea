#!/bin/sh
# Everything that can be written into devices/ID/assign, with a device that polls through lighttpd: trials, what is in
# flight, updates at a time, packages that are followed, two administrators at once; and otafs killed in between.
# shellcheck source=tests/integration/lib.sh disable=SC2317 # functions are called by name
. "$(dirname "$0")/lib.sh"

settings "spool_quiet_seconds = 1"
start_all
dev=$T/mount/devices/car7
enroll car7 >/dev/null
device car7 poll >/dev/null 2>&1
for version in 1.0 2.0; do
	commit_of app $version >/dev/null
	drop app $version
	ok "publishes app $version" published app $version
done

assign() { cat >"$dev/assign"; }
assigns() { printf '%s\n' "$1" | assign; }
tries() { printf '%s\n' "$1" | cat >"$dev/assign.check"; }
shows() { has "$dev/assign" "$1"; }
soon() { wait_for 15 file_with "$dev/assign" "$1"; }
later() { date -u -d "+$1 seconds" +%Y-%m-%dT%H:%M:%SZ; }
# Its child dies a moment later than the parent that was killed.
restart() {
	stop otafs KILL
	wait_for 10 not stat -f "$T/mount"
	start_otafs
}

# ---- trials
history=$(cat "$dev/history")
ok "tries a command" tries "app 1.0"
ok "and tells what it would do" has "$dev/assign.check" "would assign app-1.0 to ECU car7-ecu, which runs"
ok "with who asked for it, and for what" has "$dev/assign.check" "Z uid 0.*: app 1.0$"
ok "fails like the real one" refuses "No such file" tries "app 9"
ok "and tells why" has "$dev/assign.check" "would be refused: package app has no version 9"
ok "tries a time" tries "at 2090-01-01T00:00:00Z app 1.0"
ok "and tells that" has "$dev/assign.check" "would assign at 2090-01-01T00:00:00Z app-1.0"
ok "has assigned nothing" is "$(cat "$dev/assign")" ""
ok "and told nothing of it" is "$(cat "$dev/history")" "$history"

# ---- in flight
ok "assigns" assigns "app 1.0"
ok "says that nobody has read it" shows "^app-1.0 to ECU car7-ecu, open since .*, not read yet, urn:here-ota:mtu:"
ok "takes it back then" assigns cancel
ok "says what became of it" shows "^last: app-1.0 on ECU car7-ecu cancelled at .* uid 0.*, urn:here-ota:mtu:"
ok "assigns anew" assigns "app 1.0"
ok "the device reads its targets" is "$(fetch car7 /director/targets.json)" 200
ok "which name it" is "$(jq -r '.signed.targets | keys[]' "$T/body")" app-1.0
ok "and the update" is "$(jq -r .signed.custom.correlationId "$T/body")" "$(sed -n 's/.*\(urn:.*\)/\1/p' "$dev/assign" | head -n 1)"
ok "says that it is in flight" shows ", in flight since 20"
ok "does not take it back" refuses busy assigns cancel
ok "and says how" has "$dev/why" 'app-1.0 is in flight: the device may have read of it since .*"cancel!" takes it back'
assigns "at 2090-01-01T00:00:00Z app 2.0"
ok "but one that is scheduled meanwhile" assigns "cancel $(sed -n 's/^scheduled.*\(urn:.*\)/\1/p' "$dev/assign")"
ok "and that alone" is "$(grep -c -e '^scheduled' -e 'in flight since' "$dev/assign")" 1
restart
ok "knows it after a crash" refuses busy assigns cancel
ok "takes it back by force" assigns 'cancel!'
ok "and notes that" has "$dev/history" "cancelled app-1.0 for ECU car7-ecu by uid 0.* though the device may have read of it"
ok "the next targets are empty" sh -c "[ \"\$(curl -s --cert $T/car7/client.pem --key $T/car7/pkey.pem --cacert $T/car7/root.crt \
	$url/director/targets.json | jq -c '.signed.targets, .signed.custom.deviceId' | tr '\n' ' ')\" = '{} \"car7\" ' ]"

# ---- at
ok "refuses a time that is over" refuses "Invalid" assigns "at 2020-01-01T00:00:00Z app 1.0"
ok "and says so" has "$dev/why" "at 2020-01-01T00:00:00Z: that is over, it is 20"
ok "refuses what is no time" refuses "Invalid" assigns "at midnight app 1.0"
ok "and says what is" has "$dev/why" "expected a time like 2026-12-01T02:00:00Z"
at=$(later 4)
ok "takes a time" assigns "at $at app 1.0"
ok "shows it" shows "^scheduled for $at by uid 0.*: app 1.0, urn:here-ota:mtu:"
ok "and says so in status" has "$dev/status" "^car7: UpdateScheduled: .*; an update is scheduled for $at; last seen"
stop otafs KILL
sleep 5
start_otafs
ok "begins it, though otafs was dead when it was due" soon "^app-1.0 to ECU car7-ecu, open since"
ok "the device installs it" says "installed app-1.0 on car7-ecu" device car7 poll
ok "says when that was and how long it took" shows "^last: app-1.0 on ECU car7-ecu installed at .* after [0-9]+ (s|min).*, urn:here-ota:mtu:"

# ---- follow
ok "refuses to follow nothing" refuses "No such file" assigns "follow nothing"
ok "tries to follow" tries "follow app"
ok "which would begin now" has "$dev/assign.check" "would assign app-2.0"
ok "follows" assigns "follow app"
ok "and begins at once" shows "^app-2.0 to ECU car7-ecu, open since .*urn:here-ota:auto-update:"
ok "says so" shows "^follows app on every ECU that it fits, since .* by uid 0"
ok "the device installs that too" says "installed app-2.0 on car7-ecu" device car7 poll
commit_of app 3.0 >/dev/null
drop app 3.0
ok "publishes the next" published app 3.0
ok "which comes by itself" soon "^app-3.0 to ECU car7-ecu, open since"
ok "is cancelled" assigns cancel
sleep 2
restart
sleep 2
ok "and does not come again" not file_with "$dev/assign" "open since"
stop otafs KILL
commit_of app 4.0 >/dev/null
drop app 4.0
wait_for 30 test -e "$T/spool/done/app-4.0.receipt.json"
start_otafs
ok "what was published while otafs was dead comes too" soon "^app-4.0 to ECU car7-ecu, open since"
ok "and is installed" says "installed app-4.0 on car7-ecu" device car7 poll
ok "unfollows" assigns "unfollow app"
ok "shows that" not file_with "$dev/assign" "^follows"

# ---- what the device would pass over in silence
head -c 1000 /dev/urandom >"$T/bin"
echo '{"name":"bin","version":"1","hardwareIds":["qemux86-64"]}' >"$T/spool/incoming/bin-1.push.json"
cp "$T/bin" "$T/spool/incoming/bin-1"
ok "publishes a binary" wait_for 30 test -e "$T/mount/packages/bin/1/hash"
ok "takes it for a primary that installs anything" tries "bin 1"
printf '[pacman]\ntype = "ostree"\n' >"$T/config"
ok "the device says that it has OSTree" is "$(fetch car7 /system_info/config -X POST -H 'Content-Type: application/toml' --data-binary "@$T/config")" 200
ok "then it is refused" refuses "Invalid" assigns "bin 1"
ok "and says why" has "$dev/why" "bin-1 is a BINARY, and the package manager of car7-ecu is ostree"

# ---- two administrators at once
both=0
for i in 1 2 3 4 5 6 7 8 9 10; do
	(assigns "app 1.0" 2>/dev/null && echo one >"$T/one.$i") &
	first=$!
	(assigns "app 2.0" 2>/dev/null && echo two >"$T/two.$i") &
	wait $first $!
	[ "$(cat "$T/one.$i" "$T/two.$i" 2>/dev/null | wc -l)" = 1 ] && [ "$(grep -c "open since" "$dev/assign")" = 1 ] ||
		both=$((both + 1))
	assigns cancel
done
ok "one of two wins, and the other is told" is "$both" 0
# ---- a device that goes
assigns "app 1.0"
correlation=$(sed -n 's/.*open since.*, //p' "$dev/assign")
ok "a device with an open update is deleted" rmdir "$dev"
mkdir "$dev"
ok "which is told with the update's id" has "$dev/history" "device deleted by uid 0.*, with an open update: urn:here-ota:mtu:${correlation#urn:here-ota:mtu:}\$"
finish
