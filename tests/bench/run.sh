#!/bin/sh
# Runs the scripts of the bench, one after another, and prints their rows as one table.
set -eu
case "${1:-}" in
--help | -h | '')
	cat <<-'EOF'
		usage: run.sh OUT SCRIPT...
		Writes OUT.json (machine, rows) and OUT.txt (the table). Ends with 1 when a script did not come to its end or a row missed
		its goal. OTA_BIN and BENCH tell where the programs are. All together are to take BENCH_SECONDS (780): on a slow machine
		they make fewer rounds.
	EOF
	exit 0
	;;
esac
out=$(realpath -m "$1")
shift
mkdir -p "$(dirname "$out")"
rows=$out.rows
: >"$rows"
export BENCH_JSON="$rows"
BENCH_SHARED=$(mktemp -d "${TMPDIR:-/tmp}/otafs-bench.XXXXXX")
export BENCH_SHARED
trap 'rm -rf "$BENCH_SHARED" >/dev/null 2>&1 &' EXIT
trap 'exit 130' INT TERM
here=$(dirname "$0")
begin=$(date +%s)
# seconds SCRIPT...: what they say that they take, on two processors
seconds() {
	sed -n 's/^# About \([0-9]*\) s\..*/\1/p' "$@" | awk '{ sum += $1 } END { print sum ? sum : 1 }'
}
status=0
while [ $# -gt 0 ]; do
	script=$1
	echo "# ${script##*/}"
	from=$(date +%s)
	# Its part of what is left.
	BENCH_UNTIL=$((from + (begin + ${BENCH_SECONDS:-780} - from) * $(seconds "$script") / $(seconds "$@")))
	export BENCH_UNTIL
	shift
	"$script" || {
		status=1
		jq -cn --arg script "${script##*/}" '{script: $script, name: "\($script) did not come to its end", goal: "= 0", figure: 1, reference: null,
			unit: "", ratio: null, note: "", pass: false}' >>"$rows"
	}
	echo "# ${script##*/}: $(($(date +%s) - from)) s"
done

# Which machine: figures of another are others.
machine() {
	jq -n --arg cpu "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)" --arg cpus "$(nproc)" --arg kernel "$(uname -sr)" \
		--arg memory "$(awk '/^MemTotal/ { printf "%.0f GiB", $2 / 1048576 }' /proc/meminfo)" \
		--arg disk "$(df -PT "${TMPDIR:-/tmp}" | awk 'NR == 2 { print $2 }')" --arg load "$(cut -d ' ' -f 1-3 /proc/loadavg)" \
		'{cpu: $cpu, cpus: ($cpus | tonumber), memory: $memory, kernel: $kernel, filesystem: $disk, load: $load}'
}
jq -s --argjson machine "$(machine)" --arg seconds "$(($(date +%s) - begin))" --arg at "$(date -u +%FT%TZ)" \
	'{at: $at, seconds: ($seconds | tonumber), machine: $machine, rows: .}' "$rows" >"$out.json"
{
	jq -r '"\(.machine.cpu), \(.machine.cpus) processors, \(.machine.memory), \(.machine.kernel), \(.machine.filesystem); \(.seconds) s; load \(.machine.load)"' "$out.json"
	printf '%-4s  %-72s  %-8s  %-10s  %-10s  %-7s  %s\n' "" row goal figure reference ratio unit
	jq -r -L "$here" 'include "line"; .rows[] | line' "$out.json"
	jq -r '[.rows[] | select(.pass != null)] | "\(map(select(.pass)) | length) of \(length) goals reached"' "$out.json"
} >"$out.txt"
echo
cat "$out.txt"
rm "$rows"
jq -e 'all(.rows[]; .pass != false)' "$out.json" >/dev/null || status=1
exit $status
