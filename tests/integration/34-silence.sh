#!/bin/sh
# Silence has an alarm: a device that polls and neither installs nor reports its update is told, with the likely causes.
# And the counters of manifests: an old one is refused, in words.
# shellcheck source=tests/integration/lib.sh disable=SC2317 # functions are called by name
. "$(dirname "$0")/lib.sh"

settings "spool_quiet_seconds = 1" "unresponsive_polls = 3"
start_all
dev=$T/mount/devices/car7

enroll car7
device car7 poll >/dev/null 2>&1
commit_of app 1.0 >/dev/null
drop app 1.0
ok "publishes" published app 1.0
# status_of ID: the one word
status_of() {
	jq -r .status "$T/mount/devices/$1/device.json"
}
unresponsive() {
	sed -n 's/^otafs_devices_by_status{status="Unresponsive"} //p' "$T/mount/status/metrics"
}

# ---- it reads its targets and does nothing
echo 'app 1.0' >"$dev/assign"
ok "says that the device has not read of a new update" is "$(status_of car7)" UpdatePending
device car7 check >/dev/null 2>&1
ok "and that it has" is "$(status_of car7)" InFlight
device car7 check >/dev/null 2>&1
device car7 check >/dev/null 2>&1
ok "waits for as many polls as the setting says" is "$(status_of car7)" InFlight
device car7 check >/dev/null 2>&1
ok "then gives the alarm" is "$(status_of car7)" Unresponsive
causes="it has read director/targets.json and not begun"
ok "names likely causes in status" has "$dev/status" "in 3 polls there was no sign of it: $causes"
ok "and in why" has "$dev/why" "no sign of app-1.0 in 3 polls: $causes"
ok "and in the history" has "$dev/history" "no sign of app-1.0 in 3 polls: $causes"
ok "and in the log" has "$T/otafs.log" "unresponsive device=car7 target=app-1.0 polls=3"
ok "counts such devices in the metrics" is "$(unresponsive)" 1
device car7 check >/dev/null 2>&1
ok "tells it once" is "$(grep -c 'no sign of' "$dev/history")" 1
ok "and goes on counting" has "$dev/status" "in 4 polls there was no sign"

# ---- a sign of the update
correlation=$(sed -n 's/.*\(urn:here-ota:mtu:[0-9a-f-]*\).*/\1/p' "$dev/assign" | head -n 1)
# event ID TYPE: of the open update
event() {
	jq -nc --arg id "$1" --arg type "$2" --arg correlation "$correlation" \
		'[{id:$id,deviceTime:"2026-11-27T08:00:00Z",eventType:{id:$type,version:0},
		event:{correlationId:$correlation,ecu:"car7-ecu"}}]' >"$T/event.json"
	device car7 send events "$T/event.json" >/dev/null 2>&1
}
event e1 EcuDownloadStarted
ok "takes an event of the update for a sign" is "$(status_of car7)" InFlight
ok "which the status tells" has "$dev/status" "and the device is downloading it"
ok "counts no such device any more" is "$(unresponsive)" 0
for _ in 1 2 3; do device car7 check >/dev/null 2>&1; done
ok "gives the alarm again when nothing follows" is "$(status_of car7)" Unresponsive
ok "with the cause that fits" has "$dev/why" "its download has begun and not ended"
ok "ends the alarm with the update" says "installed app-1.0" device car7 poll
ok "and is content" is "$(status_of car7)" UpToDate

# ---- it cannot get its targets
commit_of app 2.0 >/dev/null
drop app 2.0
ok "publishes another version" published app 2.0
ok "which is assigned" sh -c "echo 'app 2.0' > $dev/assign"
stop signd
for _ in 1 2 3; do device car7 check >/dev/null 2>&1; done
ok "gives the alarm when its check ends early, too" is "$(status_of car7)" Unresponsive
start_signd
ok "and it updates when that is over" says "installed app-2.0" device car7 poll

# ---- old manifests
device car7 --record "$T/old.json" poll >/dev/null 2>&1
ok "takes the last manifest once more: its answer may have got lost" says "200" device car7 send manifest "$T/old.json"
device car7 poll >/dev/null 2>&1
history=$(cat "$dev/history")
ok "refuses an old one" says "409" device car7 send manifest "$T/old.json"
ok "with a code" says '"code":"replayed_manifest"' device car7 send manifest "$T/old.json"
ok "says so in why, with what to do" has "$dev/why" 'write "reset" into devices/car7/counter'
ok "and once in the history" is "$(grep -c 'replayed manifest refused' "$dev/history")" 1
ok "changes nothing else" is "$(grep -v 'replayed manifest' "$dev/history")" "$history"
ok "takes it when an administrator says so" sh -c "echo reset > $dev/counter"
ok "and not before" has "$dev/counter" "^car7-ecu -"
ok "which empties why" is "$(cat "$dev/why")" ""
ok "goes on with the next poll" says "PUT /director/manifest 200" device car7 poll

# ---- what was only noted
seen=$(jq -r .lastSeen "$dev/device.json")
sleep 7
stop otafs KILL
start_otafs
ok "knows after kill -9 when it was seen" is "$(jq -r .lastSeen "$dev/device.json")" "$seen"
ok "and its counter" says "409" device car7 send manifest "$T/old.json"
finish
