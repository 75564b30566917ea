#!/bin/sh
# What devices ask of each web server (SERVERS: lighttpd nginx apache), as 8 devices at once that keep their connections: documents and
# reports per second, beside the same server's answers from plain files in the same run, and what that takes of the server's
# processor. Then what a new connection with a client certificate takes (CONNECTIONS, 400), as configured and with session tickets, which
# devices never use. Machines differ: the ratios are what counts.
# shellcheck source=tests/integration/lib.sh disable=SC2119
. "$(dirname "$0")/../integration/lib.sh"

REQUESTS=${REQUESTS:-500} # of each device
CONNECTIONS=${CONNECTIONS:-400}
DEVICES="1 2 3 4 5 6 7 8"
export OPENSSL_CONF=/dev/null
# Apache's mod_qos counts no further.
settings "device_requests_per_minute = 32767"
start_signd && start_watcher && start_otafs || exit 1
make_keys
for n in $DEVICES; do
	enroll "d$n" >/dev/null || exit 1
	serial=$(openssl x509 -in "$T/d$n/client.pem" -noout -serial | cut -d= -f2)
	plain=$T/plain/www/devices/d$n/$serial
	mkdir -p "$plain" || exit 1
	cp -rL "$T/web/www/devices/d$n/$serial/director" "$T/web/www/devices/d$n/$serial/repo" "$plain/"
done
cp "$T/web/www/alive" "$T/plain/www/"
chmod -R a+rX "$T/plain"
# Two instances: that of the settings, and one whose www view is plain files.
sed "s|^www = .*|www = $T/plain/www|" "$conf" >"$T/plain.conf"
start gate "$OTA_BIN/ota-gate" -c "$conf"
needs 10 test -S "$T/gate.sock"
printf '[]' >"$T/body"

# ticks: processor time of the server and all its processes, in hundredths of a second
ticks() {
	server_pid=$(cat "$T/web.pid")
	for pid in $server_pid $(pgrep -P "$server_pid"); do
		sed 's/.*) //' "/proc/$pid/stat" 2>/dev/null
	done | awk '{ sum += $12 + $13 } END { print sum }'
}
# begin CONF [SED PROGRAM]: the device listener as $CONF has it, changed by the program
begin() {
	port=$(free_port)
	url=https://localhost:$port
	{ grep -v device_port "$1" && echo "device_port = $port"; } >"$T/now.conf"
	rm -rf "$T/gateway"
	"$top/scripts/ota-gateway" render "$WEB" -c "$T/now.conf" "$T/gateway"
	[ -z "${2:-}" ] || sed -i "$2" "$T/gateway"/*.conf
	start web "$top/scripts/ota-gateway" run "$WEB" device "$T/gateway"
	needs 10 perl -MIO::Socket::INET -e "exit !IO::Socket::INET->new(PeerAddr => '127.0.0.1:$port')"
	for n in $DEVICES; do fetch "d$n" /director/1.root.json >/dev/null; done
}
# measure REQUESTS PATH [CURL ARGUMENT...]: all devices at once, each REQUESTS times; sets $rate, and $cpu of the server for each in
# microseconds
measure() {
	requests=$1 path=$2
	shift 2
	before=$(ticks)
	from=$(date +%s%N)
	pids=
	for n in $DEVICES; do
		curl -s -o /dev/null -w '%{http_code}\n' --cert "$T/d$n/client.pem" --key "$T/d$n/pkey.pem" --cacert "$T/d$n/root.crt" "$@" \
			"$url$path?[1-$requests]" >"$T/statuses.$n" &
		pids="$pids $!"
	done
	for pid in $pids; do wait "$pid"; done
	took=$((($(date +%s%N) - from) / 1000))
	count=$(cat "$T"/statuses.* | wc -l)
	rate=$((count * 1000000 / took))
	cpu=$((($(ticks) - before) * 10000 / count))
	[ "$(cat "$T"/statuses.* | sort -u)" = 200 ] || echo "gateway: $WEB: answers: $(cat "$T"/statuses.* | sort | uniq -c | tr -s ' \n' ' ')"
}
# row WHAT PATH [CURL ARGUMENT...]: otafs beside a plain file that is read
row() {
	what=$1 row_path=$2 # fetch() has a path of its own
	shift 2
	begin "$conf"
	measure "$REQUESTS" "$row_path" "$@"
	stop web
	otafs_rate=$rate otafs_cpu=$cpu
	begin "$T/plain.conf"
	measure "$REQUESTS" /director/targets.json
	stop web
	plain_rate=$rate plain_cpu=$cpu
	echo "gateway: $WEB: $what: $otafs_rate/s, plain files $plain_rate/s ($((otafs_rate * 100 / plain_rate)) %);" \
		"processor of the server $otafs_cpu us, plain files $plain_cpu us"
}
# connections [SED PROGRAM]: sets $cpu of one
connections() {
	begin "$conf" "${1:-}"
	measure $((CONNECTIONS / 8)) /director/1.root.json --no-sessionid -H "Connection: close"
	stop web
}

for WEB in ${SERVERS:-lighttpd nginx apache}; do
	row "GET targets.json" /director/targets.json
	row "POST events" /events --data-binary "@$T/body"
	connections
	without=$cpu
	# As each of the three writes it.
	connections 's/-SessionTicket/SessionTicket/; s/"NumTickets" => "0"/"NumTickets" => "2"/
		s/^ssl_session_tickets off/ssl_session_tickets on/; s/NumTickets 0/NumTickets 2/; s/^SSLSessionTickets .*/SSLSessionTickets On/'
	echo "gateway: $WEB: a new connection: $without us of the server's processor, with session tickets $cpu us ($((cpu * 100 / without)) %)"
done
