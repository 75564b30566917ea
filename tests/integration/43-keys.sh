#!/bin/sh
# ota-sign key: keys in files and in PKCS#11 tokens, made, shown, exported, imported, backed up; what is refused and how;
# what never becomes visible.
# shellcheck source=tests/integration/lib.sh disable=SC2317 # functions are called by name
. "$(dirname "$0")/lib.sh"

sign=$QUICK_SIGN
HOME=$T/home
export HOME
mkdir "$HOME" "$T/w"
cd "$T/w" || exit 1

secret() { # secret FILE TEXT: as a passphrase file has to be
	printf '%s\n' "$2" >"$1"
	chmod 600 "$1"
}
word="correct horse battery"
other="another long passphrase"
secret pass "$word"
secret pass2 "$other"
secret short "elevenchars"
k() { "$sign" key "$@" --keys "$T/keys" --passphrase-file pass; }
mode() { stat -c %a "$1"; }
folder() { (cd "$1" && sha256sum -- *); }
# flip FILE OFFSET: one bit
flip() { perl -e 'open F, "+<", $ARGV[0] or die; seek F, $ARGV[1], 0; read F, $c, 1; seek F, $ARGV[1], 0; print F chr(ord($c) ^ 1)' "$1" "$2"; }

# ---- new, list, show, check
id=$(k new root)
ok "makes a key" test "${#id}" = 64
ok "in a folder of its own" is "$(mode "$T/keys")" 700
ok "the private half is for its owner" is "$(mode "$T/keys/root.key")" 600
ok "the public half for everybody" is "$(mode "$T/keys/root.pub")" 644
ok "in a container as it is documented" is "$(head -n 1 "$T/keys/root.key")" "otafs-vault-1 key"
# What guessing costs is of the program as it is installed; all else is the same.
"$OTA_BIN/ota-sign" key new dear --keys "$T/dear" --passphrase-file pass >/dev/null
ok "behind 3 passes over 256 MiB" has "$T/dear/dear.key" '^argon2id 3 268435456 [0-9a-f]{32}$'
ok "which opens again" "$OTA_BIN/ota-sign" key check dear --keys "$T/dear" --passphrase-file pass
ok "a container says what it costs" "$sign" key check dear --keys "$T/dear" --passphrase-file pass
rsa=$(k new targets --type rsa2048)
for type in rsa3072 rsa4096; do
	ok "makes a key of type $type" k new "$type" --type $type
	ok "which signs" k check $type
done
k list >listed
ok "lists them in order" is "$(cut -c 1-33 listed | tr -s ' ')" "root ED25519 
rsa3072 RSA-3072
rsa4096 RSA-4096
targets RSA-2048"
ok "with their ids" has listed "^root +ED25519 +$id\$"
ok "shows a key" k show root
k show root >shown
hex=$(jq -r .keyval.public "$T/keys/root.pub")
ok "with ota-tuf's id" has shown "^ota-tuf id +$(sed -n '/BEGIN/,$p' shown | openssl pkey -pubin -outform DER | sha256sum | cut -d' ' -f1)\$"
ok "which it signs under" has shown "^id +$id\$"
ok "and aktualizr's, of the public value" has shown "^aktualizr id +$(printf '"%s"' "$hex" | sha256sum | cut -d' ' -f1)\$"
k show targets >shown
ok "that of an RSA key is of its PEM" has shown "^aktualizr id +$(jq -jc '.keyval.public | rtrimstr("\n") | tojson' "$T/keys/targets.pub" | sha256sum | cut -d' ' -f1)\$"
ok "tells whether a key signs" says "^root signs: ED25519 $id" k check root
ok "without --keys it is ~/.ota-sign" "$sign" key new home --passphrase-file pass
ok "really" test -e "$HOME/.ota-sign/home.key"

