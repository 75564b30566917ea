# shellcheck shell=sh
# Functions of the integration tests. A test sources this file, works below $T, and ends with `finish`.
# Programs come from $OTA_BIN (default: the release build). Tests run as root and switch to unprivileged numbers.

set -u
top=$(cd "$(dirname "$0")/../.." && pwd)
OTA_BIN=${OTA_BIN:-$top/build/release/bin}
OTA_DEVICE=${OTA_DEVICE:-$top/build/release/tests/ota-device}
export OTA_BIN OTA_DEVICE

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
	[ -n "${KEEP:-}" ] && echo "# kept: $T" || rm -rf "$T"
	exit "$status"
}
trap at_exit EXIT
trap 'exit 130' INT TERM

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
	n=$1
	shift
	"$@" >>"$T/$n.log" 2>&1 </dev/null &
	echo $! >"$T/$n.pid"
	cleanup "stop $n"
}
# stop NAME [SIGNAL]
stop() {
	pid=$(cat "$T/$1.pid" 2>/dev/null) || return 0
	kill "-${2:-TERM}" "$pid" 2>/dev/null || return 0
	i=0
	while kill -0 "$pid" 2>/dev/null && [ $i -lt 50 ]; do
		sleep 0.1
		i=$((i + 1))
	done
	kill -KILL "$pid" 2>/dev/null
	wait "$pid" 2>/dev/null
	rm -f "$T/$1.pid"
}

# settings [LINE...]: writes $conf for an instance below $T, run by numbers that need no entry in /etc/passwd
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
		user_sign = 64101
		user_otafs = 64102
		user_watcher = 64103
		user_gate = 64104
		user_www = 64105
		group_admin = 64106
		device_address = 127.0.0.1
		device_ca = $T/pki/device-ca.pem
		server_certificate = $T/pki/server.pem
		server_key = $T/pki/server.key
	EOF
	for line in "$@"; do echo "$line" >>"$conf"; done
}
start_signd() {
	start signd "$OTA_BIN/ota-signd" -c "$conf"
	wait_for 10 file_with "$T/signd.log" ready
}
start_watcher() {
	start watcher "$OTA_BIN/ota-watcher" -c "$conf"
	wait_for 20 test -e "$T/repository/published/current/timestamp.json"
}
