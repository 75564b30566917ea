#!/bin/sh
# Certificates that are made for requests, renewed by the device itself, and those of a fleet's own CA: how they come,
# follow one another, and go.
# shellcheck source=tests/integration/lib.sh disable=SC2317 # functions are called by name
. "$(dirname "$0")/lib.sh"

settings "spool_quiet_seconds = 0" "certificate_days = 90" "certificate_overlap_days = 0" "fleet_ca = $T/fleet.pem"
"$top/scripts/ota-pki" "$T/pki" localhost
chmod 755 "$T/pki"
start_signd
start_watcher
devices=$T/mount/devices
gate=$T/mount/gate
device_cert() { "$top/scripts/ota-device-cert" -c "$conf" "$@"; }
serial_of() { openssl x509 -in "$1" -noout -serial | cut -d= -f2; }
# files FOLDER: all names in it, in one line
files() { find "$1" -mindepth 1 -printf '%P\n' | sort | tr '\n' ' '; }

# hand_in FILE TRANSACTION: prints the status, leaves the answer's head in $T/head and its body in $T/body
hand_in() {
	perl -e '
		use strict;
		my ($in, $transaction, $T) = @ARGV;
		local $/;
		open my $body, "<", $in or die "$in: $!";
		open my $file, "+<", $transaction or die "$transaction: $!\n";
		syswrite $file, scalar <$body>;
		sysseek $file, 0, 0;
		my $reply = "";
		while (my $n = sysread $file, $reply, 65536, length $reply) { }
		my ($head, $rest) = split /\r\n\r\n/, $reply, 2;
		for (["head", $head], ["body", $rest]) { open my $out, ">", "$T/$_->[0]" or die; print $out $_->[1] }
		print $head =~ /^Status: (\d+)/, "\n";
	' "$1" "$2" "$T"
}
# request NAME SUBJECT: a key $T/NAME.key and a request $T/NAME.csr, and $T/NAME.b64 as EST has it
request() {
	openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "$2" -keyout "$T/$1.key" -out "$T/$1.csr"
	openssl req -in "$T/$1.csr" -outform DER | openssl base64 >"$T/$1.b64"
} 2>>"$T/openssl.said"
code() { sed -n 's/.*"code":"\([a-z_]*\)".*/\1/p' "$T/body"; }
# answers STATUS CODE FILE TRANSACTION
answers() { is "$(hand_in "$3" "$4") $(code)" "$1 $2"; }

# ---- without an issuing CA
start_otafs
mkdir "$devices/car1"
request car1 /CN=car1
ok "without an issuing CA no certificate is made" answers 503 no_issuing_ca "$T/car1.csr" "$devices/car1/csr"
stop otafs
ok "(there is an issuing CA)" make_issuer
start_otafs

# ---- for an administrator's request
ok "an administrator hands a request in" is "$(hand_in "$T/car1.csr" "$devices/car1/csr")" 200
ok "and is given PEM" has "$T/head" "^Content-Type: application/pem-certificate-chain"
cp "$T/body" "$T/car1.pem"
ok "a certificate and the CA above it, without the root" is "$(grep -c BEGIN "$T/car1.pem")" 2
ok "that the device CA stands for" openssl verify -x509_strict -purpose sslclient -untrusted "$T/pki/issuer.pem" \
	-CAfile "$T/pki/device-ca.pem" "$T/car1.pem"
ok "of the key that was asked for" is "$(openssl x509 -in "$T/car1.pem" -noout -pubkey)" \
	"$(openssl pkey -in "$T/car1.key" -pubout)"
one=$(serial_of "$T/car1.pem")
about=$devices/car1/certificates/$one
ok "it speaks for the device at once" test -d "$T/web/www/devices/car1/$one/director"
ok "and ends when it says" is "$(cat "$about/expires")" \
	"$(date -u -d "$(openssl x509 -in "$T/car1.pem" -noout -enddate | cut -d= -f2)" +%FT%TZ)"
