#!/bin/sh
# Devices that come in by themselves: enrolment tokens, what ota-enroll writes, what is answered, who is kept out.
# shellcheck source=tests/integration/lib.sh disable=SC2016,SC2317 # perl has $; functions are called by name
. "$(dirname "$0")/lib.sh"

settings "spool_quiet_seconds = 0"
start_signd
start_watcher
start_otafs
make_keys
m=$T/mount
tokens=$m/enroll/tokens
ota_enroll() { "$top/scripts/ota-enroll" -c "$conf" --url https://ota.example.com:8443 "$@"; }
admin() { setpriv --reuid=64999 --regid=64106 --clear-groups "$@"; }
files() { find "$1" -mindepth 1 -printf '%P\n' | sort | tr '\n' ' '; }
status() { cat "$tokens/$1/status"; }
# open_zip NAME: what is in $T/NAME.zip, as a device takes it apart, in $T/NAME/
open_zip() {
	rm -rf "${T:?}/$1" && mkdir "$T/$1" &&
		perl -MIO::Uncompress::Unzip -e '
			my $zip = IO::Uncompress::Unzip->new($ARGV[0]) or die;
			do {
				open my $file, ">:raw", "$ARGV[1]/" . $zip->getHeaderInfo->{Name} or die;
				local $/;
				print $file scalar <$zip>;
			} while $zip->nextStream == 1;' "$T/$1.zip" "$T/$1"
}
# take_apart FOLDER P12: client.pem, pkey.pem and root.crt of an archive without a password
take_apart() {
	openssl pkcs12 -in "$2" -passin pass: -nodes -clcerts -nokeys -out "$1/client.pem" &&
		openssl pkcs12 -in "$2" -passin pass: -nodes -nocerts -out "$1/pkey.pem" &&
		openssl pkcs12 -in "$2" -passin pass: -nodes -cacerts -nokeys -out "$1/root.crt"
}
serial_of() { openssl x509 -in "$T/$1/client.pem" -noout -serial | cut -d= -f2; }
# post TOKEN BODY: hands it in as the gate does, with the certificate in $T/TOKEN; the head in $T/head, the body in $T/body
post() {
	setpriv --reuid=64104 --regid=64104 --clear-groups perl -e '
		open F, "+<", $ARGV[0] or die "open: $!\n";
		syswrite F, $ARGV[1];
		sysseek F, 0, 0;
		defined sysread F, $r, 1 << 20 or die "read: $!\n";
		print $r' "$m/gate/$1/$(serial_of "$1")/devices" "$2" >"$T/answer" &&
		perl -e 'local $/; $_ = <STDIN>; /^(.*?)\r\n\r\n(.*)$/s or die; open H, ">", "$ARGV[0]/head"; print H $1;
			open B, ">:raw", "$ARGV[0]/body"; print B $2' "$T" <"$T/answer"
}
# gives STATUS TOKEN BODY
gives() {
	post "$2" "$3" || return 1
	grep -q "^Status: $1 " "$T/head" || { cat "$T/head" "$T/body" && false; }
}
code() { is "$(jq -r .code "$T/body")" "$1"; }

# ---- nobody can be let in yet
ok "without an issuing CA there is no token" refuses "there is no issuing CA|no issuing CA" ota_enroll early "$T/early.zip"
ok "and none is left" is "$(ls "$tokens")" ""
ok "nor a file" not test -e "$T/early.zip"
ok "(makes an issuing CA)" make_issuer

# ---- a token by hand
ok "mkdir makes a token" admin mkdir "$tokens/hand"
ok "with its files" is "$(files "$tokens/hand")" "csr expires group limit status tags used "
ok "which waits for its certificate" has "$tokens/hand/status" "^hand: waits for its certificate; made 0 devices; made 20.* by uid 64999"
ok "for any number" is "$(cat "$tokens/hand/limit" "$tokens/hand/expires" "$tokens/hand/used")" "$(printf 'none\nnever\n0')"
ok "a limit" admin sh -c "echo 5 >$tokens/hand/limit"
ok "is kept" is "$(cat "$tokens/hand/limit")" 5
ok "what is no limit is refused" refuses "I/O error|Invalid argument" admin sh -c "echo many >$tokens/hand/limit"
ok "in words" has "$m/why" 'enroll/tokens/hand/limit.* "many" is no limit'
ok "history tells who" has "$m/events/all" '"what":"token_changed","who":"uid 64999[^"]*","text":"enrolment token hand allowed to make 5 devices'
ok "a name that is none is refused" refuses "Invalid argument" admin mkdir "$tokens/a b"
ok "a second one of the name too" refuses "File exists" admin mkdir "$tokens/hand"
ok "rm -r ends it" admin rm -r "$tokens/hand"
ok "others see nothing" refuses "Permission denied" setpriv --reuid=64105 --regid=64105 --clear-groups ls "$tokens"

# ---- a token by script
mkdir "$m/groups/cars"
ok "makes a token and its file" ota_enroll --expires 30d --limit 2 --group cars --tag colour=red --tag "line=4" fleet "$T/fleet.zip"
ok "for its owner alone" is "$(stat -c %a "$T/fleet.zip")" 600
ok "which can be opened" open_zip fleet
ok "with what aktualizr reads, and nothing else" is "$(files "$T/fleet")" "autoprov.url autoprov_credentials.p12 server_ca.pem "
ok "the address" is "$(cat "$T/fleet/autoprov.url")" https://ota.example.com:8443
ok "the archive has no password" take_apart "$T/fleet" "$T/fleet/autoprov_credentials.p12"
ok "and the CA of the servers alone" is "$(openssl x509 -in "$T/fleet/root.crt" -noout -fingerprint)" \
	"$(openssl x509 -in "$T/pki/server-ca.pem" -noout -fingerprint)"
ok "and a certificate of the device CA" openssl verify -x509_strict -purpose sslclient -CAfile "$T/pki/device-ca.pem" "$T/fleet/client.pem"
ok "for the token's name" is "$(openssl x509 -in "$T/fleet/client.pem" -noout -subject -nameopt RFC2253)" "subject=CN=fleet"
ok "no key of any metadata is in it" not sh -c "strings -a $T/fleet.zip $T/fleet/* | grep -i 'ed25519\|keytype'"
ok "the token is open" says "^fleet: open; made 0 of 2 devices; until 20.*; group cars; certificate $(serial_of fleet); " status fleet
ok "a token is made once" refuses "there is a token fleet" ota_enroll fleet "$T/again.zip"
ok "and no file is overwritten" refuses "fleet.zip: there is one already" ota_enroll other "$T/fleet.zip"
ok "a group that is not there is refused" refuses "\-\-group: was not taken. .*no group|nothere" ota_enroll --group nothere x "$T/x.zip"
ok "and leaves no token" is "$(ls "$tokens")" fleet
ok "a date that is none is refused" refuses "\-\-expires: was not taken.*is no time" ota_enroll --expires soon x "$T/x.zip"
ok "a url without TLS too" refuses "does not start with https" ota_enroll --url http://x x "$T/x.zip"
ok "and a name that is none" refuses "is no name of a token" ota_enroll "a b" "$T/x.zip"

# ---- devices come in
ok "a device comes in" gives 200 fleet '{"deviceId":"car1","ttl":"36000"}'
ok "by an archive" has "$T/head" "^Content-Type: application/x-pkcs12"
ok "of less than 64 KiB" test "$(stat -c %s "$T/body")" -le 65536
mkdir "$T/car1" "$T/car1-again"
ok "without a password" take_apart "$T/car1" "$T/body"
ok "the CA in it is the server's" is "$(openssl x509 -in "$T/car1/root.crt" -noout -fingerprint)" \
	"$(openssl x509 -in "$T/pki/server-ca.pem" -noout -fingerprint)"
ok "the certificate is of the device CA" openssl verify -x509_strict -purpose sslclient -CAfile "$T/pki/device-ca.pem" "$T/car1/client.pem"
ok "for the device" is "$(openssl x509 -in "$T/car1/client.pem" -noout -subject -nameopt RFC2253)" "subject=CN=car1"
ok "with its key" is "$(openssl x509 -in "$T/car1/client.pem" -noout -pubkey)" "$(openssl pkey -in "$T/car1/pkey.pem" -pubout)"
end_of() { date -u -d "$(openssl x509 -in "$T/$1/client.pem" -noout -enddate | cut -d= -f2)" +%FT%TZ; }
ok "the tree has it" is "$(cat "$m/devices/car1/certificates/$(serial_of car1)/expires")" "$(end_of car1)"
ok "with the group" test -L "$m/groups/cars/car1"
ok "and the tags" is "$(cat "$m/devices/car1/tags")" "$(printf 'colour=red\nline=4')"
ok "history tells by what" has "$m/devices/car1/history" "device made by token fleet"
ok "the web server's view has it" test -e "$T/web/www/devices/car1/$(serial_of car1)/director/1.root.json"

# ---- the answer was lost
ok "who asks again gets other credentials" gives 200 fleet '{"deviceId":"car1","ttl":36000}'
ok "(takes them apart)" take_apart "$T/car1-again" "$T/body"
ok "which are good" is "$(ls "$m/devices/car1/certificates")" "$(serial_of car1-again)"
ok "the old ones are not" not test -e "$T/web/www/devices/car1/$(serial_of car1)"
ok "it counts as one" is "$(cat "$tokens/fleet/used")" 1
printf '{"a":"b"}' >"$T/config"
speak() {
	setpriv --reuid=64104 --regid=64104 --clear-groups perl -e 'open F, "+<", $ARGV[0] or die; syswrite F, "{}"; sysseek F, 0, 0;
		sysread F, $r, 4096; print $r' "$m/gate/car1/$(serial_of car1-again)/system_info"
}
ok "it speaks" says "^Status: 200" speak
ok "then its id is taken" gives 409 fleet '{"deviceId":"car1","ttl":36000}'
ok "which aktualizr understands" code device_already_registered
ok "the certificate is as it was" is "$(ls "$m/devices/car1/certificates")" "$(serial_of car1-again)"

# ---- who is kept out
ok "the second one comes in" gives 200 fleet '{"deviceId":"car2"}'
ok "the third does not" gives 403 fleet '{"deviceId":"car3"}'
ok "since the token is used up" code token_used_up
ok "which it says itself" says "^fleet: used up; made 2 of 2 devices" status fleet
ok "nothing is made" not test -e "$m/devices/car3"
echo none >"$tokens/fleet/limit"
echo 2026-01-01 >"$tokens/fleet/expires"
ok "nor when it has expired" gives 403 fleet '{"deviceId":"car3"}'
ok "which is said" code token_expired
echo never >"$tokens/fleet/expires"
ok "an id that is none is refused" gives 400 fleet '{"deviceId":"../car3"}'
ok "with words" code invalid_device_id
ok "nonsense too" gives 400 fleet 'nonsense'
ok "and a ttl that is none" gives 400 fleet '{"deviceId":"car3","ttl":"soon"}'
rmdir "$m/devices/car2"
ok "a device that was deleted does not come back" gives 403 fleet '{"deviceId":"car2"}'
ok "since its id is blocked" code device_blocked
ok "which is shown" has "$m/enroll/blocked/car2/status" "^since 20.* by uid 0"
ok "rm -r lifts that" admin rm -r "$m/enroll/blocked/car2"
ok "then it comes" gives 200 fleet '{"deviceId":"car2"}'
ok "an id can be blocked before" admin mkdir "$m/enroll/blocked/car9"
ok "and is then" gives 403 fleet '{"deviceId":"car9"}'
ok "which is said as it is" has "$T/body" "this id is blocked, as that of a deleted device is"
ok "making the device lifts it too" admin mkdir "$m/devices/car9"
ok "which is not listed any more" is "$(ls "$m/enroll/blocked")" ""
ok "but is the administrator's" gives 409 fleet '{"deviceId":"car9"}'
ok "a device's own certificate enrols nobody" refuses "open: No such file" sh -c \
	"setpriv --reuid=64104 --regid=64104 --clear-groups perl -e 'open F, q(+<), shift or die qq(open: \$!\n)' \
	$m/gate/car1/$(serial_of car1-again)/devices"

# ---- names and limits under pressure
mkdir "$m/devices/fleet"
ok "a device may be called like the token, which goes on" gives 200 fleet '{"deviceId":"car4"}'
ok "but does not speak for it" not test -e "$m/gate/fleet/$(serial_of fleet)/manifest"
echo 10 >"$tokens/fleet/limit"
for i in $(seq 20); do
	setpriv --reuid=64104 --regid=64104 --clear-groups perl -e 'open F, "+<", $ARGV[0] or die; syswrite F, $ARGV[1]; sysseek F, 0, 0;
		sysread F, $r, 1 << 20; print $r =~ /^Status: (\d+)/, "\n"' "$m/gate/fleet/$(serial_of fleet)/devices" \
		"{\"deviceId\":\"many$i\"}" >"$T/many$i.status" &
	echo $! >>"$T/many.pids"
done
while read -r pid; do wait "$pid"; done <"$T/many.pids"
ok "of twenty at once the limit lets in the rest" is "$(cat "$T"/many*.status | sort | uniq -c | tr -s ' \n' ' ')" " 6 200 14 403 "
ok "and not one more" is "$(find "$m/devices" -maxdepth 1 -name 'many*' | wc -l) $(cat "$tokens/fleet/used")" "6 10"
echo none >"$tokens/fleet/limit"

# ---- everything is durable before it is answered
killed=0
for i in 1 2 3; do
	post fleet "{\"deviceId\":\"d$i\"}" && stop otafs KILL && start_otafs && [ -d "$m/devices/d$i/certificates" ] &&
		[ "$(wc -l <"$m/devices/d$i/tags")" = 2 ] && killed=$((killed + 1))
done
ok "otafs may be killed after each answer" is "$killed" 3
ok "and counts on" is "$(cat "$tokens/fleet/used")" 13

# ---- without the signer
stop signd
ok "without the signer it is 503" gives 503 fleet '{"deviceId":"car5"}'
ok "to be tried again" has "$T/head" "^Retry-After: "
ok "and nothing is made" not test -e "$m/devices/car5"
start_signd
mv "$T/pki/server-ca.pem" "$T"
ok "nor without the CA of the servers" gives 503 fleet '{"deviceId":"car5"}'
ok "which is said" code no_server_ca
mv "$T/server-ca.pem" "$T/pki"

# ---- a token is replaced, and ends
ok "a new certificate takes the place of the old one" ota_enroll --renew fleet "$T/fleet2.zip"
ok "the rest stays" is "$(cat "$tokens/fleet/group" "$tokens/fleet/tags" "$tokens/fleet/used")" "$(printf 'cars\ncolour=red\nline=4\n13')"
ok "the old one is nobody's" refuses "open: No such file" post fleet '{"deviceId":"car6"}'
ok "(opens it)" open_zip fleet2
take_apart "$T/fleet2" "$T/fleet2/autoprov_credentials.p12"
cp "$T/fleet2/client.pem" "$T/fleet/client.pem"
ok "the new one is good" gives 200 fleet '{"deviceId":"car6"}'
ok "only a token that is there" refuses "there is no token nobody to renew" ota_enroll --renew nobody "$T/x.zip"
ok "ends a token" ota_enroll --revoke fleet
ok "at once" refuses "open: No such file" post fleet '{"deviceId":"car7"}'
ok "its devices stay" test -d "$m/devices/car6"
ok "only one that is there" refuses "there is no token fleet" ota_enroll --revoke fleet
ok "history tells" has "$m/events/all" '"what":"token_revoked"'

# ---- with what a builder needs
ok "adds a builder's" sh -c "echo secret | $top/scripts/ota-enroll -c $conf --url https://x --build-url https://b:8444 --builder ci both $T/both.zip"
ok "(opens it)" open_zip both
ok "with its files" is "$(files "$T/both")" \
	"autoprov.url autoprov_credentials.p12 root.json server_ca.pem treehub.json tufrepo.url "
ok "which say where" is "$(cat "$T/both/tufrepo.url") $(jq -r .ostree.server "$T/both/treehub.json")" \
	"https://b:8444 https://b:8444/api/v3/"
ok "and with which root to begin" is "$(jq -r .signed._type "$T/both/root.json")" Root
ok "a builder's own has these too" sh -c "echo secret | $top/scripts/ota-builder -c $conf --url https://b:8444 ci2 $T/ci2.zip"
ok "(opens it)" open_zip ci2
ok "but nothing of devices" is "$(files "$T/ci2")" "root.json server_ca.pem treehub.json tufrepo.url "
ok "without --url both take the server certificate's name" sh -c "echo secret |
	$top/scripts/ota-enroll -c $conf --builder ci named $T/named.zip"
ok "(opens it)" open_zip named
ok "as it is for sota.toml" is "$(cat "$T/named/autoprov.url" "$T/named/tufrepo.url")" "https://localhost:8443https://localhost:8444"
finish
