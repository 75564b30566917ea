#!/bin/sh
# What each web server (SERVERS: lighttpd nginx apache) gives DEVICES (200) that keep their connections, another device each request, from
# otafs and from plain files, in ROUNDS (5) that take turns: documents that have not changed, and the first after a change. Then whole polls as
# aktualizr makes them, each request over a new connection: the processor time of all programs together against the server's alone when it
# has plain files to answer from. Last GETS (20000) of 8 devices whose assignments change as fast as they can be: none torn, none older than
# what was acknowledged before it was asked for; 100,000 of each server are in tests/soak/10-hammer.sh.
# About 240 s.
# shellcheck source=tests/bench/lib.sh disable=SC2016,SC2034,SC2119,SC2154
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/bench/web.sh
. "$(dirname "$0")/web.sh"

DEVICES=${DEVICES:-200}
ROUNDS=${ROUNDS:-5}
GETS=${GETS:-20000}
export OPENSSL_CONF=/dev/null
all="web gate otafs signd"
counter=1
document=/director/targets.json

# compare NAME GOAL UNIT: a row for the rates, and one for the processor time
compare() {
	row "$WEB: $1" ">= $2" "$(median <"$T/rate.web")" "$(median <"$T/rate.plain")" "GET/s"
	row "$WEB: $1, processor time of all programs" "" "$(median <"$T/us.web")" "$(median <"$T/us.plain")" "us/GET" \
		"plain files: of the server"
}
# unchanged: what nobody has changed is the kernel's to give
unchanged() {
	forget
	ask web web "-n $DEVICES" get $document
	quiet
	forget
	asked=$(requests)
	rows=$(written)
	in_turns "$ROUNDS" 'ask web "$all" "-n $DEVICES -r 20" get $document' 'ask plain plain "-n $DEVICES -r 20" get $document'
	row "$WEB: GET targets.json, unchanged: requests to otafs" "= 0" $(($(requests) - asked)) "" requests \
		"$((again_rounds * DEVICES * 21)) GETs"
	row "$WEB: GET targets.json, unchanged: written rows" "= 0" $(($(written) - rows)) "" rows
	compare "GET targets.json, unchanged" 0.95
}
# assign WHAT: to each device; fails when one does not take it
assign() {
	perl -e 'my ($mount, $devices, $what) = @ARGV;
		my $refused = 0;
		for my $i (0 .. $devices - 1) {
			open my $file, ">", "$mount/devices/load-$i/assign" or die $!;
			syswrite $file, "$what\n" or $refused++;
		}
		exit !!$refused' "$T/mount" "$DEVICES" "$1" && quiet
}
# change: of all devices; sets what has been counted until it was done
change() {
	assign "$what" || bad=1
	asked=$((asked - $(requests))) was_written=$(written) commits=$((commits - $(commits))) synced=$((synced - $(syncs)))
}
# first: after each change of all devices each is asked for once
first() {
	forget
	bad=
	assign "cancel!" || : # what the server before has left
	what="one 1.0"
	asked=0 rows='' commits=0 synced=0
	while again "$ROUNDS"; do
		ask_after change web "$all" "-n $DEVICES" get $document
		commits=$((commits + $(commits)))
		asked=$((asked + $(requests)))
		quiet # makes otafs write what it has noted
		rows=${rows:-$(($(written) - was_written))} synced=$((synced + $(syncs)))
		ask plain plain "-n $DEVICES" get $document
		[ "$what" = "cancel!" ] && what="one 1.0" || what="cancel!"
	done
	# Nothing is open for who comes after.
	[ "$what" = "one 1.0" ] || assign "$what"
	gets=$((again_rounds * DEVICES))
	[ -z "$bad" ] || asked=nothing # and so no figure
	row "$WEB: GET targets.json, first after a change: requests to otafs" "<= 4" "$(per_get "$asked")" "" requests/GET
	row "$WEB: GET targets.json, first after a change: syncs" "= 0" "$synced" "" syncs "$gets GETs"
	row "$WEB: GET targets.json, first after a change: writes to the database" "= 0" "$(per_get "$commits")" "" commits/GET
	gets=$DEVICES
	row "$WEB: GET targets.json, first after a change: rows for later" "" "$(per_get "$rows")" "" rows/GET \
		"with the next report, or when somebody looks"
	compare "GET targets.json, first after a change" 0.4
}
# per_get COUNT
per_get() {
	perl -e "printf '%s', '$1' / $gets unless '$1' eq 'nothing'"
}
# polls: nothing new, and all was told before
polls() {
	some=$((DEVICES / 8 + 1))
	# Far fewer at once than devices: the counter of a device does not go back.
	crew="-n $some -t $((some / 4 + 1))"
	counter=$((counter + 10))
	ask web "$all" "$crew -c $counter" poll
	quiet
	forget
	rows=$(written)
	synced=$(syncs)
	from=$(date +%s)
	in_turns "$ROUNDS" 'counter=$((counter + 10)); ask web "$all" "$crew -r 5 -c $counter" poll' 'ask plain plain "$crew -r 5 -g" poll'
	row "$WEB: a quiet poll, processor time of all programs" "<= 1.10" "$(median <"$T/us.web")" "$(median <"$T/us.plain")" us/poll \
		"plain files: of the server; 3 connections"
	quiet # when devices were seen is written behind
	synced=$(($(syncs) - synced))
	row "$WEB: a quiet poll: syncs" "= 0" "$(perl -e "print $synced / ($again_rounds * $some * 5)")" "" syncs/poll \
		"$synced syncs in $(($(date +%s) - from)) s, $(($(written) - rows)) rows"
}
# connections: one without a session before it, as devices come
connections() {
	forget
	ask plain plain "-n $DEVICES -r 2" new /director/1.root.json
	row "$WEB: a new connection with a client certificate" "" "$(median <"$T/us.plain")" "" "us of the server"
}

