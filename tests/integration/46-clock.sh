#!/bin/sh
# A clock that jumps, back and forth, by a second and by years, and a machine that starts with a wrong one. Devices have the
# right time all the while: what they get has never expired, no version is ever lower, and nothing floods.
# shellcheck source=tests/integration/lib.sh disable=SC2317 # functions are called by name
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/integration/clock.sh
. "$(dirname "$0")/clock.sh"

day=86400
year=$((365 * day))
current=$T/repository/published/current
look=1.8 # seconds for the programs to look at their clocks, and to do something
real=$OTA_DEVICE
clock_fake wall
OTA_DEVICE=$real
# Documents are judged by the devices' clock.
clock_now() {
	date +%s
}
: >"$T/wrong"

epochs() {
	grep -c "epoch raised" "$T/otafs.log"
}
# counts: how often something was made because of time
counts() {
	echo "$(epochs) $(version_of "$current/timestamp.json") $(version_of "$current/targets.json") $(version_of "$current/root.json")"
}
# jump SECONDS
jump() {
	clock_set "$1"
	sleep $look
}
# visit STATUS: how car1's visit ends; 4 finds the update that is open
visit() {
	device car1 check >"$T/visit" 2>&1
	got=$?
	[ $got = 3 ] || look car1
	[ $got = "$1" ] || {
		echo "ended with $got"
		cat "$T/visit"
		return 1
	}
}
# sane: what is served lives as long as it should, by the right clock
lives() { # lives FILE SECONDS
	left=$(($(expiry_of "$1") - $(date +%s)))
	[ "$left" -gt 0 ] && [ "$left" -le $(($2 + 60)) ]
}
sane() {
	lives "$current/timestamp.json" "$day" && lives "$current/snapshot.json" $((7 * day)) &&
		lives "$T/mount/devices/car1/director/targets.json" $((7 * day))
}
renewed() {
	[ "$(version_of "$current/root.json")" = 2 ] && grep -q "repository=director version=2" "$T/otafs.log"
}
say_clock() {
	"$OTA_BIN/ota-sign" clock -c "$conf"
}

settings "spool_quiet_seconds = 1"
start_all
enroll car1 >/dev/null
device car1 poll >/dev/null 2>&1
ok "publishes app 1" eval 'commit_of app 1 >/dev/null && drop app 1 && published app 1'
echo "app 1" >"$T/mount/devices/car1/assign"
ok "a device finds it" visit 4
before=$(counts)

# ---- back
for back in -1 -200; do
	jump $back
	ok "goes on $back s" visit 4
done
enroll car2 >/dev/null
ok "and signs" device car2 poll
for back in -600 $((-10 * day)) $((-20 * year)); do
	jump "$back"
	ok "what was signed is served on $back s" visit 4
done
ok "nothing was made because of that" is "$(counts)" "$before"
enroll car3 >/dev/null
device car3 poll >"$T/visit" 2>&1
ok "nothing is signed" is $? 3
ok "and the log says why" has "$T/signd.log" "the clock says .* but something was signed at"
jump 0
ok "all goes on when it is right again" device car3 poll
ok "nothing was made for that either" is "$(counts)" "$before"
ok "a device finds the same" visit 4

# ---- a start with the clock of a board that has no battery
for program in otafs watcher signd; do stop $program; done
clock_set $((-20 * year))
: >"$T/signd.log" # start_signd waits for a word in it
start_signd
start_watcher
start_otafs
sleep $look
ok "starts with a clock of long ago, and signs nothing" visit 3
jump 0
ok "and goes on when the time is known" visit 4
ok "with nothing made" is "$(counts)" "$(echo "$before" | sed 's/^[0-9]* /1 /')"

# ---- ahead
for ahead in $((10 * day)) $((2 * year)); do
	jump "$ahead"
	[ "$ahead" -lt $year ] || ok "the roots are renewed then" wait_for 20 renewed
	ok "a device goes on while the clock is ahead $ahead s" visit 4
	jump 0
	ok "and when it is right again" visit 4
	ok "what is too long is not renewed yet" not lives "$current/timestamp.json" "$day"
	made=$(counts)
	sleep $look
	ok "since nothing is signed" is "$(counts)" "$made"
	ok "until the administrator says that this is the time" say_clock
	ok "then all expires when it should" wait_for 70 sane
	ok "and a device goes on" visit 4
done
ok "has renewed the roots once" is "$(version_of "$current/root.json") $(jq '.["car1 director-root"].signed.version' "$T/seen")" "2 2"

# ---- to and fro, and nobody says anything
raises=$(epochs)
made=$(version_of "$current/timestamp.json")
for i in $(seq 8); do
	clock_set $((i % 2 * i * 20 * day))
	sleep 1.2
	visit 4 >"$T/flap" 2>&1 || echo "visit while the clock flaps: $(cat "$T/flap")" >>"$T/wrong"
done
clock_set 0
echo "# epochs $raises to $(epochs), timestamps $made to $(version_of "$current/timestamp.json")"
ok "raises the epoch once for each time that the clock was further ahead" test $(($(epochs) - raises)) -le 4
ok "renews once for each" test $(($(version_of "$current/timestamp.json") - made)) -le 4
ok "a device goes on" visit 4
ok "the administrator says that this is the time" say_clock
sleep $look
ok "and it goes on" visit 4
ok "nothing had expired, was lower or had other content" nothing_wrong
finish
