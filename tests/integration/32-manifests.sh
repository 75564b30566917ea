#!/bin/sh
# Thousands of manifests at once: none is lost, and none is answered before it is on disk. What a device may have read of is written without
# waiting for the disk, and whatever is killed when, not forgotten.
# shellcheck source=tests/integration/lib.sh disable=SC2317 # functions are called by name
. "$(dirname "$0")/lib.sh"

count=${MANIFESTS:-3000} # ten thousand in make soak
dev=$T/mount/devices
www=$T/web/www/devices
settings "spool_quiet_seconds = 1"
start_signd
start_watcher
start_otafs
load() { # load DEVICES THREADS COMMAND [OPTION...]
	n=$1 t=$2 what=$3
	shift 3
	timeout 120 "$OTA_LOAD" -n "$n" -t "$t" "$@" "$T/mount" "$what"
}

seq 0 $((count - 1)) | sed '1i DeviceID;Name
s/.*/load-&;/' >"$T/crowd.csv"
ok "$count devices come from a table" cp "$T/crowd.csv" "$T/mount/csv/devices.csv"
ok "$count devices register" load "$count" 64 register
ok "$count manifests at once are taken" load "$count" 256 manifests -r 1 -a "$T/acks1"
ok "each is answered once" is "$(wc -l <"$T/acks1")" "$count"
ok "and none is lost" load 1 1 verify -a "$T/acks1"

# ---- kill -9 in the middle: what was answered is there
"$OTA_LOAD" -n "$count" -t 64 -r 2 -a "$T/acks2" "$T/mount" manifests >/dev/null 2>&1 &
crowd=$!
wait_for 60 test -s "$T/acks2"
wait_for 10 sh -c "test \$(wc -l <$T/acks2) -gt 200"
stop otafs KILL
sleep 0.3
wait "$crowd"
start_otafs
answered=$(wc -l <"$T/acks2")
ok "otafs was killed in the middle, after $answered answers" test "$answered" -ge 200 -a "$answered" -lt "$count"
ok "all that was answered is there" load 1 1 verify -a "$T/acks2"
ok "the others hand in again" load "$count" 256 manifests -r 2 -c 3 -a "$T/acks3"
ok "and then nothing is lost at all" load 1 1 verify -a "$T/acks3"

# ---- a disk that takes 100 ms: who is answered has waited for it, but not each for its own
stop otafs
case $(ldd "$OTA_BIN/otafs") in *libasan*) export ASAN_OPTIONS="${ASAN_OPTIONS:-}:verify_asan_link_order=0" ;; esac
: >"$T/syncs"
chmod 666 "$T/syncs"
start otafs env LD_PRELOAD="$SLOW_SYNC" SLOW_SYNC_MS=100 SLOW_SYNC_LOG="$T/syncs" "$OTA_BIN/otafs" -c "$conf"
needs 20 test -e "$T/mount/README"
# Whether each answer of FILE came after a sync that began after its read: lines "ID SHA256 READ ANSWERED" against
# "BEGIN END".
each_waited() {
	sort -n "$T/syncs" >"$T/sorted"
	sort -n -k 3 "$1" | awk -v syncs="$T/sorted" '
		BEGIN { while ((getline line < syncs) > 0) { split(line, part, " "); from[n] = part[1]; to[n++] = part[2] } }
		{ while (i < n && from[i] < $3) i++; if (i >= n || to[i] > $4) { print "answered too early: " $0; bad = 1 } }
		END { exit bad || NR == 0 }'
}
ok "one manifest waits for the disk" load 1 1 manifests -r 4 -a "$T/acks4"
ok "before it is answered" each_waited "$T/acks4"
before=$(syncs)
ok "64 come at once" load 64 64 manifests -r 5 -a "$T/acks5"
after=$(syncs)
ok "each of them has waited too" each_waited "$T/acks5"
# How many batches they come in is up to the machine; each for itself would be 64.
ok "all together for less than 32 syncs ($((after - before)))" test $((after - before)) -lt 32
before=$after
ok "64 that tell nothing new come" load 64 64 manifests -r 5 -c 6
after=$(syncs)
ok "and wait for nothing ($((after - before)) syncs)" test $((after - before)) -lt 4

