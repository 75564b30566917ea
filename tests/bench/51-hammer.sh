#!/bin/sh
# GETS (100000) of each web server (SERVERS: lighttpd nginx apache) while the assignments of the same 8 devices change as fast as they can be:
# none torn, none older than what was acknowledged before it was asked for.
# shellcheck source=tests/bench/lib.sh disable=SC2119,SC2154
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/bench/web.sh
. "$(dirname "$0")/web.sh"

GETS=${GETS:-100000}
export OPENSSL_CONF=/dev/null

# said BEFORE AFTER: the number between the two in what the hammer printed
said() {
	sed -n "s/.*$1\([0-9]*\)$2.*/\1/p" "$T/hammer.out"
}
settings "device_requests_per_minute = 32767" "device_connections = 20000" "spool_quiet_seconds = 1"
start_signd && start_watcher && begin_otafs || exit 1
make_keys
start gate "$OTA_BIN/ota-gate" -c "$conf"
needs 10 test -S "$T/gate.sock"
crowd 8
for WEB in ${SERVERS:-lighttpd nginx apache}; do
	serve web "$conf"
	"$OTA_HAMMER" -r "$GETS" "$T/mount" "$T/pki" "$web_port" one 1.0 >"$T/hammer.out" && ended=1 || ended=
	told=$(sed 's/^hammer: //; s/ in .*stale, / /' "$T/hammer.out")
	row "$WEB: torn answers under a writer at full speed" "= 0" "$(said ': ' ' torn')" "" answers "$told"
	row "$WEB: stale answers under a writer at full speed" "= 0" "$(said ', ' ' stale')" "" answers
	row "$WEB: failed answers under a writer at full speed" "= 0" "${ended:+$(said ', ' ' failed')}" "" answers
	stop web
done
