# shellcheck shell=sh disable=SC2034,SC2154
# For scripts that hold a web server on otafs against the same server on plain files: after lib.sh and settings. Both run at once, on
# ports of their own, and are asked in turns.

# crowd N: N devices of ota-load with certificates, and package "one 1.0" that fits them
crowd() {
	"$OTA_LOAD" -n "$1" -t 16 "$T/mount" register >/dev/null && "$OTA_LOAD" -n "$1" -t 16 "$T/mount" certify >/dev/null || exit 1
	"$OTA_LOAD" -n "$1" -t 16 "$T/mount" manifests >/dev/null || exit 1
	echo one >"$T/spool/incoming/one"
	echo '{"name":"one","version":"1.0","hardwareIds":["load"]}' >"$T/spool/incoming/one.push.json"
	needs 60 test -e "$T/spool/done/one.receipt.json"
	needs 10 test -e "$T/mount/packages/one/1.0/hash"
}
# plain_files N: what N devices read of their director, as files below $T/plain/www, and otafs.conf(5) of an instance that has only those
plain_files() {
	for plain_i in $(seq 0 $(($1 - 1))); do
		plain_to=devices/load-$plain_i/0A/director
		mkdir -p "$T/plain/www/$plain_to"
		cat "$T/web/www/$plain_to/targets.json" >"$T/plain/www/$plain_to/targets.json" || exit 1
		cat "$T/web/www/$plain_to/1.root.json" >"$T/plain/www/$plain_to/1.root.json" || exit 1
	done
	cp "$T/web/www/alive" "$T/plain/www/"
	chmod -R a+rX "$T/plain"
	sed -e "s|^www = .*|www = $T/plain/www|" "$conf" >"$T/plain.conf"
}
# serve INSTANCE CONF: the device listener of $WEB with the settings CONF, as program INSTANCE; its port in $INSTANCE_port
serve() {
	serve_port=$(free_port)
	{ grep -v '^device_port' "$2" && echo "device_port = $serve_port"; } >"$T/$1.now.conf"
	rm -rf "$T/$1.gateway"
	"$top/scripts/ota-gateway" render "$WEB" -c "$T/$1.now.conf" "$T/$1.gateway"
	start "$1" "$top/scripts/ota-gateway" run "$WEB" device "$T/$1.gateway"
	needs 10 perl -MIO::Socket::INET -e "exit !IO::Socket::INET->new(PeerAddr => '127.0.0.1:$serve_port')"
	eval "$1_port=$serve_port"
}
# pids NAME...: of programs and all their children, joined by commas
pids() {
	# shellcheck disable=SC2046 # one word each
	family $(for pids_name in "$@"; do cat "$T/$pids_name.pid"; done) | paste -sd ,
}
# ask INSTANCE PROGRAMS OPTIONS COMMAND [PATH]: ota-poll with these before INSTANCE; adds the rate to $T/rate.INSTANCE, and to $T/us.INSTANCE
# the processor time of PROGRAMS for each request
ask() {
	ask_instance=$1
	eval "ask_port=\$${1}_port"
	# shellcheck disable=SC2046,SC2086 # words
	"$OTA_POLL" -P "$(pids $2)" $3 ${ask_between:+-w "$ask_between"} "$T/pki" "$ask_port" "$4" ${5:+"$5"} >"$T/ask.out" || {
		echo "bench: $WEB: $1: $3 $4: failed" >&2
		return 1
	}
	sed 's|.*: \([0-9]*\)/s,.*|\1|' "$T/ask.out" >>"$T/rate.$ask_instance"
	sed 's|.*, \([0-9.]*\) us each.*|\1|' "$T/ask.out" >>"$T/us.$ask_instance"
}
# ask_after COMMAND INSTANCE...: the same, and COMMAND, of this script, is run when all have connected and been answered once
ask_after() {
	rm -f "$T/connected" "$T/go"
	ask_command=$1
	shift
	ask_between="touch $T/connected; until test -e $T/go; do sleep 0.01; done" ask "$@" &
	ask_pid=$!
	wait_for 60 test -e "$T/connected" && $ask_command
	touch "$T/go"
	wait $ask_pid
}
# forget: begins new medians
forget() {
	rm -f "$T"/rate.* "$T"/us.*
}