# ---- what a device may have read of
commit=$(commit_of app 1.0)
echo '{"name":"app","version":"1.0","hardwareIds":["load"]}' >"$T/app-1.0.drop/push.json"
drop app 1.0
ok "publishes an update" published app 1.0
load 32 8 certify >/dev/null
look() { cat "$www/load-$1/0A/director/targets.json" >"$T/look"; }
in_flight() { grep -c 'in flight: the device may have read of urn:' "$dev/load-$1/history"; }
echo 'app 1.0' >"$dev/load-0/assign"
cat "$dev/load-0/director/targets.json" >/dev/null
ok "what an administrator reads does not count" is "$(in_flight 0)" 0
before=$(syncs)
written=$(commits)
ok "the web server looks" look 0
after=$(syncs)
ok "and gets the update" has "$T/look" '"app-1.0"'
ok "without a sync" is "$after" "$before"
sleep 1.5
ok "and without a write" is "$(commits)" "$written"
ok "until somebody asks how many there are" has "$T/mount/status/metrics" '^otafs_devices_by_status\{status="InFlight"\} 1'
ok "and the history tells" is "$(in_flight 0)" 1
after=$(syncs)
echo 'app 1.0' >"$dev/load-4/assign"
look 4
ok "what happens to all tells of it" is "$(grep -c '"load-4".*"in_flight"' "$T/mount/events/all")" 1
echo 'app 1.0' >"$dev/load-1/assign"
ok "and what is assigned then waits for the disk again" test "$(syncs)" -gt "$after"
echo 'app 1.0' >"$dev/load-2/assign"
ok "another one is looked at" look 1
stop otafs KILL
sleep 0.3
start_otafs
ok "a kill -9 does not undo it" is "$(in_flight 0)" 1
ok "nor what was not written yet" is "$(in_flight 1)" 1
ok "what nobody has read counts as read too: it might have been lost" not sh -c "echo cancel >'$dev/load-2/assign'"
ok "it is in flight once" look 0
ok "however often it is read" is "$(in_flight 0)" 1
stop otafs
start_otafs
echo 'app 1.0' >"$dev/load-3/assign"
stop otafs
start_otafs
ok "what is open over a clean end is not in flight" is "$(in_flight 3)" 0
ok "and can be taken back" sh -c "echo cancel >'$dev/load-3/assign'"

# ---- lookups that wait for the disk while names in their folders are forgotten
stop otafs
start otafs env LD_PRELOAD="$SLOW_SYNC" SLOW_SYNC_MS=5 "$OTA_BIN/otafs" -c "$conf"
needs 20 test -e "$T/mount/README"
swing() { # swing NUMBER: assigns and takes back, while others look
	for _ in $(seq 10); do
		echo 'app 1.0' >"$dev/load-$1/assign"
		look "$1"
		echo 'cancel!' >"$dev/load-$1/assign" || echo cancel >"$dev/load-$1/assign"
	done
}
install() { # all get it and report it, then run something else again: each changes what is served
	for round in $(seq 10 2 20); do
		for i in $(seq 8 31); do echo 'app 1.0' >"$dev/load-$i/assign"; done
		load 32 32 manifests -r "$round" -f app-1.0 -s "$commit"
		load 32 32 manifests -r $((round + 1))
	done
}
looks() {
	while [ ! -e "$T/enough" ]; do
		"$OTA_LOAD" -n 32 -t 16 "$T/web/www" get >>"$T/looks" 2>&1 || echo failed >>"$T/looks.failed"
	done
}
all_swing() {
	for i in $(seq 7); do swing "$i" & done
	install
	touch "$T/enough"
	wait
	touch "$T/swung"
}
looks &
all_swing >/dev/null 2>&1 &
ok "assigning, looking, cancelling and reporting at once comes to an end" wait_for 90 test -e "$T/swung"
# A lookup and an invalidation that wait for one another can be ended in no other way.
[ -e "$T/swung" ] || umount -f "$T/web/www" "$T/mount"
ok "the updates were installed" is "$(grep -c 'installed app-1.0' "$dev/load-20/history")" 6
ok "no look was without an answer" not test -e "$T/looks.failed"
ok "what was cancelled is not served" sh -c "! grep -l app-1.0 $www/load-[1-9]/0A/director/targets.json"
finish