# ---- export
ok "exports the public half" is "$(k export root)" "$(cat "$T/keys/root.pub")"
k export root --pem >root.pem
k export targets --pem >targets.pem
ok "as PEM too" openssl pkey -pubin -in root.pem -noout
ok "of RSA as well" is "$(openssl pkey -pubin -in targets.pem -outform DER | sha256sum | cut -d' ' -f1)" "$rsa"
ok "exports a private key as PKCS#8" says "holds the private key without a passphrase" k export targets --private targets.sec
ok "0600" is "$(mode targets.sec)" 600
ok "which OpenSSL reads" is "$(openssl pkey -in targets.sec -pubout)" "$(cat targets.pem)"
k export root --private root.sec 2>/dev/null
ok "of ED25519 as well" is "$(openssl pkey -in root.sec -pubout)" "$(cat root.pem)"
k export targets --private targets.gs --form garage-sign 2>/dev/null
ok "and as garage-sign has it, PKCS#1" has targets.gs '^\{"keytype":"RSA","keyval":\{"private":"-----BEGIN RSA PRIVATE KEY-----'
k export root --private root.gs --form garage-sign 2>/dev/null
seed=$(openssl pkey -in root.sec -outform DER | tail -c 32 | od -An -tx1 | tr -d ' \n')
ok "ED25519 as seed and public key" is "$(jq -r .keyval.private root.gs)" "$seed$hex"
ok "never over a file" refuses "root.sec: File exists" k export root --private root.sec
ok "nor through a link" sh -c "ln -s nowhere link; ! '$sign' key export root --keys '$T/keys' --passphrase-file pass --private link"
ok "which it did not follow" not test -e nowhere
ok "in no other form" refuses 'form "jwk" is neither pkcs8 nor garage-sign' k export root --private x --form jwk
ok "a form is one of private keys" refuses "form of a private key" k export root --form pkcs8

# ---- import
ok "imports PKCS#8" is "$(k import a targets.sec)" "$rsa"
ok "imports garage-sign's RSA" is "$(k import b targets.gs)" "$rsa"
ok "imports garage-sign's ED25519" is "$(k import c root.gs)" "$id"
echo "$seed" >seed
ok "imports a seed of ota-signd" is "$(k import d seed)" "$id"
given=$(printf '"%s"' "$hex" | sha256sum | cut -d' ' -f1)
ok "keeps an id as it was given" is "$(k import e seed --keyid "$given")" "$given"
ok "and signs under it" says "^e signs: ED25519 $given" k check e
ok "and gives it to others" is "$(jq -r .keyid "$T/keys/e.pub")" "$given"
openssl rsa -in targets.sec -traditional -out pkcs1 2>/dev/null
ok "imports PKCS#1" is "$(k import f pkcs1)" "$rsa"
openssl pkcs8 -topk8 -in root.sec -passout pass:hello -out locked 2>/dev/null
openssl rsa -in targets.sec -traditional -aes128 -passout pass:hello -out locked1 2>/dev/null
secret hello hello
ok "imports an encrypted PKCS#8" is "$(k import g locked --pem-passphrase-file hello)" "$id"
ok "and an encrypted PKCS#1" is "$(k import h locked1 --pem-passphrase-file hello)" "$rsa"
ok "not with a wrong passphrase" refuses "locked: the passphrase is wrong" k import z locked --pem-passphrase-file pass
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out ec 2>/dev/null
openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024 -out weak 2>/dev/null
openssl genpkey -algorithm ED448 -out ed448
jq -c --arg pub "$given" '.keyval.public = $pub' root.gs >halves
jq -c '.keyval.private |= .[0:127] + (if .[127:] == "0" then "1" else "0" end)' root.gs >halves2
jq -c '.keytype = "EC"' root.gs >kind
jq -c '.keytype = "RSA"' root.gs >kind2
head -c 200 targets.sec >part
tr -d '\n' <root.gs | head -c 100 >part2
head -c 20000 /dev/zero >large
: >empty
echo "hello" >text
echo "${seed}00" >long
while IFS='|' read -r file why; do
	ok "refuses $file" refuses "$file: .*$why" k import z "$file"
