#!/bin/sh
# What a device gets from the real listener, what is told to a stranger, and what happens when a program behind it is away.
# Hostile paths, odd certificates, broken bodies and TLS are in web/, for each web server.
# shellcheck source=tests/integration/lib.sh disable=SC2317 # functions are called by name
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/integration/answers.sh
. "$(dirname "$0")/answers.sh"

settings "spool_quiet_seconds = 1"
start_all
devices=$T/mount/devices
vectors=$top/tests/vectors/device
enroll car1 && enroll car2
other=$devices/car2
cp "$vectors/ecus.json" "$T/ecus.json"

# ---- what a device hands in
ok "makes an ECU registration 201" gives 201 car1 /director/ecus -X POST -d "@$T/ecus.json"
ok "the same again 200, with a slash" gives 200 car1 /director/ecus/ -X POST -d "@$T/ecus.json"
ok "and with doubled slashes" gives 200 car1 //director//ecus// -X POST -d "@$T/ecus.json"
ok "takes a manifest" gives 200 car1 /director/manifest -T "$vectors/manifest.json"
cat >"$T/puts" <<'END'
/system_info
/system_info/
//system_info
/core/system_info
/system_info/network
/system_info/network/
/core/installed
/core/installed/
/events
/events/
//events
/events?x=1
END
echo '[]' >"$T/list"
put_list() { gives 200 car1 "$1" -X PUT -H "Content-Type: application/json" -d "@$T/list"; }
post_list() { gives 200 car1 "$1" -X POST -H "Content-Type: application/json" -d "@$T/list"; }
ok "takes reports by PUT" each "$T/puts" put_list
ok "and by POST" each "$T/puts" post_list
ok "takes the configuration as TOML" gives 200 car1 /system_info/config -X POST -H "Content-Type: application/toml" -d "x = 1"
ok "which is in the tree" has "$devices/car1/config" "x = 1"
ok "under that device alone" not grep -q . "$other/config"
ok "does not redirect" no_header location
ok "answers bad JSON with 400 and words" words 400 invalid_manifest car1 /director/manifest -X PUT -d '{"signed":'
ok "answers a manifest of a device without ECUs with 400 and words" words 400 device_not_registered car2 /director/manifest \
	-T "$vectors/manifest.json"
ok "answers events that are no array with 400" words 400 invalid_events car1 /events -X POST -d '{}'
ok "answers other paths with 404 and words" words 404 not_found car1 /director/targets.json -X PUT -d '{}'
ok "answers a wrong method with 405" words 405 method_not_allowed car1 /director/manifest -X POST -d '{}'
ok "takes no body for another device's path" words 404 not_found car1 "/gate/car2/$(serial_of car2)/events" \
	-X PUT -d '[]'
ok "does not decode its way to a path" words 404 not_found car1 /director/%6danifest -X PUT -d '{}'

head -c 10485760 /dev/zero | tr '\0' x >"$T/big"
ok "answers 10 MB with 413, before ota-gate hears of it" empty 413 car1 /director/manifest -T "$T/big"
ok "the same for POST without asking before" empty 413 car1 /events -X POST -H "Expect:" --data-binary "@$T/big"
head -c 2097152 "$T/big" >"$T/over"
ok "and 2 MB in words" words 413 body_too_large car1 /events -X POST -H "Expect:" --data-binary "@$T/over"
head -c 1048577 "$T/big" >"$T/over"
ok "and for a byte too many" words 413 body_too_large car1 /events -X POST --data-binary "@$T/over"
head -c 20971520 /dev/zero >"$T/huge"
ok "answers 20 MB with 413" gives 413 car1 /events -X POST --data-binary "@$T/huge"
ok "continues when asked whether to" sh -c "curl -sv --max-time 10 --expect100-timeout 9 -H 'Expect: 100-continue' \
	--cert $T/car1/client.pem --key $T/car1/pkey.pem --cacert $T/car1/root.crt \
	-T $vectors/manifest.json $url/director/manifest 2>&1 | grep -q '^< HTTP/1.1 100'"
ok "takes a chunked body whole" gives 201 car2 /director/ecus -X POST -H "Transfer-Encoding: chunked" -d "@$T/ecus.json"
ok "and knows its ECUs" test -e "$other/ecus/ecu-sensor-0007"

# ---- what a device fetches
commit_of app 1.0 >"$T/commit"
commit=$(cat "$T/commit")
sed -i 's/qemux86-64/raspberrypi4/' "$T/app-1.0.drop/push.json"
drop app 1.0
ok "publishes a drop" published app 1.0
object=objects/$(echo "$commit" | cut -c1-2)/$(echo "$commit" | cut -c3-).commit
ok "serves the repository's config" gives 200 car1 /treehub/config
ok "which is an archive with indexed deltas" sh -c "grep -q archive $T/body && grep -q indexed-deltas=true $T/body"
ok "serves an object" gives 200 car1 "/treehub/$object"
ok "for ever" header "cache-control: public, max-age=31536000, immutable"
size=$(stat -c %s "$T/mount/treehub/$object")
ok "serves a part of it" gives 206 car1 "/treehub/$object" -H "Range: bytes=5-9"
ok "and says which" header "content-range: bytes 5-9/$size"
dd if="$T/mount/treehub/$object" of="$T/part" bs=1 skip=5 count=5 2>/dev/null
ok "which it is" body_is "$T/part"
ok "has nothing beyond the end" empty 416 car1 "/treehub/$object" -H "Range: bytes=$size-"
ok "a commit is no binary target" empty 404 car1 /repo/targets/app-1.0
ok "pulls with libostree" sh -c "ostree --repo=$T/pulled init --mode=archive && ostree --repo=$T/pulled remote add --no-gpg-verify \
	--set=tls-client-cert-path=$T/car1/client.pem --set=tls-client-key-path=$T/car1/pkey.pem \
	--set=tls-ca-path=$T/pki/server-ca.pem origin $url/treehub && ostree --repo=$T/pulled pull origin $commit"
