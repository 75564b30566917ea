#!/bin/sh
# Keys are rotated, revoked, lost and moved away while devices poll: no device ever refuses what it is served, none is
# lost, and a new one walks the whole chain. signd, watcher, otafs, gate and web server are the real ones.
# shellcheck source=tests/integration/lib.sh disable=SC2317 # functions are called by name
. "$(dirname "$0")/lib.sh"

settings "spool_quiet_seconds = 1"
start_all
sign=$QUICK_SIGN
# ota COMMAND...: ota-sign with the settings
ota() { "$sign" "$@" -c "$conf"; }
# keyid REPOSITORY ROLE [N]: of the newest root
keyid() { jq -r ".signed.roles[\"$2\"].keyids[${3:-0}]" "$T/keys/$1/$(root_of "$1").root.json"; }
root_of() { find "$T/keys/$1" -name '*.root.json' | sed 's|.*/||; s/\..*//' | sort -n | tail -n 1; }
# served REPOSITORY N: the root is published to devices, and none after it
served() {
	case $1 in
	image) path=/repo ;;
	*) path=/director ;;
	esac
	[ "$(fetch car1 "$path/$2.root.json")" = 200 ] && [ "$(fetch car1 "$path/$(($2 + 1)).root.json")" = 404 ]
}
# settled: what devices are served is signed under the newest roots, in both repositories
settled() {
	wait_for 15 served image "$(root_of image)" && wait_for 15 served director "$(root_of director)" &&
		wait_for 15 fresh
}
fresh() { fetch car1 /repo/timestamp.json >"$T/status" && [ "$(cat "$T/status")" = 200 ]; }
# installed ID TARGET
installed() { "$OTA_DEVICE" --url "$url" --cert "$T/$1/client.pem" --key "$T/$1/pkey.pem" --ca "$T/$1/root.crt" \
	--dir "$T/$1/state" --hardware qemux86-64 --ecu "$1-ecu" show | grep -q "$2"; }
# again: ota-signd started, and ready
again() {
	: >"$T/signd.log"
	start_signd
}
here() { "$sign" status -c "$conf" | grep -c " here$"; }

enroll car1
enroll car2
ok "a device polls" device car1 poll
commit_of app 1.0 >/dev/null
drop app 1.0
ok "a release is published" published app 1.0
ok "is assigned" sh -c "echo 'app 1.0' >$T/mount/devices/car1/assign"
ok "and installed" device car1 poll
ok "as its manifest says" wait_for 5 installed car1 app-1.0

# ---- a preview
before=$(cd "$T/keys" && find . -type f -exec sha256sum {} + | sort)
for repository in image director; do
	for role in root targets snapshot timestamp; do
		ok "shows a rotation of $repository $role" says "$role +1 of 1" ota rotate $repository $role --preview
		ok "with the key that goes" has "$T/says.out" "^  - $(keyid $repository $role)  ED25519"
		ok "and one that comes" has "$T/says.out" "^  \+ new-$role-1  ED25519"
		ok "and the next version" has "$T/says.out" "^version +2, was 1"
	done
done
ok "says what devices notice" has "$T/says.out" "Devices fetch 2.root.json when they poll next"
ok "changes nothing" is "$(cd "$T/keys" && find . -type f -exec sha256sum {} + | sort)" "$before"
ok "asks before it does something" refuses "there is no terminal to ask on; --yes says yes" \
	setsid "$sign" rotate image targets -c "$conf"
ok "and has done nothing" is "$(root_of image)" 1
ok "is for root of the machine only" refuses "user 64103 may not ask for that" \
	setpriv --reuid=64103 --regid=64103 --clear-groups "$sign" rotate image targets -c "$conf" --preview
ok "which strangers do not get to" refuses . \
	setpriv --reuid=65534 --regid=65534 --clear-groups "$sign" status -c "$conf"

