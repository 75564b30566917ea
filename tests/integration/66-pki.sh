#!/bin/sh
# CAs that take over from one another while devices connect, a server certificate without its CA's key, and one from outside.
# shellcheck source=tests/integration/lib.sh disable=SC2317,SC2119 # functions are called by name
. "$(dirname "$0")/lib.sh"

pki=$top/scripts/ota-pki
gateway=$top/scripts/ota-gateway
settings
start_all
enroll car1

# served: the serial number of the certificate that the server shows
served() {
	openssl s_client -connect "127.0.0.1:$port" -showcerts -cert "$T/car1/client.pem" -key "$T/car1/pkey.pem" </dev/null 2>/dev/null |
		openssl x509 -noout -serial
}
serial_of() {
	openssl x509 -in "$1" -noout -serial
}
shows() { # shows FILE: the server shows the first certificate of it
	[ "$(served)" = "$(serial_of "$1")" ]
}
started() { # started TIMES
	[ "$(grep -c "server started" "$T/web.log")" -ge "$1" ]
}
# reload: what is in the settings' files, now
reload() {
	times=$(grep -c "server started" "$T/web.log")
	render
	"$gateway" reload lighttpd device "$T/gateway"
	needs 10 started $((times + 1))
}
# trusts FILE [DEVICE]: a device whose root.crt is FILE fetches its root
trusts() {
	is "$(fetch "${2:-car1}" /director/1.root.json --cacert "$1")" 200
}

# ---- another CA of the server
cp "$T/pki/server-ca.pem" "$T/old.crt"
ok "another server CA is made beside the present one" "$pki" --next server-ca "$T/pki"
cp "$T/pki/server-ca.pem" "$T/both.crt"
ok "devices that are made now trust both" is "$(grep -c BEGIN "$T/both.crt")" 2
reload
ok "first: the old file connects" trusts "$T/old.crt"
ok "first: the new file connects" trusts "$T/both.crt"
ok "a third one has to wait" refuses "another CA is taking over already" "$pki" --next server-ca "$T/pki"
ok "nor is it renewed meanwhile" refuses "another CA is taking over" "$pki" --renew server-ca "$T/pki"
ok "it is not dropped before it signs" refuses "--switch comes first" "$pki" --drop server-ca "$T/pki"
ok "the new one signs" "$pki" --switch server-ca "$T/pki"
reload
openssl x509 -in "$T/pki/server-ca.pem" >"$T/new.crt"
ok "the server's certificate is the new one's" openssl verify -partial_chain -CAfile "$T/new.crt" "$T/pki/server.pem"
ok "second: the old file connects, by the cross certificate" trusts "$T/old.crt"
ok "second: the new file connects" trusts "$T/both.crt"
ok "second: a file without the old CA connects" trusts "$T/new.crt"
ok "the certificate is renewed meanwhile" "$pki" --renew server "$T/pki"
reload
ok "second, renewed: the old file connects" trusts "$T/old.crt"
ok "second, renewed: the new file connects" trusts "$T/both.crt"
ok "the old one goes" "$pki" --drop server-ca "$T/pki"
reload
ok "third: the new file connects" trusts "$T/both.crt"
ok "third: a file without the old CA connects" trusts "$T/pki/server-ca.pem"
ok "third: what nobody should have any more does not" not trusts "$T/old.crt"
ok "no key of the old one is left" is "$(find "$T/pki" -name 'server-ca*.key')" "$T/pki/server-ca.key"
cp "$T/pki/server-ca.pem" "$T/car1/root.crt"

# ---- another CA of devices, with an issuing CA below it
issued() { # issued NAME DIR: a certificate of the issuing CA into $T/DIR, which the tree accepts
	mkdir -p "$T/$2"
	openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$T/$2/pkey.pem"
	issue 64102 "$1" 30 "$T/$2/pkey.pem" >"$T/$2/client.pem"
	cp "$T/pki/server-ca.pem" "$T/$2/root.crt"
	mkdir -p "$T/mount/devices/$1/certificates/$(serial_of "$T/$2/client.pem" | sed s/serial=//)"
}
connects() {
	is "$(fetch "$1" /director/1.root.json)" 200
}
make_issuer
issued car2 car2
mkdir "$T/alone"
cp "$T/car2/pkey.pem" "$T/car2/root.crt" "$T/alone"
openssl x509 -in "$T/car2/client.pem" >"$T/alone/client.pem"
ok "a device with a certificate of the issuing CA connects before the server knows that" connects car2
reload
ok "and afterwards" connects car2
ok "also one that shows its own certificate only" connects alone
ok "another device CA is made" "$pki" --next device-ca "$T/pki"
reload
ok "first: a certificate of the device CA" connects car1
ok "first: one of the issuing CA" connects car2
ok "it signs" "$pki" --switch device-ca "$T/pki"
make_issuer # for the same key, so that what it issued stays good
enroll car3
issued car4 car4
reload
for car in car1 car2 alone car3 car4; do ok "second: $car connects" connects $car; done
ok "the new ones are of the new CA" openssl verify -CAfile "$T/pki/device-ca.pem" "$T/car3/client.pem"
ok "the old one goes" "$pki" --drop device-ca "$T/pki"
reload
for car in car2 alone car3 car4; do ok "third: $car connects" connects $car; done
ok "third: a certificate of the old one itself does not" not connects car1
ok "the old issuing CA went with it" is "$(grep -c BEGIN "$T/pki/device-ca.pem")" 2
ok "a CA that is none has no next one" refuses "is none of device-ca build-ca admin-ca server-ca" "$pki" --next server "$T/pki"
finish