ok "what was committed" sh -c "ostree --repo=$T/pulled fsck -q && ostree --repo=$T/pulled cat $commit /usr/bin/version | grep -q 'app 1.0'"

# Each new version at once: alternately assigned and taken back.
version_of() { fetch car1 /director/targets.json >/dev/null && jq .signed.version "$T/body"; }
at_once() {
	last=$(version_of)
	for round in $(seq 15); do
		for what in "app 1.0 ecu-primary-0001" "cancel!"; do
			echo "$what" >"$devices/car1/assign" || return 1
			now=$(version_of)
			[ "$now" -gt "$last" ] || { echo "round $round: version $now after $last" && return 1; }
			case $what in
			cancel!) is "$(jq '.signed.targets | length' "$T/body")" 0 || return 1 ;;
			*) is "$(jq -r '.signed.targets | keys[0]' "$T/body")" app-1.0 || return 1 ;;
			esac
			last=$now
		done
	done
}
ok "serves a changed document at once, 30 times" at_once

ok "DELETE is 405" empty 405 car1 /director/targets.json -X DELETE
ok "and says what is not" header "allow: GET, HEAD"

# ---- who it is
theirs=$(serial_of car2)
# odd NAME SUBJECT [CA]: a certificate with that subject; its serial is accepted for car1, so that only the subject is odd
odd() {
	mkdir "$T/$1"
	openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -utf8 -multivalue-rdn -subj "$2" -keyout "$T/$1/pkey.pem" \
		2>/dev/null | openssl x509 -req -days 30 -CA "$T/pki/${3:-device-ca}.pem" -CAkey "$T/pki/${3:-device-ca}.key" \
		-set_serial "0x4$(openssl rand -hex 15)1" -out "$T/$1/client.pem" 2>/dev/null
	cp "$T/car1/root.crt" "$T/$1/root.crt"
	mkdir "$devices/car1/certificates/$(serial_of "$1")"
}
# stranger NAME: gets nothing and hands in nothing
stranger() {
	before=$(cat "$devices"/*/history)
	empty 403 "$1" /director/targets.json && empty 403 "$1" /repo/targets.json && empty 403 "$1" /treehub/config &&
		empty 403 "$1" /director/9.root.json &&
		words 403 "$2" "$1" /events -X POST -d '[{"id":"by-a-stranger","eventType":{"id":"DevicePaused","version":0}}]' &&
		is "$(cat "$devices"/*/history)" "$before"
}
odd two-names /CN=car1/CN=car2
odd space '/CN=car1 '
odd upper '/CN=CAR1'
for stranger in two-names space; do ok "$stranger is nobody" stranger $stranger certificate_not_accepted; done
ok "upper is another" stranger upper unknown_device
enroll car3 && rmdir "$devices/car3/certificates/$(serial_of car3)"
ok "a serial that was not accepted is nobody" stranger car3 unknown_device
mkdir "$devices/car3/certificates/$theirs"
ok "and does not become somebody by another's" stranger car3 unknown_device
mkdir "$devices/car3/certificates/$(serial_of car3)"
ok "until it is accepted: at once" gives 200 car3 /director/targets.json
ok "and is heard at once" gives 200 car3 /events -X POST -d '[]'
rmdir "$devices/car3/certificates/"* "$devices/car3"
ok "a deleted device is nobody at once" stranger car3 unknown_device

# ---- when a program behind it is away
stop gate
ok "a gate that is away is 503 for what devices hand in" empty 503 car1 /events -X POST -d '[]'
ok "with words when to come again" header "retry-after: 10"
ok "not for what they fetch" gives 200 car1 /director/targets.json
start gate "$OTA_BIN/ota-gate" -c "$conf"
ok "and is there again by itself" wait_for 10 gives 200 car1 /events -X POST -d '[]'

mkdir "$devices/car4"
enroll car4
stop signd KILL
ok "a signer that is away is 503, not a missing file" empty 503 car4 /director/targets.json
ok "to be asked for again" header "retry-after: 10"
ok "what is missing is missing all the same" empty 404 car4 /director/2.root.json
start_signd
ok "and is there again by itself" wait_for 10 gives 200 car4 /director/targets.json

