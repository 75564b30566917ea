# shellcheck shell=sh
# Functions of the integration tests. A test sources this file, works below $T, and ends with `finish`.
# Programs come from $OTA_BIN (default: the release build). Tests run as root and switch to unprivileged numbers.

set -u
top=$(cd "$(dirname "$0")/../.." && pwd)
OTA_BIN=${OTA_BIN:-$top/build/release/bin}
OTA_DEVICE=${OTA_DEVICE:-$top/build/release/tests/ota-device}
# The web server, as ota-gateway knows it.
WEB=${WEB:-lighttpd}
OTA_LOAD=${OTA_LOAD:-$OTA_BIN/../tests/ota-load}
OTA_HAMMER=${OTA_HAMMER:-$OTA_BIN/../tests/ota-hammer}
OTA_POLL=${OTA_POLL:-$OTA_BIN/../tests/ota-poll}
SLOW_SYNC=${SLOW_SYNC:-$OTA_BIN/../tests/slow-sync.so}
# ota-sign, but that a passphrase costs nothing: for tests in which many are told.
QUICK_SIGN=${QUICK_SIGN:-$OTA_BIN/../tests/ota-sign}
export OTA_BIN OTA_DEVICE

[ "$(id -u)" = 0 ] || {
	echo "Bail out! These tests mount and switch users: run them as root."
	exit 1
}
T=$(mktemp -d /tmp/otafs-test.XXXXXX)
chmod 755 "$T"
conf=$T/otafs.conf
tests=0
failed=0
cleanups=

# cleanup COMMAND: runs it when the test ends, last one first
cleanup() {
	cleanups="$1
$cleanups"
}
# discard FOLDER: twenty thousand files on a busy disk take half a minute, for which nobody has to wait
discard() {
	rm -rf "$1" >/dev/null 2>&1 &
}
at_exit() {
	status=$?
	trap '' INT TERM
	printf '%s\n' "$cleanups" | while IFS= read -r line; do
		[ -z "$line" ] || eval "$line" </dev/null >/dev/null 2>&1
	done
	if [ "$failed" != 0 ] || [ "$status" != 0 ]; then
		for log in "$T"/*.log; do
			[ -e "$log" ] && tail -n 30 "$log" | sed "s|^|# ${log##*/}: |" >&2
		done
	fi
	if [ -n "${KEEP:-}" ]; then echo "# kept: $T"; else discard "$T"; fi
	exit "$status"
}
trap at_exit EXIT
trap 'exit 130' INT TERM
trap 'exit 141' PIPE # a program that was written to has died

