#!/bin/sh
# A captured otafs: somebody who runs as its user and speaks to the signer himself gets nothing signed that the image
# repository does not offer. The log of signatures, the signer's clock, a full disk; and updates whose target is gone.
# shellcheck source=tests/integration/lib.sh disable=SC2317,SC2016 # functions are called by name; jq's variables
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/integration/clock.sh
. "$(dirname "$0")/clock.sh"

settings "spool_quiet_seconds = 1"
mkdir -p "$T/keys"
mount -t tmpfs -o size=4m,mode=700 otafs-test "$T/keys" || {
	echo "1..0 # SKIP no tmpfs can be mounted here"
	exit 0
}
cleanup "umount $T/keys || umount -l $T/keys"
chown 64101:64101 "$T/keys"
start_signd
"$OTA_BIN/ota-sign" init --online -c "$conf" >/dev/null || exit 1
start_watcher
start_otafs
start_web
m=$T/mount
current=$T/repository/published/current
log=$T/keys/signatures

# ---- a client of the signer

cat >"$T/asker" <<'EOF'
use strict;
use Socket;
# asker SOCKET UID [COUNT]: requests as lines on standard input, "director ROLE ROOT EPOCH TEXT" for a document of the director;
# prints "CODE PAYLOAD" for each. With COUNT the one request is sent so often, %d in it counting up, and only the seconds are told.
my ($path, $uid, $count) = @ARGV;
$) = "$uid $uid";
$( = $uid;
($<, $>) = ($uid, $uid);
socket(my $fd, PF_UNIX, SOCK_STREAM, 0) or die;
connect($fd, pack_sockaddr_un($path)) or die "$path: $!";
sub take { my ($n, $data) = (shift, ""); while (length $data < $n) { sysread($fd, $data, $n - length $data, length $data) or die "closed" } $data }
sub give { my $out = pack("N/a", shift); while (length $out) { substr($out, 0, syswrite($fd, $out)) = "" } take(unpack("N", take(4))) }
sub ask {
	my $request = shift;
	return give($request) if $request !~ s/^director /director\n/;
	my $reply = give("$request\n");
	return unpack("l>", $reply) == 0 && substr($reply, 4) =~ /^(-?[0-9]+) (.*)\n$/ ? pack("l>a*", $1, $2) : $reply;
}
use Time::HiRes "time";
while (my $request = <STDIN>) {
	chomp $request;
	if (!$count) { my $reply = ask($request); printf "%d %s\n", unpack("l>", $reply), substr($reply, 4); next }
	my ($start, $good) = (time, 0);
	for my $i (1 .. $count) { (my $one = $request) =~ s/%d/1000 + $i/ge; $good++ if !unpack("l>", ask($one)) }
	printf "%d of %d signed, %.0f in a second\n", $good, $count, $count / (time - $start);
}
EOF
ask_as() { perl "$T/asker" "$T/sign.sock" "$@"; }
ask() { ask_as 64102; }
answers() { # answers CODE PATTERN: to the request on standard input
	ask >"$T/answer" 2>&1
	has "$T/answer" "^$1 .*$2"
}
# document FILTER [REQUEST FILTER]: a request for director targets of car1 that would be signed, changed by jq filters
document() {
	jq -ncS --arg later "$(date -u -d '+3 days' +%Y-%m-%dT%H:%M:%SZ)" --argjson targets "$(jq '.signed.targets' "$T/shown.json")" \
		--argjson epoch "$(jq .director.epoch "$T/keys/ledger.json")" --argjson root "$root" "
		(\$targets[\"app-2\"] | {length, hashes, custom: {ecuIdentifiers: {\"car1-ecu\": {hardwareId: \"qemux86-64\"}},
			targetFormat: \"OSTREE\", uri: null}}) as \$entry |
		{operation: \"sign\", repository: \"director\", role: \"targets\", root: \$root, epoch: \$epoch, signed: {_type: \"Targets\",
			version: 500, expires: \$later, custom: {correlationId: \"urn:1\", deviceId: \"car1\"}, targets: {\"app-2\": \$entry}} } |
		(.signed |= ($1)) | if .signed.targets == {} then del(.signed.custom.correlationId) else . end | ${2:-.}" |
		sed 's/^{"epoch":\([^,]*\),"operation":"sign","repository":"director","role":"\([a-z]*\)","root":\([^,]*\),"signed":\(.*\)}$/director \2 \3 \1 \4/'
}
gets() { # gets CODE PATTERN FILTER [REQUEST FILTER]
	document "$3" "${4:-.}" >"$T/request"
	answers "$1" "$2" <"$T/request"
}
again() { # the signer, with a new log
	: >"$T/signd.log"
	start_signd
}
signatures() { cat "$log"/*.log | grep -c '"role"'; }

# ---- what an honest one has signed

enroll car1
commit_of app 1 >/dev/null && commit_of app 2 >/dev/null && commit_of app 3 >/dev/null
drop app 1 && drop app 2
ok "two versions are published" published app 1 && published app 2
device car1 poll >/dev/null 2>&1
ok "one is assigned" sh -c "echo 'app 1' >$m/devices/car1/assign"
ok "and the device installs it" says "installed app-1|app-1" device car1 poll
ok "which the log tells" has "$log/1.log" '"uid":64102,"repository":"director","role":"targets","version":[0-9]+,"device":"car1"'
ok "with what the watcher has signed" has "$log/1.log" '"uid":64103,"repository":"image","role":"snapshot"'
ok "and the roots" has "$log/1.log" '"uid":0,"repository":"director","role":"root","version":1'
ok "nobody else reads it" is "$(stat -c '%a %u' "$log" "$log/1.log" | tr '\n' ' ')" "700 64101 600 64101 "

# ---- a target that goes while it is assigned

head -c 1000 /dev/urandom >"$T/old"
cp "$T/old" "$T/spool/incoming/old-1" && echo '{"name":"old","version":"1","hardwareIds":["qemux86-64"]}' >"$T/spool/incoming/old-1.push.json"
ok "another version is published" wait_for 30 test -e "$m/packages/old/1/hash"
cp "$current/targets.json" "$T/before.json"
echo 'old 1' >"$m/devices/car1/assign"
ok "it is taken out by force" sh -c "echo force >$m/packages/old/1/retire"
ok "which ends the update" wait_for 20 not file_with "$m/devices/car1/assign" "open since"
ok "in words" has "$m/devices/car1/status" ": Error: .*old-1 is not in the image repository any more: publish it again"
ok "and in the history" has "$m/devices/car1/history" "failed old-1 on ECU car1-ecu"
ok "and the device hears of it" is "$(fetch car1 /director/targets.json) $(jq -c .signed.targets "$T/body")" "200 {}"
stop otafs
start_otafs
ok "another one can be assigned" sh -c "echo 'app 2' >$m/devices/car1/assign"
stop signd && again
ok "after a restart the signer is shown what there is" wait_for 10 is "$(sleep 1; fetch car1 /director/targets.json) $(jq -c '.signed.targets|keys' "$T/body")" '200 ["app-2"]'
ok "and refuses nothing of that" not has "$T/otafs.log" "is not shown: .*(verif|signature)"

# ---- a captured one

cp "$current/targets.json" "$T/shown.json"
cp "$current/snapshot.json" "$T/snapshot.json"
stop otafs
root=$(ask <<'EOF' | head -n 1 | sed 's/^0 //' | jq .signed.version
{"operation":"root","repository":"director","version":0}
EOF
)
before=$(signatures)
ok "an image that was never published" gets -1 "car1: evil-1: is not in the image repository" '.targets = {"evil-1": .targets["app-2"]}'
ok "other content of one that was" gets -1 "car1: app-2: the image repository has other content" \
	'.targets["app-2"].hashes.sha256 = "'"$(printf '%064d' 7)"'"'
ok "another length" gets -1 "car1: app-2: the image repository has another length" '.targets["app-2"].length = 5'
ok "for other hardware" gets -1 'car1: app-2: is not for hardware id "rpi4"' \
	'.targets["app-2"].custom.ecuIdentifiers["car1-ecu"].hardwareId = "rpi4"'
ok "for no ECU at all" gets -22 "targets: is not of the form that is signed" '.targets["app-2"].custom.ecuIdentifiers = {}'
ok "another format" gets -1 "another targetFormat" '.targets["app-2"].custom.targetFormat = "BINARY"'
ok "from another address" gets -22 "not of the form .*http://evil/" '.targets["app-2"].custom.uri = "http://evil/"'
ok "delegations of the director" gets -22 "not of the form .*delegations" '.delegations = {roles: [{name: "evil"}]}'
ok "a version that was retired" gets -1 "car1: old-1: is not in the image repository" \
	".targets = {\"old-1\": ($(jq -c '.signed.targets["old-1"] | {length, hashes, custom: {ecuIdentifiers: {"car1-ecu": {hardwareId: "qemux86-64"}}, targetFormat: "BINARY", uri: null}}' "$T/before.json"))}"
ok "a version below the last" gets -116 "targets of car1: version 2 is below" '.version = 2'
ok "the epoch of an older state" gets -116 "the fleet's state is older than what was signed" . ".epoch -= 1"
ok "a version that is not above its epoch" gets -22 "version 500 is not above the epoch 500" . ".epoch = 500"
ok "another root's" gets 4 "there is a newer root" . ".root += 1"
ok "no root told" gets -22 "documents of the director are asked for as texts" . "del(.root)"
ok "an epoch that is none" gets -22 "a line is no ROLE ROOT EPOCH TEXT" . '.epoch = "x"'
ok "more than is known" gets -22 "not of the form .*more" '.more = 1'
ok "ten years of life" gets -22 "lives longer than the 7 days" '.expires = "2036-11-27T00:00:00Z"'
ok "of the past" gets -22 "expires in the past" '.expires = "2020-01-01T00:00:00Z"'
ok "an id that is no device's" gets -22 "\\.\\./car1|device" '.custom.deviceId = "../car1"'
ok "the image repository's targets" gets -13 "user 64102 may not have targets of the image repository signed" . '.repository = "image"'
ok "and snapshot" gets -13 "user 64102 may not have snapshot of the image repository signed" '._type = "Snapshot"' \
	'.repository = "image" | .role = "snapshot"'
ok "a root" gets -13 "may not have root of the director repository signed" . '.role = "root"'

show() { jq -nc --arg name "$1" --slurpfile file "$2" '{operation: "show", repository: "image", name: $name, file: $file[0]}'; }
jq '.signed.targets["evil-1"] = .signed.targets["app-2"]' "$T/shown.json" >"$T/evil.json"
ok "shown targets that nobody signed" answers -74 "0 of 1 needed signatures" <<EOF
$(show targets "$T/evil.json")
EOF
ok "shown targets of before" answers -116 "below .*, which was shown before" <<EOF
$(show targets "$T/before.json")
EOF
ok "a snapshot shown as targets" answers -74 "." <<EOF
$(show targets "$T/snapshot.json")
EOF
{
	show targets "$T/shown.json"
	show evil "$T/evil.json"
	echo '{"operation":"show","repository":"image","name":""}'
} | ask >"$T/answer"
ok "a delegation that nobody delegates" has "$T/answer" "^-74 evil: nobody delegates it"
for operation in clock restored; do
	ok "the administrator's $operation" answers -13 "user 64102 may not" <<EOF
{"operation":"$operation"}
EOF
done
ok "the image root's key" answers -13 "user 64102 may not" <<'EOF'
{"operation":"take_key","repository":"image","keyid":"x"}
EOF
ok "a new root" answers -13 "user 64102 may not" <<'EOF'
{"operation":"put_root","repository":"director","root":"{}"}
EOF
ok "the watcher shows nothing" says "^-13 .*user 64103 may not" sh -c "echo '{\"operation\":\"show\",\"repository\":\"image\",\"name\":\"\"}' |
	perl $T/asker $T/sign.sock 64103"
ok "nothing of that was signed" is "$(signatures)" "$before"
ok "what is offered is signed" gets 0 '"sig":' .
ok "and logged" is "$(signatures)" "$((before + 1))"
ok "the same again is not logged twice" answers 0 '"sig":' <"$T/request"
ok "as counted" is "$(signatures)" "$((before + 1))"
ok "the journal has the refusals" has "$T/signd.log" 'refused uid=64102 reason="car1: evil-1: is not in the image repository"'

# ---- a full disk

fallocate -l "$(df --output=avail -B1 "$T/keys" | tail -n 1)" "$T/keys/filler"
dd if=/dev/zero of="$T/keys/filler2" bs=4k 2>/dev/null
: >"$T/full"
for version in $(seq 501 560); do document ".version = $version"; done | ask >"$T/full"
ok "what cannot be logged is not signed" has "$T/full" "^-28 .*signatures/1.log: No space left on device: nothing is signed that cannot be logged"
full=$(grep -c '^0 ' "$T/full")
rm "$T/keys/filler" "$T/keys/filler2"
ok "with room again it is" gets 0 '"sig":' '.version = 600'
ok "what was signed before the end was logged" is "$(signatures)" "$((before + 2 + full))"

# ---- the log

verify() { "$OTA_BIN/ota-sign" log verify -c "$conf" "$@"; }
ok "the log chains" says "^good: files 1 to 1, $(signatures) signatures" verify
ok "and shows" says "director targets version 600 of car1 uid 64102 sha256 [0-9a-f]{64}" "$OTA_BIN/ota-sign" log show -c "$conf" \
	--device car1 -n 1
ok "one role" is "$("$OTA_BIN/ota-sign" log show -c "$conf" --repository image --role root | grep -c 'image root version 1 uid 0')" 1
cp -r "$log" "$T/copy"
size=$(stat -c %s "$T/copy/1.log")
for at in 10 $((size / 3)) $((size / 2)) $((size - 900)); do
	cp "$log/1.log" "$T/copy/1.log"
	byte=$(dd if="$T/copy/1.log" bs=1 skip="$at" count=1 2>/dev/null | od -An -tu1)
	printf '%b' "\\0$(printf %o $((byte ^ 1)))" | dd of="$T/copy/1.log" bs=1 seek="$at" conv=notrunc 2>/dev/null
	ok "a changed byte at $at is found" refuses "1.log: line [0-9]+: .*|the log was changed" verify "$T/copy"
done
sed 3d "$log/1.log" >"$T/copy/1.log"
ok "and a line that is missing" refuses "1.log: line 3: has n 4, the one before it 2" verify "$T/copy"
printf '{"n":1,"time":"2026-01-01T00:00:00Z","event":"file","text":"\\u001b[2J","previous":"%064d"}\n' 0 >"$T/copy/1.log"
ok "what somebody wrote into it does not reach the terminal" says 'file: \\x1b\[2J' verify "$T/copy"
ok "nor when it is shown" says 'file: \\x1b\[2J' "$OTA_BIN/ota-sign" log show "$T/copy"

stop signd KILL
printf '{"n":7,"ti' >>"$log/1.log"
again
ok "a torn line is cut off" has "$T/signd.log" "log of signatures: cut off 10 bytes of a line that was cut short"
ok "which the log says" says "torn: 10 bytes of a line" verify
stop signd
sed -i '5s/"version":[0-9]*/"version":99/' "$log/1.log"
again
ok "a log that was changed stops nobody" has "$T/signd.log" "log of signatures damaged, a new file is begun reason=\"1.log: line 6"
ok "but is found" refuses "1.log: line 6: the line before it was changed" verify
ok "and said in the next file" says "1.log: line 6: the line before it was changed" verify --from 2
ok "which is good" says "^good: files 2 to 2" verify --from 2

# ---- the clock

stop signd
# The command faketime stays in between, and would take the signal.
start ahead env LD_PRELOAD="$clock_lib" FAKETIME=+10h "$OTA_BIN/ota-signd" -c "$conf"
cp "$T/ahead.pid" "$T/faked.pids" && cleanup clock_sweep
needs 10 file_with "$T/ahead.log" ready
document '.version = 700 | .targets = {} | .expires = "'"$(date -u -d '+4 days' +%Y-%m-%dT%H:%M:%SZ)"'"' | ask >"$T/answer"
ok "a clock that is ahead signs" has "$T/answer" '^0 '
stop ahead
again
ok "then a clock that is right does not" gets -11 "the clock says .*, but something was signed at .* already: nothing is signed until the clock is right" \
	'.version = 701 | .targets = {}'
ok "nor for the watcher" says '^-11 .*"ota-sign clock" says so' sh -c "echo '{\"operation\":\"sign\",\"repository\":\"image\",\"role\":\"timestamp\",\"signed\":{}}' |
	perl $T/asker $T/sign.sock 64103"
ok "until the administrator says so" says "the present time counts as right" "$OTA_BIN/ota-sign" clock -c "$conf"
ok "then it does" gets 0 '"sig":' '.version = 701 | .targets = {}'
ok "and the log has that" says "clock: taken as right, though something was signed at" verify --from 2

# ---- figures

document '.version = "%d" | .targets = {} | .custom.deviceId = "car%d"' | sed 's/"%d"/%d/' >"$T/request"
echo "# empty director targets: $(ask_as 64102 4000 <"$T/request")"
start_otafs # which shows what there is
document '.version = "%d" | .custom.deviceId = "truck%d"' | sed 's/"%d"/%d/' >"$T/request"
echo "# director targets that name one image: $(ask_as 64102 4000 <"$T/request" | tee "$T/figure")"
ok "thousands are signed" has "$T/figure" "^4000 of 4000 signed"
ok "and logged, in a chain" says "^good" verify --from 2
finish
