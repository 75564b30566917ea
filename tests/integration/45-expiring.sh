#!/bin/sh
# What expires is told: short-lived certificates, documents of keys that are elsewhere, files that go away.
# shellcheck source=tests/integration/lib.sh disable=SC2317,SC2016 # functions are called by name
. "$(dirname "$0")/lib.sh"

settings "spool_quiet_seconds = 0" "device_crl = $T/pki/device.crl"
expiring=$T/mount/status/expiring

# ---- certificates that end so many hours from now
"$top/scripts/ota-pki" "$T/pki" localhost
chmod 755 "$T/pki"
# ending HOURS CN FILE: a certificate of the build CA
ending() {
	openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$2" -keyout "$T/key" -out "$T/csr"
	faketime -f "$(($1 - 1000 * 24))h" openssl x509 -req -days 1000 -CA "$T/pki/build-ca.pem" -CAkey "$T/pki/build-ca.key" \
		-set_serial 0x4D -in "$T/csr" -out "$3"
}
mkdir "$T/build.certificates"
for hours in 1000 700 320 150 60 12 -12; do ending $hours "b$hours" "$T/build.certificates/b$hours.pem" 2>/dev/null; done
printf '%s\n' '[ca]' 'default_ca = x' '[x]' "database = $T/index" 'default_md = sha256' >"$T/ca.conf"
: >"$T/index"
openssl ca -config "$T/ca.conf" -cert "$T/pki/device-ca.pem" -keyfile "$T/pki/device-ca.key" -gencrl -crldays 5 \
	-out "$T/pki/device.crl" 2>/dev/null