ok "which is told" has "$devices/car1/history" "certificate $one made for a request of uid 0 .root., expires at"
ok "and where it came from" has "$about/status" "^source: request$"
ok "and that it was not used" has "$about/status" "^used: not yet$"
request other /CN=car2
ok "a request for another name is refused" answers 400 wrong_subject "$T/other.csr" "$devices/car1/csr"
ok "in words that name both" has "$T/body" 'car1: the request is for car2'
request nobody /
ok "one without a name is for the device" is "$(hand_in "$T/nobody.csr" "$devices/car1/csr")" 200
rmdir "$devices/car1/certificates/$(serial_of "$T/body")"
echo nonsense >"$T/nonsense"
ok "what is no request is refused" answers 400 bad_request "$T/nonsense" "$devices/car1/csr"
sed '3y/ABCDEFGHabcdefgh/BCDEFGHAbcdefgha/' "$T/car1.csr" >"$T/changed.csr"
ok "and one that was changed" answers 400 bad_request "$T/changed.csr" "$devices/car1/csr"

# ---- one command for a device's folder
ok "ota-device-cert needs no CA's key" device_cert --p12 --url https://ota.example.com:8443 --polling 60 --hardware rpi4 car3 "$T/car3"
ok "and makes all that aktualizr needs" is "$(files "$T/car3")" \
	"client.pem credentials.p12 director director/root.json pkey.pem repo repo/root.json root.crt sota.toml "
ok "with the address" has "$T/car3/sota.toml" '^server = "https://ota.example.com:8443"$'
ok "the interval" has "$T/car3/sota.toml" '^polling_sec = 60$'
ok "and the hardware" has "$T/car3/sota.toml" '^primary_ecu_hardware_id = "rpi4"$'
ok "the roots are the newest" cmp "$T/car3/director/root.json" "$devices/car3/director/root.json"
ok "of both repositories" cmp "$T/car3/repo/root.json" "$T/mount/repo/root.json"
ok "all in one has the key" is "$(openssl pkcs12 -in "$T/car3/credentials.p12" -passin pass: -nodes -nocerts 2>/dev/null |
	openssl pkey)" "$(openssl pkey -in "$T/car3/pkey.pem")"
ok "and the server's CA" sh -c "openssl pkcs12 -in '$T/car3/credentials.p12' -passin pass: -nokeys | grep -q 'otafs server CA'"
request car4 /CN=car4
ok "with the device's request there is no key" device_cert --csr "$T/car4.csr" car4 "$T/car4"
ok "to give out" is "$(files "$T/car4")" "client.pem director director/root.json repo repo/root.json root.crt sota.toml "
ok "the name is the server certificate's" has "$T/car4/sota.toml" '^server = "https://localhost:8443"$'
ok "a request for somebody else is not made" refuses 'is for "CN=car4" and not for CN=car5 alone' device_cert --csr "$T/car4.csr" \
	car5 "$T/car5"
ok "nor with the CA's key" refuses 'is for "CN=car4" and not for CN=car5 alone' device_cert --ca-dir "$T/pki" --csr "$T/car4.csr" \
	car5 "$T/car5"
ok "and no device of that name is made" not test -e "$devices/car5"
ok "nor a folder" not test -e "$T/car5"
ok "a p12 without a key is refused" refuses "needs the private key" device_cert --p12 --csr "$T/car4.csr" car4 "$T/car4"

# ---- the device renews
est=$gate/car1/$one/simplereenroll
request again /CN=car1
ok "a device asks for itself" is "$(hand_in "$T/again.b64" "$est")" 200
ok "and is given PKCS #7" has "$T/head" "^Content-Type: application/pkcs7-mime; smime-type=certs-only"
ok "in base64" has "$T/head" "^Content-Transfer-Encoding: base64"
openssl base64 -d -in "$T/body" | openssl pkcs7 -inform DER -print_certs -out "$T/again.pem"
ok "with the certificate alone" is "$(grep -c BEGIN "$T/again.pem")" 1
two=$(serial_of "$T/again.pem")
ok "both speak for it" is "$(find "$devices/car1/certificates" -mindepth 1 -maxdepth 1 -printf '%f\n' | sort)" \
	"$(printf '%s\n' "$one" "$two" | sort)"
