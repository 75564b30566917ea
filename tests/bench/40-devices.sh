#!/bin/sh
# What a fleet of DEVICES (1,000,000) costs more than one of 1,000: start-up, the first GET of a device, `ls -d` of one, memory; and how long
# it takes to list and find devices among them.
# About 90 s.
# shellcheck source=tests/bench/lib.sh disable=SC2034,SC2119
. "$(dirname "$0")/lib.sh"

DEVICES=${DEVICES:-1000000}
m=$T/mount

# begin: otafs; sets $start_ms, until the last of all is there
begin() {
	from=$(now_us)
	start otafs "$OTA_BIN/otafs" -c "$conf"
	until [ -e "$T/web/www/alive" ]; do
		sleep 0.01
		[ $(($(now_us) - from)) -lt 120000000 ] || exit 1
	done
	start_ms=$((($(now_us) - from) / 1000))
	start_us=$(cpu_us otafs)
}
# idle: waits until otafs has done what it does after a start
idle() {
	for _ in $(seq 100); do
		before=$(cpu_us otafs)
		sleep 0.3
		[ $(($(cpu_us otafs) - before)) -gt 1500 ] || return 0
	done
}
# each PROGRAM_TEXT: runs perl's text for each line of $T/paths, as $_; sets $each_us, the processor time of otafs and the signer for one, and
# $each_ms, the time
each() {
	before=$(cpu_us otafs signd)
	from=$(now_us)
	count=$(perl -ne "chomp; $1; END { print \$. }" "$T/paths") || exit 1
	each_wall=$(perl -e "print (($(now_us) - $from) / $count)")
	each_us=$(perl -e "print (($(cpu_us otafs signd) - $before) / $count)")
}
# measure N: of a fleet of N; sets ..._N for each figure
measure() {
	fleet "$1"
	begin
	idle
	some_devices "$1" "$T/web/www/devices/%1\$s/%2\$s/director/targets.json" >"$T/paths"
	# shellcheck disable=SC2016 # perl's
	each 'open my $f, "<", $_ or die "$_: $!"; local $/; length <$f> or die "$_: empty"'
	eval "start_ms_$1=$start_ms start_us_$1=$start_us get_us_$1=$each_us get_wall_$1=$each_wall"
	some_devices "$1" "$m/devices/%1\$s" >"$T/paths"
	# shellcheck disable=SC2016 # perl's
	each 'lstat or die "$_: $!"'
	eval "stat_us_$1=$each_us kb_$1=$(resident_kb otafs)"
}
# listing WHAT COMMAND...
listing() {
	what=$1
	shift
	from=$(now_us)
	lines=$("$@" 2>/dev/null | wc -l)
	row "$DEVICES devices: $what" "" $((($(now_us) - from) / 1000)) "" ms "$lines lines"
}

settings
start_signd && start_watcher || exit 1
measure 1000
stop otafs
measure "$DEVICES"
# shellcheck disable=SC2154 # set by eval
rows() {
	eval "get_us=\$get_us_$DEVICES stat_us=\$stat_us_$DEVICES start_us=\$start_us_$DEVICES kb=\$kb_$DEVICES get_wall=\$get_wall_$DEVICES"
	row "$DEVICES devices: start-up" "<= 2" "$(perl -e "print $start_ms / 1000")" "" s "1,000 devices: $start_ms_1000 ms"
	row "$DEVICES devices: start-up, processor time" "" "$start_us" "$start_us_1000" us "reference: 1,000 devices"
	row "$DEVICES devices: first GET of a device, processor time" "<= 1.2" "$get_us" "$get_us_1000" us "otafs and signer; reference: 1,000 devices"
	row "$DEVICES devices: first GET of a device" "<= 1.2" "$get_wall" "$get_wall_1000" us "one after another; reference: 1,000 devices"
	row "$DEVICES devices: ls -d devices/ID, processor time" "<= 1.2" "$stat_us" "$stat_us_1000" us "reference: 1,000 devices"
	row "$DEVICES devices: memory of otafs" "<= 64" "$(perl -e "print $kb / 1024")" "" MiB "1,000 devices: $kb_1000 KiB"
}
rows
listing "ls -U devices/" ls -U "$m/devices"
listing "ls prefix/veh-00, a 256th of all" ls "$m/prefix/veh-00"
listing "cat csv/tags.csv" cat "$m/csv/tags.csv"
listing "query/text of a tag, a third of all" cat "$m/query/text/tag(region) is US"
listing "query/count of an id's part, which reads all" cat "$m/query/count/deviceid contains abc"
row "$DEVICES devices: memory of otafs after the listings" "<= 64" "$(perl -e "print $(resident_kb otafs) / 1024")" "" MiB
stop otafs
rm -rf "$T/state"
