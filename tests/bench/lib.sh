# shellcheck shell=sh
# What the scripts of tests/bench share. A script sources this file, which brings tests/integration/lib.sh along, and gives a row
# for each figure. $BENCH has the programs of this folder.
#
# A figure is worth as much as what it was held against in the same run, on the same machine, beside the same neighbours: counts
# (requests, written rows, syncs, processor time) before times, and times only as ratios of rounds that take turns (rounds()).

# shellcheck source=tests/integration/lib.sh
. "$(dirname "$0")/../integration/lib.sh"
BENCH=${BENCH:-$top/build/release/tests/bench}
BENCH_JSON=${BENCH_JSON:-/dev/null}

# discard FOLDER: at the end of all scripts, since ext4 makes files many times slower for minutes where files were removed
[ -z "${BENCH_SHARED:-}" ] || discard() {
	mv "$1" "$BENCH_SHARED/"
}

# row NAME GOAL FIGURE [REFERENCE [UNIT [NOTE]]]: one line of JSON added to $BENCH_JSON, and one to read.
# GOAL is ">= N", "<= N", "= N" or "" (there is none): of FIGURE / REFERENCE, or of FIGURE itself where REFERENCE is "".
# So "0.5 of what plain files give": row "nginx: first GET" ">= 0.5" 4100 8000 "GET/s"; "no request": row "nginx: warm GET" "= 0" 0 "" requests
row() {
	jq -rn -L "$(dirname "$0")" --arg script "${0##*/}" --arg name "$1" --arg goal "$2" --arg figure "$3" --arg reference "${4:-}" --arg unit "${5:-}" \
		--arg note "${6:-}" '
		include "line";
		def number($what): if . == "" then null else tonumber? // error("row \($name): \($what) \(.)") end;
		($figure | number("figure")) as $f | ($reference | number("reference")) as $r |
		(if $r == null then null elif $r == 0 then (if $f == 0 then 1 else 1e9 end) else $f / $r end) as $ratio |
		(if $r == null then $f else $ratio end) as $held |
		($goal | capture("^(?<op>>=|<=|=) *(?<n>[0-9.]+)$") // null) as $g |
		{script: $script, name: $name, goal: $goal, figure: $f, reference: $r, unit: $unit, ratio: $ratio, note: $note,
			pass: (if $g == null or $held == null then (if $goal == "" then null else false end)
				elif $g.op == ">=" then $held >= ($g.n | tonumber)
				elif $g.op == "<=" then $held <= ($g.n | tonumber) else $held == ($g.n | tonumber) end)} | tojson, line' | {
		IFS= read -r row_json && printf '%s\n' "$row_json" >>"$BENCH_JSON" && cat
	}
}

# ---- counts

# requests [VIEW [OPERATION]]: what the kernel has asked of otafs, of the www view unless told otherwise. Reading it asks nothing of that
# view. "forget", to which nothing is answered, is left out.
requests() {
	awk -v head="otafs_requests_total{view=\"${1:-www}\",operation=\"${2:-}" \
		'index($1, head) == 1 && !index($1, "\"forget\"") { sum += $2 } END { print sum + 0 }' "$T/mount/status/metrics"
}
# written: rows that otafs has written to its database
written() {
	sed -n 's/^otafs_database_changes_total //p' "$T/mount/status/metrics"
}
# begin_otafs [MS]: otafs, whose syncs are counted, with a disk that takes MS longer for each
begin_otafs() {
	: >>"$T/syncs"
	chmod 666 "$T/syncs"
	start otafs env LD_PRELOAD="$SLOW_SYNC" SLOW_SYNC_MS="${1:-0}" SLOW_SYNC_LOG="$T/syncs" "$OTA_BIN/otafs" -c "$conf"
	needs 60 test -e "$T/web/www/alive"
}

# quiet: waits until otafs has written nothing for a moment, half a minute at most: what was begun before is not to be counted. What it has
# only noted of devices it writes when it is asked for some.
quiet() {
	cat "$T/mount/query/count/deviceid contains load" >/dev/null
	quiet_was=
	for _ in $(seq 150); do
		quiet_is="$(written) $(syncs)"
		[ "$quiet_is" != "$quiet_was" ] || return 0
		quiet_was=$quiet_is
		sleep 0.2
	done
	return 1
}

# ---- processor time and memory

