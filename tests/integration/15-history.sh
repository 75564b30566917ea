#!/bin/sh
# What happened: every change leaves exactly its lines, with who it was; the log of all can be followed while it grows,
# is JSON to the last byte, and is the same after a restart.
# shellcheck source=tests/integration/lib.sh disable=SC2317 # functions are called by name
. "$(dirname "$0")/lib.sh"

settings "spool_quiet_seconds = 1"
start_all
log=$T/mount/events/all
dev=$T/mount/devices/car1

# lines WHAT COMMAND...: what is new in the log after the command, as "device what who ecu target" lines, is WHAT
lines() {
	expected=$1
	shift
	had=$(wc -c <"$log")
	"$@" >"$T/lines.out" 2>&1
	tail -c "+$((had + 1))" "$log" >"$T/new"
	is "$(jq -r '[.device // "-", .what, .who, .ecu // "-", .target // "-"] | join(" ")' "$T/new" 2>&1)" "$expected" || {
		cat "$T/lines.out" "$T/new" && false
	}
}
write() { echo "$1" >"$2"; }
root="uid 0 (root)"

ok "the first thing that is told is that there are documents" has "$log" '"what":"epoch_raised","who":"otafs"'
ok "a new device leaves a line" lines "car1 made $root - -" mkdir "$dev"
ok "the same again none" lines "" mkdir "$dev"
ok "a certificate one" lines "car1 certificate_accepted $root - -" mkdir "$dev/certificates/AB12"
ok "when it expires one" lines "car1 certificate_expires $root - -" write 2046-01-01 "$dev/certificates/AB12/expires"
ok "the same time again none" lines "" write 2046-01-01 "$dev/certificates/AB12/expires"
ok "what is no time none" lines "" write never "$dev/certificates/AB12/expires"
ok "revoking one" lines "car1 certificate_revoked $root - -" rmdir "$dev/certificates/AB12"
ok "a name one" lines "car1 named $root - -" write "Bus 7" "$dev/name"
ok "the same name none" lines "" write "Bus 7" "$dev/name"
ok "each tag one" lines "car1 tagged $root - -
car1 tagged $root - -" write "region=EU
ring=1" "$dev/tags"
ok "a table that is copied in one for each change" lines "car1 tagged $root - -" write "DeviceID;region;ring
car1;US;1" "$T/mount/csv/tags.csv"
rmdir "$dev"
ok "and deleting one" has "$log" '"device":"car1","what":"deleted","who":"uid 0 \(root\)"'
ok "a device that is made by a user without a name is made by a number" sh -c \
	"setpriv --reuid=64199 --regid=64106 --clear-groups mkdir $T/mount/devices/car9 && tail -n 1 $log | grep -q '\"who\":\"uid 64199\"'"

# ---- what a device does
enroll car1 >/dev/null
enrolled=$(jq -rs 'map(select(.device == "car1") | .what) | .[-3:] | join(" ")' "$log")
ok "enrolling is told after deleting" is "$enrolled" "made certificate_accepted certificate_expires"
ok "the first visit registers and reports" lines "car1 ecu_registered device car1-ecu -
car1 runs device car1-ecu unknown" device car1 poll
ok "a quiet visit leaves nothing" lines "" device car1 poll
commit_of app 1.0 >/dev/null
drop app 1.0
ok "publishes" published app 1.0
ok "a dry run none" lines "" write 'app 1.0' "$dev/assign.check"
ok "letting its count begin anew one" lines "car1 reset $root - -" write reset "$dev/counter"
ok "an update for later one" lines "car1 scheduled $root - -" write 'at 2046-01-01T00:00:00Z app 1.0' "$dev/assign"
ok "taking it back one" lines "car1 cancelled $root - -" write cancel "$dev/assign"
ok "assigning leaves a line" lines "car1 assigned $root car1-ecu app-1.0" write 'app 1.0' "$dev/assign"
correlation=$(jq -r .correlation "$T/new")
ok "with a correlation id" has "$T/new" '"correlation":"urn:here-ota:mtu:'
ok "a refused command none" lines "" write 'app 9' "$dev/assign"
ok "cancelling one" lines "car1 cancelled $root car1-ecu app-1.0" write cancel "$dev/assign"
ok "with the same id" is "$(jq -r .correlation "$T/new")" "$correlation"
write 'app 1.0' "$dev/assign"
correlation=$(tail -n 1 "$log" | jq -r .correlation)

# ---- following
tail -n 0 -s 0.1 -f "$log" >"$T/followed" &
tail_pid=$!
cleanup "kill $tail_pid"
tail -n 0 -s 0.1 -f "$dev/log" >"$T/followed-device" &
tail2_pid=$!
cleanup "kill $tail2_pid"
sleep 0.5
had=$(wc -c <"$log")
had_device=$(wc -c <"$dev/log")
device car1 poll >"$T/poll.out" 2>&1
ok "an update leaves all its steps" is "$(tail -c "+$((had + 1))" "$log" | jq -r '[.what, .ecu // "-", .target // "-"] | join(" ")' |
	grep -v '^reported')" "in_flight - -
