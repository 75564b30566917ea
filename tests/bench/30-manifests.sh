#!/bin/sh
# Reports and documents per second at the files of the tree, without TLS: DEVICES (4000) of them, one ECU each, real signatures. One after
# another each report is a commit of its own; at once they share commits. The same with a disk that takes SYNC_MS (2) longer for a sync,
# as disks do that do not keep what they have when the power goes.
# shellcheck source=tests/integration/lib.sh disable=SC2119
. "$(dirname "$0")/../integration/lib.sh"

DEVICES=${DEVICES:-4000}
SYNC_MS=${SYNC_MS:-2}
round=0
syncs=$T/syncs
settings
start_signd && start_watcher || exit 1
# begin MS: otafs with a disk that is slower by that
begin() {
	: >"$syncs"
	chmod 666 "$syncs"
	start otafs env LD_PRELOAD="$SLOW_SYNC" SLOW_SYNC_MS="$1" SLOW_SYNC_LOG="$syncs" "$OTA_BIN/otafs" -c "$conf"
	needs 10 test -e "$T/mount/README"
}
# row WHAT DEVICES THREADS MOUNT COMMAND [OPTION...]: how many a second, and how many syncs it took
row() {
	what=$1 n=$2 threads=$3 mount=$4 command=$5
	shift 5
	before=$(wc -l <"$syncs")
	rate=$("$OTA_LOAD" -n "$n" -t "$threads" "$@" "$mount" "$command" | sed -n "s|^$command: \([0-9]*\) of .*: \([0-9]*\)/s|\2/s (\1)|p")
	echo "manifests: $what: $rate, $(($(wc -l <"$syncs") - before)) syncs"
}
# reports DISK
reports() {
	round=$((round + 1))
	row "$1, changed, one after another" $((DEVICES / 4)) 1 "$T/mount" manifests -r $round
	round=$((round + 1))
	row "$1, changed, 64 at once" "$DEVICES" 64 "$T/mount" manifests -r $round
	row "$1, unchanged, one after another" $((DEVICES / 4)) 1 "$T/mount" manifests -r $round -c $((round + 100))
	row "$1, unchanged, 64 at once" "$DEVICES" 64 "$T/mount" manifests -r $round -c $((round + 200))
	round=$((round + 300))
}

begin 0
row "registrations, 64 at once" "$DEVICES" 64 "$T/mount" register
reports "this disk"
"$OTA_LOAD" -n "$DEVICES" -t 64 "$T/mount" certify >/dev/null
row "GET targets.json, first time, signed" "$DEVICES" 64 "$T/web/www" get
row "GET targets.json, again, by the kernel" "$DEVICES" 64 "$T/web/www" get
stop otafs
begin "$SYNC_MS"
reports "a disk $SYNC_MS ms slower"
stop otafs
