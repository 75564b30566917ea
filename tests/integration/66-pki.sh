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

# ---- revocation lists of both CAs
printf '%s\n' '[ca]' 'default_ca = x' '[x]' "database = $T/index" 'default_md = sha256' >"$T/ca.conf"
: >"$T/index"
{
	openssl ca -config "$T/ca.conf" -cert "$T/pki/device-ca.pem" -keyfile "$T/pki/device-ca.key" -gencrl -crldays 5 2>/dev/null
	"$OTA_BIN/ota-sign" issuer crl -c "$conf" "$(serial_of "$T/car4/client.pem" | sed s/serial=//)"
} >"$T/device.crl"
echo "device_crl = $T/device.crl" >>"$conf"
reload
ok "with lists of both CAs devices connect" connects car2
ok "also those of the device CA" connects car3
ok "but one that is on a list" not connects car4
sed -i '/^device_crl/d' "$conf"
reload

# ---- a server certificate without the key of its CA here
cp -r "$T/pki" "$T/vault"
rm "$T/pki/server-ca.key"
ok "without the CA's key nothing is renewed" refuses "where it is, --sign answers what --request makes" "$pki" --renew server "$T/pki"
ok "a request is made here" "$pki" --request "$T/pki"
ok "and answered where the CA is" "$pki" --sign "$T/pki/server.csr" "$T/vault" "$T/answer.pem"
ok "for the same names" is "$(openssl x509 -in "$T/answer.pem" -noout -ext subjectAltName)" \
	"$(openssl x509 -in "$T/pki/server.pem" -noout -ext subjectAltName)"
take() { # take CHAIN KEY [OPTION...]: as the settings say
	chain=$1
	key=$2
	shift 2
	"$gateway" certificate -c "$conf" "$@" "$chain" "$key"
}
ok "it is installed and in use at once" take "$T/answer.pem" "$T/pki/server.key" --reload lighttpd "$T/gateway"
ok "which clients see" wait_for 5 shows "$T/answer.pem"
ok "devices connect" connects car3
ok "the one before is kept" test -e "$T/pki/server.pem.old"
ok "the key stays as it was" is "$(stat -c %a "$T/pki/server.key")" 644

# ---- one from outside, as an ACME client leaves it: another key, no root
outside() { # outside NAME DAYS SUBJECT-ALT-NAMES PURPOSE
	openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" -keyout "$T/acme/$1.key" -out "$T/acme/csr" 2>/dev/null
	printf 'subjectAltName=%s\nextendedKeyUsage=%s\n' "$3" "${4:-serverAuth}" >"$T/acme/extensions"
	openssl x509 -req -days "$2" -CA "$T/acme/ca.pem" -CAkey "$T/acme/ca.key" -extfile "$T/acme/extensions" -in "$T/acme/csr" \
		-out "$T/acme/leaf.pem" 2>/dev/null
	cat "$T/acme/leaf.pem" "$T/acme/ca.pem" >"$T/acme/$1.pem"
}
mkdir "$T/acme"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 900 -subj "/CN=public root" -keyout "$T/acme/root.key" \
	-out "$T/acme/root.pem" 2>/dev/null
openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=public CA" -keyout "$T/acme/ca.key" \
	-out "$T/acme/csr" 2>/dev/null
echo basicConstraints=critical,CA:TRUE >"$T/acme/extensions"
openssl x509 -req -days 800 -CA "$T/acme/root.pem" -CAkey "$T/acme/root.key" -extfile "$T/acme/extensions" -in "$T/acme/csr" \
	-out "$T/acme/ca.pem" 2>/dev/null
for one in good:90 short:0; do outside ${one%:*} ${one#*:} "DNS:localhost,IP:127.0.0.1"; done
outside client 90 "DNS:localhost" clientAuth
before=$(sha256sum "$T/pki/server.pem" "$T/pki/server.key")
ok "refused while devices do not trust its root" refuses "devices, which trust .*, would refuse it" take "$T/acme/good.pem" "$T/acme/good.key"
cat "$T/acme/root.pem" >>"$T/pki/server-ca.pem"
ok "refused with another key" refuses "is for another key than" take "$T/acme/good.pem" "$T/acme/client.key"
ok "refused for clients" refuses "would refuse it" take "$T/acme/client.pem" "$T/acme/client.key"
ok "refused at its end" refuses "lives for less than a day" take "$T/acme/short.pem" "$T/acme/short.key"
ok "refused without its intermediate" refuses "unable to get local issuer" take "$T/acme/leaf.pem" "$T/acme/client.key" --other-names
openssl pkey -in "$T/acme/good.key" -aes256 -passout pass:x -out "$T/acme/locked.key"
ok "refused with a passphrase" refuses "no private key without a passphrase" take "$T/acme/good.pem" "$T/acme/locked.key"
ok "refused as no certificate" refuses "has no certificate" take "$T/acme/good.key" "$T/acme/good.key"
ok "nothing was changed" is "$(sha256sum "$T/pki/server.pem" "$T/pki/server.key")" "$before"
ok "and nothing left" is "$(find "$T/pki" -name '*.new*')" ""
ok "a good one is taken" take "$T/acme/good.pem" "$T/acme/good.key" --reload lighttpd "$T/gateway"
ok "it is shown" wait_for 5 shows "$T/acme/good.pem"
ok "with its root" is "$(grep -c BEGIN "$T/pki/server.pem")" 3
ok "devices with the new file connect" trusts "$T/pki/server-ca.pem" car3
ok "the key is for who might read the one before" is "$(stat -c '%a %u' "$T/pki/server.key")" "644 0"
outside other 90 "DNS:ota.example.com,DNS:localhost"
take "$T/acme/other.pem" "$T/acme/other.key"
ok "refused without a name that devices use" refuses "has not the name DNS:ota.example.com of" take "$T/acme/good.pem" "$T/acme/good.key"
ok "unless it is meant" take "$T/acme/good.pem" "$T/acme/good.key" --other-names

# ---- a CA of devices does not say who anybody else is
cat "$T/pki/build-ca.pem" "$T/pki/device-ca.pem" >"$T/mixed.pem"
for role in build admin; do
	sed -e "/^${role}_ca *=/d" "$conf" >"$T/mixed.conf"
	echo "${role}_ca = $T/mixed.pem" >>"$T/mixed.conf"
	ok "a CA of devices is none of ${role}_ca" refuses "mixed.pem: has a CA of devices" "$gateway" render lighttpd -c "$T/mixed.conf" "$T/mixed"
done
ok "the CAs that ota-pki makes are apart" "$gateway" render lighttpd -c "$conf" "$T/mixed"
finish
