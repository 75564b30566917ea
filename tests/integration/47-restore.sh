#!/bin/sh
# Coming back from a backup: devices that have seen newer versions than the backup go on without an error; no version goes
# back, and none has ever other bytes. And that starting anew, or elsewhere, gives the same bytes.
# shellcheck source=tests/integration/lib.sh disable=SC2317 # functions are called by name
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/integration/clock.sh
. "$(dirname "$0")/clock.sh"

backup() {
	"$top/scripts/ota-backup" "$@"
}
stop_all() {
	for program in web gate otafs watcher signd; do stop $program; done
}
# start_again: lighttpd and gate are still as start_web made them
start_again() {
	: >"$T/signd.log" # for start_signd, which waits for a word in it
	start_signd
	start_watcher
	start_otafs
	start gate "$OTA_BIN/ota-gate" -c "$conf"
	needs 10 test -S "$T/gate.sock"
	start_web_server
}
# publish NAME VERSION
publish() {
	commit_of "$1" "$2" >/dev/null
	drop "$1" "$2"
	published "$1" "$2"
}
assign() {
	echo "$2" >"$T/mount/devices/$1/assign"
}
: >"$T/wrong"
keys=$T/keys
bak=$T/bak
TMPDIR=$T/tmp
export TMPDIR
mkdir "$TMPDIR"

settings "spool_quiet_seconds = 1"
clock_fake wall
start_all
make_issuer
"$top/scripts/ota-pki" --next server-ca "$T/pki"
for id in car1 car2 car3; do
	enroll $id >/dev/null
	device $id poll >/dev/null 2>&1
done
ok "publishes app 1" publish app 1
assign car1 "app 1"
ok "installs it" says "installed app-1" device car1 poll
look car1
look car2

# ---- backup
install -d -o 64103 "$T/repository/manifests"
echo "{}" >"$T/repository/manifests/x"
ok "makes a backup while everything runs" backup create -c "$conf" --objects "$bak/1"
ok "that is whole" backup verify "$bak/1"
ok "with keys, roots and the ledger" test -s "$bak/1/keys/image/1.root.json" -a -s "$bak/1/keys/ledger.json"
ok "with the settings and the certificates" test -s "$bak/1/settings$conf" -a -s "$bak/1/settings$T/pki/server.key"
ok "with the CAs of administrators and of the server, the next one too" test -s "$bak/1/settings$T/pki/admin-ca.key" \
	-a -s "$bak/1/settings$T/pki/server-ca-next.key" -a -s "$bak/1/settings$T/pki/issuers.pem"
ok "with what builders handed in beside a commit" is "$(cat "$bak/1/manifests/x")" "{}"
ok "with the issuing CA" test -s "$bak/1/keys/issuer/chain.pem" -a -n "$(ls "$bak/1/keys/issuer/"*.key)"
ok "with the objects" test -n "$(find "$bak/1/objects/ostree" -name '*.commit')"
ok "that nobody else can read" is "$(find "$bak/1" \( -type f -o -type d \) -perm /077)" ""
ok "has left nothing behind" is "$(find "$T/state" -name '.backup*')" ""
ok "refuses a folder that has something in it" refuses "not empty" backup create -c "$conf" "$bak/1"
ok "makes another, linked to the first, the keys elsewhere" backup create -c "$conf" --objects --base "$bak/1" --keys-to "$bak/keys" "$bak/2"
ok "whose keys are elsewhere" test ! -e "$bak/2/keys" -a -s "$bak/keys/keys/ledger.json"
ok "both are whole" sh -c "'$top/scripts/ota-backup' verify $bak/2 && '$top/scripts/ota-backup' verify $bak/keys"
ok "which has copied no object again" test "$(find "$bak/2/objects" -name '*.commit' -links 1)" = ""
cp -a "$bak/2" "$bak/3"
printf x | dd of="$bak/3/otafs.db" bs=1 seek=5000 conv=notrunc 2>/dev/null
ok "sees a byte that was changed" refuses "not what its manifest says" backup verify "$bak/3"
cp "$bak/2/otafs.db" "$bak/3/otafs.db"
ok "is content without it" backup verify "$bak/3"
touch "$bak/3/more"
ok "sees a file that was added" refuses "does not name" backup verify "$bak/3"
rm "$bak/3/more" "$bak/3/manifest"
ok "refuses a backup that was not finished" refuses "no manifest" backup verify "$bak/3"