# ---- each role of each repository, with a device that polls in between, and one that sleeps
enroll sleeper
ok "a device that will sleep for long polls" device sleeper poll
enroll poller
(while [ ! -e "$T/enough" ]; do
	device poller poll >"$T/polled" 2>&1 || cat "$T/polled"
done) >"$T/poller.log" &
poller=$!
for repository in image director; do
	for role in root targets snapshot timestamp; do
		old=$(keyid $repository $role)
		ok "rotates $repository $role" ota rotate $repository $role --yes
		ok "to another key" not is "$(keyid $repository $role)" "$old"
		ok "which is served at once" settled
		ok "a device goes on with it" device car1 poll
	done
done
ok "all at once" ota rotate image root targets snapshot timestamp --yes
ok "and of the director" ota rotate director root targets snapshot timestamp --yes
ok "are served" settled
ok "the device goes on" device car1 poll
ok "every root is kept" is "$(root_of image) $(root_of director)" "6 6"
ok "only the newest keys" is "$(find "$T/keys" -name '*.key' | wc -l)" 8
ok "a new device walks the chain" says "GET /director/7.root.json 404" device car2 poll
ok "one that slept walks the rest of it" device sleeper poll
commit_of app 2.0 >/dev/null
drop app 2.0
ok "a release is published with the new keys" published app 2.0
for id in car1 car2 sleeper; do
	ok "is assigned to $id" sh -c "echo 'app 2.0' >$T/mount/devices/$id/assign"
	ok "and installed there" device $id poll
	ok "as it says" wait_for 5 installed $id app-2.0
done

# ---- the same version has one content
targets_now() { fetch car1 /director/targets.json >"$T/status" && cp "$T/body" "$T/targets-now"; }
is_other() { targets_now && not cmp -s "$T/targets-now" "$T/targets-before"; }
targets_now
cp "$T/targets-now" "$T/targets-before"
version=$(jq .signed.version "$T/targets-before")
ok "rotates the director's targets once more" ota rotate director targets --yes
ok "the documents are others soon" wait_for 5 is_other
ok "of another version" test "$(jq .signed.version "$T/targets-now")" -gt "$version"
ok "the device goes on" device car1 poll

# ---- thresholds on line
ok "gives roles 2 of 3" ota rotate image root targets snapshot timestamp --keys 3 --threshold 2 --yes
ok "of the director too" ota rotate director root targets snapshot timestamp --keys 3 --threshold 2 --yes
ok "are served" settled
fetch car1 /repo/timestamp.json >/dev/null
ok "with three signatures" is "$(jq '.signatures | length' "$T/body")" 3
ok "a device goes on" device car1 poll
old=$(keyid image targets 1)
ok "revokes one of three" ota revoke image "$old" --yes
ok "which the root does not name any more" not grep -q "$old" "$T/keys/image/$(root_of image).root.json"
ok "two are left, and enough" settled
ok "does not revoke one of two that are needed" refuses "role targets would have 1 keys and needs 2 signatures: --replace" \
	ota revoke image "$(keyid image targets)" --yes
ok "unless it is replaced" ota revoke image "$(keyid image targets)" --replace --yes
ok "refuses a key that is not there" refuses "the newest root has no such key" ota revoke image "$old" --yes
ok "a device goes on" device car1 poll
ok "back to one key" ota rotate image root targets snapshot timestamp --keys 1 --threshold 1 --yes
ok "of the director too" ota rotate director root targets snapshot timestamp --keys 1 --threshold 1 --yes
ok "are served" settled
ok "a device goes on" device car1 poll
ok "does not take a threshold that nobody reaches" refuses "role targets needs 2 signatures and has 1 different keys" \
	ota rotate image targets --threshold 2 --yes

# ---- killed in the middle
for delay in 0 0.005 0.01 0.02 0.04; do
	(sleep $delay && kill -KILL "$(cat "$T/signd.pid")") &
	ota rotate image root targets snapshot timestamp --yes >"$T/killed" 2>&1
	wait $!
	stop signd KILL
	ok "starts again after kill -9 at ${delay} s" again
	ok "with all of its keys" is "$(here)" 8
done
ok "a rotation still works" ota rotate image root targets snapshot timestamp --yes
ok "is served" settled
ok "a device goes on" device car1 poll

