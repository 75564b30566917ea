#!/bin/sh
# Keys off line, end to end: a production instance as `ota-sign init --to DIR` makes it. Roots and targets travel to where
# the keys are and come back through the spool; keys are rotated, moved, lost to a thief and revoked while one device
# updates all the time, one sleeps through all of it, and one is new. Then everything that must be refused.
# shellcheck source=tests/integration/lib.sh disable=SC2317,SC2016 # functions are called by name
. "$(dirname "$0")/lib.sh"

testsign=${OTA_TEST_SIGN:-$(dirname "$OTA_DEVICE")/ota-test-sign}
in=$T/spool/incoming
current=$T/repository/published/current
stick=$T/stick # the key holders' folder
pass=$T/passphrase
ota() { "$QUICK_SIGN" "$@"; }
# holder COMMAND...: where the keys are; knows nothing of the server
holder() { ota "$@" --keys "$stick" --passphrase-file "$pass"; }
receipt() { wait_for "${2:-20}" test -e "$T/spool/done/$1.receipt.json" || { cat "$T/spool/status" "$T/spool/failed/$1.reason.txt"; false; }; }
told() { jq -r "$2" "$T/spool/done/$1.receipt.json"; }
refused() { wait_for 20 test -e "$T/spool/failed/$1.reason.txt" && has "$T/spool/failed/$1.reason.txt" "$2"; }
# hand_in FOLDER NAME: in one rename
hand_in() {
	cp -r "$1" "$T/$2.moving"
	mv "$T/$2.moving" "$in/$2"
}
# file_in FILE PUSH NAME: a signed file with what it is
file_in() {
	mkdir "$T/$3.moving"
	cp "$1" "$T/$3.moving/file.json"
	chmod a+r "$T/$3.moving/file.json"
	echo "$2" >"$T/$3.moving/push.json"
	mv "$T/$3.moving" "$in/$3"
}
# draft NAME REPOSITORY CHANGES...: on the server, root; then signed where the keys are
draft() {
	name=$1 repository=$2
	shift 2
	ota root begin -c "$conf" "$repository" "$@" "$T/$name"
}
signed_by() { # signed_by NAME KEY...
	name=$1
	shift
	for key in "$@"; do holder root sign "$T/$name" --key "$key" --yes || return 1; done
}
key_of() { jq -r ".signed.roles.$2.keyids[0]" "$T/keys/$1/$(newest "$1").root.json"; }
newest() { find "$T/keys/$1" -name '*.root.json' | sed 's|.*/\([0-9]*\).root.json|\1|' | sort -n | tail -n 1; }
signer_of() { jq -r '.signatures[0].keyid' "$current/$1.json"; }
published_root() { jq .signed.version "$current/root.json"; }

settings "spool_quiet_seconds = 1" "spool_incomplete_seconds = 2" "timestamp_days = 2" "snapshot_days = 5"
echo 'three blind mice' >"$pass"
chmod 600 "$pass"

# ---- before the first ceremony
start signd "$OTA_BIN/ota-signd" -c "$conf"
needs 10 file_with "$T/signd.log" ready
start watcher "$OTA_BIN/ota-watcher" -c "$conf"
ok "without keys the watcher waits, and says for what" wait_for 10 file_with "$T/spool/status" "ota-sign init"
start_otafs
start_web
ok "so does otafs" has "$T/mount/keys/director" "init|no root|not known"
"$testsign" key ed25519 "$T" thief >/dev/null
thief=$("$testsign" id "$T/thief.pub")
jq -nc --arg id "$thief" --slurpfile key "$T/thief.pub" '{keyids: [$id], threshold: 1} as $role | {_type: "Root", consistent_snapshot: false,
	expires: "2098-01-01T00:00:00Z", version: 1, keys: {($id): $key[0]}, roles: {root: $role, targets: $role, snapshot: $role,
	timestamp: $role}}' | "$testsign" sign - "$T/thief.sec" >"$T/first.json"