chmod 644 "$T/pki/device.crl" "$T/build.certificates"/*
ls "$T/build.certificates" >/dev/null

start_signd
make_issuer # files and the signer are looked at once a minute
start_watcher
start_otafs
start_web
start_build
enroll car1

# entry WHAT FILTER: of status/expiring.json
entry() { jq -r --arg what "$1" ".entries[] | select(.what == \$what) | $2" "$expiring.json"; }
# level LEVEL WHAT: the log of otafs tells of it once, as that
level() { is "$(grep -cF "what=\"$2\"" "$T/otafs.log") $(grep -F "what=\"$2\"" "$T/otafs.log" | cut -c1-3)" "1 <$1>"; }

# ---- what a look at the tree says
ok "lists everything, soonest first" jq -e '[.entries[].expires] | . == sort' "$expiring.json"
ok "roots and documents, which renew themselves" is "$(jq -r '[.entries[] | select(.renewedBy == "itself").what] | sort | join(", ")' \
	"$expiring.json")" "director documents, director root, image root, image snapshot, image targets, image timestamp"
ok "all well" is "$(jq -r '[.entries[] | select(.renewedBy == "itself").state] | unique | join(" ")' "$expiring.json")" fine
ok "the server's certificate and its CA" is "$(entry "server_certificate CN=localhost" .state) $(entry \
	"server_certificate CN=otafs server CA" .state)" "fine fine"
ok "with what renews it" is "$(entry "server_certificate CN=localhost" .command)" "ota-pki --renew server $T/pki"
ok "which works" sh -c "PATH=$top/scripts:\$PATH && $(entry "server_certificate CN=localhost" .command)"
ok "the CAs" is "$(entry "device_ca CN=otafs device CA" .daysLeft) $(entry "build_ca CN=otafs build CA" .daysLeft)" "7299 7299"
ok "the issuing CA of the signer" is "$(entry "issuing CA CN=otafs issuing CA" '"\(.state) \(.daysLeft) \(.needed)"')" "fine 3649 true"
ok "with the three steps that renew it" is "$(entry "issuing CA CN=otafs issuing CA" .command)" \
	"ota-sign issuer request >R && ota-pki --issue-intermediate R DIR && ota-sign issuer install DIR/issuer.pem"
ok "which work" sh -ec "cd $T; $(entry "issuing CA CN=otafs issuing CA" .command |
	sed -e "s|DIR|$T/pki|g" -e "s|ota-sign issuer|$OTA_BIN/ota-sign issuer -c $conf|g; s|issuer -c $conf \([a-z]*\)|issuer \1 -c $conf|g" -e "s|ota-pki|$top/scripts/ota-pki|")"
ok "the CA that devices are given, and the administrators'" is "$(entry "server_ca CN=otafs server CA" .needed) $(entry \
	"admin_ca CN=otafs admin CA" .needed)" "true false"
ok "the revocation list" is "$(entry "device_crl CN=otafs device CA" '"\(.state) \(.daysLeft) \(.needed)"')" "due 4 true"
ok "for people too" has "$expiring" '^due +20.*Z +4 days  device_crl CN=otafs device CA$'
ok "builders" is "$(for h in 1000 700 320 150 60 12 -12; do entry "build certificate b$h" .state; done | tr '\n' ' ')" \
	"fine soon soon due due due EXPIRED "
ok "and with what they are renewed" is "$(entry "build certificate b12" .command)" "ota-builder --certificate b12 CREDENTIALS.zip"
ok "which works too" sh -c "PATH=$top/scripts:\$PATH; ota-builder -c $conf --ca-dir $T/pki --url https://x --certificate b12 $T/b12.zip"
ok "it is root's and admins' to read" is "$(stat -c %a "$expiring" "$expiring.json" | tr '\n' ' ')" "640 640 "

# ---- devices
serial=$(ls "$T/mount/devices/car1/certificates")
ok "devices in sum" is "$(jq -c '.devices | del(.next)' "$expiring.json")" \
	'{"certificates":1,"expired":0,"expiring":0,"notKnown":0,"days":30}'
date -u -d '+10 days' +%FT%TZ >"$T/mount/devices/car1/certificates/$serial/expires"
ok "which are counted at once" is "$(entry "device certificates" .state) $(jq -r '.devices.next[0].device' "$expiring.json")" "soon car1"
ok "and renewed so" is "$(entry "device certificates" .command)" "ota-device-cert car1 OUT"
mkdir "$T/mount/devices/car1/certificates/AB"
ok "of one nobody told" is "$(jq -c '.devices | .expiring, .notKnown' "$expiring.json" | tr '\n' ' ')" "1 1 "

# ---- the log: each once, louder towards the end
ok "says nothing of what is far" not grep -F 'b1000"' "$T/otafs.log"
ok "warns 30 days before" level 4 "build certificate b700"
ok "14" level 4 "build certificate b320"
ok "7" level 4 "build certificate b150"
ok "is loud 3 days before" level 3 "build certificate b60"
ok "1" level 3 "build certificate b12"
ok "and after" level 3 "build certificate b-12"
ok "with the command" has "$T/otafs.log" 'expires what="build certificate b60" .* left="2 days" command="ota-builder --cert'
ok "says nothing of what renews itself" not grep -E 'what="(image|director)' "$T/otafs.log"

# ---- metrics
cat "$T/mount/status/metrics" >"$T/metrics"
ok "metrics are well formed" perl -ne 'exit 1 unless /^# (HELP|TYPE) [a-z_]+ .|^[a-z_]+({[a-z]+="([^"\\\n]|\\[\\"n])*"(,[a-z]+="([^"\\\n]|\\[\\"n])*")*})? -?[0-9]+$/' "$T/metrics"
ok "each named once with its type" is "$(sed -n 's/^# TYPE \([a-z_]*\) gauge/\1/p' "$T/metrics" | sort | uniq -d)" ""
ok "none of one name twice" is "$(grep -v '^#' "$T/metrics" | cut -d' ' -f1-4 | sed 's/ [0-9-]*$//' | sort | uniq -d)" ""
ok "ends are there" is "$(sed -n 's/^otafs_expires_seconds{what="build certificate b12"} //p' "$T/metrics" | wc -l)" 1
ok "as they are in the file" is "$(sed -n 's/^otafs_expires_seconds{what="device_ca CN=otafs device CA"} //p' "$T/metrics")" \
	"$(date -d "$(openssl x509 -in "$T/pki/device-ca.pem" -noout -enddate | cut -d= -f2)" +%s)"
ok "devices are counted" has "$T/metrics" '^otafs_device_certificates_expiring{days="30"} 1$'
ok "and what is in which state" has "$T/metrics" '^otafs_expiring{state="EXPIRED"} 1$'

# ---- health
health() { jq -r "$1" "$T/mount/status/health.json"; }
ok "is well: nothing that devices need is over" is "$(health '.healthy, (.problems | length)' | tr '\n' ' ')" "true 0 "
ok "warns of what is soon" is "$(health '[.warnings[] | select(startswith("build certificate") or startswith("device_crl"))] | length')" 7
ok "shows where keys are" is "$(grep -c ' here$' "$T/mount/keys/image") $(grep -c ' here$' "$T/mount/keys/director")" "4 4"

# ---- targets and roots that are signed elsewhere
echo "correct horse battery" >"$T/pass"
chmod 600 "$T/pass"
ota_sign() { "$QUICK_SIGN" "$@"; }
away="--keys $T/stick --passphrase-file $T/pass"
ok "(targets move to a key that is elsewhere)" ota_sign move-offline -c "$conf" image targets --to "$T/stick" \
	--passphrase-file "$T/pass" --yes
key=$(jq -r .signed.roles.targets.keyids[0] "$T/keys/image/2.root.json")
# as_told WHAT ROLE [EXPIRES]: runs what the list says, with what it cannot know: which key, until when, which settings
as_told() {
	command=$(entry "$1" .command | sed -e "s|KEY|image-$2 $away|" -e "s|renew targets.json|& ${3:-}|" \
		-e "s|DRAFT|-c $conf $T/draft|" -e "s|ota-sign|$QUICK_SIGN|g")
	[ -n "$command" ] && (cd "$T" && sh -ec "$command")
}
# comes_back FILE [PUSH.JSON]: through the spool
comes_back() {
	[ $# = 1 ] || echo "$2" >"$T/spool/incoming/${1##*/}.push.json"
	rm -f "$T/spool/done/${1##*/}.receipt.json"
	before=$(jq .publication "$T/mount/status/health.json")
	cp -r "$1" "$T/moving"
	mv "$T/moving" "$T/spool/incoming/${1##*/}"
	wait_for 30 test -e "$T/spool/done/${1##*/}.receipt.json" &&
		wait_for 10 sh -c "[ \$(jq .publication '$T/mount/status/health.json') -gt $before ]"
}
# targets_until DAYS: by the command that the list tells
targets_until() {
	cp "$T/mount/repo/targets.json" "$T/targets.json"
	as_told "image targets" targets "--expires $1" && comes_back "$T/targets.json" '{"targets":"image"}'
}
# targets_until_seconds N
targets_until_seconds() {
	jq -c --arg time "$(date -u -d "+$1 seconds" +%FT%TZ)" '.signatures = [] | .signed.version += 1 | .signed.expires = $time' "$T/mount/repo/targets.json" \
		>"$T/targets.json"
	# shellcheck disable=SC2086
	ota_sign targets sign "$T/targets.json" --key image-targets $away && comes_back "$T/targets.json" '{"targets":"image"}'
}
# Where keys are is asked once a minute, and at the start.
stop otafs
: >"$T/otafs.log"
start_otafs
ok "(they are signed with what the list tells)" targets_until 13
ok "targets of another key are somebody's to renew" is "$(entry "image targets" '"\(.renewedBy) \(.state)"')" "person soon"
ok "the key is named" says "^who has the key $key \\(elsewhere\\); of a copy of repo/targets.json" entry "image targets" .who
ok "with what is to be called" says '^ota-sign targets ' entry "image targets" .command
ok "the others renew themselves" is "$(entry "image snapshot" .renewedBy) $(entry "image root" .renewedBy)" "itself itself"
ok "the log warns" wait_for 5 has "$T/otafs.log" '^<4>expires what="image targets".*command="ota-sign targets '
ok "so does health" is "$(health '.warnings[] | select(startswith("image targets"))' | grep -c "$key")" 1
ok "keys/image says where it is" has "$T/mount/keys/image" "$key elsewhere"
ok "(they are signed for a moment)" targets_until_seconds 7
ok "7 seconds before the end it is due" is "$(entry "image targets" .state)" due
ok "and health is well" is "$(health .healthy)" true
sleep 7
ok "then it is over" is "$(entry "image targets" .state)" EXPIRED
ok "health is not well" is "$(health .healthy)" false
ok "and says which key it takes" is "$(health '.problems[]' | grep -c "^image targets expired .*$key (elsewhere)")" 1
ok "and nothing else" is "$(health '.problems | length')" 1
ok "(the command that health told renews them)" targets_until 100
ok "signed anew all is well" is "$(health .healthy) $(entry "image targets" .state)" "true fine"