done <<END
ec|key of type EC; ED25519 and RSA are allowed
weak|RSA key of 1024 bits; 2048, 3072 and 4096 are allowed
ed448|key of type ED448
halves|public and private halves are of different keys
halves2|two halves are of different keys
kind|key type "EC" is neither ED25519 nor RSA
kind2|no private key can be read from this PEM
part|no private key can be read from this PEM
part2|not JSON
large|has 20000 bytes, at most 16384 are allowed
empty|is empty
text|neither a PEM, nor a key in JSON, nor 64 hex digits
long|64 or 128 hex digits
root.pem|no private key can be read
/dev/zero|not a regular file
none|No such file
END
ok "refuses a key id of another form" refuses "64 hex digits in lower case" k import z seed --keyid ABC
ok "nothing came of it" not test -e "$T/keys/z.key"

# ---- what is refused everywhere
ok "never makes a key over a key" refuses "root.key exists already; it is not touched" k new root
ok "nor imports one" refuses "root.key exists already" k import root seed
cp "$T/keys/root.pub" "$T/keys/theirs.pub"
ok "nor takes the name of somebody's public half" refuses "theirs.pub exists already" k new theirs
rm "$T/keys/theirs.pub"
while IFS='|' read -r words why; do
	# shellcheck disable=SC2086 # words
	ok "refuses key $words" refuses "$why" k $words
done <<'END'
new|something is missing
new a b|too many arguments
new ../x|"../x" is no name of a key
new .x|is no name of a key
new x --type rsa1024|key type "rsa1024" is none of
new x --colour red|key new: --colour: no such option here
new x --keyid 00|key new: --keyid: no such option here
check nobody|there is no key nobody in
show nobody|there is no key nobody in
export nobody|there is no key nobody in
passphrase nobody|there is no key nobody in
list nobody|is no "pkcs11:" URI
restore nothing|nothing: No such file
flush|no such command
END
ok "says where help is" refuses "key new: something is missing; see ota-sign key new --help" k new
ok "which is that of the command" is "$("$OTA_BIN/ota-sign" key new --help | grep -c '^  ota-sign')" 1
ok "or of several" is "$("$OTA_BIN/ota-sign" key --help | grep '^  ota-sign' | grep -vc '^  ota-sign key ')" 0
ok "refuses a name that is too long" refuses "is no name of a key" k new "$(printf '%065d' 0)"
chmod 644 "$T/keys/root.key"
ok "refuses a key file that others can read" refuses "root.key: has to be ours and 0600, it is 644" k check root
chmod 600 "$T/keys/root.key"
chmod 777 "$T/keys"
ok "refuses a folder that others can write to" refuses "has to be ours and 0700, it is 777" k check root
chmod 700 "$T/keys"
cp "$T/keys/root.key" saved
mv "$T/keys/root.key" moved
ln -s "$T/w/moved" "$T/keys/root.key"
ok "refuses a link in a key's place" refuses "root.key: Too many levels of symbolic links" k check root
rm "$T/keys/root.key"
cp saved "$T/keys/root.key"

# ---- containers
for offset in 0 14 30 60 110 200; do
	flip "$T/keys/root.key" $offset
	ok "notices a flipped bit at $offset" refuses "root: " k check root
	cp saved "$T/keys/root.key"
done
head -c 250 saved >"$T/keys/root.key"
ok "notices that the file was cut short" refuses "root: the container is cut short" k check root
sed 's/^argon2id 1 8192/argon2id 3 999999999999/' saved >"$T/keys/root.key"
ok "does not take all memory for whoever wrote the file" refuses "Argon2id over 999999999999 bytes; 8192 to 1073741824" k check root
sed 's/^otafs-vault-1/otafs-vault-9/' saved >"$T/keys/root.key"
ok "tells a format of later" refuses "format that is not known here" k check root
cp saved "$T/keys/root.key"
ok "tells a wrong passphrase" refuses "key root: the passphrase is wrong, or the file is damaged" \
	"$sign" key check root --keys "$T/keys" --passphrase-file pass2
