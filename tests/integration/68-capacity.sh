#!/bin/sh
# scripts/capacity says what polls take of this machine: held against polls of a crowd of devices in the run that the constants are from.
# Processor time only, of the web server, ota-gate, otafs and ota-signd: other tests run beside this one.
# shellcheck source=tests/integration/lib.sh disable=SC2317 # functions are called by name
. "$(dirname "$0")/lib.sh"

export OTA_LOAD OTA_POLL
capacity() { "$top/scripts/capacity" "$@"; }
# field PATTERN [OPTION...]: the number in that line of what capacity says
field() {
	field_pattern=$1
	shift
	capacity -c "$T/constants" "$@" | sed -n "s/^ *$field_pattern.* \([0-9.][0-9.]*\)\( [^ ]*\)\{0,1\}\$/\1/p"
}

# is_near: within 30 % of what was said
is_near() {
	"$top/scripts/measure-host" --key ed25519 -n 60 --then "'$top/tests/load/polls.sh' $T/polls" >"$T/constants" 2>"$T/measure.log" || return 1
	said=$(field "a quiet poll")
	took=$(sed -n 's/^poll: .*, \([0-9.]*\) us each.*/\1/p' "$T/polls")
	echo "# a quiet poll: $took us of one processor; capacity says $said us" >>"$T/told"
	awk -v a="$said" -v b="$took" 'BEGIN { exit !(a > 0 && b > 0 && a / b <= 1.3 && b / a <= 1.3) }'
}
# Neighbours that come and go in the middle make one of both dearer; three times in a row that is no accident.
near_in_three() { is_near || is_near || is_near; }
ok "says what a poll takes, within 30 %" near_in_three
cat "$T/told"
ok "and measured the programs that it says" has "$T/constants" '^put_us +=.*[1-9]'

# ---- the formulas, with constants that make them round
printf '%s\n' "conn_us = 1000" "keep_us = 100" "put_us = 600 # with a comment" "first_us = 100" "sync_us = 100" >"$T/constants"
ok "adds a poll up" is "$(field "a quiet poll")" 3500
ok "divides by the period and the share" is "$(field "processors for polls" -n 6000 -t 10 -u 0.7)" 3.0
ok "knows of clients that keep their connection" is "$(field "processors for polls" -n 6000 -t 10 -u 0.7 -r 1)" 1.5
ok "gives a table" says "^1000000 .* 19.4 " capacity -c "$T/constants" --table
ok "warns of a period of 10 s" says "^WARNING: .*polling_sec" capacity -c "$T/constants" -t 10
ok "and not of an hour" not says "^WARNING" capacity -c "$T/constants" -t 3600
ok "says that its own constants are of another machine" says "^# Without -c" capacity
echo "conn_us = 1000" >"$T/constants"
ok "refuses constants that lack one" refuses "have no keep_us" capacity -c "$T/constants"
ok "refuses what is no number" refuses "is no number" capacity -n many
ok "refuses a poll without connections" refuses "1 to 3" capacity -r 0
finish
