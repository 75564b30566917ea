#!/bin/sh
# More than a year in compressed time: everything is renewed by state, with and without readers, and a device that comes
# once a day never meets a document that has expired or is lower than the one before.
#
# make check: 6 days in steps, then the machine sleeps for 40 days and for 230, which is past the renewal of the roots.
# make soak: SOAK_DAYS (400) days in steps, 40 of them without a reader.
# shellcheck source=tests/integration/lib.sh disable=SC2317 # functions are called by name
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/integration/clock.sh
. "$(dirname "$0")/clock.sh"

days=${SOAK_DAYS:-6}
day=86400
step=39600 # 11 hours: less than half of a timestamp's life, so that each step is survived unrenewed
look=1.2   # seconds for the programs to look at their clocks
current=$T/repository/published/current

clock_fake "time"
settings "spool_quiet_seconds = 1"
start_all
enroll car1 >/dev/null
device car1 poll >/dev/null 2>&1
for version in 1 2; do
	commit_of app $version >/dev/null
	drop app $version
	ok "publishes app $version" published app $version
done
ok "gives the device something that it does not install" sh -c "echo 'app 1' > $T/mount/devices/car1/assign"
next=2
: >"$T/wrong"

# visit NUMBER: the device looks for updates and finds the one that is open; every 20th time it installs it
visit() {
	if [ $(($1 % 20)) = 10 ]; then
		device car1 poll >"$T/visit" 2>&1
		status=$(($? ? 9 : 4))
		echo "app $next" >"$T/mount/devices/car1/assign" || status=8
		next=$((3 - next))
	else
		device car1 check >"$T/visit" 2>&1
		status=$?
	fi
	[ $status = 4 ] || {
		echo "$(clock_now): visit $1 ended with $status"
		tail -n 3 "$T/visit" "$T"/*.log
	} >>"$T/wrong"
	look car1 stored
}
# walk SECONDS [unread]: so much time passes in steps; the device comes once a day
walk() {
	end=$((clock_offset + $1))
	while [ "$clock_offset" -lt $end ]; do
		clock_add $step
		if [ $((clock_offset / day)) != $today ]; then
			today=$((clock_offset / day))
			[ -n "${2:-}" ] || {
				visits=$((visits + 1))
				visit $visits
			}
		fi
		sleep $look
	done
}
# fresh: what is on disk has more than half of its life left, but for a step
fresh() {
	life_left "$current/timestamp.json" $((day / 2 - step)) && life_left "$current/snapshot.json" $((7 * day / 2 - step)) &&
		life_left "$current/targets.json" $((31 * day / 2 - step)) && life_left "$current/root.json" $((365 * day / 4 - step))
}
awake() {
	start=$(date +%s)
	wait_for 20 fresh && [ $(($(date +%s) - start)) -le 10 ]
}
today=0
visits=0

if [ "$days" -ge 100 ]; then
	walk $((100 * day))
	ok "is fresh with a reader" fresh
	walk $((40 * day)) unread
	ok "is fresh after 40 days without a reader" fresh
	walk $(((days - 140) * day))
else
	walk $((days * day))
	ok "is fresh with a reader" fresh
	clock_add $((40 * day))
	ok "is fresh within seconds of waking up after 40 days" awake
	sleep 7 # for a root that was renewed just after the others looked
	visit 100
	clock_add $((230 * day))
	ok "is fresh within seconds of waking up after 230 days" awake
	sleep 7
	visit 101
	visits=$((visits + 2))
	walk $((2 * day))
	days=$((days + 272))
fi
ok "has renewed all by the end" fresh
ok "was right at each of $visits visits" nothing_wrong
ok "told the device all that it fetches" is "$(jq 'keys | length' "$T/seen")" 14

raises=$(grep -c "epoch raised" "$T/otafs.log")
roots=$(version_of "$current/root.json")
targets=$(version_of "$current/targets.json")
timestamps=$(version_of "$current/timestamp.json")
director=$(jq '.["car1 director-root"].signed.version' "$T/seen")
echo "# days $days visits $visits epochs $raises image targets $targets snapshots $(version_of "$current/snapshot.json")" \
	"timestamps $timestamps roots $roots $director"
if [ "$days" -ge 274 ]; then
	ok "has renewed the image root" test "$roots" -ge 2
	ok "has renewed the director's root" test "$director" -ge 2
	ok "and the device follows" says "director.* root $director " sh -c \
		"'$OTA_DEVICE' --url $url --cert x --key x --ca x --dir $T/car1/state --hardware qemux86-64 --ecu car1-ecu show"
fi
ok "has renewed the roots when they were due only" test "$roots" -le $((days / 270 + 1)) -a "$director" -le $((days / 270 + 1))
# Half of 7 days, but not more often; and twice for the first root and each other.
ok "has raised the epoch when it was due only" test "$raises" -ge 3 -a "$raises" -le $((days * 2 / 7 + roots + 2))
ok "has signed timestamps when they were due only" test "$timestamps" -le $((days * 2 + roots + 5))
ok "has signed image targets when they were due only" test "$targets" -le $((days / 15 + roots + 5))
finish