# ok NAME COMMAND...: passes when the command does
ok() {
	name=$1
	shift
	tests=$((tests + 1))
	if "$@" >"$T/ok.out" 2>&1; then
		echo "ok $tests - $name"
	else
		echo "not ok $tests - $name"
		echo "# failed: $*" >&2
		sed 's/^/# /' "$T/ok.out" >&2
		failed=$((failed + 1))
	fi
}
not() {
	if "$@"; then return 1; else return 0; fi
}
# is GOT EXPECTED
is() {
	[ "$1" = "$2" ] || {
		printf 'got:      %s\nexpected: %s\n' "$1" "$2"
		return 1
	}
}
# has FILE PATTERN: an extended regular expression
has() {
	grep -Eq -e "$2" "$1" || {
		printf 'no "%s" in %s:\n' "$2" "$1"
		cat "$1"
		return 1
	}
}
# says PATTERN COMMAND...: the command's output, both streams, has the pattern, whatever its status
says() {
	pattern=$1
	shift
	"$@" >"$T/says.out" 2>&1
	has "$T/says.out" "$pattern"
}
# refuses PATTERN COMMAND...: the command fails and says why
refuses() {
	pattern=$1
	shift
	if "$@" >"$T/says.out" 2>&1; then
		echo "was accepted: $*"
		cat "$T/says.out"
		return 1
	fi
	has "$T/says.out" "$pattern"
}
# wait_for SECONDS COMMAND...: until the command passes
wait_for() {
	end=$(($(date +%s) + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$(date +%s)" -lt "$end" ] || {
			echo "timed out waiting for: $*"
			return 1
		}
		sleep 0.1
	done
}
# file_with FILE PATTERN: the same as has, silent about a missing file
file_with() {
	[ -e "$1" ] && grep -Eq -e "$2" "$1"
}
finish() {
	echo "1..$tests"
	[ "$failed" = 0 ] || exit 1
	exit 0
}
# start NAME COMMAND...: in the background, log in $T/NAME.log, pid in $T/NAME.pid, stopped at the end
start() {
	program_name=$1
	shift
	"$@" >>"$T/$program_name.log" 2>&1 </dev/null &
	echo $! >"$T/$program_name.pid"
	cleanup "stop $program_name"
}
# stop NAME [SIGNAL]
stop() {
	pid=$(cat "$T/$1.pid" 2>/dev/null) || return 0
	kill "-${2:-TERM}" "$pid" 2>/dev/null || return 0
	tries=0
	while kill -0 "$pid" 2>/dev/null && [ $tries -lt 50 ]; do
		sleep 0.1
		tries=$((tries + 1))
	done
	kill -KILL "$pid" 2>/dev/null
	wait "$pid" 2>/dev/null
	rm -f "$T/$1.pid"
}

# needs SECONDS COMMAND...: without it the test makes no sense
needs() {
	wait_for "$@" || {
		echo "Bail out! A program did not start."
		exit 1
	}
}
# commits: how many transactions have been written to otafs's database, by the index of its log: nothing is written for who asks
commits() {
	perl -e 'open my $f, "<:raw", $ARGV[0] or die; read $f, my $head, 12; print unpack("x8 L", $head), "\n"' "$T/state/otafs.db-shm"
}
# syncs: of the database, as $T/syncs of tests/load/slow_sync.c has them, but for the three of a checkpoint, each thousand pages, which moves
# what was written before: of the log, of the database, and of the log's new beginning. What otafs tells others in files, it tells by its clock.
syncs() {
	awk '/\/otafs\.db-wal$/ { n += !begins; begins = 0 } /\/otafs\.db$/ { n--; begins = 1 } END { print n + 0 }' "$T/syncs"
}
# settings [LINE...]: writes $conf for an instance below $T, run by numbers that need no entry in /etc/passwd; without a sandbox if
# unconfined is set
settings() {
	mkdir -p "$T/mount" "$T/gate"
	cat >"$conf" <<-EOF
		mount = $T/mount
		www = $T/web/www
		spool = $T/spool
		repository = $T/repository
		state = $T/state/otafs.db
		keys = $T/keys
		sign_socket = $T/sign.sock
		gate_socket = $T/gate.sock
		fleet = $T/fleet
		build_socket = $T/build.sock
		build_address = 127.0.0.1
		build_ca = $T/pki/build-ca.pem
		build_passwords = $T/build.htpasswd
		build_refs = $T/build-refs
		build_limits = $T/build-limits
		admin_socket = $T/admin.sock
		admin_ca = $T/pki/admin-ca.pem
		admin_passwords = $T/admin.htpasswd
		user_sign = 64101
		user_otafs = 64102
		user_watcher = 64103
		user_gate = 64104
		user_www = 64105
		user_build = 64107
		user_admin = 64108
		user_admin_web = 64109
		group_admin = 64106
		device_address = 127.0.0.1
		device_ca = $T/pki/device-ca.pem
		server_certificate = $T/pki/server.pem
		server_key = $T/pki/server.key
		server_ca = $T/pki/server-ca.pem
	EOF
	for line in "$@"; do echo "$line" >>"$conf"; done
	# What is preloaded into programs reads files of its own.
	[ -z "${unconfined:-}" ] || echo "sandbox = 0" >>"$conf"
	# A test device polls as often as it can; where the limit is looked at, the test sets it.
	grep -q '^device_requests_per_minute' "$conf" || echo "device_requests_per_minute = 30000" >>"$conf"
}
# start_signd: with roots of which all keys are online, unless there was a folder of keys before
start_signd() {
	[ -e "$T/keys" ] && had_keys=1 || had_keys=
	start signd "$OTA_BIN/ota-signd" -c "$conf"
	needs 10 file_with "$T/signd.log" ready
	[ -n "$had_keys" ] || "$OTA_BIN/ota-sign" init --online -c "$conf" >>"$T/init.log" 2>&1
}
# make_issuer: gives ota-signd an issuing CA, signed by the device CA of $T/pki
make_issuer() {
	"$OTA_BIN/ota-sign" issuer request -c "$conf" >"$T/issuer.csr" &&
		"$top/scripts/ota-pki" --issue-intermediate "$T/issuer.csr" "$T/pki" &&
		"$OTA_BIN/ota-sign" issuer install -c "$conf" "$T/pki/issuer.pem" >"$T/issuer.log"
}
# issue UID NAME DAYS KEY: prints the chain that ota-signd's issuing CA gives user UID for the private key KEY
issue() {
	[ -e "$T/asker" ] || cat >"$T/asker" <<-'PERL'
		use strict;
		use Socket;
		# asker SOCKET UID: one request on standard input; prints the payload, and ends with 1 when the code is not 0
		my ($path, $uid) = @ARGV;
		$) = "$uid $uid";
		$( = $uid;
		($<, $>) = ($uid, $uid);
		socket(my $fd, PF_UNIX, SOCK_STREAM, 0) or die;
		connect($fd, pack_sockaddr_un($path)) or die "$path: $!";
		sub take { my ($n, $data) = (shift, ""); while (length $data < $n) { sysread($fd, $data, $n - length $data, length $data) or die "closed" } $data }
		my $out = pack("N/a", join("", <STDIN>));
		while (length $out) { substr($out, 0, syswrite($fd, $out)) = "" }
		my $reply = take(unpack("N", take(4)));
		print substr($reply, 4), "\n";
		exit(unpack("l>", $reply) ? 1 : 0);
	PERL
	public=$(openssl pkey -in "$4" -pubout | awk '{ printf "%s\\n", $0 }')
	printf '{"operation":"issue","name":"%s","days":%s,"public":"%s"}' "$2" "$3" "$public" |
		perl "$T/asker" "$T/sign.sock" "$1"
}
start_watcher() {
	start watcher "$OTA_BIN/ota-watcher" -c "$conf"
	needs 20 test -e "$T/repository/published/current/timestamp.json"
}
start_otafs() {
	start otafs "$OTA_BIN/otafs" -c "$conf"
	needs 10 test -e "$T/web/www/alive" # the last of all
}
free_port() {
	perl -MIO::Socket::INET -e 'print IO::Socket::INET->new(Listen => 1, LocalAddr => "127.0.0.1")->sockport'
}
# start_web: keys, gate and the server $WEB on a free port; needs settings() before and no device_port in them
start_web() {
	port=$(free_port)
	url=https://localhost:$port
	echo "device_port = $port" >>"$conf"
	make_keys
	start gate "$OTA_BIN/ota-gate" -c "$conf"
	needs 10 test -S "$T/gate.sock"
	render
	start_web_server
}
# make_keys: what ota-pki makes; three servers of three users have the one key of the server
make_keys() {
	"$top/scripts/ota-pki" "$T/pki" localhost
	chmod 755 "$T/pki"
	chmod 644 "$T/pki/server.key"
}
# render: the configurations of $WEB into $T/gateway
render() {
	"$top/scripts/ota-gateway" render "$WEB" -c "$conf" "$T/gateway"
}
# start_server NAME LISTENER PORT: a listener of $WEB, started by root, as $T/NAME.pid
start_server() {
	start "$1" "$top/scripts/ota-gateway" run "$WEB" "$2" "$T/gateway"
	needs 10 perl -MIO::Socket::INET -e "exit !IO::Socket::INET->new(PeerAddr => '127.0.0.1:$3')"
}
start_web_server() {
	start_server web device "$port"
}
# start_build: the build listener on a free port, after settings(); builder ci with password secret
start_build() {
	build_port=$(free_port)
	build_url=https://localhost:$build_port
	echo "build_port = $build_port" >>"$conf"
	make_keys
	[ -e "$T/ci.zip" ] || echo secret | "$top/scripts/ota-builder" -c "$conf" --url "$build_url" ci "$T/ci.zip"
	render
	start_build_server
}
start_build_server() {
	start_server build build "$build_port"
}
# start_admin: the admin listener on a free port, after settings(); whoever tests ota-admin-gate starts that
start_admin() {
	admin_port=$(free_port)
	# shellcheck disable=SC2034 # for tests
	admin_url=https://localhost:$admin_port
	echo "admin_port = $admin_port" >>"$conf"
	make_keys
	render
	start_admin_server
}
start_admin_server() {
	start_server admin admin "$admin_port"
}
# push PATH [CURL ARGUMENT...]: as builder ci; prints the status, leaves the body in $T/body, the headers in $T/headers
push() {
	path=$1
	shift
	curl -s -o "$T/body" -D "$T/headers" -w '%{http_code}\n' --max-time 60 --cacert "$T/pki/server-ca.pem" -u ci:secret \
		"$@" "$build_url$path"
}
# start_all: a whole instance
start_all() {
	start_signd
	start_watcher
	start_otafs
	start_web
}
# enroll ID: certificate and key into $T/ID/
enroll() {
	"$top/scripts/ota-device-cert" -c "$conf" --ca-dir "$T/pki" "$1" "$T/$1"
}
# device ID ARGUMENT...: the test device, with one ECU ID-ecu of hardware qemux86-64
device() {
	id=$1
	shift
	"$OTA_DEVICE" --url "$url" --cert "$T/$id/client.pem" --key "$T/$id/pkey.pem" --ca "$T/$id/root.crt" \
		--dir "$T/$id/state" --hardware qemux86-64 --ecu "$id-ecu" --verbose "$@"
}
# fetch ID PATH [CURL ARGUMENT...]: with the device's certificate; prints the status, leaves the body in $T/body
fetch() {
	id=$1
	path=$2
	shift 2
	curl -s -o "$T/body" -w '%{http_code}\n' --max-time 20 --cert "$T/$id/client.pem" --key "$T/$id/pkey.pem" \
		--cacert "$T/$id/root.crt" "$@" "$url$path"
}
# commit_of NAME VERSION [FILES]: a repository $T/NAME-VERSION.drop with push.json; prints the commit
commit_of() {
	tree=$T/tree-$1-$2
	mkdir -p "$tree/usr/bin"
	echo "$1 $2" >"$tree/usr/bin/version"
	for file in $(seq "${3:-3}"); do echo "$1 $2 file $file" >"$tree/usr/bin/file$file"; done
	ostree --repo="$T/$1-$2.drop" init --mode=archive
	ostree --repo="$T/$1-$2.drop" commit --branch="qemux86-64/$1" --tree=dir="$tree" --owner-uid=0 --owner-gid=0 \
		--subject="$1 $2"
	echo "{\"name\":\"$1\",\"version\":\"$2\",\"hardwareIds\":[\"qemux86-64\"]}" >"$T/$1-$2.drop/push.json"
}
# drop NAME VERSION: hands it to the spool in one rename
drop() {
	cp -r "$T/$1-$2.drop" "$T/$1-$2.moving"
	mv "$T/$1-$2.moving" "$T/spool/incoming/$1-$2"
}
# published NAME VERSION: waits for the receipt, and for the tree to know
published() {
	wait_for "${3:-30}" test -e "$T/spool/done/$1-$2.receipt.json" &&
		wait_for 5 test -e "$T/mount/packages/$1/$2/hash"
}
