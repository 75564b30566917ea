#!/bin/sh
# Certificates from making to revoking, those that try to say more than a name, and what the scripts leave behind when
# something fails.
# shellcheck source=tests/integration/lib.sh disable=SC2317 # functions are called by name
. "$(dirname "$0")/lib.sh"

settings "spool_quiet_seconds = 0"
start_all
devices=$T/mount/devices
pki=$top/scripts/ota-pki
gateway=$top/scripts/ota-gateway
device_cert() { "$top/scripts/ota-device-cert" -c "$conf" "$@"; }
serial_of() { openssl x509 -in "$T/$1/client.pem" -noout -serial | cut -d= -f2; }
gives() {
	want=$1
	shift
	: >"$T/body"
	is "$(fetch "$@")" "$want" || { cat "$T/body" && false; }
}
# files FOLDER: all names in it, in one line
files() { find "$1" -mindepth 1 -printf '%P\n' | sort | tr '\n' ' '; }
mode() { stat -c '%a %U' "$1"; }

# ---- a device's certificate
ok "makes a certificate" device_cert --ca-dir "$T/pki" car1 "$T/car1"
ok "and only what aktualizr imports" is "$(files "$T/car1")" \
	"client.pem director director/root.json pkey.pem repo repo/root.json root.crt sota.toml "
ok "with a key for its owner alone" is "$(mode "$T/car1/pkey.pem")" "600 root"
ok "that the CA stands for" openssl verify -x509_strict -purpose sslclient -CAfile "$T/pki/device-ca.pem" "$T/car1/client.pem"
ok "and the tree accepts" test -d "$devices/car1/certificates/$(serial_of car1)"
end_of() { date -u -d "$(openssl x509 -in "$T/$1/client.pem" -noout -enddate | cut -d= -f2)" +%FT%TZ; }
ok "and knows when it expires" is "$(cat "$devices/car1/certificates/$(serial_of car1)/expires")" "$(end_of car1)"
ok "under 16 octets" sh -c "printf %s $(serial_of car1) | grep -Eqx '[0-9A-F]{32}'"
ok "it is the device" gives 200 car1 /director/1.root.json
ok "makes one for an id with a plus sign" device_cert --ca-dir "$T/pki" a+b:c.d_e-f "$T/plus"
ok "which may fetch" gives 200 plus /director/1.root.json
ok "and hand in" gives 200 plus /events -X POST -d '[]'
ok "refuses to revoke what is no serial" refuses "is no serial number" device_cert --revoke ../.. a+b:c.d_e-f
ok "refuses to revoke what is not there" refuses "car1 has no certificate 0A" device_cert --revoke 0A car1
ok "revokes" device_cert --revoke "$(serial_of plus)" a+b:c.d_e-f
ok "at once for fetching" gives 403 plus /director/1.root.json
ok "and for handing in" gives 403 plus /events -X POST -d '[]'

# ---- nothing half made
mkdir "$T/bad-ca" "$T/plain" "$T/plain/devices"
cp "$T/pki/device-ca.pem" "$T/pki/server-ca.pem" "$T/bad-ca"
ok "names a CA's key that is missing" refuses "bad-ca/device-ca.key: cannot be read" device_cert --ca-dir "$T/bad-ca" car2 "$T/car2"
echo nonsense >"$T/bad-ca/device-ca.key"
ok "passes on what openssl has against a key" refuses "openssl x509 failed" device_cert --ca-dir "$T/bad-ca" car2 "$T/car2"
ok "and leaves no folder" not test -e "$T/car2"
ok "and no device" is "$(ls "$devices")" "$(printf 'a+b:c.d_e-f\ncar1')"
echo "mount = $T/plain" >"$T/plain.conf"
echo "no room for car2" >"$T/plain/why"
: >"$T/plain/devices/car2"
ok "says what the tree said" refuses "did not accept the certificate. no room for car2" device_cert -c "$T/plain.conf" \
	--ca-dir "$T/pki" car2 "$T/car2"
