#!/bin/sh
# An order to a group of DEVICES (1,000,000): how long its writer waits until it is in force for all of them, whether the next read of
# each finds it, and what that costs.
# About 40 s.
# shellcheck source=tests/bench/lib.sh disable=SC2119
. "$(dirname "$0")/lib.sh"

devices=${DEVICES:-1000000}
readers=${READERS:-500}
m=$T/mount
www=$T/web/www/devices
# worked: members that have had their part
worked() { sed -n 's/^\([0-9]*\) have taken it, \([0-9]*\) have refused.*/\1 \2/p; s/^[0-9]* members: \([0-9]*\) have taken it, \([0-9]*\) .*/\1 \2/p' \
	"$m/groups/all/assign" | awk '{ print $1 + $2 }'; }
# paths: targets.json of $readers devices, spread over all of them
paths() {
	perl -e 'my ($n, $of, $www) = @ARGV; for my $i (0 .. $n - 1) { my $k = int($i * $of / $n) * 2654435761 % 4294967296;
		printf "%s/veh-%08x/%016X/director/targets.json\n", $www, $k, $k }' "$readers" "$devices" "$www"
}
# without WHAT: how many of these targets.json are not there, or do not say so
without() {
	echo $((readers - $(paths | xargs grep -l "$1" 2>/dev/null | wc -l)))
}

settings "spool_quiet_seconds = 0"
start_signd && start_watcher || exit 1
echo app >"$T/app.bin"
echo '{"name":"app","version":"9.0","hardwareIds":["qemux86-64"]}' >"$T/spool/incoming/app.bin.push.json"
cp "$T/app.bin" "$T/spool/incoming/app.bin"
wait_for 20 test -e "$T/spool/done/app.bin.receipt.json"
fleet "$devices"
begin_otafs
mkdir "$m/groups/all"
echo all >"$m/groups/all/rule"
without app-9.0 >/dev/null # from here on the kernel knows them
before=$(resident_kb otafs)
syncs_before=$(syncs)
from=$(now_us)
echo 'app 9.0' >"$m/groups/all/assign"
took=$(($(now_us) - from))
synced=$(($(syncs) - syncs_before))
row "orders: to a group of $devices, until its writer is answered" "<= 1000" $((took / 1000)) "" ms
row "orders: to a group of $devices, syncs before its writer is answered" ">= 1" "$synced" "" syncs "so it is durable"
from_us=$(cpu_us otafs)
begun=$(worked)
asked=$(requests)
row "orders: $readers devices that the kernel knew, read at once: without the order" "= 0" "$(without app-9.0)" "" devices "$(worked) had their part by then"
row "orders: requests to otafs for the first read of each" "" "$(perl -e "print (($(requests) - $asked) / $readers)")" "" requests \
	"the way to all devices was forgotten as well"
sleep "${SECONDS_WORKED:-5}"
then=$(worked)
row "orders: processor time of otafs for each member" "" $((($(cpu_us otafs) - from_us) / (then - begun))) "" us "$((then - begun)) members"
row "orders: memory of otafs more than before" "<= 8192" $(($(resident_kb otafs) - before)) "" KiB
echo >"$m/groups/all/stop" 2>"$T/stop.log" || : # it may be done
