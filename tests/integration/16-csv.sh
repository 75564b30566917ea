#!/bin/sh
# csv/: tables of devices and tags, read whole and written by cp, while otafs goes on.
# shellcheck source=tests/integration/lib.sh disable=SC2317,SC2119,SC2016,SC2012
. "$(dirname "$0")/lib.sh"

m=$T/mount
devices=$m/csv/devices.csv
tags=$m/csv/tags.csv
# table LINE...: a file of these lines
table() { printf '%s\n' "$@" >"$T/table.csv"; }

# cut_short COUNT: why has so many last lines without their end
cut_short() { is "$(grep -c 'csv/tags.csv: line 3: has no line end and was not taken' "$m/why")" "$1"; }

settings
start_signd
start_watcher
ok "otafs starts" start_otafs

# -- in and out --
ok "without devices there is a header" is "$(cat "$devices")" "DeviceID;Name;Notes"
ok "of tags too" is "$(cat "$tags")" "DeviceID"
table 'DeviceID;Name;region;Notes' 'car1;Anna;EU;"red; ""fast"""' 'car2;Bob;US;two\nlines'
ok "cp makes devices" cp "$T/table.csv" "$devices"
ok "which are there" test -d "$m/devices/car2"
ok "with name" is "$(cat "$m/devices/car1/name")" Anna
ok "notes" is "$(cat "$m/devices/car2/notes")" "two
lines"
ok "and tags" is "$(cat "$m/devices/car2/tags")" "region=US"
ok "their history says who" says 'device made by uid 0' cat "$m/devices/car2/history"
ok "the table has them" is "$(cat "$devices")" 'DeviceID;Name;Notes;region
car1;Anna;"red; ""fast""";EU
car2;Bob;two\nlines;US'
table 'DeviceID,color,region' 'car1,"dark, red",' 'car2,,US'
ok "tags come alone, with commas too" cp "$T/table.csv" "$tags"
ok "an empty field takes a tag away" is "$(cat "$m/devices/car1/tags")" "color=dark, red"
ok "other columns stay" is "$(cat "$m/devices/car1/name")" Anna
printf 'DeviceID;region\r\ncar1;ASIA\r\n' >"$T/table.csv"
ok "a file from elsewhere" cp "$T/table.csv" "$tags"
ok "is taken whole" is "$(tr '\n' ' ' <"$m/devices/car1/tags")" "color=dark, red region=ASIA "
ok ">> is the same as >" sh -c "printf 'DeviceID;region\ncar1;EU\n' >>'$tags'"
ok "and taken" has "$m/devices/car1/tags" 'region=EU'
before=$(wc -l <"$m/devices/car1/history")
ok "what was read can be written back" sh -c "cp '$devices' '$T/back.csv' && cp '$T/back.csv' '$devices'"
ok "it is all of it" is "$(wc -l <"$T/back.csv")" 3
ok "and changes nothing" is "$(wc -l <"$m/devices/car1/history")" "$before"
ok "a table is read by others than its owner" is "$(stat -c '%A %s' "$tags")" "-rw-rw---- 0"

# -- refusals --
table 'DeviceID;region' 'car1;A' 'car9;B' 'car2;C'
ok "a device that is not there is no row of tags.csv" refuses "Invalid argument" cp "$T/table.csv" "$tags"
ok "why names the line" has "$m/why" 'csv/tags.csv: line 3: there is no device "car9"'
ok "what is before it was taken" has "$m/devices/car1/tags" 'region=A'
ok "and nothing after it" has "$m/devices/car2/tags" 'region=US'
printf 'DeviceID;region\ncar1;EU\ncar2;ASI' >"$T/table.csv"
ok "a last line without its end is refused by close" refuses "failed to close .*Invalid argument" cp "$T/table.csv" "$tags"
ok "in words" cut_short 1
ok "what is before it was taken" has "$m/devices/car1/tags" 'region=EU'
ok "and not what there is of it" has "$m/devices/car2/tags" 'region=US'
printf 'DeviceID;region\ncar1;A\n' >"$T/table.csv"
perl -e 'open my $f, ">", $ARGV[0]; syswrite $f, "DeviceID;region\ncar1;A\ncar2;U"; kill 9, $$' "$tags"
ok "so is what a copy has left that was killed" wait_for 5 cut_short 2
ok "which took the lines that were whole" has "$m/devices/car1/tags" 'region=A'
ok "and no other" has "$m/devices/car2/tags" 'region=US'
table 'Name;region' 'car1;A'
ok "a table without ids is none" refuses "Invalid argument" cp "$T/table.csv" "$devices"
ok "in words" has "$m/why" 'line 1: the first column is "Name", expected "DeviceID"'
table 'DeviceID;region' 'car/8;A'
ok "a bad id is refused" refuses "Invalid argument" cp "$T/table.csv" "$devices"
ok "in words" has "$m/why" 'line 2: device id "car/8": character 4'
table 'DeviceID;region' 'car1'
ok "a line that is too short too" refuses "Invalid argument" cp "$T/table.csv" "$devices"
ok "in words" has "$m/why" 'line 2: has 1 fields, the header has 2'
head -c 200000 /dev/zero | tr '\0' 'x' >"$T/table.csv"
ok "a line without an end too" refuses "File too large" cp "$T/table.csv" "$devices"
ok "in words" has "$m/why" 'csv/devices.csv: line 1: is too long'
printf 'DeviceID;a\n\0;1\n' >"$T/table.csv"
ok "and what is no text" refuses "Invalid argument" cp "$T/table.csv" "$devices"
ok "in words" has "$m/why" 'csv/devices.csv: line 2: has a 0 byte'
ok "there is no other table" refuses "not permitted" sh -c "echo x >'$m/csv/other.csv'"
ok "none can be taken away" refuses "not permitted" rm "$tags"

# -- many --
{
	echo 'DeviceID;Name;Notes;region;batch'
	seq -f 'veh%05g' 20000 | awk '{ printf "%s;Vehicle %d;;%s;%d\n", $1, NR, NR % 3 ? "EU" : "US", NR % 7 }'
} >"$T/many.csv"
cp "$T/many.csv" "$devices" &
copy=$!
slowest=0
began=$(date +%s%N)
while kill -0 "$copy" 2>/dev/null; do
	from=$(date +%s%N)
	cat "$m/devices/car1/name" >"$T/name"
	took=$((($(date +%s%N) - from) / 1000000))
	[ "$took" -le "$slowest" ] || slowest=$took
done
copied=$((($(date +%s%N) - began) / 1000000))
ok "20,000 devices come in one copy" wait "$copy"
ok "all of them" is "$(ls -U "$m/devices" | wc -l)" 20002
echo "# slowest read of another file meanwhile: $slowest ms of $copied"
ok "meanwhile others were not held up" [ "$slowest" -lt $((copied / 4)) ]
grep ^veh "$devices" >"$T/rows.csv"
grep ^veh "$T/many.csv" >"$T/want.csv"
ok "the table has them all" is "$(wc -l <"$T/rows.csv")" 20000
ok "as they were written" sh -c "awk -F';' '{ print \$1 \";\" \$2 \";;\" \$6 \";\" \$4 }' '$T/rows.csv' | cmp - '$T/want.csv'"
ok "head ends early" is "$(head -n 1 "$devices")" "DeviceID;Name;Notes;batch;color;region"
ok "tail reads to the end" says '^veh20000;Vehicle 20000;;1;;EU$' tail -n 1 "$devices"

finish