ok "and leaves nothing then either" not test -e "$T/car2"
mkdir "$T/car2"
echo mine >"$T/car2/pkey.pem"
ok "overwrites no key" refuses "pkey.pem: there is one already" device_cert --ca-dir "$T/pki" car2 "$T/car2"
ok "which is as it was" is "$(files "$T/car2") $(cat "$T/car2/pkey.pem")" "pkey.pem  mine"

# ---- a name with a 0 in it, which lighttpd hands on as if it were the end of one value and the start of the next

# zero_name NAME SERIAL: a certificate of the CA whose common name is "car1", 0, "SSL_CLIENT_M_SERIAL", 0, SERIAL
zero_name() {
	mkdir "$T/$1"
	cp "$T/car1/root.crt" "$T/$1"
	openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=car1@SSL_CLIENT_M_SERIAL@$2" \
		-keyout "$T/$1/pkey.pem" -out "$T/$1/csr"
	openssl x509 -req -days 30 -CA "$T/pki/device-ca.pem" -CAkey "$T/pki/device-ca.key" -set_serial 0x4D -in "$T/$1/csr" \
		-outform DER -out "$T/$1/marked.der"
	# The zeros take the place of the marks, and the CA signs again.
	perl -e '
		use strict;
		my ($folder, $key) = @ARGV;
		sub slurp { local $/; open my $file, "<:raw", $_[0] or die; <$file> }
		sub spill { open my $file, ">:raw", $_[0] or die; print $file $_[1] }
		sub bytes {    # of the element at the start of $_[0]: head, content
			my $n = ord substr $_[0], 1, 1;
			return (2, $n) if $n < 128;
			return (2 + $n - 128, unpack "N", substr "\0\0\0\0" . substr($_[0], 2, $n - 128), -4);
		}
		sub element { my $n = length $_[1]; chr($_[0]) . ($n < 128 ? chr $n : "\x82" . pack "n", $n) . $_[1] }
		my $rest = slurp("$folder/marked.der");
		substr $rest, 0, (bytes($rest))[0], "";
		my ($head, $content) = bytes($rest);
		my $body = substr $rest, 0, $head + $content, "";
		($head, $content) = bytes($rest);
		my $algorithm = substr $rest, 0, $head + $content;
		$body =~ s/car1\@SSL_CLIENT_M_SERIAL\@/car1\0SSL_CLIENT_M_SERIAL\0/ == 1 or die;
		spill("$folder/body", $body);
		system("openssl", "dgst", "-sha256", "-sign", $key, "-out", "$folder/signature", "$folder/body") and die;
		my $signature = element(3, "\0" . slurp("$folder/signature"));
		spill("$folder/zero.der", element(0x30, $body . $algorithm . $signature));
	' "$T/$1" "$T/pki/device-ca.key" &&
		openssl x509 -inform DER -in "$T/$1/zero.der" -out "$T/$1/client.pem" &&
		openssl verify -CAfile "$T/pki/device-ca.pem" "$T/$1/client.pem"
}
ok "(makes a certificate with zeros in its name)" zero_name zeros "$(serial_of car1)"
before=$(cat "$devices/car1/history")
event='[{"id":"e1","deviceTime":"2026-11-23T21:38:30Z","eventType":{"id":"DevicePaused","version":0},"event":{}}]'
ok "zeros in a name fetch nothing" gives 403 zeros /director/1.root.json
ok "hand in nothing" gives 400 zeros /events -X POST -d "$event"
ok "and are told so" is "$(jq -r .description "$T/body")" "SCGI: SSL_CLIENT_M_SERIAL is given twice"
ok "the device knows nothing of it" is "$(cat "$devices/car1/history")" "$before"
ok "and hands in the same itself" gives 200 car1 /events -X POST -d "$event"
ok "which is known then" not is "$(cat "$devices/car1/history")" "$before"

# ---- what is too long is refused without a body as well
long=$(head -c 20000 /dev/zero | tr '\0' a)
ok "a long header is 431" gives 431 car1 /repo/root.json -H "X-Long: $long"
ok "without a body" not test -s "$T/body"