file_in "$T/first.json" '{"root":"director"}' first
ok "nobody brings the first root through the spool" refused first "first root is not taken"
ok "init makes root keys elsewhere" ota init -c "$conf" --to "$stick" --passphrase-file "$pass"
ok "everything is published within seconds" wait_for 8 test -e "$current/timestamp.json"
ok "no root key is on the server" not sh -c "ls $T/keys/*/root*.key"
ok "status says where each key is" says "root +1 of 1" ota status -c "$conf"
ok "of all roles" sh -c "grep -c elsewhere $T/says.out | grep -qx 2 && grep -c ' here\$' $T/says.out | grep -qx 6"
ok "and that roots are renewed by hand" has "$T/says.out" "renewed by hand"

# ---- three devices
for v in 1.0 2.0; do
	commit_of app $v >/dev/null
	drop app $v
	ok "targets are on line: app $v is published" published app $v
done
for id in car1 sleeper; do
	enroll "$id"
	device "$id" poll >/dev/null 2>&1
	echo "app 1.0" >"$T/mount/devices/$id/assign"
	ok "$id installs" says "installed app-1.0" device "$id" poll
	device "$id" poll >/dev/null 2>&1
done

# car1 updates all the time, from one version to the other. A poll that fails is told with its words. A rotation of the
# director may meet one in the moment between its two requests (docs/ARCHITECTURE.md, known limits): the next is well.
: >"$T/polls.log"
: >"$T/fails.txt"
: >"$T/crossed.txt"
# note_failure WHAT: notes what is in poll.out
note_failure() {
	if grep -q 'director targets.json: TUF 1.0, 5.3: 0 of' "$T/poll.out"; then
		echo "$1" >>"$T/crossed.txt"
	else
		{ echo "$1: $(date +%T)" && cat "$T/poll.out"; } >>"$T/fails.txt"
	fi
}
poller() {
	n=0
	while [ ! -e "$T/poller.stop" ]; do
		n=$((n + 1))
		version=$((1 + n % 2)).0
		echo "app $version" >"$T/mount/devices/car1/assign" || echo "poll $n: $(cat "$T/mount/devices/car1/why")" >>"$T/fails.txt"
		if ! device car1 poll >"$T/poll.out" 2>&1 || ! grep -q "installed app-$version" "$T/poll.out"; then
			note_failure "poll $n"
			device car1 poll >"$T/poll.out" 2>&1
		fi
		device car1 poll >"$T/poll.out" 2>&1 || note_failure "second poll $n"
		echo "$n $(date +%s)" >>"$T/polls.log"
	done
}
poller &
echo $! >"$T/poller.pid"
cleanup "touch $T/poller.stop; wait $!"
polls() { wc -l <"$T/polls.log"; }
# goes_on: car1 updates twice more, and never failed so far
goes_on() {
	before=$(polls)
	wait_for 30 sh -c "[ \$(wc -l <$T/polls.log) -gt $((before + 2)) ]" || return 1
	if [ -s "$T/fails.txt" ] || [ "$(wc -l <"$T/crossed.txt")" -gt "$(find "$T/keys/director" -name '*.root.json' | wc -l)" ]; then
		cat "$T/fails.txt"
		: >"$T/fails.txt"
		return 1
	fi
}
ok "car1 updates all the time" goes_on

# ---- the director's targets key, rotated by a root that is signed elsewhere
old=$(key_of director targets)
ok "begins a root of the director" draft d2 director --rotate targets
hand_in "$T/d2" d2-unsigned
ok "unsigned it is refused, with whose signature is missing" refused d2-unsigned \
	"root 2 of the director repository: 0 of 1 needed signatures by root keys of root 1.*$(key_of director root | cut -c1-12)"
