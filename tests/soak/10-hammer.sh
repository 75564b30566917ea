#!/bin/sh
# GETS (100000) through each web server (SERVERS: lighttpd nginx apache) of 8 devices whose assignments change as fast as they can be: none
# torn, none older than what was acknowledged before it was asked for. tests/bench/50-gateway.sh has fewer.
# shellcheck source=tests/bench/lib.sh disable=SC2119,SC2154
. "$(dirname "$0")/../bench/lib.sh"
# shellcheck source=tests/bench/web.sh
. "$(dirname "$0")/../bench/web.sh"

GETS=${GETS:-100000}
export OPENSSL_CONF=/dev/null
# Apache's mod_qos counts no further.
settings "device_requests_per_minute = 32767" "device_connections = 20000" "spool_quiet_seconds = 1"
start_signd && start_watcher && start_otafs || exit 1
make_keys
start gate "$OTA_BIN/ota-gate" -c "$conf"
needs 10 test -S "$T/gate.sock"
crowd 8
for WEB in ${SERVERS:-lighttpd nginx apache}; do
	serve web "$conf"
	"$OTA_HAMMER" -r "$GETS" "$T/mount" "$T/pki" "$web_port" one 1.0 >"$T/hammer.out" 2>&1
	ok "$WEB: $GETS GETs: none is torn, stale or fails" has "$T/hammer.out" \
		"^hammer: $GETS GETs .*: 0 torn, 0 stale, 0 failed; [0-9]{3,} changes"
	stop web
done
finish