# ---- the keys of an instance
ok "makes keys for an address" "$pki" "$T/pki2" 192.0.2.7
ok "nothing else" is "$(files "$T/pki2")" \
	"admin-ca.key admin-ca.pem build-ca.key build-ca.pem device-ca.key device-ca.pem server-ca.key server-ca.pem server.key server.pem "
ok "which is in the certificate" openssl verify -x509_strict -verify_ip 192.0.2.7 -CAfile "$T/pki2/server-ca.pem" "$T/pki2/server.pem"
ok "with this machine" openssl verify -verify_hostname localhost -CAfile "$T/pki2/server-ca.pem" "$T/pki2/server.pem"
ok "keys are for their owner" is "$(stat -c %a "$T"/pki2/*.key | sort -u)" 600
before=$(sha256sum "$T"/pki2/*)
mv "$T/pki2/device-ca.pem" "$T"
ok "refuses to overwrite a CA's key" refuses "device-ca.key is there without device-ca.pem" "$pki" "$T/pki2" 192.0.2.7
mv "$T/device-ca.pem" "$T/pki2"
ok "and has not" is "$(sha256sum "$T"/pki2/*)" "$before"
rm "$T/pki2/server.pem"
mv "$T/pki2/server-ca.key" "$T/server-ca.key"
ok "names the CA's key when that is elsewhere" refuses "server-ca.key cannot be read" "$pki" "$T/pki2" 192.0.2.7
mv "$T/server-ca.key" "$T/pki2"
ok "passes on what openssl has against an address" refuses "bad ip address" "$pki" "$T/pki2" 192.0.2.777
host=$(printf 'a%.0s' $(seq 60)).example.$(printf 'b%.0s' $(seq 60)).example
ok "makes a certificate for a long name" "$pki" "$T/pki2" "$host"
ok "with the name in it" openssl verify -verify_hostname "$host" -CAfile "$T/pki2/server-ca.pem" "$T/pki2/server.pem"

# ---- the same for longer
openssl x509 -in "$T/pki2/device-ca.pem" -signkey "$T/pki2/device-ca.key" -days 1 -out "$T/pki2/short.pem"
mv "$T/pki2/short.pem" "$T/pki2/device-ca.pem"
ok "renews a CA" "$pki" --renew device-ca "$T/pki2"
ok "for long" openssl x509 -in "$T/pki2/device-ca.pem" -noout -checkend 600000000
ok "which is still a CA" openssl verify -x509_strict -CAfile "$T/pki2/device-ca.pem" "$T/pki2/device-ca.pem"
"$pki" "$T/pki3" localhost
cp "$T/pki/device-ca.pem" "$T/pki/device-ca.key" "$T/pki3"
ok "renews the CA of devices" "$pki" --renew device-ca "$T/pki3"
ok "and what it signed stays good" openssl verify -x509_strict -CAfile "$T/pki3/device-ca.pem" "$T/car1/client.pem"
before=$(openssl x509 -in "$T/pki2/server.pem" -noout -serial)
ok "renews the server's" "$pki" --renew server "$T/pki2"
ok "another one" not is "$(openssl x509 -in "$T/pki2/server.pem" -noout -serial)" "$before"
ok "for the same name" openssl verify -x509_strict -purpose sslserver -verify_hostname "$host" -CAfile "$T/pki2/server-ca.pem" \
	"$T/pki2/server.pem"
ok "with its CA behind it" is "$(grep -c BEGIN "$T/pki2/server.pem")" 2
ok "keeps the old one" is "$(openssl x509 -in "$T/pki2/server.pem.old" -noout -serial)" "$before"
ok "asks what is to be renewed where" refuses "ota-pki --renew NAME DIR" "$pki" --renew server
ok "renews nothing else" refuses "is none of" "$pki" --renew ../server "$T/pki2"
rm "$T/pki2/build-ca.key"
ok "nor without the key" refuses "build-ca.key cannot be read" "$pki" --renew build-ca "$T/pki2"

# ---- a builder's
ok "makes a builder's" "$top/scripts/ota-builder" -c "$conf" --url https://x --certificate --ca-dir "$T/pki" ci "$T/ci-cert.zip"
ok "and keeps a copy" openssl verify -purpose sslclient -CAfile "$T/pki/build-ca.pem" "$T/build.certificates/ci.pem"
ok "for all to read" is "$(stat -c %a "$T/build.certificates" "$T/build.certificates/ci.pem" | tr '\n' ' ')" "755 644 "

# ---- what the server and the gate get
sed 's/^device_address.*/device_address = ::1/' "$conf" >"$T/six.conf"
ok "renders an IPv6 address" "$gateway" render lighttpd -c "$T/six.conf" "$T/six"
ok "in brackets" has "$T/six/device.conf" '^server.bind += "\[::1\]"'
ok "as lighttpd wants it" "$gateway" check lighttpd -c "$T/six.conf" "$T/six"
before=$(files "$T/six"; sha256sum "$T/six/device.conf")
cp -r "$top/gateway/lighttpd" "$T/templates"
echo '# @unheard_of@' >>"$T/templates/device.conf"
ok "refuses a template with more than it knows" refuses "a setting was left out" "$gateway" render lighttpd -c "$T/six.conf" \
	--templates "$T/templates" "$T/six"
ok "and leaves what was there" is "$(files "$T/six"; sha256sum "$T/six/device.conf")" "$before"
mkdir -m 1777 "$T/shared"
sed "s|^gate_socket.*|gate_socket = $T/shared/gate.sock|" "$conf" >"$T/shared.conf"
start gate2 "$OTA_BIN/ota-gate" -c "$T/shared.conf"
ok "the gate makes its socket in a folder of others" wait_for 10 file_with "$T/gate2.log" "ready socket=$T/shared/gate.sock"
ok "for the web server" is "$(stat -c '%a %u %g' "$T/shared/gate.sock")" "660 64104 64105"
ok "and leaves the folder as it is" is "$(mode "$T/shared")" "1777 root"

# ---- what its CA revokes is refused before anybody hears of it
printf '%s\n' '[ca]' 'default_ca = x' '[x]' "database = $T/index" 'default_md = sha256' 'default_crl_days = 30' >"$T/ca.conf"
: >"$T/index"
crl() { openssl ca -config "$T/ca.conf" -cert "$T/pki/device-ca.pem" -keyfile "$T/pki/device-ca.key" "$@"; }
ok "(makes a certificate)" device_cert --ca-dir "$T/pki" car3 "$T/car3"
ok "(its CA revokes it)" crl -revoke "$T/car3/client.pem"
ok "(and says so)" crl -gencrl -out "$T/device.crl"
chmod 644 "$T/device.crl"
echo "device_crl = $T/device.crl" >>"$conf"
ok "renders a list" "$gateway" render lighttpd -c "$conf" "$T/gateway"
ok "without it the device is served" gives 200 car3 /director/1.root.json
stop web
start_web_server
ok "with it the device is not" gives 000 car3 /director/1.root.json
ok "all others are" gives 200 car1 /director/1.root.json
sed "s|^device_crl.*|device_crl = $T/none.crl|" "$conf" >"$T/none.conf"
ok "refuses to render a list that is not there" refuses "none.crl: cannot be read" "$gateway" render lighttpd -c "$T/none.conf" \
	"$T/none"

# nonsense SOCKET: a request that ends early; returns when it is answered
nonsense() { perl -MIO::Socket::UNIX -e '$s = IO::Socket::UNIX->new($ARGV[0]) or exit 1; shutdown $s, 1; () = <$s>' "$1"; }
sed "s|^gate_socket.*|gate_socket = $T/deaf.sock|" "$conf" >"$T/deaf.conf"
mkfifo "$T/log"
head -n 1 "$T/log" >"$T/deaf.first" &
"$OTA_BIN/ota-gate" -c "$T/deaf.conf" >"$T/log" 2>&1 </dev/null &
deaf=$!
cleanup "kill $deaf"
wait_for 10 grep -q ready "$T/deaf.first"
ok "answers when nobody reads its log" nonsense "$T/deaf.sock"
ok "more than once" nonsense "$T/deaf.sock"
finish
