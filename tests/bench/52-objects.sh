#!/bin/sh
# GETs of objects through each web server (SERVERS: lighttpd nginx apache), as ota-gateway(8) configures it, over 8 connections that are kept: by
# the way through the www view, and beside that by the same server where that view is a folder of plain files, which are the same
# files. SIZES (4 64 1024 65536, in KiB) over TLS with a client certificate and without TLS. Then, through COLD_SERVERS (nginx), sizes COLD
# (4 64 1024) of which neither name nor bytes are in memory, in a repository of OBJECTS (1,000,000) others; and what is read of that by
# programs that start. It drops the caches of the whole machine for that; COLD= leaves it out. TUNE is a command that changes the
# configuration in the folder $1: then the reference is the view without it. The figure is the rate, as devices see it; the
# note has the processor time of the server, which neighbours disturb less.
# About 240 s.
# shellcheck source=tests/bench/lib.sh disable=SC2119,SC2317 # functions are called by name
. "$(dirname "$0")/lib.sh"

SIZES=${SIZES:-4 64 1024 65536}
OBJECTS=${OBJECTS:-1000000}
COLD=${COLD-4 64 1024}
COLD_SERVERS=${COLD_SERVERS:-nginx}
ROUNDS=${ROUNDS:-4}
COLD_ROUNDS=${COLD_ROUNDS:-3}
export OPENSSL_CONF=/dev/null
settings
start_signd && start_watcher && start_otafs || exit 1
make_keys
enroll d1 >/dev/null || exit 1
device=devices/d1/$(openssl x509 -in "$T/d1/client.pem" -noout -serial | cut -d= -f2)
objects=$T/repository/ostree/objects
plain=$T/plain/www/$device/treehub
mkdir -p "$plain"
: >"$T/plain/www/alive"

# gets KIB: how many GETs make a round
gets() {
	case $1 in
	4) echo 2000 ;;
	64) echo 1000 ;;
	1024) echo 300 ;;
	*) echo 8 ;;
	esac
}
# turns KIB: of small ones more rounds, each shorter: a neighbour's moment is in few of them
turns() {
	if [ "$1" -lt 1024 ]; then echo $((2 * ROUNDS)); else echo "$ROUNDS"; fi
}
# store KIB COUNT: COUNT objects; their paths, one a line, in $T/paths.KIB
store() {
	perl -e '
		use strict; my ($dir, $kib, $count) = @ARGV;
		for my $i (0 .. $count - 1) {
			my $name = sprintf("%02x/%062x.filez", $i % 256, $kib << 32 | $i);
			mkdir sprintf("%s/%02x", $dir, $i % 256);
			open my $out, ">", "$dir/$name" or die "$name: $!";
			print $out chr(97 + $i % 26) x 1024 for 1 .. $kib;
			print "/treehub/objects/$name\n";
		}' "$objects" "$1" "$2" >"$T/paths.$1"
}
# fill COUNT: so many other objects, empty since nobody reads them; folder after folder, by two processes
fill() {
	perl -e '
		use strict; my ($dir, $count) = @ARGV;
		my $child = fork // die $!;
		for my $shelf ($child ? 0 .. 127 : 128 .. 255) {
			mkdir sprintf "%s/%02x", $dir, $shelf;
			for (my $i = $shelf; $i < $count; $i += 256) {
				open my $out, ">", sprintf "%s/%02x/f%061x.filez", $dir, $shelf, $i or die $!;
			}
		}
		exit if !$child;
		wait;
		exit $? != 0' "$objects" "$1" || exit 1
}
# link_plain: the same files as a folder of plain ones
link_plain() {
	rm -rf "$plain/objects"
	mkdir "$plain/objects"
	chmod -R a+rX "$T/plain"
	for shelf in "$objects"/??; do
		mkdir "$plain/objects/${shelf##*/}"
		find "$shelf" -type f -name '0*' -exec ln -t "$plain/objects/${shelf##*/}" {} +
	done
}