ok "and nothing is changed" is "$(newest director)" 1
ok "the holder signs" signed_by d2 director-root
hand_in "$T/d2" d2
ok "it is taken" receipt d2
ok "and the receipt says of what" is "$(told d2 '"\(.repository) \(.role) \(.version) \(.result)"')" "director root 2 taken"
ok "and what happens next" has "$T/spool/done/d2.receipt.json" "next poll"
ok "devices get it" wait_for 70 sh -c "test -e $T/mount/devices/car1/director/2.root.json"
ok "car1 goes on" goes_on
ok "with targets of the new key" not is "$(jq -r '.signatures[0].keyid' "$T/mount/devices/car1/director/targets.json")" "$old"
ok "the old one is gone" is "$(find "$T/keys/director" -name 'targets-*.key' | wc -l)" 1
hand_in "$T/d2" d2
ok "the same draft once more is done already" receipt d2
ok "and no third root" is "$(newest director)" 2

# ---- all keys of the image repository that are on line, in one root
before=$(readlink "$current")
draft i2 image --rotate targets --rotate snapshot --rotate timestamp >/dev/null
signed_by i2 image-root
ota root assemble "$T/i2" "$T/i2.json" >/dev/null
file_in "$T/i2.json" '{"root":"image"}' i2
ok "a signed root as a file is taken too" receipt i2
ok "and is published with it" is "$(told i2 '"\(.repository) \(.role) \(.version) \(.result)"') $(published_root)" "image root 2 published 2"
ok "in one switch, all by the new keys" is "$(signer_of targets) $(signer_of snapshot) $(signer_of timestamp)" \
	"$(key_of image targets) $(key_of image snapshot) $(key_of image timestamp)"
ok "no set has half of it" is "$(jq -r '.signatures[0].keyid' "$T/repository/published/$before/targets.json" "$T/repository/published/$before/snapshot.json" |
	sort -u | wc -l)" 2
ok "car1 goes on" goes_on

# ---- a key that was stolen, on line: the next root comes past the watcher, who sees it by himself
draft i3 image --rotate timestamp >/dev/null
signed_by i3 image-root
started=$(date +%s)
ok "root finish takes a draft on the server" ota root finish -c "$conf" "$T/i3"
ok "the watcher sees it within seconds" wait_for 8 sh -c "[ \$(jq .signed.version $current/root.json) = 3 ]"
ok "(it took $(($(date +%s) - started)) s)" is "$(signer_of timestamp)" "$(key_of image timestamp)"
ok "car1 goes on" goes_on

# ---- image targets go off line
ok "does not without the key of root" refuses "holders sign it: ota-sign root begin image --remove-key targets=" \
	ota move-offline -c "$conf" image targets --to "$T/other-stick" --passphrase-file "$pass" --yes
ok "and makes none" not test -e "$T/other-stick"
ok "moves image targets off line" ota move-offline -c "$conf" image targets --to "$stick" --passphrase-file "$pass" --yes
ok "their key is not here any more" not sh -c "ls $T/keys/image/targets*.key"
ok "the same targets, signed there, come back by the spool" wait_for 20 sh -c "[ \$(jq .signed.version $current/root.json) = 4 ]"
ok "car1 goes on" goes_on
life() { echo $(($(date -d "$(jq -r .signed.expires "$current/$1.json")" +%s) - $(date +%s))); }
ok "snapshot keeps a life of its own" test "$(life snapshot)" -le $((5 * 86400))
ok "and timestamp" test "$(life timestamp)" -le $((2 * 86400))