# ---- a lost key of each role, and the way out
for repository in image director; do
	for role in targets snapshot timestamp; do
		stop signd
		rm "$T/keys/$repository/$role"-*.key
		ok "starts without the key of $repository $role" again
		ok "says so in the log" has "$T/signd.log" "private key lost repository=$repository role=$role"
		ok "and in its status, with the way out" refuses "1 key is lost" ota status
		ok "which is a rotation" has "$T/says.out" "ota-sign rotate $repository $role"
		ok "takes the way out" ota rotate $repository $role --yes
		ok "has it all again" is "$(here)" 8
		ok "is served" settled
		ok "a device goes on" device car1 poll
	done
	stop signd
	cp "$T/keys/$repository/"root-*.key "$T/backup.key"
	file=$(ls "$T/keys/$repository/"root-*.key)
	rm "$file"
	ok "starts without the root key of $repository" again
	ok "whose way out is the backup alone" refuses "1 are lost: restore keys/$repository from the backup" \
		ota rotate $repository root --yes
	ok "devices go on meanwhile" device car1 poll
	stop signd
	install -m 600 -o 64101 -g 64101 "$T/backup.key" "$file"
	ok "takes it from the backup" again
	ok "and rotates it" ota rotate $repository root --yes
done

# ---- away from here
echo "a long enough passphrase" >"$T/passphrase"
chmod 600 "$T/passphrase"
keys="--keys $T/usb --passphrase-file $T/passphrase"
to="--passphrase-file $T/passphrase --to $T/usb"
# shellcheck disable=SC2086 # words
{
	ok "shows a move" says "This was a preview" ota move-offline image root targets $to --preview
	ok "and that the root waits for targets" has "$T/says.out" "The root is held back from devices until targets"
	ok "which makes nothing" not test -e "$T/usb"
	sed "s|^spool = .*|spool = $T/nowhere|" "$conf" >"$T/no-spool.conf"
	before=$(root_of image)
	ok "moves root and targets of image away" says "When ota-watcher runs: cp -r" \
		"$sign" move-offline image root targets $to --yes -c "$T/no-spool.conf"
	ok "their keys are not here any more" refuses . ls "$T/keys/image/"root-*.key "$T/keys/image/"targets-*.key
	sleep 3 # the watcher looks each second
	ok "without new targets the root is held back" served image "$before"
	ok "a device goes on with it" device car1 poll
	ok "a preview of making up for it" says "This was a preview" ota move-offline image targets $to --preview
	ok "hands nothing in" is "$(ls "$T/spool/incoming" "$T/spool/work")" "$(printf '%s:\n\n%s:' "$T/spool/incoming" "$T/spool/work")"
	# Whoever runs as ota-watcher owns both folders.
	forged=$T/forged/published/current
	mkdir -p "$forged" "$T/forged/incoming" "$T/elsewhere"
	jq -c '.signed.targets.evil = {}' "$T/repository/published/current/targets.json" >"$forged/targets.json"
	sed "s|^repository = .*|repository = $T/forged|" "$conf" >"$T/forged.conf"
	ok "targets that nobody signed are not signed anew" refuses "targets are not signed anew: keys of the targets role" \
		"$sign" move-offline image targets $to --yes -c "$T/forged.conf"
	sed "s|^spool = .*|spool = $T/forged|" "$conf" >"$T/forged.conf"
	next=$(($(jq .signed.version "$T/repository/published/current/targets.json") + 1))
	ln -s "$T/elsewhere" "$T/forged/image-targets-$next.moving"
	ok "they are written through no symlink" refuses "image-targets-$next.moving: Not a directory" \
		"$sign" move-offline image targets $to --yes -c "$T/forged.conf"
	ok "nor into a folder of somebody else" sh -c "rm '$T/forged/image-targets-$next.moving' &&
		install -d -o 64103 '$T/forged/image-targets-$next.moving' &&
		! '$sign' move-offline image targets $to --yes -c '$T/forged.conf'"
	ok "what was interrupted is made up for" says "are in $T/usb already" ota move-offline image targets $to --yes
	ok "the targets, signed anew, come back" settled
	ok "the root of the director" ota move-offline director $to --yes
	ok "is served" settled
	ok "a device goes on" device car1 poll
	ok "a new one too" enroll car3
	ok "from the first root on" device car3 poll
	ok "not twice" refuses "the keys of root are elsewhere already" ota move-offline director $to --yes
	ok "targets neither" refuses "signed what is published" ota move-offline image targets $to --yes
	ok "a rotation names the ceremony" refuses "ota-sign root begin image --rotate snapshot DRAFT" ota rotate image snapshot --yes
	ok "targets of the director stay" refuses "its keys stay with ota-signd" ota move-offline director targets $to --yes
	for repository in image director; do
		ok "begins a root of $repository" ota root begin $repository --rotate snapshot --rotate timestamp "$T/draft-$repository"
		ok "nothing changes before it is signed" device car1 poll
		ok "is not taken unsigned" refuses "by [0-9]*.root.json: keys of the root role" ota root finish "$T/draft-$repository"
		ok "is signed" "$sign" root sign "$T/draft-$repository" --key $repository-root $keys --yes
	done
	ok "is taken by hand" ota root finish "$T/draft-image"
	ok "once more is the same" ota root finish "$T/draft-image"
	ok "or through the spool" cp -r "$T/draft-director" "$T/spool/incoming/"
	ok "with a receipt" wait_for 20 test -e "$T/spool/done/draft-director.receipt.json"
	ok "are served" settled
	ok "the device goes on" device car1 poll
	ok "refuses to give targets and snapshot new keys in one root" refuses "with the root after it" ota root begin image \
		--rotate snapshot --remove-key "targets=$(keyid image targets)" --add-key "targets=$T/usb/director-root.pub" "$T/draft-3"
	ok "brings targets back by a root that is signed there" ota root begin image --rotate timestamp "$T/draft-4"
}