ok "an answer that was lost costs nothing" is "$(hand_in "$T/again.b64" "$est")" 200
openssl base64 -d -in "$T/body" | openssl pkcs7 -inform DER -print_certs -out "$T/again.pem"
ok "since the last one gives way" not test -d "$devices/car1/certificates/$two"
ok "which is told" has "$devices/car1/history" "certificate $two ended: it was never used"
two=$(serial_of "$T/again.pem")
ok "it may not ask for another" answers 400 wrong_subject "$T/other.b64" "$est"
ok "nor for nobody" answers 400 wrong_subject "$T/nobody.b64" "$est"
echo '[]' >"$T/events"
ok "the old one is good until the new one is used" is "$(hand_in "$T/events" "$gate/car1/$one/events")" 200
ok "(some seconds later too)" sh -c "sleep 1.5; test -d '$devices/car1/certificates/$one'"
ok "the new one is used" is "$(hand_in "$T/events" "$gate/car1/$two/events")" 200
ok "and noted so" not grep -q "used: not yet" "$devices/car1/certificates/$two/status"
ok "the old one is said to end" has "$devices/car1/history" "certificate $one ends at .*: $two is in use"
ok "and ends" wait_for 5 not test -d "$devices/car1/certificates/$one"
ok "for the web server as well" wait_for 5 not test -d "$T/web/www/devices/car1/$one"
ok "and the gate" not test -e "$est"
ok "which is told too" has "$devices/car1/history" "certificate $one ended: a newer one has taken its place"
ok "what an administrator accepts by its number takes nobody's place" mkdir "$devices/car1/certificates/4711"
ok "(it is used)" is "$(hand_in "$T/events" "$gate/car1/4711/events")" 200
ok "(a moment later)" sh -c "sleep 1.5; test -d '$devices/car1/certificates/$two'"
for i in 1 2 3 4 5 6; do mkdir "$devices/car1/certificates/0$i"; done
ok "a device with many is given no more" answers 409 too_many_certificates "$T/again.b64" "$gate/car1/$two/simplereenroll"
ok "and told what is done about it" has "$T/body" "car1: has 8 certificates; old ones go 0 days after a newer one was used"

# ---- the CAs above
www=$T/web/www/devices/car1/$two/est
ok "a device fetches the CAs" sh -c "openssl base64 -d -in '$www/cacerts' | openssl pkcs7 -inform DER -print_certs >'$T/cas'"
ok "the issuing one and its root" is "$(grep -c BEGIN "$T/cas")" 2
ok "and nothing else of that kind" is "$(ls "$www")" cacerts

# ---- a fleet's own CA

# ca NAME: a CA $T/NAME.key and $T/NAME.crt
ca() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj "/CN=$1/O=Fleets" -keyout "$T/$1.key" \
		-addext basicConstraints=critical,CA:TRUE -out "$T/$1.crt" 2>>"$T/openssl.said"
}
# certify CA NAME SUBJECT SERIAL [EXTENSION...]: a certificate $T/NAME.pem, without extensions but those
certify() {
	openssl req -new -newkey rsa:2048 -nodes -subj "$3" -keyout "$T/$2.key" -out "$T/$2.csr" 2>>"$T/openssl.said"
	by=$1 name=$2 number=$4
	shift 4
	printf '%s\n' "basicConstraints=CA:FALSE" "$@" >"$T/ext"
	openssl x509 -req -days 20 -CA "$T/$by.crt" -CAkey "$T/$by.key" -set_serial "$number" -extfile "$T/ext" -in "$T/$name.csr" \
		-out "$T/$name.pem" 2>>"$T/openssl.said"
}
introduces() { answers "$1" "$2" "$T/$3.pem" "$gate/.introduce"; }
ca first
ca second
ca third
certify first truck1 /CN=truck1 0x0a01
ok "before there is a file of CAs it is not decided" introduces 503 not_stored truck1
cat "$T/first.crt" "$T/second.crt" >"$T/fleet.pem"
ok "a device of the fleet shows its certificate" introduces 204 "" truck1
ok "and is there" test -d "$devices/truck1/certificates/0A01"
ok "until it expires" is "$(cat "$devices/truck1/certificates/0A01/expires")" \
	"$(date -u -d "$(openssl x509 -in "$T/truck1.pem" -noout -enddate | cut -d= -f2)" +%FT%TZ)"
