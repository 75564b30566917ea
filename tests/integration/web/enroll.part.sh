# shellcheck shell=sh disable=SC2154 # variables of lib.sh and the suite
# Devices that come in by themselves: POST /devices with the certificate of an enrolment token.

# take_apart FOLDER P12: client.pem, pkey.pem and root.crt of an archive without a password
take_apart() {
	mkdir -p "$1"
	openssl pkcs12 -in "$2" -passin pass: -nodes -clcerts -nokeys -out "$1/client.pem" &&
		openssl pkcs12 -in "$2" -passin pass: -nodes -nocerts -out "$1/pkey.pem" &&
		openssl pkcs12 -in "$2" -passin pass: -nodes -cacerts -nokeys -out "$1/root.crt"
}
# ask STATUS TOKEN BODY [PATH]: POST /devices
ask() {
	gives "$1" "$2" "${4:-/devices}" -X POST -H 'Content-Type: application/json' -d "$3"
}
asks_in_vain() { words "$1" "$2" "$3" /devices -X POST -d "$4"; }
zip_member() {
	perl -MIO::Uncompress::Unzip -e 'my $z = IO::Uncompress::Unzip->new($ARGV[0], Name => $ARGV[1]) or die;
		binmode STDOUT; local $/; print scalar <$z>' "$1" "$2"
}

ok "makes a token" "$top/scripts/ota-enroll" -c "$conf" --url "$url" --limit 3 --tag "web=$WEB" token "$T/token.zip"
zip_member "$T/token.zip" autoprov_credentials.p12 >"$T/token.p12"
ok "which has a certificate" take_apart "$T/token" "$T/token.p12"
ok "a device asks with a ttl in quotes" ask 200 token '{"deviceId":"new1","ttl":"36000"}'
ok "and gets an archive" header "Content-Type: application/x-pkcs12"
ok "that nobody keeps" header "Cache-Control: no-store"
ok "with key, certificate and CA" take_apart "$T/new1" "$T/body"
ok "by which it is known" gives 200 new1 /director/1.root.json
ok "and registers" device new1 poll
ok "it has the token's tag" is "$(cat "$devices/new1/tags")" "web=$WEB"
ok "another asks with a number, and a slash at the end" ask 200 token '{"deviceId":"new2","ttl":36000}' //devices/
ok "(takes it apart)" take_apart "$T/new2" "$T/body"
ok "its answer was lost, it asks again" ask 200 token '{"deviceId":"new2","ttl":36000}'
cp "$T/body" "$T/again.p12"
ok "what was answered first is good for nothing" empty 403 new2 /director/1.root.json
ok "what is answered now is good" take_apart "$T/new2" "$T/again.p12"
ok "for all" gives 200 new2 /director/1.root.json
ok "once it is known the id is taken" asks_in_vain 409 device_already_registered token '{"deviceId":"new1","ttl":"36000"}'
mkdir "$T/new3"
openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=new3 -keyout "$T/new3/pkey.pem" -outform DER \
	2>"$T/said" | openssl base64 >"$T/new3.request"
ok "a third makes its own key" gives 200 token /.well-known/est/simpleenroll -X POST -H 'Content-Type: application/pkcs10' \
	--data-binary "@$T/new3.request"
openssl base64 -d -in "$T/body" | openssl pkcs7 -inform DER -print_certs -out "$T/new3/client.pem"
cp "$T/new1/root.crt" "$T/new3"
ok "and gets a certificate for it" gives 200 new3 /director/1.root.json
ok "a fourth does not" asks_in_vain 403 token_used_up token '{"deviceId":"new4"}'
ok "the token is no device" empty 403 token /director/1.root.json
ok "nor reads it objects" empty 403 token /treehub/config
ok "nor does it report" gives 403 token /system_info -X PUT -d '{}'
ok "GET of it is no way in" empty 403 token /devices
ok "a device enrols nobody" gives 403 new1 /devices -X POST -d '{"deviceId":"new5"}'
rmdir "$T/mount/enroll/tokens/token"
ok "a token that is revoked is nobody's" gives 403 token /devices -X POST -d '{"deviceId":"new5"}'
ok "and makes nothing" not test -e "$devices/new5"