cp "$T/keys/root.pub" pub
cp "$T/keys/targets.pub" "$T/keys/root.pub"
ok "notices a public half of another key" refuses "root.pub is not the public half of root.key" k check root
rm "$T/keys/root.pub"
ok "says that it is missing" refuses "root.pub is missing; the next use of the key" k export root
ok "the list says so too" says "root +- +.root.pub is missing" k list
ok "makes it anew from the private one" k check root
ok "the same" cmp pub "$T/keys/root.pub"

# ---- passphrases
ok "refuses a short passphrase" refuses "has 11 bytes, a new one needs at least 12" \
	"$sign" key new x --keys "$T/keys" --passphrase-file short
: >none
chmod 600 none
ok "refuses an empty passphrase" refuses "is empty" "$sign" key new x --keys "$T/keys" --passphrase-file none
chmod 640 pass2
ok "refuses a passphrase file that others can read" refuses "passphrase file: pass2: has to be ours and 0600, it is 640" \
	"$sign" key new x --keys "$T/keys" --passphrase-file pass2
chmod 600 pass2
chown 65534 pass2
ok "or that is somebody else's" refuses "it is 600 of user 65534" "$sign" key new x --keys "$T/keys" --passphrase-file pass2
chown 0 pass2
ok "without a terminal it says what to do" refuses "there is no terminal to ask for it; give a file" \
	setsid "$sign" key check root --keys "$T/keys"