# without_tls DIR: the device listener in DIR takes everybody for d1
without_tls() {
	case $WEB in
	lighttpd)
		sed -i 's/^ssl\.engine .*/ssl.engine = "disable"/' "$1/device.conf"
		sed -i "s|^local subject = device()|local subject = \"/$device\"|" "$1/map.lua"
		;;
	nginx) sed -i "s/ ssl backlog/ backlog/; /ssl_verify\|ssl_client_certificate/d; s|devices/\$pair|$device|" "$1/device.conf" ;;
	apache)
		sed -i 's/^SSLEngine .*/SSLEngine Off/' "$1/common.conf"
		sed -i "s|local folder = identify(r)|local folder = \"/$device\"|" "$1/device.lua"
		;;
	esac
}
# begin NAME WWW: the device listener of $WEB over WWW, as $T/NAME.pid; $way says whether by TLS
begin() {
	eval "${1}_port=$(free_port)"
	{ grep -v '^www' "$conf" && eval "echo \"device_port = \$${1}_port\"" && echo "www = $2"; } >"$T/$1.conf"
	"$top/scripts/ota-gateway" render "$WEB" -c "$T/$1.conf" "$T/gateway.$1"
	[ "$way" = TLS ] || without_tls "$T/gateway.$1"
	[ -z "${TUNE:-}" ] || [ "$1" = file ] || sh -c "$TUNE" tune "$T/gateway.$1"
	start "$1" "$top/scripts/ota-gateway" run "$WEB" device "$T/gateway.$1"
	eval "needs 10 perl -MIO::Socket::INET -e \"exit !IO::Socket::INET->new(PeerAddr => '127.0.0.1:\$${1}_port')\""
}
# get NAME COUNT PATHS: prints GETs per second, adds what they took of the processor to $T/cpu.NAME
get() {
	tls=
	[ "$way" != TLS ] || tls="-s $T/d1/client.pem $T/d1/pkey.pem"
	before=$(cpu_us "$1")
	# shellcheck disable=SC2086 # options
	eval "\"$BENCH/get\" $tls \"\$${1}_port\" $2 \"$3\"" >"$T/got" || echo "# $WEB $way: an answer was not what it should be" >&2
	echo $(($(cpu_us "$1") - before)) "$2" >>"$T/cpu.$1"
	awk -v n="$2" '{ print n / $1 }' "$T/got"
}
# cold NAME COUNT PATHS: the same after everything was forgotten, but for one file
cold() {
	sync
	echo 3 >/proc/sys/vm/drop_caches || exit 1
	get "$1" 16 "$T/paths.first" >/dev/null
	get "$@"
}
# compare WHAT GOAL KIB HOW COUNT: a row
compare() {
	rm -f "$T/cpu.web" "$T/cpu.file"
	"$4" web 16 "$T/paths.$3" >/dev/null
	"$4" file 16 "$T/paths.$3" >/dev/null
	rm -f "$T/cpu.web" "$T/cpu.file"
	asked=$(requests)
	rounds "$(turns "$3")" "$4 web $5 $T/paths.$3" "$4 file $5 $T/paths.$3"
	asked=$(($(requests) - asked))
	took=$(awk 'FNR == NR { a += $1; n += $2; next } { b += $1 } END { printf "processor %.0f us, reference %.0f us (%.2f)", a / n, b / n, a / b }' \
		"$T/cpu.web" "$T/cpu.file")
	row "$WEB, $way: $1 object of $3 KiB" "$2" "$figure" "$reference" "GET/s" "$took"
}
# both WAY COMMAND: with a server on the view and one on plain files
both() {
	way=$1
	begin web "$T/web/www"
	if [ -n "${TUNE:-}" ]; then begin file "$T/web/www"; else begin file "$T/plain/www"; fi
	"$2"
	stop web
	stop file
}
warm_sizes() {
	all=0
	for kib in $SIZES; do
		compare warm ">= 0.95" "$kib" get "$(gets "$kib")"
		all=$((all + asked))
	done
	row "$WEB, $way: requests to otafs, warm objects" "= 0" "$all" "" requests
}
cold_sizes() {
	ROUNDS=$COLD_ROUNDS
	for kib in $COLD; do
		goal=0.5
		[ "$kib" -lt 1024 ] || goal=0.8
		compare cold ">= $goal" "$kib" cold "$(wc -l <"$T/paths.$kib")"
		# The way to the objects is forgotten as well.
		row "$WEB, $way: requests to otafs for $(wc -l <"$T/paths.$kib") cold objects of $kib KiB" "<= 16" "$((asked / again_rounds))" "" requests
	done
}

# folders_read: pieces of folders that ota-watcher and otafs read until they are up
folders_read() {
	for program in ota-watcher otafs; do
		stop "${program#ota-}"
		start "${program#ota-}" strace -f -qq -e trace=getdents64 -o "$T/$program.strace" "$OTA_BIN/$program" -c "$conf"
		sleep 3
		# strace passes signals on to nobody.
		kill "$(pgrep -P "$(cat "$T/${program#ota-}.pid")")"
		wait "$(cat "$T/${program#ota-}.pid")"
	done
	cat "$T/ota-watcher.strace" "$T/otafs.strace" | grep -c 'getdents64('
}

for kib in $SIZES; do store "$kib" $((kib > 1024 ? 2 : 64)); done
link_plain
servers=${SERVERS:-lighttpd nginx apache}
# Half of the time is for the cold ones.
left=$(($(echo "$servers" | wc -w) * 4))
for WEB in $servers; do
	for way in TLS "no TLS"; do
		part "$left"
		left=$((left - 1))
		both "$way" warm_sizes
	done
done
[ -n "$COLD" ] || finish

store 16 1 && mv "$T/paths.16" "$T/paths.first"
for kib in $COLD; do store "$kib" $((kib < 1024 ? 1000 : 100)); done
link_plain
before=$(folders_read)
fill "$OBJECTS"
# A look at each of the 256 folders would be 512 at least.
row "pieces of folders read when ota-watcher and otafs start, $OBJECTS objects" "<= 200" "$(folders_read)" "" reads "$before without them"
start_watcher
start_otafs
part 1
for WEB in $COLD_SERVERS; do
	both TLS cold_sizes
done
finish
