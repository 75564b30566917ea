#!/bin/sh
# The bench on a small scale: its counts, which no neighbour changes, reach their goals on each web server; and what misses a goal is told.
# Its times are not looked at.
# shellcheck source=tests/integration/lib.sh disable=SC2016,SC2119,SC2317
. "$(dirname "$0")/lib.sh"

bench=$top/tests/bench
DEVICES=8 ROUNDS=1 GETS=300 "$bench/run.sh" "$T/bench" "$bench/50-gateway.sh" >"$T/bench.log" 2>&1

# rows FILTER: what jq's FILTER finds among the rows, one name a line
rows() {
	jq -r ".rows[] | select($1).name" "$T/bench.json"
}
# reached WORDS: each server has a row of these words, and it reached its goal
reached() {
	for server in lighttpd nginx apache; do
		is "$(rows ".pass and .goal != \"\" and (.name | startswith(\"$server: \") and endswith(\"$1\"))" | wc -l)" 1 || {
			rows '.pass == false'
			return 1
		}
	done
}
ok "an unchanged document asks nothing of otafs" reached "unchanged: requests to otafs"
ok "a changed one asks for at most 4 requests" reached "first after a change: requests to otafs"
ok "an unchanged document writes nothing" reached "unchanged: written rows"
ok "a changed one waits for no disk" reached "first after a change: syncs"
ok "nor writes to it" reached "first after a change: writes to the database"
ok "unchanged reports wait for no disk" reached "a quiet poll: syncs"
ok "nothing is torn while all changes" reached "torn answers under a writer at full speed"
ok "nothing is stale" reached "stale answers under a writer at full speed"
ok "nothing fails" reached "failed answers under a writer at full speed"
ok "the machine is named" is "$(jq '.machine.cpus' "$T/bench.json")" "$(nproc)"
ok "the table has all rows" is "$(grep -c '^ok\|^FAIL\|^      ' "$T/bench.txt")" $(($(jq '.rows | length' "$T/bench.json") + 1))

# What is no figure, and what is too little, misses its goal; the script that gave it ends well.
mkdir -p "$T/tests/bench"
ln -s "$top/tests/integration" "$T/tests/"
ln -s "$bench/lib.sh" "$bench/line.jq" "$T/tests/bench/"
{
	echo '#!/bin/sh'
	echo '. "$(dirname "$0")/lib.sh"'
	echo 'row "good" ">= 0.5" 6 10'
	echo 'row "bad" "<= 1.2" 13 10'
	echo 'row "none" "= 0" ""'
	echo 'row "told" "" 7'
} >"$T/tests/bench/rows.sh"
chmod 755 "$T/tests/bench/rows.sh"
ok "a missed goal is the end of it" refuses '1 of 3 goals reached' "$bench/run.sh" "$T/bench" "$T/tests/bench/rows.sh"
ok "and is named" is "$(rows '.pass == false' | paste -sd' ')" "bad none"
printf '#!/bin/sh\nexit 1\n' >"$T/tests/bench/rows.sh"
ok "so is a script that breaks off" refuses 'rows.sh did not come to its end' "$bench/run.sh" "$T/bench" "$T/tests/bench/rows.sh"
finish