# ---- a release with targets off line
commit=$(commit_of app 3.0)
drop app 3.0
ok "a drop is stored" receipt app-3.0
ok "and not published" is "$(told app-3.0 .result)" stored
ok "status does not say so either" wait_for 3 file_with "$T/spool/status" '^idle; last: app 3.0 stored 20.*: see done/app-3.0.receipt.json$'
cp "$current/targets.json" "$T/targets.json"
cp "$current/root.json" "$T/root.json"
next=$(($(jq .signed.version "$T/targets.json") + 1))
ok "added where the keys are" ota targets add "$T/targets.json" --name app --version 3.0 --hardware qemux86-64 --commit "$commit" --expires 90
file_in "$T/targets.json" '{"targets":"image"}' unsigned
ok "unsigned they are refused" refused unsigned "targets 7 of the image repository: .*0 of 1 needed signatures"
ok "signed there" holder targets sign "$T/targets.json" --key image-targets --root "$T/root.json"
file_in "$T/targets.json" '{"targets":"image"}' release3
ok "handed in" receipt release3
ok "the receipt says which" is "$(told release3 '"\(.repository) \(.role) \(.version) \(.result)"')" "image targets $next published"
ok "byte for byte" cmp "$T/targets.json" "$current/targets.json"
file_in "$T/targets.json" '{"targets":"image"}' release3
ok "once more is done already" receipt release3
ok "says so" is "$(told release3 .result)" "already published"
ok "they live as their signer says" test "$(life targets)" -gt $((80 * 86400))
ok "snapshot does not" test "$(life snapshot)" -le $((5 * 86400))
ok "car1 goes on" goes_on

# ---- the targets key is stolen: a root without it, and targets that a new key signed
cp "$stick/image-targets.key" "$T/stolen.key"
holder key new image-targets-2 >/dev/null
holder key export image-targets-2 >"$T/new.pub"
old=$(key_of image targets)
ok "a root without the stolen key" draft i5 image --remove-key "targets=$old" --add-key "targets=$T/new.pub"
signed_by i5 image-root
hand_in "$T/i5" i5
ok "is taken" receipt i5
ok "and held back" is "$(told i5 .result) $(published_root)" "held back 4"
ok "as status tells" wait_for 3 file_with "$T/spool/status" '^idle; last: root 5 of the image repository held back 20'
ok "until whose targets arrive" has "$T/spool/done/i5.receipt.json" "until targets.json of version $((next + 1)) arrives, signed by 1 of the keys.*$(key_of image targets)"
ok "car1 goes on" goes_on
# the thief is faster
cp "$current/targets.json" "$T/theft.json"
ota targets renew "$T/theft.json" --expires 900
holder targets sign "$T/theft.json" --key image-targets --root "$T/root.json" >/dev/null
file_in "$T/theft.json" '{"targets":"image"}' theft
ok "targets of the thief are refused" refused theft "targets 8 of the image repository: .*0 of 1 needed signatures"
cp "$current/targets.json" "$T/targets.json"
cp "$T/keys/image/5.root.json" "$T/root.json"
ota targets renew "$T/targets.json" --expires 90
holder targets sign "$T/targets.json" --key image-targets-2 --root "$T/root.json" >/dev/null
stop watcher KILL
file_in "$T/targets.json" '{"targets":"image"}' again
start watcher "$OTA_BIN/ota-watcher" -c "$conf"
ok "those of the new key are published, also after a crash" receipt again
ok "and the root with them" is "$(published_root)" 5
ok "car1 goes on" goes_on

# ---- a root key is lost or stolen: the director's, replaced by the holders of it and of the next ones, two of which have to sign
for who in anna bert; do
	holder key new $who >/dev/null
	holder key export $who >"$T/$who.pub"
done
ok "a root with other root keys" draft d3 director --remove-key "root=$(key_of director root)" --add-key "root=$T/anna.pub" \
	--add-key "root=$T/bert.pub" --threshold root=2
signed_by d3 director-root anna
hand_in "$T/d3" d3-short
ok "one signature short is refused" refused d3-short "root 3 of the director.*1 of 2 needed signatures by root keys of the new root itself"
signed_by d3 bert
hand_in "$T/d3" d3
ok "with all it is taken" receipt d3
ok "devices get it" wait_for 70 sh -c "test -e $T/mount/devices/car1/director/3.root.json"
ok "car1 goes on" goes_on
draft d4 director --rotate targets >/dev/null
signed_by d4 director-root 2>/dev/null
hand_in "$T/d4" d4-old
ok "the old key signs no more" refused d4-old "0 of 2 needed signatures"
signed_by d4 anna bert
hand_in "$T/d4" d4
ok "the new ones do" receipt d4
ok "devices get it" wait_for 70 sh -c "test -e $T/mount/devices/car1/director/4.root.json"
ok "car1 goes on" goes_on