is_away() {
	empty 503 car1 /director/targets.json && empty 503 car1 /director/2.root.json && empty 503 car1 /treehub/summary &&
		words 503 not_available car1 /events -X POST -d '[]' &&
		words 503 not_available car1 /director/manifest -T "$vectors/manifest.json"
}
stop otafs
ok "unmounted is 503" is_away
start_otafs
ok "mounted is there again" wait_for 10 gives 200 car1 /director/targets.json
ok "for what devices hand in as well" gives 200 car1 /events -X POST -d '[]'

pid=$(cat "$T/otafs.pid")
# shellcheck disable=SC2046 # one word each
kill -KILL "$pid" $(pgrep -P "$pid")
wait "$pid" 2>/dev/null
is_dead() {
	empty 503 car1 /director/2.root.json && empty 503 car1 /treehub/summary &&
		words 503 not_available car1 /events -X POST -d '[]'
}
ok "killed is 503" is_dead
start_otafs
ok "started again it is there again" wait_for 10 gives 200 car1 /director/targets.json
ok "for what devices hand in too" gives 200 car1 /events -X POST -d '[]'
ok "and 404 is 404" empty 404 car1 /director/2.root.json
ok "the web server saw it all in one life" kill -0 "$(cat "$T/web.pid")"

# ---- the scripts
ok "the log names the device" has "$T/gateway/device/access.log" '"GET /director/targets.json HTTP/1.1" 200 [0-9]+ car1$'
# What a listener must not do: a configuration that an administrator changed.
sed -i -e 's/"Options" => "-SessionTicket", "NumTickets" => "0",/"Options" => "+SessionTicket",/' -e '/^ssl.verifyclient.enforce/s/enable/disable/' \
	"$T/gateway/device.conf"
stop web
start_web_server
"$top/scripts/ota-gateway" check lighttpd -c "$conf" --cert "$T/car1" "$T/gateway" >"$T/check.out" 2>&1
ok "ota-gateway check finds a listener with tickets" has "$T/check.out" "^FAILED  *device: TLS 1.3 without session tickets: [1-9]"
ok "of TLS 1.2, too" has "$T/check.out" "^FAILED  *device: TLS 1.2 without session tickets: [1-9]"
ok "and in order what is" has "$T/check.out" "^ok  *device: GET /repo/root.json"
ok "ota-gateway refuses servers that it does not know" refuses "not a server that is known" "$top/scripts/ota-gateway" render x "$T/x"
sed 's|^www = .*|www = /x"y|' "$conf" >"$T/bad.conf"
ok "ota-gateway lets no setting out of its quotes" refuses "www: a quote" "$top/scripts/ota-gateway" render lighttpd -c "$T/bad.conf" "$T/x"
ok "ota-pki overwrites nothing" sh -c "sum=\$(cat $T/pki/* | sha256sum) && $top/scripts/ota-pki $T/pki other &&
	test \"\$sum\" = \"\$(cat $T/pki/* | sha256sum)\""
rm "$T/pki/server.pem"
ok "ota-pki renews a server certificate that was removed" "$top/scripts/ota-pki" "$T/pki" localhost
ok "for the key that is there" is "$(openssl x509 -in "$T/pki/server.pem" -noout -pubkey)" "$(openssl pkey -in "$T/pki/server.key" -pubout)"
host=$(printf '%060d' 0).example.org
ok "ota-pki takes a name longer than a subject may be" "$top/scripts/ota-pki" "$T/pki-long" "$host"
ok "which devices find in it" says "DNS:$host" openssl x509 -in "$T/pki-long/server.pem" -noout -ext subjectAltName
sed 's/^user_www = .*/user_www = www-data/' "$conf" >"$T/www.conf"
ok "ota-gateway renders for a user with a name" "$top/scripts/ota-gateway" render lighttpd -c "$T/www.conf" "$T/www"
ok "to whom the folder is given that his server writes to" is "$(stat -c '%U %a' "$T/www/device")" "www-data 750"
chmod 600 "$T/pki/server.key"
ok "and says when he cannot read the key" says "device: www-data cannot read .*server.key.*chgrp ota-tls" \
	"$top/scripts/ota-gateway" render lighttpd -c "$T/www.conf" "$T/www"
chmod 644 "$T/pki/server.key"
sed -i "s/^server.port .*/server.port = $(free_port)/" "$T/www/device.conf"
start named "$top/scripts/ota-gateway" run lighttpd device "$T/www"
ok "his server is his from the start" wait_for 5 sh -c "test -s $T/www/device/server.pid &&
	test \"\$(stat -c %U /proc/\$(cat $T/www/device/server.pid))\" = www-data"
ok "ota-pki refuses what is no host" refuses "is no host name" "$top/scripts/ota-pki" "$T/x" 'a,DNS:b'
ok "ota-device-cert refuses ids that are none" refuses "is no device id" enroll '../car1'
ok "ota-device-cert revokes nothing by a path" refuses "is no serial number" "$top/scripts/ota-device-cert" -c "$conf" \
	--revoke ../../car2 car1
ok "ota-device-cert overwrites nothing" refuses "there is one already" enroll car1
ok "ota-device-cert accepts nothing that it could not hand out" is "$(ls "$devices")" "car1
car2
car4"

finish