# ---- backups that somebody else had a hand in
# changed COMMAND: a copy of the backup after that, with a manifest that fits
changed() {
	rm -rf "$bak/bad"
	cp -a "$bak/2" "$bak/bad"
	(
		cd "$bak/bad" || exit
		eval "$1"
		find . -type l -printf '%p -> %l\n' | sort >links
		find . -type f ! -name manifest -exec sha256sum {} + | sort -k2 >"$T/manifest"
		cp "$T/manifest" manifest
	)
}
changed "ln -sf /etc/shadow otafs.db"
ok "refuses a database that is a symlink" refuses "./otafs.db is no file" backup verify "$bak/bad"
changed "ln -sfn ../../keys published/current"
ok "a set that is elsewhere" refuses "names no set" backup verify "$bak/bad"
changed "ln -s /etc settings/x"
ok "and settings that are" refuses "./settings/x is no file" backup verify "$bak/bad"
changed "chown 64102 ."
ok "refuses one that belongs to somebody else" refuses "belongs to somebody else" backup verify "$bak/bad"
install -d -o 64102 "$bak/theirs"
ok "makes none in a folder of somebody else" refuses "belongs to somebody else" backup create -c "$conf" "$bak/theirs"
ok "the database is root's own" is "$(stat -c %u "$bak/1/otafs.db")" 0
set=$(readlink "$T/repository/published/current")
ln -sfn ../../keys "$T/repository/published/current"
ok "copies no set from elsewhere" refuses "published/current: names no set" backup create -c "$conf" "$bak/5"
ln -sfn "$set" "$T/repository/published/current"
ok "and nothing of it" test ! -e "$bak/5/published/keys"
ok "restores nothing while something runs" refuses "stop everything" backup restore -c "$conf" "$bak/1"

# ---- without a restore: the same bytes
cp -a "$T/looked" "$T/before"
stop otafs
start_otafs
look car2
for name in director-targets director-snapshot director-timestamp; do
	ok "gives the same $name after a restart" cmp "$T/before/$name" "$T/looked/$name"
done

# Another otafs, with the same state and the same signer, as a second node would be.
mkdir -p "$T/node"
sed -e "s|$T/mount|$T/node/mount|; s|$T/web/www|$T/node/web/www|; s|$T/state|$T/node/state|; s|$T/fleet|$T/node/fleet|" "$conf" >"$T/node.conf"
mkdir -p "$T/node/mount" "$T/node/state"
cp "$bak/1/otafs.db" "$T/node/state/otafs.db"
chown -R 64102:64102 "$T/node/state"
start node "$OTA_BIN/otafs" -c "$T/node.conf"
needs 10 test -e "$T/node/mount/README"
for role in targets snapshot timestamp; do
	for id in car1 car2; do
		ok "gives the same $role of $id on two nodes in turn" cmp "$T/mount/devices/$id/director/$role.json" "$T/node/mount/devices/$id/director/$role.json"
	done
done
stop node

# ---- what devices see after the backup
ok "publishes app 2" publish app 2
assign car1 "app 2"
ok "which car1 installs" says "installed app-2" device car1 poll
assign car2 "app 1"
ok "car2 gets app 1" says "installed app-1" device car2 poll
assign car2 "app 2"
ok "and app 2" says "installed app-2" device car2 poll
assign car3 "app 2"
look car1
look car2
clock_set $((5 * 86400))
ok "raises the epoch after days" wait_for 10 sh -c "[ \$(grep -c 'epoch raised' $T/otafs.log) -ge 2 ]"
clock_set $((300 * 86400))
ok "renews the roots after months" wait_for 90 sh -c "[ -e $T/repository/published/current/2.root.json ] && grep -q 'director version=2' $T/otafs.log"
sleep 2
ok "car1 follows" device car1 poll
ok "car2 follows" device car2 poll
ok "car3 has an update open" is "$(device car3 check >/dev/null 2>&1; echo $?)" 4
look car1
look car2

# ---- restore
stop_all
ok "refuses to lose a root" refuses "2.root.json is newer than the backup" backup restore -c "$conf" "$bak/1"
cp -a "$keys" "$T/keys.lost"
rm -rf "$keys"
ok "and one that is published only" refuses "published/current/2.root.json is newer" backup restore -c "$conf" "$bak/1"
cp -a "$T/keys.lost" "$keys"
echo '{}' >"$keys/director/1.root.json"
ok "and takes no other instance for its own" refuses "another instance" backup restore -c "$conf" "$bak/1"
cp "$T/keys.lost/director/1.root.json" "$keys/director/1.root.json"
# Killed in the middle of a swap, and before one.
mv "$keys" "$keys.new-1"
mkdir "$T/fleet.new-1"
ok "finds newer roots after it was interrupted, too" refuses "2.root.json is newer than the backup" backup restore -c "$conf" "$bak/1"
ok "and ends what was begun" test -d "$keys" -a ! -e "$keys.new-1" -a ! -e "$T/fleet.new-1"
ok "restores, keeping newer roots" backup restore -c "$conf" --keep-newer-roots "$bak/1"
ok "keeps them" cmp "$keys/director/2.root.json" "$T/keys.lost/director/2.root.json"
ok "keeps what it replaced" test -n "$(find "$T/state" -name 'otafs.db.replaced-*')"
ok "to their owners" is "$(stat -c '%a %u %g' "$T/state/otafs.db" "$keys" "$keys/ledger.json" "$T/repository/published" "$T/pki/server.key" | tr '\n' ' ')" \
	"600 64102 64102 700 64101 64101 600 64101 64101 2750 64103 64102 644 0 0 "