# hammer: in pieces, fewer of them when time is short; the first row tells how many GETs there were
hammer() {
	pieces=5
	: >"$T/hammered"
	while again $pieces; do
		"$OTA_HAMMER" -r $((GETS / pieces)) "$T/mount" "$T/pki" "$web_port" one 1.0 >"$T/hammer.out"
		# Nothing, and so no figure, when it broke off.
		sed -n 's/^hammer: \([0-9]*\) GETs .*: \([0-9]*\) torn, \([0-9]*\) stale, \([0-9]*\) failed; \([0-9]*\) changes.*/\1 \2 \3 \4 \5/p' \
			"$T/hammer.out" | grep . >>"$T/hammered" || echo "nothing" >>"$T/hammered"
	done
	row "$WEB: GETs under a writer at full speed" "" "$(hammered 1)" "" GETs "$(hammered 5) changes"
	row "$WEB: torn answers under a writer at full speed" "= 0" "$(hammered 2)" "" answers
	row "$WEB: stale answers under a writer at full speed" "= 0" "$(hammered 3)" "" answers
	row "$WEB: failed answers under a writer at full speed" "= 0" "$(hammered 4)" "" answers
}
# hammered COLUMN: the sum over all pieces
hammered() {
	awk -v c="$1" 'NF != 5 { bad = 1 } { sum += $c } END { if (!bad) print sum + 0 }' "$T/hammered"
}

# Apache's mod_qos counts no further.
settings "device_requests_per_minute = 32767" "device_connections = 20000" "spool_quiet_seconds = 1"
start_signd && start_watcher && begin_otafs || exit 1
make_keys
start gate "$OTA_BIN/ota-gate" -c "$conf"
needs 10 test -S "$T/gate.sock"
crowd "$DEVICES"
plain_files "$DEVICES"
servers=${SERVERS:-lighttpd nginx apache}
left=$(echo "$servers" | wc -w)
for WEB in $servers; do
	part "$left"
	left=$((left - 1))
	serve web "$conf"
	serve plain "$T/plain.conf"
	unchanged
	first
	polls
	connections
	stop plain
	hammer
	stop web
done