# ---- who was away, and who is new
ok "who slept through all of it wakes up" device sleeper poll
echo "app 3.0" >"$T/mount/devices/sleeper/assign"
ok "and installs what was released off line" says "installed app-3.0" device sleeper poll
enroll new
device new poll >/dev/null 2>&1
echo "app 3.0" >"$T/mount/devices/new/assign"
ok "a new device begins with the first roots and installs too" says "installed app-3.0" device new poll

# ---- bad input: each is refused with role, key and clause, and nothing is changed
holder key export image-root --private "$T/image-root.sec" 2>/dev/null
holder key export image-targets-2 --private "$T/image-targets.sec" 2>/dev/null
draft base image >/dev/null
cp "$T/base/next.json" "$T/next.json"
before=$(jq .signed.version "$current/targets.json")
links=$(newest image)$(newest director)
# expect NAME PATTERN TITLE: all are handed in, then looked at, since each is waited for for a while
expect() { printf '%s\t%s\t%s\n' "$1" "$2" "$3" >>"$T/expected"; }
# bad NAME PATTERN JQ [ARG...]: the next root through jq, signed by the root key
bad() {
	title=$1 pattern=$2 filter=$3
	shift 3
	name=$(echo "$title" | tr -c 'a-z0-9\n' '-')
	jq -c "$@" "$filter" "$T/next.json" | "$testsign" sign - "$T/image-root.sec" >"$T/$name.json"
	file_in "$T/$name.json" '{"root":"image"}' "$name"
	expect "$name" "root.* of the image repository: .*$pattern" "refuses $title"
}
bad "a version skipped" "version is 7, the next is 6" '.version = 7'
bad "the version of today" "there is a root of that version already" '.version = 5'
bad "an expiry in the past" "expires in the past" '.expires = "2020-01-01T00:00:00Z"'
bad "an expiry with fractions" "expires" '.expires = "2098-01-01T00:00:00.5Z"'
bad "another type" "_type" '._type = "Targets"'
bad "a threshold of 0" "role targets.*threshold" '.roles.targets.threshold = 0'
bad "a threshold that cannot be met" "role targets needs 2 signatures and has 1" '.roles.targets.threshold = 2'
bad "a role that names a key twice" "role root names key .* twice" '.roles.root.keyids += .roles.root.keyids'
bad "an unknown key type" "keytype|key type" '.keys[.roles.targets.keyids[0]].keytype = "ECDSA"'
bad "text that is not ascii" "printable ASCII|does not belong" '.keys[.roles.targets.keyids[0]].keyval.public += "ü"'
"$testsign" sign "$T/next.json" "$T/image-root.sec" | sed 's/"version":6/"version":6.5/' >"$T/real.json"
file_in "$T/real.json" '{"root":"image"}' real
expect real "root of the image repository: .*(integer|real)" "refuses a real number"
bad "timestamp keys that are elsewhere" "timestamp has to stay with the keys of ota-signd" \
	'.keys[$id] = $key[0] | .roles.timestamp.keyids = [$id]' --arg id "$thief" --slurpfile key "$T/thief.pub"
