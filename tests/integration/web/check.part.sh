# shellcheck shell=sh disable=SC2154 # variables of suite.sh
# ota-gateway check, run and reload, whatever the server.
enroll check
enroll check2
gateway() {
	command=$1
	shift
	"$top/scripts/ota-gateway" "$command" "$WEB" "$@" "$T/gateway"
}
check() { gateway check -c "$conf" "$@"; }
report_has() { has "$T/check.out" "$1"; }

stop admin # another section has started it
check --cert "$T/check" >"$T/check.out" 2>&1
ok "ota-gateway check finds all in order" is "$?" 0
for line in "device: TLS 1.1 is not" "device: no certificate, no answer" "device: TLS 1.3 without session tickets" "device: GET /treehub/config" \
	"device: DELETE" "device: ota-gate answers" "build: who is nobody is refused, by ota-watcher"; do
	ok "... $line" report_has "^ok  *$line$"
done
ok "and says of each listener whether it is up" report_has "^(-|ok)  *admin: "
other=nginx
[ "$WEB" != nginx ] || other=lighttpd
for command in "check $other -c $conf" "run $other device" "reload $other device" "certificate -c $conf --reload $other"; do
	files=
	[ "${command%% *}" != certificate ] || files="$T/pki/server.pem $T/pki/server.key"
	# shellcheck disable=SC2086 # words
	ok "${command%% *} tells a folder that is another server's" refuses "gateway: written for $WEB: ota-gateway render $other " \
		"$top/scripts/ota-gateway" $command "$T/gateway" $files
done
ok "it tells a folder without a certificate" refuses "none: has no client.pem" check --cert "$T/none"

sed "s|^server_ca = .*|server_ca = $T/pki/device-ca.pem|" "$conf" >"$T/check.conf"
gateway check -c "$T/check.conf" >"$T/check.out" 2>&1
ok "it does not pass with a server of another CA" is "$?" 1
ok "... and says so" report_has "^FAILED  *device: the certificate is for localhost, of a CA in server_ca"
ok "... and what is left out without a device's certificate" report_has "^-  *device: more with --cert"

rmdir "$devices/check2/certificates/$(serial_of check2)"
stop gate
check --cert "$T/check2" >"$T/check.out" 2>&1
ok "nor with a device that is not known, and without ota-gate" is "$?" 1
ok "... which it says" report_has "^ota-gateway: not everything is as it has to be"
ok "... with what the device was answered" report_has "^FAILED  *device: GET /director/root.json: 403"
ok "... and what the gate did not" report_has "^FAILED  *device: ota-gate answers: 503"
start gate "$OTA_BIN/ota-gate" -c "$conf"
needs 10 test -S "$T/gate.sock"

# ---- reload
serial_served() { openssl s_client -connect "127.0.0.1:$port" </dev/null 2>/dev/null | openssl x509 -noout -serial; }
serial_is() { is "$(serial_served)" "$1"; }
old=$(serial_served)
"$top/scripts/ota-pki" --renew server "$T/pki"
chmod 644 "$T/pki/server.key"
new=$(openssl x509 -in "$T/pki/server.pem" -noout -serial)
ok "a new server certificate" not is "$new" "$old"
ok "... is not served yet" serial_is "$old"
cp "$T/gateway/device.conf" "$T/device.conf"
echo '"broken' >>"$T/gateway/device.conf"
ok "a reload with a broken configuration is refused" refuses "it is not told, and goes on as it was" gateway reload device
ok "... and it goes on" gives 200 check /repo/root.json
cp "$T/device.conf" "$T/gateway/device.conf"
ok "a reload" gateway reload device
ok "... has it served" wait_for 10 serial_is "$new"
ok "... by the same process, for who waits on it" kill -0 "$(cat "$T/web.pid")"
ok "... for devices" gives 200 check /repo/root.json
stop web
ok "what does not run is not reloaded" refuses "does not run|[Nn]o such process" gateway reload device
start_web_server
ok "and starts again" gives 200 check /repo/root.json
ok "there are three listeners" refuses "other: not a listener: device, build, admin" gateway run other