# family PID...: the processes and all their children
family() {
	for family_pid in "$@"; do
		echo "$family_pid"
		# shellcheck disable=SC2046 # one word each
		family $(cat "/proc/$family_pid"/task/*/children 2>/dev/null)
	done
}
# cpu_us NAME...: microseconds of processor time that programs of start() and all their children have had, ended threads included
cpu_us() {
	# The clock of a process is named by its number (clock_getcpuclockid(3)); nothing in /proc counts as finely and loses no thread.
	# shellcheck disable=SC2046 # one word each
	perl -MTime::HiRes=clock_gettime -e '
		my $sum = 0;
		for my $pid (@ARGV) { my $s = clock_gettime(-($pid + 1) * 8 + 2); $sum += $s if $s > 0 }
		printf "%d\n", $sum * 1e6' $(family $(for cpu_name in "$@"; do cat "$T/$cpu_name.pid"; done))
}
# resident_kb NAME: what is resident of the largest process of NAME, in KiB, programs and libraries included
resident_kb() {
	# shellcheck disable=SC2046 # one word each
	for resident_pid in $(family $(cat "$T/$1.pid")); do
		sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$resident_pid/status"
	done | sort -n | tail -n 1
}

# ---- fleets

# fleet N: $T/state with N devices as $BENCH/fleet makes them, before otafs is started. All scripts of one run share what was made, in
# $BENCH_SHARED.
fleet() {
	fleet_of=${BENCH_SHARED:-$T}/fleet-$1.db
	[ -e "$fleet_of" ] || "$BENCH/fleet" "$fleet_of" "$1" || exit 1
	rm -rf "$T/state"
	mkdir "$T/state"
	cp --reflink=auto "$fleet_of" "$T/state/otafs.db"
	chown -R 64102 "$T/state"
	# Else the first sync of otafs takes as long as it takes to write what has just been copied.
	sync "$T/state/otafs.db"
}
# some_devices N FORMAT [HOW_MANY (500)]: that many of a fleet of N, spread over all of it, as FORMAT has the id (%1$s) and the serial number of the
# certificate (%2$s). None that is in a fleet of 1,000 as well: the signer remembers what it has signed for it.
some_devices() {
	perl -e 'my ($n, $format, $some) = @ARGV;
		my $from = $n > 1000 ? 1000 : 0;
		for my $i (0 .. $some - 1) {
			my $number = ($from + int($i * ($n - $from) / $some)) * 2654435761 % 2 ** 32;
			printf "$format\n", sprintf("veh-%08x", $number), sprintf("%016X", $number);
		}' "$1" "$2" "${3:-500}"
}

# ---- figures

# now_us: of the clock
now_us() {
	echo $(($(date +%s%N) / 1000))
}
# median: of the numbers on standard input, one a line
median() {
	sort -g | awk '{ a[NR] = $1 } END { print NR ? (a[int((NR + 1) / 2)] + a[int((NR + 2) / 2)]) / 2 : "" }'
}
# again N: whether there is another round, of N. Fewer when the script has had its time, $BENCH_UNTIL of the clock; but one. $again_rounds is how
# many there were.
again_round=0
# shellcheck disable=SC2034 # for scripts
again() {
	if [ "$again_round" -lt "$1" ] && { [ "$again_round" = 0 ] || [ "$(date +%s)" -lt "${BENCH_UNTIL:-9999999999}" ]; }; then
		again_round=$((again_round + 1))
	else
		again_rounds=$again_round
		again_round=0
		return 1
	fi
}
# part LEFT: what is left of the script's time is for so many parts of it, of which this is the first
script_until=${BENCH_UNTIL:-9999999999}
part() {
	BENCH_UNTIL=$(($(date +%s) + (script_until - $(date +%s)) / $1))
}
# in_turns N A B: N rounds of both; who was first in one is second in the next
in_turns() {
	while again "$1"; do
		[ $((again_round % 2)) = 1 ] || eval "$3"
		eval "$2"
		[ $((again_round % 2)) = 0 ] || eval "$3"
	done
}
# rounds N A B: the same of what prints a number; then $figure and $reference are their medians. To be given to row().
# shellcheck disable=SC2034 # for scripts
rounds() {
	: >"$T/rounds.a"
	: >"$T/rounds.b"
	in_turns "$1" "$2 >>\"\$T/rounds.a\"" "$3 >>\"\$T/rounds.b\""
	figure=$(median <"$T/rounds.a")
	reference=$(median <"$T/rounds.b")
}