before=$(folder "$T/keys")
for call in fsync renameat; do
	ok "a failing $call leaves the old passphrase" not strace -qq -o /dev/null -e trace=$call -e inject=$call:error=EIO \
		"$sign" key passphrase root --keys "$T/keys" --passphrase-file pass --new-passphrase-file pass2
	ok "and the folder as it was" is "$(folder "$T/keys")" "$before"
	ok "killed there, too" not strace -qq -o /dev/null -e trace=$call -e inject=$call:signal=KILL:error=EIO \
		"$sign" key passphrase root --keys "$T/keys" --passphrase-file pass --new-passphrase-file pass2
	ok "the key is as it was" k check root
	rm -f "$T"/keys/*.tmp
done
ok "changes the passphrase" k passphrase root --new-passphrase-file pass2
ok "the new one opens" "$sign" key check root --keys "$T/keys" --passphrase-file pass2
ok "the old one does not" refuses "passphrase is wrong" k check root
ok "it is the same key" cmp pub "$T/keys/root.pub"

# ---- on a terminal: without echo, twice, and nothing of it where others can read
# terminal COMMAND...: in the background, on a pseudo terminal; type TEXT; what it shows is in $T/w/screen
terminal() {
	rm -f keyboard screen
	mkfifo keyboard
	printf '%s; echo "ended: $?"; stty -a | grep -o " -*echo "\n' "$*" >typed.sh
	script -qfec "sh typed.sh" screen <keyboard >/dev/null 2>&1 &
	typist=$!
	exec 9>keyboard
}
type_line() { echo "$1" >&9; }
asked() { wait_for 20 file_with screen "$1"; }
ended() {
	wait_for 20 file_with screen "ended: $1" || return 1
	exec 9>&-
	wait "$typist"
	has screen '^ echo '
}
signer_pid() { pgrep -f "^$sign key new tty --keys $T/keys" | tail -n 1; }

terminal "$sign key new tty --keys $T/keys"
ok "asks on the terminal" asked "New passphrase of key tty: "
type_line "$word"
ok "twice" asked "Once more, passphrase of key tty: "
pid=$(signer_pid)
ok "the passphrase is in no argument or environment" not grep -aqF "$word" "/proc/$pid/cmdline" "/proc/$pid/environ"
ok "memory is locked" has "/proc/$pid/status" "VmLck:\s+[1-9]"
type_line "$word"
ok "then makes the key, and echo is on again" ended 0
ok "nothing typed was shown" not grep -qF "$word" screen
ok "the key opens with it" k check tty
rm "$T/keys/tty.key" "$T/keys/tty.pub"
terminal "$sign key new tty --keys $T/keys"
asked "New passphrase" && type_line "$word"
asked "Once more" && type_line "$other"
ok "refuses two that differ" ended 1
ok "in words" has screen "typed differently the second time"
terminal "$sign key new tty --keys $T/keys"
asked "New passphrase"
kill -TERM "$(signer_pid)"
ok "a signal ends the question, and echo is on again" ended "[1-9]"
ok "no key came of it" not test -e "$T/keys/tty.key"
ok "neither passphrase nor key is in a file" not grep -raqF -e "$word" -e "$other" -e "$seed" "$T/keys" "$HOME"
raw_seed_in() { perl -e 'undef $/; $s = pack "H*", shift; for (@ARGV) { open F, "<", $_; exit 0 if index(<F>, $s) >= 0 } exit 1' "$seed" "$1"/*; }
openssl pkey -in root.sec -outform DER -out der
mkdir plain && mv der plain
ok "not as bytes either" not raw_seed_in "$T/keys"
ok "for which the search is good" raw_seed_in plain

# ---- backup and restore
secret backup-pass "the backup's own words"
b() { "$sign" key "$1" "$2" --keys "$3" --passphrase-file backup-pass; }
count=$(k list | wc -l)
ok "backs up all keys" says "backup: $count keys, written, read back and compared" b backup backup "$T/keys"
ok "0600" is "$(mode backup)" 600
ok "not readable without its passphrase" not grep -qF "$id" backup
ok "never over a file" refuses "backup: exists already" b backup backup "$T/keys"
ok "restores it elsewhere" says "root: restored" b restore backup "$T/keys2"
ok "all of it" diff -r "$T/keys" "$T/keys2"
ok "with the right modes" is "$(mode "$T/keys2") $(mode "$T/keys2/root.key") $(mode "$T/keys2/root.pub")" "700 600 644"
ok "keys have their own passphrases" "$sign" key check root --keys "$T/keys2" --passphrase-file pass2
ok "again is no harm" says "root: was here already" b restore backup "$T/keys2"
ok "a key that is there keeps its passphrase" "$sign" key passphrase root --keys "$T/keys2" --passphrase-file pass2 --new-passphrase-file pass
b restore backup "$T/keys2" >/dev/null
ok "also after another restore" "$sign" key check root --keys "$T/keys2" --passphrase-file pass
rm "$T/keys2"/*
"$sign" key new root --keys "$T/keys2" --passphrase-file pass >/dev/null
before=$(folder "$T/keys2")
ok "never over another key" refuses "root is here already and is another key; nothing was restored" b restore backup "$T/keys2"
ok "and then nothing is restored" is "$(folder "$T/keys2")" "$before"
ok "tells a wrong passphrase" refuses "backup: the passphrase is wrong, or the file is damaged" k restore backup
cp backup damaged
flip damaged 3000
ok "notices damage" refuses "damaged: .*damaged" b restore damaged "$T/keys3"
head -c 3000 backup >damaged
ok "and a cut" refuses "damaged: the container is cut short" b restore damaged "$T/keys3"
ok "a key is no backup" refuses "holds a key, not a backup" b restore saved "$T/keys3"
cp backup "$T/keys2/root.key"
chmod 600 "$T/keys2/root.key"
ok "a backup is no key" refuses "root.key: has|holds a backup, not a key" \
	"$sign" key check root --keys "$T/keys2" --passphrase-file pass
ok "backs up nothing that is damaged" refuses "root.key: has|holds a backup, not a key" b backup bad "$T/keys2"
mkdir -m 700 "$T/keys4"
ok "nor an empty folder" refuses "no keys to back up" b backup bad "$T/keys4"
ok "an unwritable backup leaves no file" not strace -qq -o /dev/null -e trace=fsync -e inject=fsync:error=EIO \
	"$sign" key backup bad --keys "$T/keys" --passphrase-file backup-pass
ok "none" not test -e bad

# ---- tokens
SOFTHSM2_CONF=$T/softhsm.conf
export SOFTHSM2_CONF
mkdir "$T/tokens"
printf 'directories.tokendir = %s\nobjectstore.backend = file\nlog.level = ERROR\n' "$T/tokens" >"$SOFTHSM2_CONF"
softhsm2-util --init-token --free --label otafs --so-pin 12345678 --pin 4321 >/dev/null
n=0
for file in root.sec targets.sec ec weak ed448; do
	n=$((n + 1))
	softhsm2-util --import $file --token otafs --label "${file%.sec}" --id 0$n --pin 4321 >/dev/null
done
secret pin 4321
secret wrong 9999
t() { "$sign" key "$1" "pkcs11:token=otafs;object=$2" --passphrase-file pin; }
"$sign" key list pkcs11: >listed
ok "lists the keys of tokens" has listed "^pkcs11:token=otafs;.*object=root ED25519 $id\$"
ok "RSA too" has listed "^pkcs11:token=otafs;.*object=targets RSA-2048 $rsa\$"
ok "and why another cannot be used" has listed "object=ec - .*an EC key of another kind .ECDSA."
ok "signs with an ED25519 key in a token" says "signs: ED25519 $id" t check root
ok "signs with an RSA key in a token" says "signs: RSA-2048 $rsa" t check targets
ok "shows it" says "^ota-tuf id +$rsa" t show targets
ok "exports its public half" is "$(t export root | jq -r .keyval.public)" "$hex"
ok "but not the private one" refuses "does not come out of its token" "$sign" key export "pkcs11:token=otafs;object=root" \
	--private x --passphrase-file pin
ok "takes the PIN from pin-source" "$sign" key check "pkcs11:token=otafs;object=root?pin-source=file:$T/w/pin"
ok "takes the URI as the list prints it" "$sign" key check "$(sed -n 's/ ED25519 [0-9a-f]*$//p' listed)" --passphrase-file pin
ok "takes a module by its path" "$sign" key check \
	"pkcs11:token=otafs;object=root?module-path=/usr/lib/softhsm/libsofthsm2.so" --passphrase-file pin
ok "refuses an EC key" refuses "token otafs: an EC key of another kind" t check ec
ok "refuses an RSA key that is too short" refuses "token otafs: RSA key of 1024 bits" t check weak
ok "refuses another curve" refuses "token otafs: an Edwards key of another curve" t check ed448
ok "tells a key that is not there" refuses "token otafs: no private key in it fits the URI" t check nobody
ok "tells a token that is not there" refuses "token: none that fits the URI is there" \
	"$sign" key check "pkcs11:token=other;object=root" --passphrase-file pin
ok "tells several" refuses "several private keys fit the URI" "$sign" key check "pkcs11:token=otafs" --passphrase-file pin
ok "tells a wrong PIN" refuses "token otafs: the PIN is wrong" "$sign" key check "pkcs11:token=otafs;object=root" \
	--passphrase-file wrong
ok "takes no PIN in the URI" refuses "pin-value is refused" "$sign" key check "pkcs11:token=otafs;object=root?pin-value=4321"
ok "tells what is no URI" refuses "not a .pkcs11:. URI" "$sign" key check "pkcs11:%zz"
ok "tells an unknown attribute" refuses "attribute that is not known" "$sign" key check "pkcs11:colour=red"
ok "tells a module that cannot be loaded" refuses "module /nowhere.so cannot be loaded" \
	"$sign" key check "pkcs11:token=otafs?module-path=/nowhere.so"
softhsm2-util --init-token --free --label otafs --so-pin 12345678 --pin 4321 >/dev/null
ok "tells two tokens of one name" refuses "several fit the URI; name one with token= or serial=" t check root
finish