start_again
ok "has taken the marks away" wait_for 20 sh -c "[ ! -e $T/state/restored ] && [ ! -e $keys/restored ]"
ok "publishes above all that was seen" wait_for 20 sh -c "[ \"\$(jq .signed.version $T/repository/published/current/targets.json)\" -gt 100000 ]"
look car1
look car2
ok "car1 goes on" device car1 poll
ok "car2 goes on" device car2 poll
# A client goes on with what it was told last as long as it is told nothing, and forgets it when that fails.
ok "car3 misses what it was told to install" says "app-2.* is not in the image repository" device car3 poll
ok "once" device car3 poll
drop app 2
ok "publishes app 2 once more" published app 2
ok "publishes app 3" publish app 3
assign car1 "app 3"
assign car2 "app 3"
assign car3 "app 3"
ok "which car1 installs" says "installed app-3" device car1 poll
ok "and car2 as well" says "installed app-3" device car2 poll
ok "and car3" says "installed app-3" device car3 poll
look car1
look car2
stop_all
start_again
look car1
look car2
ok "no version was lower, none had other bytes" nothing_wrong

# ---- on an empty machine
stop_all
clock_set 0
echo "correct horse battery" >"$T/word"
echo "wrong horse battery" >"$T/wrong-word"
ok "takes no passphrase that others can read" refuses "chmod 600" backup create -c "$conf" --passphrase-file "$T/word" "$bak/4"
chmod 600 "$T/word" "$T/wrong-word"
ok "makes a backup with everything stopped, under a passphrase" backup create -c "$conf" --objects --passphrase-file "$T/word" --keys-to "$bak/keys4" "$bak/4"
ok "in which nothing but objects can be read" is "$(find "$bak/4" "$bak/keys4" -type f ! -path '*/objects/*' -printf '%f\n' | sort -u | tr '\n' ' ')" \
	"about links manifest sealed.gpg "
ok "nor found" not grep -qrF -e "$(cat "$keys/director/"root-*.key)" -e "qemux86-64/app" "$bak/keys4" "$bak/4/sealed.gpg"
ok "without the word it is known to be whole" says "is whole; what is encrypted was not looked into" backup verify "$bak/4"
ok "with it what is in it, too" sh -c "'$top/scripts/ota-backup' verify --passphrase-file $T/word $bak/4 && '$top/scripts/ota-backup' verify --passphrase-file $T/word $bak/keys4"
ok "with another nothing" refuses "the passphrase is wrong" backup verify --passphrase-file "$T/wrong-word" "$bak/4"
changed "cp $bak/4/sealed.gpg . && printf x | dd of=sealed.gpg bs=1 seek=3000 conv=notrunc 2>/dev/null"
ok "nor with a byte that is another" refuses "or the file damaged" backup verify --passphrase-file "$T/word" "$bak/bad"
ok "and nothing is left in clear" is "$(ls -A "$TMPDIR")" ""
rm -rf "$T/state" "$keys" "$T/repository" "$T/fleet" "$T/pki" "$T/spool"
ok "says that the word is needed" refuses "is encrypted: --passphrase-file" backup restore -c "$conf" "$bak/4"
ok "and where the keys have to be named" refuses "no keys" backup restore -c "$conf" --passphrase-file "$T/word" "$bak/4"
cp -a "$bak/2" "$bak/6"
echo "755 root root 0 0 $T/planted" >>"$bak/6/owners"
echo evil >"$bak/6/settings$T/planted"
(cd "$bak/6" && find . -type f ! -name manifest -exec sha256sum {} + | sort -k2 >"$T/manifest" && cp "$T/manifest" manifest)
ok "leaves what the settings do not name" says "planted is none of the files" backup restore -c "$conf" --keys-from "$bak/keys" "$bak/6"
ok "where it was" test ! -e "$T/planted"
rm -rf "$T/state" "$keys" "$T/repository" "$T/fleet" "$T/pki"
ok "restores to an empty machine" backup restore -c "$conf" --passphrase-file "$T/word" --keys-from "$bak/keys4" "$bak/4"
clock_set $((300 * 86400))
start_again
openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$T/new.key"
ok "whose issuing CA issues" sh -c "cat >$T/issued.pem && openssl verify -no_check_time -CAfile $T/pki/device-ca.pem $T/issued.pem" <<-END
	$(issue 64102 car9 100 "$T/new.key")
END
ok "whose device goes on" device car2 poll
ok "and gets an object of the backup" is "$(fetch car2 "/treehub/objects/$(cd "$T/repository/ostree/objects" && echo */*.commit | cut -d ' ' -f 1)")" 200
ok "and a manifest of it" is "$(cat "$T/repository/manifests/x")" "{}"
ok "whose modes are those of a new repository" is "$(cd "$T/repository" && stat -c %a . ostree ostree/objects binaries | tr '\n' ' ')" "2751 2755 2755 2755 "
look car2
publish app 4
assign car2 "app 4"
ok "and gets an update" says "installed app-4" device car2 poll
look car2
ok "and again nothing went back" nothing_wrong
finish
