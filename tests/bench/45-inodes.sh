#!/bin/sh
# What it costs that the kernel remembers a fleet: DEVICES (200,000) are looked up through the www view, folders and a root of each, and the
# document of one in twenty. Then all of them change at once, while somebody reads.
# A million takes some 6 GB of the kernel's memory, which it lets go when it needs that.
# About 50 s.
# shellcheck source=tests/bench/lib.sh disable=SC2119
. "$(dirname "$0")/lib.sh"

DEVICES=${DEVICES:-200000}
w=$T/web/www
settings
start_signd && start_watcher || exit 1
fleet "$DEVICES"
start_otafs

# walk FROM TO
cat >"$T/walk" <<'EOF'
use strict; use warnings;
my ($www, $from, $to) = @ARGV;
for my $n ($from .. $to - 1) {
	my $number = $n * 2654435761 % 2**32;
	my $folder = sprintf "%s/devices/veh-%08x/%016X/director", $www, $number, $number;
	-f "$folder/1.root.json" or die "$folder: $!\n";
	next if $n % 20 || $number % 100 == 0;
	-f "$folder/targets.json" or die "$folder: $!\n";
}
EOF
# stall FILE STOP: until there is STOP, the longest stat in ms
cat >"$T/stall" <<'EOF'
use strict; use warnings; use Time::HiRes qw(clock_gettime CLOCK_MONOTONIC usleep);
my ($file, $stop) = @ARGV;
my ($most, $from, $took) = (0);
until (-e $stop) {
	$from = clock_gettime(CLOCK_MONOTONIC);
	stat $file or die "$file: $!\n";
	$took = clock_gettime(CLOCK_MONOTONIC) - $from;
	$most = $took if $took > $most;
	usleep(200);
}
printf "%.2f\n", $most * 1000;
EOF

perl "$T/walk" "$w" 1 1001
thousand=$(resident_kb otafs)
before=$(requests)
cpu=$(cpu_us otafs)
perl "$T/walk" "$w" 1001 "$DEVICES"
cpu=$(($(cpu_us otafs) - cpu))
asked=$(($(requests) - before))
row "memory of otafs with $DEVICES devices looked up, of that with 1,000" "" "$(resident_kb otafs)" "$thousand" KiB
row "memory of otafs with $DEVICES devices looked up" "<= 65536" "$(resident_kb otafs)" "" KiB
row "processor time of otafs for a lookup of a device's folders and root" "" "$((cpu * 100 / (DEVICES - 1001)))e-2" "" us \
	"$asked requests"

file=$w/devices/veh-9e3779b1/000000009E3779B1/director/1.root.json
from=$(readlink "$w/devices")
perl "$T/stall" "$file" "$T/stop" >"$T/stalled" &
reader=$!
"$OTA_BIN/ota-sign" rotate director root --yes -c "$conf" >"$T/rotate.log" 2>&1
while [ "$(readlink "$w/devices")" = "$from" ]; do sleep 0.1; done
sleep 1
touch "$T/stop"
wait "$reader"
row "longest wait of a reader while all devices change" "<= 100" "$(cat "$T/stalled")" "" ms