# ---- a root whose targets are not there yet
echo "another passphrase" >"$T/pass2"
chmod 600 "$T/pass2"
ota_sign key new other --keys "$T/stick" --passphrase-file "$T/pass2" >/dev/null
ota_sign key export other --keys "$T/stick" >"$T/other.pub"
ok "(a root gives targets to another key)" ota_sign root begin -c "$conf" image --add-key targets="$T/other.pub" \
	--remove-key targets="$key" "$T/next"
ok "(which is taken)" ota_sign root finish -c "$conf" "$T/next"
other=$(jq -r .signed.roles.targets.keyids[0] "$T/keys/image/3.root.json")
stop otafs
start_otafs
ok "is held back, and told of" is "$(entry "image root 3, held back" '"\(.renewedBy) \(.needed)"')" "person false"
ok "with the key that it waits for" says "^who has the key $other \(elsewhere\)" entry "image root 3, held back" .who
ok "devices are well" is "$(health .healthy)" true

# ---- a root that is signed elsewhere
ok "(the director's root moves away)" ota_sign move-offline -c "$conf" director root --to "$T/stick" --passphrase-file "$T/pass" --yes
stop otafs
start_otafs
ok "is somebody's to renew" is "$(entry "director root" '"\(.renewedBy) \(.state)"')" "person fine"
ok "of its key" says "^who has the key $(jq -r .signed.roles.root.keyids[0] "$T/keys/director/2.root.json") \(elsewhere\); the draft" \
	entry "director root" .who