bad "a foreign root key" "by itself: .*0 of 1" '.keys[$id] = $key[0] | .roles.root.keyids = [$id]' --arg id "$thief" --slurpfile key "$T/thief.pub"
"$testsign" sign "$T/next.json" "$T/thief.sec" >"$T/foreign.json"
file_in "$T/foreign.json" '{"root":"image"}' foreign
expect foreign "root 6 of the image repository: .*by 5.root.json.*0 of 1 needed" "refuses a root that only a stranger signed"
"$testsign" sign "$T/next.json" "$T/image-root.sec" | jq -c '.signatures += .signatures' >"$T/twice.json"
file_in "$T/twice.json" '{"root":"image"}' twice
expect twice "root of the image repository: .*has two signatures" "refuses a key id that signs twice"
"$testsign" sign "$T/next.json" "$T/image-root.sec" | jq -c '.signatures[0].method = "rot13"' >"$T/method.json"
file_in "$T/method.json" '{"root":"image"}' method
expect method "image repository: .*method" "refuses an unknown method"
file_in "$T/keys/director/4.root.json" '{"root":"image"}' other
expect other "root 4 of the image repository: there is a root of that version already" "refuses the director's root as the image's"
jq -c '.version = 6' "$T/d4/next.json" >"$T/d6"
holder key export anna --private "$T/anna.sec" 2>/dev/null
holder key export bert --private "$T/bert.sec" 2>/dev/null
"$testsign" sign "$T/d6" "$T/anna.sec" "$T/bert.sec" >"$T/d6.json"
file_in "$T/d6.json" '{"root":"image"}' other6
expect other6 "root 6 of the image repository: .*by 5.root.json.*0 of 1 needed" "also one with the next number"
hand_in "$T/base" base-edited
expect base-edited "0 of 1 needed" "a draft nobody signed"
signed_by base image-root
sed -i 's/"version":6/"version":7/' "$T/base/next.json"
hand_in "$T/base" base-changed
expect base-changed "version 7|does not match|signature" "refuses a draft that was changed after it was signed"
head -c 9437184 /dev/zero | tr '\0' ' ' >"$T/large"
for push in '{"root":"image"}' '{"root":"director"}' '{"targets":"image"}'; do
	name=large-$(echo "$push" | tr -dc '[:lower:]')
	file_in "$T/large" "$push" "$name"
	expect "$name" "of the (image|director) repository: .*has 9437184 bytes, at most" "refuses 9 MiB as $push"
done
cp -r "$T/d4" "$T/large-draft"
cp "$T/large" "$T/large-draft/next.json"
hand_in "$T/large-draft" large-draft
expect large-draft "next.json: has 9437184 bytes" "refuses 9 MiB in a draft"
file_in "$T/first.json" '{"root":"image","name":"x"}' members
expect members '"name"' "refuses what push.json should not say"
file_in "$T/first.json" '{"targets":"director"}' director-targets
expect director-targets "made for each device" "refuses targets of the director"
# bad_targets NAME PATTERN JQ
bad_targets() {
	name=targets-$(echo "$1" | tr -c 'a-z0-9\n' '-')
	jq -c ".signed | .version += 1 | $3" "$current/targets.json" | "$testsign" sign - "$T/image-targets.sec" >"$T/$name.json"
	file_in "$T/$name.json" '{"targets":"image"}' "$name"
	expect "$name" "targets.* of the image repository: .*$2" "refuses targets with $1"
}
bad_targets "a version skipped" "has version $((before + 2)), the next one is $((before + 1))" '.version += 1'
bad_targets "the version of today" "has version $before, the next one is $((before + 1))" '.version -= 1 | .expires = "2090-01-01T00:00:00Z"'
bad_targets "an expiry in the past" "has expired" '.expires = "2020-01-01T00:00:00Z"'
bad_targets "other content for a file" "app-1.0: was published with sha256" '.targets["app-1.0"].hashes.sha256 = ("1" * 64)'
bad_targets "text that is not ascii" "ASCII" '.targets["app-1.0"].custom.comment = "ü"'
while IFS="$(printf '\t')" read -r name pattern title; do
	ok "$title" refused "$name" "$pattern"
done <"$T/expected"
ok "none of it changed anything" is "$(newest image)$(newest director) $(jq .signed.version "$current/targets.json") $(published_root)" "$links $before 5"
ok "no incoming drop is left" is "$(ls "$in")" ""
ok "car1 goes on" goes_on

touch "$T/poller.stop"
wait "$(cat "$T/poller.pid")"
echo "# car1 updated $(polls) times"
ok "car1 updated all the time" test "$(polls)" -gt 20
ok "all who were asked say what they run" says ": UpToDate: " cat "$T/mount/devices/sleeper/status"
finish
