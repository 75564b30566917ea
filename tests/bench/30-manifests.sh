#!/bin/sh
# What devices report, through ota-gate's socket and so without TLS: DEVICES (4000) of them, one ECU each, real signatures, 64 at once, in ROUNDS
# (5). Unchanged manifests, of which nothing is to be written; changed ones, each durable before its answer, which take turns with SQLite
# alone writing the same rows in batches of 64 (batch.c). The same with a disk that takes SYNC_MS (2) longer for a sync, as disks do
# that do not keep what they have when the power goes.
# About 60 s.
# shellcheck source=tests/bench/lib.sh disable=SC2034,SC2119,SC2154
. "$(dirname "$0")/lib.sh"

DEVICES=${DEVICES:-4000}
ROUNDS=${ROUNDS:-5}
SYNC_MS=${SYNC_MS:-2}
round=0
alone_round=0
settings
start_signd && start_watcher && begin_otafs || exit 1
start gate "$OTA_BIN/ota-gate" -c "$conf"
needs 10 test -S "$T/gate.sock"

# load THREADS SOCKET COMMAND [OPTION...]: how many a second
load() {
	load_threads=$1 load_mount=$2 load_command=$3
	shift 3
	"$OTA_LOAD" -n "$DEVICES" -t "$load_threads" "$@" "$load_mount" "$load_command" |
		sed -n "s|^$load_command: $DEVICES of $DEVICES in .*: \([0-9]*\)/s|\1|p"
}
# hand_in THREADS [OPTION...]: manifests; adds their rate to $T/rate and what each took of the processors to $T/us
hand_in() {
	hand_threads=$1
	shift
	hand_us=$(cpu_us otafs gate)
	load "$hand_threads" "$T/gate.sock" manifests -g "$@" >>"$T/rate"
	echo $((($(cpu_us otafs gate) - hand_us) / DEVICES)) >>"$T/us"
}
changed() {
	round=$((round + 1000))
	hand_in "$1" -r $round
}
unchanged() {
	counter=$((counter + 1))
	hand_in 64 -r $round -c $counter
}
# alone: SQLite, on a copy of the database on the same disk
alone() {
	alone_round=$((alone_round + 1000))
	"$BENCH/batch" "$T/alone.db" "$DEVICES" "$alone_round" >"$T/alone"
	sed -n 's|^batch: \([0-9]*\)/s, .*|\1|p' "$T/alone" >>"$T/rate.alone"
	sed -n 's|^batch: .*, \(.*\) us .*|\1|p' "$T/alone" >>"$T/us.alone"
}
begin_figures() {
	rm -f "$T/rate" "$T/us" "$T/rate.alone" "$T/us.alone"
}

row "registrations, 64 at once" "" "$(load 64 "$T/mount" register)" "" "/s"
load 64 "$T/mount" certify >/dev/null
changed 64
stop otafs
cp "$T/state/otafs.db" "$T/alone.db"
begin_otafs
verify=$("$BENCH/batch" "$T/alone.db" "$DEVICES" 1 verify | sed -n 's/^verify: \([0-9.]*\) .*/\1/p')

# Of the kernel: what ota-gate's threads open for the first time is behind them.
counter=$((round + 1))
hand_in 64 -r $round -c $counter
asked=$(requests full ioctl) read=$(requests full read) opened=$(requests full open) looked=$(requests full lookup)
unchanged
# status/metrics itself is read with two lookups, an open and its reads.
figure=$((($(requests full ioctl) - asked) * 100 / DEVICES))
row "unchanged: exchanges with the tree" "= 100" $figure "" "for 100 reports"
figure=$((($(requests full open) - opened + $(requests full lookup) - looked) * 100 / DEVICES))
row "unchanged: opens and lookups" "= 0" $figure "" "for 100 reports"

begin_figures
from=$(syncs)
while again "$ROUNDS"; do unchanged; done
row "unchanged, through the gate" ">= 5000" "$(median <"$T/rate")" "" "/s"
row "unchanged, processor time of otafs and ota-gate" "" "$(median <"$T/us")" "$(perl -e "print 2 * $verify")" us \
	"the reference: to verify its two signatures"
row "unchanged: syncs" "= 0" $(($(syncs) - from)) "" syncs "$((again_rounds * DEVICES)) reports"

begin_figures
from=$(syncs)
in_turns "$ROUNDS" "changed 64" alone
row "changed, through the gate" ">= 0.5" "$(median <"$T/rate")" "$(median <"$T/rate.alone")" "/s" "SQLite alone, the same rows"
row "changed, processor time of otafs and ota-gate" "" "$(median <"$T/us")" "$(perl -e "print 2 * $verify + $(median <"$T/us.alone")")" us \
	"the reference: SQLite alone, and to verify its two signatures"
# No more share one than ask at once: who is answered is on the disk.
row "changed: syncs, 64 reports at once" ">= 15" $((($(syncs) - from) * 1000 / (again_rounds * DEVICES))) "" "for 1000 reports"

stop otafs
begin_otafs "$SYNC_MS"
begin_figures
changed 64
row "changed, a disk that is $SYNC_MS ms slower" "" "$(median <"$T/rate")" "" "/s"
begin_figures
DEVICES=$((DEVICES / 10))
changed 1
row "changed, one after another, that disk" "" "$(median <"$T/rate")" "" "/s"
