#!/bin/sh
# 2,500 binary targets of 64 KiB in one drop, from the rename into the spool until devices are offered them: read, hashed twice,
# copied, on the disk, signed and published; beside sha256sum of the same bytes. TARGETS and ROUNDS may be set.
# About 50 s.
# shellcheck source=tests/bench/lib.sh disable=SC2154,SC2317 # functions are called by name
. "$(dirname "$0")/lib.sh"

TARGETS=${TARGETS:-2500}
ROUNDS=${ROUNDS:-3}
round=0
settings "spool_quiet_seconds = 1"
start_signd || exit 1

# make_drop: a folder of other bytes each time
make_drop() {
	mkdir "$T/drop"
	head -c $((TARGETS * 65536)) /dev/urandom | split -b 65536 -a 5 -d - "$T/drop/f"
	jq -nc --argjson n "$TARGETS" '{releases: [range($n) | {name: "module-\(.)", version: "1.0", hardwareIds: ["mcu-\(. % 7)"],
		file: ("f" + ("0000\(.)" | .[-5:]))}]}' >"$T/drop/push.json"
	sync
}
# ours: seconds from the first look at the drop until it is published. In a new repository each time; nothing is removed before the
# end: ext4 makes files many times slower for minutes where files were removed.
ours() {
	round=$((round + 1))
	stop watcher
	[ ! -e "$T/repository" ] || mv "$T/repository" "$T/repository-$round"
	start_watcher
	make_drop
	before=$(cpu_us watcher signd)
	mv "$T/drop" "$T/spool/incoming/many-$round"
	needs 120 test -e "$T/spool/done/many-$round.receipt.json"
	echo $((($(cpu_us watcher signd) - before) / 1000)) >>"$T/ours.cpu"
	jq .publishSeconds "$T/spool/done/many-$round.receipt.json" >>"$T/ours.sign"
	jq .seconds "$T/spool/done/many-$round.receipt.json"
}
# theirs COMMAND...: seconds for the same files; they stay in the drop
theirs() {
	perl -MTime::HiRes=time,clock_gettime -e '
		my $files = shift; my $from = time;
		system(@ARGV, glob "$files/f*") == 0 or die;
		my (undef, undef, $user, $system) = times;
		printf STDERR "%d\n", 1000 * ($user + $system);
		printf "%.3f\n", time - $from' "$T/spool/done/many-$round" sh -c '"$@" >/dev/null' sh "$@" 2>>"$T/theirs.cpu"
}
rounds "$ROUNDS" ours "theirs sha256sum"
row "publish: $TARGETS binary targets of 64 KiB, beside sha256sum" "<= 1.2" "$figure" "$reference" s
row "publish: $TARGETS binary targets of 64 KiB, processor time of watcher and signer" "" "$(median <"$T/ours.cpu")" "$(median <"$T/theirs.cpu")" ms
row "publish: of that, to sign and publish" "" "$(median <"$T/ours.sign")" "" s
: >"$T/theirs.cpu"
theirs openssl dgst -sha256 >"$T/openssl"
row "publish: the same beside openssl dgst -sha256" "" "$figure" "$(cat "$T/openssl")" s "which has the instructions of this processor"
echo x >"$T/spool/incoming/one"
echo '{"name":"one","version":"1.0","hardwareIds":["mcu"]}' >"$T/spool/incoming/one.push.json"
needs 60 test -e "$T/spool/done/one.receipt.json"
row "publish: one more beside them, to sign and publish" "<= 1" "$(jq .publishSeconds "$T/spool/done/one.receipt.json")" "" s
finish
