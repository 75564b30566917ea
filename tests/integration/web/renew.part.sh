# shellcheck shell=sh disable=SC2154,SC2317 # $devices is the suite's; functions are called by name
# A device's certificate through the server: one of the issuing CA, renewed by EST, revoked; and of a fleet's CAs.
renew() { "$top/scripts/ota-device-renew" --url "$url" "$@" "$T/renew"; }
# posts STATUS ID PATH BODY [CURL ARGUMENT...]
posts() {
	want=$1 id=$2 path=$3 body=$4
	shift 4
	is "$(fetch "$id" "$path" -X POST --data-binary "$body" "$@")" "$want" || { cat "$T/body" && false; }
}

ok "a device has a certificate of the issuing CA" "$top/scripts/ota-device-cert" -c "$conf" renew "$T/renew"
ok "it registers with that" device renew poll
first=$(serial_of renew)
ok "it fetches the CAs" is "$(fetch renew /.well-known/est/cacerts)" 200
ok "as PKCS #7" sh -c "openssl base64 -d -in '$T/body' | openssl pkcs7 -inform DER -print_certs | grep -q 'otafs issuing CA'"
ok "nothing is renewed before it is time" renew
ok "which changes nothing" is "$(serial_of renew)" "$first"
cp "$T/renew/pkey.pem" "$T/renew.key"
ok "it renews, and says so" is "$(renew --days 10000 2>&1 | cut -d' ' -f1-3)" "ota-device-renew: renewed until"
ok "it keeps its key" cmp "$T/renew/pkey.pem" "$T/renew.key"
second=$(serial_of renew)
ok "which is another certificate" not is "$second" "$first"
ok "with the issuing CA behind it, but not the root" is "$(grep -c BEGIN "$T/renew/client.pem")" 2
ok "and nothing is left over" not sh -c "ls -A '$T/renew' | grep -E 'next|\.renew'"
ok "both are known" sh -c "ls '$devices/renew/certificates' | grep -c . | grep -qx 2"
ok "the new one fetches" is "$(fetch renew /director/root.json)" 200
ok "and hands in" posts 200 renew /events '[]'
ok "which ends the old one in time" has "$devices/renew/history" "certificate $first ends at .*: $second is in use"
ok "a new key, and a command after it" says "^reloaded$" renew --days 10000 --new-key --reload "echo reloaded"
ok "that is another key" not cmp "$T/renew/pkey.pem" "$T/renew.key"
ok "again, before it was used for anything" renew --days 10000 --new-key
ok "and fits" posts 200 renew /events '[]'
# A change of both files that was broken off between them.
cp "$T/renew/client.pem" "$T/renew/client.pem.next"
cp "$T/renew.key" "$T/renew/pkey.pem.next"
openssl req -x509 -key "$T/renew.key" -subj /CN=renew -days 1 -out "$T/renew/client.pem" 2>"$T/said"
ok "what was broken off is finished" renew --days 0
ok "with the pair that fits" posts 200 renew /events '[]'

openssl req -new -key "$T/renew/pkey.pem" -subj /CN=life -outform DER 2>"$T/said" | openssl base64 >"$T/wrong"
ok "it may not ask for another device" posts 400 renew /.well-known/est/simplereenroll "@$T/wrong"
ok "in words" has "$T/body" 'renew: the request is for life'
ok "nor for much" posts 413 renew /.well-known/est/simplereenroll "$(head -c 20000 /dev/zero | tr '\0' M)"
ok "it may not take the CAs from others" is "$(fetch renew /.well-known/est/cacerts -X DELETE)" 405
ok "it is revoked" "$top/scripts/ota-device-cert" -c "$conf" --revoke "$(serial_of renew)" renew
ok "and renews nothing" refuses "simplereenroll: 403 no device renew with certificate" renew --days 10000
ok "nor fetches" is "$(fetch renew /.well-known/est/cacerts)" 403

# ---- a fleet's own CAs

# truck ID SERIAL [CA]: what aktualizr-cert-provider makes: version 3, no extension
truck() {
	mkdir "$T/$1"
	cp "$T/pki/server-ca.pem" "$T/$1/root.crt"
	openssl req -new -newkey rsa:2048 -nodes -subj "/CN=$1" -keyout "$T/$1/pkey.pem" -out "$T/$1/csr"
	: >"$T/none"
	openssl x509 -req -days 30 -CA "$T/${3:-fleet}.pem" -CAkey "$T/${3:-fleet}.key" -set_serial "$2" -extfile "$T/none" -in "$T/$1/csr" \
		-out "$T/$1/client.pem"
} 2>"$T/said"
truck truck1 0x10
ok "a device of the fleet is not there" not test -e "$devices/truck1"
ok "and fetches nothing" is "$(fetch truck1 /director/root.json)" 403
ok "it registers" device truck1 poll
ok "and is there" test -d "$devices/truck1/certificates/10"
ok "the history knows how" has "$devices/truck1/history" "certificate 10 accepted from fleet CN=a fleet"
ok "it fetches" is "$(fetch truck1 /director/root.json)" 200
ok "it may renew here as well" "$top/scripts/ota-device-renew" --url "$url" --days 10000 "$T/truck1"
ok "and hands in with that" posts 200 truck1 /events '[]'
truck truck3 0x10 fleet2
ok "one of the other CA comes, too, with the same serial number" posts 200 truck3 /events '[]'
ok "... which the history tells apart" has "$devices/truck3/history" "certificate 10 accepted from fleet CN=a fleet2"
ok "... and fetches" is "$(fetch truck3 /director/root.json)" 200
truck truck2 0x11
ok "another one comes" posts 200 truck2 /events '[]'
ok "and is revoked" rmdir "$devices/truck2/certificates/11"
ok "for good" posts 403 truck2 /events '[]'
ok "in both ways" is "$(fetch truck2 /director/root.json)" 403

# ---- for those who want one: a list of what the CA has revoked

printf '%s\n' '[ca]' 'default_ca = x' '[x]' "database = $T/index" 'default_md = sha256' 'default_crl_days = 30' >"$T/ca.conf"
: >"$T/index"
# The device CA's own certificate is the first of the file, the issuing CA's comes behind it.
openssl x509 -in "$T/pki/device-ca.pem" -out "$T/device-ca.only"
crl() { openssl ca -config "$T/ca.conf" -cert "$T/device-ca.only" -keyfile "$T/pki/device-ca.key" "$@"; }
# refused ID: in the handshake, or as nginx does, which says 400
refused() { is "$(fetch "$1" /director/root.json | sed 's/^400$/000/')" 000; }
enroll listed
enroll unlisted
ok "(the CA revokes a certificate)" crl -revoke "$T/listed/client.pem"
ok "(and says so)" crl -gencrl -out "$T/device.crl"
chmod 644 "$T/device.crl"
ok "without the list the device is served" is "$(fetch listed /director/root.json)" 200
cp "$conf" "$conf.kept"
echo "device_crl = $T/device.crl" >>"$conf"
render >"$T/said" 2>&1
stop web
start_web_server
ok "with the list it is refused before anybody hears of it" refused listed
ok "others of that CA are served" is "$(fetch unlisted /director/root.json)" 200
ok "those of a CA without a list are not" refused truck1
mv "$conf.kept" "$conf"
render >"$T/said" 2>&1
stop web
start_web_server
ok "without it all are as before" is "$(fetch truck1 /director/root.json)" 200