# ---- a new instance, with the keys of roots and targets elsewhere from the start
mkdir "$T/new" && chmod 755 "$T/new"
sed "s|$T/|$T/new/|" "$conf" >"$T/new.conf"
start new-signd "$OTA_BIN/ota-signd" -c "$T/new.conf"
needs 10 file_with "$T/new-signd.log" ready
start new-watcher "$OTA_BIN/ota-watcher" -c "$T/new.conf"
ok "the others wait for roots" wait_for 10 test -e "$T/new/spool/incoming"
ok "which are not made unasked" not ls "$T/new/keys/image/1.root.json"
ok "says that there are none" says "image: no root yet: ota-sign init makes it" "$sign" status -c "$T/new.conf"
ok "asks where the keys are to be" refuses "where are the keys of root to be" "$sign" init -c "$T/new.conf"
# shellcheck disable=SC2086 # words
ok "makes them" "$sign" init -c "$T/new.conf" $to-new --offline-targets
ok "in the folder" is "$(cd "$T/usb-new" && echo *.key)" "director-root.key image-root.key image-targets.key"
ok "and those for every day with ota-signd" is "$(cd "$T/new/keys" && find . -name '*.key' | sort | tr '\n' ' ')" \
	"./director/snapshot-1.key ./director/targets-1.key ./director/timestamp-1.key ./image/snapshot-1.key ./image/timestamp-1.key "
ok "the first targets are published" wait_for 20 test -e "$T/new/repository/published/current/timestamp.json"
ok "signed there" says '"keyid"' jq -c .signatures "$T/new/repository/published/current/targets.json"
ok "only once" refuses "both repositories have roots: nothing is made" "$sign" init -c "$T/new.conf" --online

touch "$T/enough"
wait $poller
# A device that asked for the next root a moment before the director had it may meet documents of new keys, once: it
# refuses them, and its next poll finds the root.
sed -n 's/^ota-device: //p' "$T/poller.log" >"$T/refused"
ok "a device that polled all the while refused nothing of the image repository" not grep -v "director" "$T/refused"
ok "and at most one poll for each change of the director" test "$(grep -c . "$T/refused")" -le "$(root_of director)"
ok "and is well" device poller poll
finish
