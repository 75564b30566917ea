#!/bin/sh
# 2,500 binary targets published in one go: how long signing and publishing takes. Goal: below 1 s.
# shellcheck source=tests/integration/lib.sh
. "$(dirname "$0")/../integration/lib.sh"

settings "spool_quiet_seconds = 1"
start_signd && start_watcher || exit 1
mkdir "$T/many"
for i in $(seq 2500); do echo "binary $i" >"$T/many/f$i"; done
jq -n '{releases:[range(1;2501)|{name:"module-\(.)",version:"1.0",hardwareIds:["mcu-\(. % 7)"],file:"f\(.)"}]}' \
	>"$T/many/push.json"
mv "$T/many" "$T/spool/incoming/many"
needs 60 test -e "$T/spool/done/many.receipt.json"
jq -r '"publish: \(.published|length) binary targets: \(.publishSeconds*1000|round) ms to sign and publish, " +
	"\(.seconds*1000|round) ms with copying and hashing"' "$T/spool/done/many.receipt.json"
echo x >"$T/spool/incoming/one"
echo '{"name":"one","version":"1.0","hardwareIds":["mcu"]}' >"$T/spool/incoming/one.push.json"
needs 60 test -e "$T/spool/done/one.receipt.json"
jq -r '"publish: one more beside them: \(.publishSeconds*1000|round) ms"' "$T/spool/done/one.receipt.json"
