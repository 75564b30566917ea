#!/bin/sh
# Too few descriptors, too little memory, more events than the kernel keeps, a signer without room: each is told in words, costs nobody what
# was acknowledged, and is over when the shortage is, without a restart.
# shellcheck source=tests/integration/lib.sh disable=SC2317 # functions are called by name
. "$(dirname "$0")/lib.sh"

assign=$T/mount/devices/load-0/assign
# child NAME: the one that does the work
child() { pgrep -P "$(cat "$T/$1.pid")" || cat "$T/$1.pid"; }
open_files() { find "/proc/$1/fd" -mindepth 1 -maxdepth 1 2>/dev/null | wc -l; }
# limit NAME LIMIT: soft ones only, as the user that it runs as, so that no privilege is needed to take it back
limit() {
	pid=$(child "$1")
	uid=$(awk '/^Uid/ { print $2 }' "/proc/$pid/status")
	setpriv --reuid="$uid" --regid="$uid" --clear-groups prlimit --pid "$pid" "$2"
}
# squeezed NAME: it gets no descriptor beside those that it has; relaxed NAME: it does
squeezed() { limit "$1" --nofile="$(open_files "$(child "$1")"):"; }
relaxed() { limit "$1" --nofile=1024:; }
load() { "$OTA_LOAD" -n 1 -t 1 "$@"; }
binary() { # binary NAME: handed in
	echo "firmware $1" >"$T/$1"
	echo "{\"name\":\"$1\",\"version\":\"1\",\"hardwareIds\":[\"load\"]}" >"$T/spool/incoming/$1.push.json"
	mv "$T/$1" "$T/spool/incoming/$1"
}
receipt() { wait_for 30 test -e "$T/spool/done/$1.receipt.json"; }
assigned() { grep -q "$1 to ECU" "$assign"; }

# As many events as two drops make; the kernel's limit is taken when a watcher starts.
events=/proc/sys/fs/inotify/max_queued_events
had=$(cat $events)
settings "spool_quiet_seconds = 0" "spool_incomplete_seconds = 1"
start_signd
cleanup "echo $had >$events"
echo 4 >$events
start_watcher
echo "$had" >$events
start_otafs
load "$T/mount" register >/dev/null
load "$T/mount" certify >/dev/null

# ---- events
kill -STOP "$(child watcher)"
for n in $(seq 12); do binary "many$n"; done
kill -CONT "$(child watcher)"
ok "events that the kernel drops cost no drop" receipt many12
all_receipts() { for n in $(seq 12); do receipt "many$n" || return 1; done; }
ok "each of them is published" all_receipts
ok "and known to otafs" wait_for 10 test -d "$T/mount/packages/many12/1"

# ---- descriptors
squeezed watcher
binary starving
ok "watcher, no descriptor: the drop waits" wait_for 10 test -e "$T/spool/incoming/starving"
sleep 1
ok "and is not refused" is "$(ls "$T/spool/failed")" ""
relaxed watcher
ok "with descriptors again it is published" receipt starving

squeezed signd
ok "signd, no descriptor: a document is an error" refuses "unavailable|Input/output|Too many" timeout 20 sh -c "
	echo 'many1 1' >$assign && cat $T/mount/devices/load-0/director/targets.json"
ok "a report is taken all the same" load -r 1 -a "$T/acks" "$T/mount" manifests
relaxed signd
ok "with descriptors again it is signed" wait_for 20 cat "$T/mount/devices/load-0/director/targets.json"
if assigned many1-1; then echo 'cancel!' >"$assign"; fi

squeezed otafs
ok "otafs, no descriptor: a report is taken" load -r 2 -a "$T/acks2" "$T/mount" manifests
relaxed otafs
ok "with descriptors again all is as ever" wait_for 10 cat "$T/mount/devices/load-0/director/targets.json"
ok "and what was taken is not lost" load -a "$T/acks2" "$T/mount" verify

# ---- memory
# no_memory NAME: nothing more from the kernel
no_memory() {
	kilobytes=$(awk '/VmSize/ { print $2 }' "/proc/$(child "$1")/status")
	limit "$1" --as=$((kilobytes * 1024)):
}
memory() { limit "$1" --as=unlimited:; }
was=$(child otafs)
no_memory otafs
head -c 1000000 /dev/zero | tr '\0' ' ' >"$T/large"
for _ in 1 2 3 4 5 6 7 8; do
	cat "$T/large" 2>/dev/null >"$T/mount/devices/load-0/in/ecus" &
	large="${large:-} $!"
done
for n in $(seq 50); do mkdir "$T/mount/devices/lean$n" || break; done 2>>"$T/lean"
# shellcheck disable=SC2086 # several
wait $large
memory otafs
ok "otafs without memory lives" is "$(child otafs)" "$was"
ok "and works on" load -r 3 -a "$T/acks3" "$T/mount" manifests
made() { for device in "$T"/mount/devices/lean*; do test -e "$device/status" || return 1; done; }
ok "what it made is there" made
was=$(child signd)
no_memory signd
for _ in 1 2 3 4 5 6 7 8; do cat "$T/mount/devices/load-0/director/targets.json" >/dev/null 2>&1; done
memory signd
ok "signd without memory lives" is "$(child signd)" "$was"
echo 'many3 1' >"$assign" 2>/dev/null || true
ok "and signs" wait_for 10 cat "$T/mount/devices/load-0/director/targets.json"
finish
