#!/bin/sh
# Fleets of DEVICES (100,000 and 1,000,000): how long it takes to list and find them, and what memory that costs. Goals: `ls devices/`
# of 100,000 below 2 s; at most 32 MiB resident with 100,000 and 64 MiB with 1,000,000 devices, beyond SQLite's cache (2 MiB a connection).
# shellcheck source=tests/integration/lib.sh disable=SC2119,SC2012
. "$(dirname "$0")/../integration/lib.sh"

m=$T/mount
worker() { pgrep -P "$(cat "$T/otafs.pid")"; }
# resident: MiB of memory of its own, now and at most
resident() {
	awk '/^RssAnon/ { now = $2 } /^VmHWM/ { most = $2 } END { printf "%.1f MiB of its own, %.1f MiB at most with programs and libraries", now / 1024, most / 1024 }' \
		"/proc/$(worker)/status"
}
# row WHAT COMMAND...: how long a command takes, and how many lines it gives
row() {
	what=$1
	shift
	from=$(date +%s%N)
	lines=$("$@" 2>/dev/null | wc -l)
	printf 'devices: %s: %d ms (%d lines)\n' "$what" $((($(date +%s%N) - from) / 1000000)) "$lines"
}
# fleet DEVICES
fleet() {
	rm -rf "$T/state"
	mkdir "$T/state"
	from=$(date +%s)
	"$BENCH/fleet" "$T/state/otafs.db" "$1"
	chown -R 64102 "$T/state"
	echo "devices: $1 made in $(($(date +%s) - from)) s, $(du -sm "$T/state" | cut -f1) MB on disk"
	start_otafs
	echo "devices: $1 at start: $(resident)"
	row "$1: ls -U devices/" ls -U "$m/devices"
	row "$1: ls devices/, sorted" ls "$m/devices"
	row "$1: ls prefix/" ls "$m/prefix"
	row "$1: ls prefix/veh-00, a 256th of all" ls "$m/prefix/veh-00"
	row "$1: cat devices/ID/status" cat "$m/devices/veh-00000000/status"
	row "$1: cat csv/tags.csv" cat "$m/csv/tags.csv"
	row "$1: query/text of a status, the first 100" head -n 100 "$m/query/text/status is UpToDate or status is NotSeen"
	row "$1: query/text of a tag, a third of all" cat "$m/query/text/tag(region) is US"
	row "$1: query/count of an id's part, which reads all" cat "$m/query/count/deviceid contains abc"
	echo "devices: $1 at the end: $(resident)"
	stop otafs
	rm -rf "$T/state"
}

settings
start_signd && start_watcher || exit 1
for count in ${DEVICES:-100000 1000000}; do fleet "$count"; done