ok "which is told, with the CA" has "$devices/truck1/history" \
	"certificate 0A01 accepted from fleet O=Fleets,CN=first, expires at"
ok "it may show itself twice" introduces 204 "" truck1
openssl req -new -key "$T/truck1.key" -subj /CN=bare -out "$T/bare.csr" 2>>"$T/openssl.said"
openssl x509 -req -days 20 -CA "$T/second.crt" -CAkey "$T/second.key" -set_serial 77 -in "$T/bare.csr" -out "$T/bare.pem" \
	2>>"$T/openssl.said"
ok "one of another CA, without any extension" introduces 204 "" bare
certify third stranger /CN=truck2 1
ok "one of no CA of the fleet is refused" introduces 403 unknown_device stranger
ok "with the reason" has "$T/body" "no device truck2 with certificate 01; of no CA in fleet_ca: unable to get local issuer certificate"
openssl x509 -req -days 20 -CA "$T/pki/device-ca.pem" -CAkey "$T/pki/device-ca.key" -set_serial 78 -in "$T/bare.csr" \
	-out "$T/ours.pem" 2>>"$T/openssl.said"
ok "so is one of the device CA" introduces 403 unknown_device ours
certify first server /CN=truck3 2 extendedKeyUsage=serverAuth
ok "and one for servers" introduces 403 unknown_device server
certify first two /CN=truck3/O=x 3
ok "and one with more than a name" introduces 403 certificate_not_accepted two
certify first odd '/CN=..\/truck3' 4
ok "and one with a name that is no id" introduces 403 certificate_not_accepted odd
certify first dotted /CN=.introduce 5
ok "and one with the name of the file" introduces 403 certificate_not_accepted dotted
echo "[]" >"$T/no-events"
certify first named /CN=introduce 6
ok "which is no name that a device could have" introduces 204 "" named
ok "... who gets in by his own" answers 200 "" "$T/no-events" "$T/mount/gate/introduce/06/events"
cp "$T/first.crt" "$T/itself.pem"
ok "and the CA's own" introduces 403 certificate_not_accepted itself
openssl req -x509 -key "$T/truck1.key" -subj /CN=truck3 -days 1 -addext basicConstraints=CA:FALSE -out "$T/selfmade.pem" \
	2>>"$T/openssl.said"
ok "and one that is signed by itself" introduces 403 unknown_device selfmade
cp "$T/nonsense" "$T/garbage.pem"
ok "and what is none" introduces 400 bad_request garbage
ok "nobody came of these" is "$(cd "$devices" && echo t* b*)" "truck1 bare"
certify first car3b /CN=car3 6
ok "the fleet's CA cannot take a device over that came another way" introduces 403 device_has_other_certificates car3b
ok "and the administrator is told how it can" has "$T/body" "an administrator may accept 06"
mkdir "$devices/truck4"
certify first truck4 /CN=truck4 7
ok "one that was made beforehand comes in" introduces 204 "" truck4
certify second truck1b /CN=truck1 8
ok "a newer certificate comes beside the old one" introduces 204 "" truck1b
ok "(it is used)" is "$(hand_in "$T/events" "$gate/truck1/08/events")" 200
ok "and takes its place" wait_for 5 not test -d "$devices/truck1/certificates/0A01"
ok "for good" introduces 403 certificate_revoked truck1
ok "what was revoked does not come back" rmdir "$devices/truck1/certificates/08"
ok "by itself" introduces 403 certificate_revoked truck1b
ok "but by an administrator" mkdir "$devices/truck1/certificates/08"
ok "and then again" introduces 204 "" truck1b
ok "a device that was deleted" rmdir "$devices/truck4"
ok "does not come back either" introduces 403 device_blocked truck4
ok "until somebody makes it" mkdir "$devices/truck4"
ok "and so it does" introduces 204 "" truck4
stop otafs
sed -i '/^fleet_ca/d' "$conf"
start_otafs
ok "without fleets nobody is shown" introduces 403 unknown_device truck4
finish