event car1-ecu -
event car1-ecu -
event car1-ecu -
event car1-ecu -
runs car1-ecu app-1.0
installed car1-ecu app-1.0"
tail -c "+$((had + 1))" "$log" >"$T/new"
ok "and what the device reported of it" has "$T/new" '"what":"reported","who":"device","text":"reported success OK'
ok "all of one correlation id" is "$(jq -r '.correlation // empty' "$T/new" | sort -u)" "$correlation"
mkdir "$T/mount/devices/other"
followed() { tail -c "+$((had + 1))" "$log" | cmp - "$T/followed"; }
followed_device() { tail -c "+$((had_device + 1))" "$dev/log" | cmp - "$T/followed-device"; }
ok "tail -f events/all has it at once" wait_for 5 followed
ok "with the last line" has "$T/followed" '"device":"other","what":"made"'
ok "tail -f devices/ID/log too" wait_for 5 followed_device
ok "which has nothing of others" not has "$T/followed-device" other
kill "$tail_pid" "$tail2_pid"

ok "following one" lines "car1 follows $root - -" write 'follow app' "$dev/assign"
ok "not any more one" lines "car1 unfollows $root - -" write 'unfollow app' "$dev/assign"

# ---- groups
group=$T/mount/groups/vans
ok "a group leaves a line" lines "- group_made $root - -" mkdir "$group"
ok "a member one of its device" lines "car1 group_joined $root - -" ln -s ../../devices/car1 "$group/"
ok "an order two, and those of the members" lines "- ordered $root - -
car1 scheduled $root - -
- order_finished $root - -" write 'at 2046-01-01T00:00:00Z app 1.0' "$group/assign"
ok "which name the group" is "$(jq -r 'select(.what | startswith("order")) | .group' "$T/new" | sort | uniq -c | tr -s ' ')" " 2 vans"
ok "all of one correlation id" is "$(jq -r .correlation "$T/new" | sort -u | wc -l)" 1
ok "leaving one" lines "car1 group_left $root - -" rm "$group/car1"
ok "another name one" lines "- group_renamed $root - -" mv "$group" "$group-2"
ok "a rule one" lines "- group_rule $root - -" write 'deviceid contains car1' "$group-2/rule"
ok "members by rule none" lines "" ls "$group-2/"
write "" "$group-2/rule"
ok "deleting one" lines "- group_deleted $root - -" rmdir "$group-2"
write cancel "$dev/assign"

# ---- what is about no device
ok "retiring is told" lines "- retire_asked $root - app-1.0" write force "$T/mount/packages/app/1.0/retire"
ok "and its end" wait_for 20 grep -q '"what":"retired","who":"ota-watcher"' "$log"

# ---- the whole
ok "every line of it is JSON with a time, what and who" jq -es 'all(.at and .what and .who and .text)' "$log"
# words: each that occurs stands in the manual
words() {
	for word in $(jq -r .what "$log" | sort -u); do
		grep -Eq "^\.It Li .*\b$word\b" "$top/docs/otafs.8" || { echo "$word is not in otafs(8)" && return 1; }
	done
}
ok "each word of it is in the manual" words
ok "no byte is between lines" is "$(jq -c . "$log" | wc -l)" "$(wc -l <"$log")"
ok "the lines of a device are those of the log" sh -c "grep '\"device\":\"car1\"' $log | cmp - $dev/log"
ok "times never go back" jq -es '[.[].at] | . == sort' "$log"
ok "it cannot be written" refuses "denied|not permitted|Invalid|such" sh -c "echo x >> $log"
ok "nor removed" refuses . rm -f "$log"
ok "nor cut" refuses . truncate -s 0 "$log"
cp "$log" "$T/before"
ok "reads the same in small pieces" sh -c "dd if=$log bs=7 status=none | cmp - $T/before"
ok "and from the middle" sh -c "tail -c 1000 $log | cmp - $T/tail || { tail -c 1000 $T/before >$T/tail; tail -c 1000 $log | cmp - $T/tail; }"
stop otafs
start_otafs
ok "is the same after a restart" sh -c "head -c $(wc -c <"$T/before") $log | cmp - $T/before"
stop otafs KILL
umount -l "$T/mount" "$T/web/www" 2>/dev/null
start_otafs
ok "and after a crash" sh -c "head -c $(wc -c <"$T/before") $log | cmp - $T/before"
ok "and goes on" lines "car2 made $root - -" mkdir "$T/mount/devices/car2"

# ---- many at once: nothing is lost, nothing is in pieces
had=$(wc -l <"$log")
for worker in 1 2 3 4; do
	(for i in $(seq 50); do mkdir "$T/mount/devices/w$worker-$i"; done) &
	workers="${workers:-} $!"
done
for pid in $workers; do wait "$pid"; done
ok "200 changes at once are 200 lines" is "$(tail -n "+$((had + 1))" "$log" | jq -r .device | sort -u | grep -c '^w')" 200
ok "and no more" is "$(($(wc -l <"$log") - had))" 200
finish