ok "begun as it is told" as_told "director root" root
# shellcheck disable=SC2086
ok "signed where the key is" ota_sign root sign "$T/draft" --key director-root $away --yes
cp -r "$T/draft" "$T/spool/incoming/"
ok "it comes back" wait_for 30 test -e "$T/spool/done/draft.receipt.json"
ok "as the next root" test -e "$T/keys/director/3.root.json"

# ---- a restart tells the present state once; a file that went away says so
mv "$T/build.certificates/b60.pem" "$T"
mv "$T/pki/device.crl" "$T"
chmod 600 "$T/pki/device-ca.pem"
echo nonsense >"$T/build.certificates/b150.pem"
stop otafs
: >"$T/otafs.log"
start_otafs
ok "tells the present state after a restart" level 4 "build certificate b700"
ok "a builder who is gone is no more told of" is "$(grep -c 'b60"' "$T/otafs.log") $(entry "build certificate b60" .what)" "0 "
ok "a list that went away is" level 4 "device_crl"
ok "with the reason" has "$expiring" "^ +$T/pki/device.crl: No such file or directory\$"
ok "a file that otafs may not read is" has "$expiring" "^ +$T/pki/device-ca.pem: Permission denied\$"
ok "a damaged one is" has "$expiring" "^ +$T/build.certificates/b150.pem: has no certificate\$"
ok "health warns" is "$(health '[.warnings[] | select(contains("not known when it expires"))] | length')" 3
ok "and is well" is "$(health .healthy)" true

# ---- a key that is lost
lost=$(jq -r '.signed.roles.snapshot.keyids[0]' "$T/repository/published/current/root.json")
stop otafs
stop signd
mv "$T/keys/image/snapshot-1.key" "$T"
start_signd
: >"$T/otafs.log"
start_otafs
ok "what a lost key signed is not renewed" is "$(entry "image snapshot" '"\(.state) \(.renewedBy)"')" "due nobody"
ok "the way out is told" is "$(entry "image snapshot" .command)" "ota-sign rotate image snapshot"
ok "loudly" has "$T/otafs.log" '^<3>expires what="image snapshot" .* command="ota-sign rotate image snapshot"'
ok "health is not well before it expires" is "$(health .healthy)" false
ok "and says which key is lost" is "$(health '.problems[]' | grep -c "^image snapshot .*$lost (lost)")" 1
ok "keys/image too" has "$T/mount/keys/image" "$lost LOST"
stop signd
mv "$T/snapshot-1.key" "$T/keys/image"
stop otafs
targets=$(find "$T/keys/director" -name 'targets-*.key')
mv "$targets" "$T/targets.key"
start_signd
start_otafs
lost_is_told() {
	is "$(health '.problems[]' | grep -c '^director documents .*(lost); until then devices that ask get an error: ota-sign ')" 1
}
# Keys are looked at soon after the start, which does not wait for it.
ok "without the director's targets key devices get nothing, which health says" wait_for 10 lost_is_told
stop signd
mv "$T/targets.key" "$targets"

# ---- the signer is away
ok "health says that nothing can be signed" has "$T/mount/status/health.json" '"nothing can be signed: '
ok "the list is there" is "$(entry "image timestamp" .state)" fine
finish
