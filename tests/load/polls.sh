#!/bin/sh
# polls.sh OUT: to be run by measure-host --then. A crowd of 16 devices polls once so that everything is there, and then 4 times each; what
# ota-poll says of these, with the processor time of all that was measured and their children, is in OUT.
set -eu
: "${OTA_MOUNT:?}" "${OTA_PKI:?}" "${OTA_PORT:?}" "${OTA_PIDS:?}" "${OTA_LOAD:?}" "${OTA_POLL:?}"
"$OTA_LOAD" -n 16 -t 4 "$OTA_MOUNT" register
"$OTA_LOAD" -n 16 -t 4 "$OTA_MOUNT" certify
"$OTA_LOAD" -n 16 -t 4 "$OTA_MOUNT" manifests
family() { for pid in "$@"; do
	echo "$pid"
	# shellcheck disable=SC2046 # numbers
	family $(pgrep -P "$pid")
done; }
"$OTA_POLL" -n 16 -t 4 -c 2 "$OTA_PKI" "$OTA_PORT" poll
# shellcheck disable=SC2086 # numbers
"$OTA_POLL" -n 16 -t 4 -r 4 -c 3 -P "$(family $OTA_PIDS | paste -sd ,)" "$OTA_PKI" "$OTA_PORT" poll >"$1"
