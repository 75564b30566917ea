#!/bin/sh
# Roots, targets and delegations that people sign on machines without network: a root of 2 of 3 key holders, one with a
# token, that travels as a folder; targets signed by 2 of 2; a supplier's delegation. What is refused, and in which words.
# shellcheck source=tests/integration/lib.sh disable=SC2317,SC2119 # functions are called by name
. "$(dirname "$0")/lib.sh"

sign=$QUICK_SIGN
HOME=$T/home
export HOME
mkdir "$HOME" "$T/stick" "$T/w"
cd "$T/w" || exit 1
printf 'correct horse battery\n' >pass
printf '4321\n' >pin
chmod 600 pass pin

# ---- people and their keys: alice has a token, bob and carol files, the server a key of its own
SOFTHSM2_CONF=$T/softhsm.conf
export SOFTHSM2_CONF
mkdir "$T/tokens"
printf 'directories.tokendir = %s\nobjectstore.backend = file\nlog.level = ERROR\n' "$T/tokens" >"$SOFTHSM2_CONF"
softhsm2-util --init-token --free --label alice --so-pin 12345678 --pin 4321 >/dev/null
openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:3072 -out alice.sec 2>/dev/null
softhsm2-util --import alice.sec --token alice --label root --id 01 --pin 4321 >/dev/null
rm alice.sec
token='pkcs11:token=alice;object=root'
"$sign" key export "$token" --passphrase-file pin >alice.pub
alice=$(jq -r .keyid alice.pub)
new_key() { "$sign" key new "$1" --keys "$T/$2" --passphrase-file pass >/dev/null && "$sign" key export "$1" --keys "$T/$2" >"$1.pub"; }
new_key bob bobs
new_key carol carols
new_key mallory mallorys
new_key build-a builders
new_key build-b builders
new_key supplier suppliers
new_key online onlines
bob=$(jq -r .keyid bob.pub)
carol=$(jq -r .keyid carol.pub)
online=$(jq -r .keyid online.pub)

# as WHO COMMAND...: with the keys of that person
as() {
	who=$1
	shift
	if [ "$who" = alice ]; then
		"$sign" "$@" --key "$token" --passphrase-file pin
	else
		"$sign" "$@" --key "$who" --keys "$T/${keys:-${who}s}" --passphrase-file pass
	fi
}
draft=$T/stick/root-1
begin() { # begin DRAFT [ARGUMENT...]: the first root of the image repository, 2 of alice, bob and carol
	folder=$1
	shift
	"$sign" root new "$folder" --repository image --key root=alice.pub --key root=bob.pub --key root=carol.pub \
		--threshold root=2 --key targets=build-a.pub --key targets=build-b.pub --threshold targets=2 \
		--key snapshot=online.pub --key timestamp=online.pub "$@"
}

# ---- the draft of the first root
ok "a draft is begun wholly off line" says "root +2 of 3" begin "$draft"
ok "it shows each key with its kind" says "\+ $alice  RSA-3072" "$sign" root show "$draft"
ok "and who has not signed" says "$bob +ED25519 +has not signed" "$sign" root show "$draft"
ok "it tells a key holder what to do" has "$draft/README.txt" 'ota-sign root sign FOLDER --key NAME'
ok "nothing is written over a folder that is there" refuses "root-1: File exists" begin "$draft"
ok "it may be changed as long as nobody has signed" "$sign" root set-expiry "$draft" --expires 700
ok "a key may be taken away" says "root +2 of 2" "$sign" root remove-key "$draft" --key "root=$carol"
ok "and given back" says "root +2 of 3" "$sign" root add-key "$draft" --key root=carol.pub
ok "thresholds may be changed" says "root +3 of 3" "$sign" root set-threshold "$draft" --threshold root=3
ok "and back" "$sign" root set-threshold "$draft" --threshold root=2
ok "a threshold above the keys is refused by role" refuses "role root needs 4 signatures and has 3 different keys" \
	"$sign" root set-threshold "$draft" --threshold root=4
ok "so is a role without keys" refuses "role snapshot has no keys" "$sign" root remove-key "$draft" --key "snapshot=$online"
ok "a key that the role has already" refuses "role root has key $bob already" "$sign" root add-key "$draft" --key root=bob.pub
ok "a key that it does not have" refuses "role targets: $bob: the role has no such key" \
	"$sign" root remove-key "$draft" --key "targets=$bob"
ok "a role that does not exist" refuses "does not begin with root=" "$sign" root add-key "$draft" --key boot=bob.pub
ok "an expiry that has passed" refuses "2020-01-01T00:00:00Z is in the past" \
	"$sign" root set-expiry "$draft" --expires 2020-01-01T00:00:00Z
ok "an expiry with fractions" refuses "neither days nor" "$sign" root set-expiry "$draft" --expires 2040-01-01T00:00:00.5Z
jq -c '.keyval.private = "00"' bob.pub >private.pub
jq -c '.keytype = "ECPRIME256V1"' bob.pub >ec.pub
jq -c --arg id "$alice" '.keyid = $id' mallory.pub >double.pub
ok "a private key" refuses "is a private key" "$sign" root add-key "$draft" --key root=private.pub
ok "an unknown key type" refuses 'key type "ECPRIME256V1" is neither ED25519 nor RSA' "$sign" root add-key "$draft" --key root=ec.pub
ok "a key id that another key has" refuses "key id $alice stands for another key" "$sign" root add-key "$draft" --key root=double.pub
ok "and all that changed nothing" says "root +2 of 3" "$sign" root show "$draft"

# ---- signing
ok "without a terminal nobody says yes" refuses "no terminal to ask on" setsid "$sign" root sign "$draft" --key bob --keys "$T/bobs" \
	--passphrase-file pass
ok "nothing was signed" says "0 of 2 needed" "$sign" root show "$draft"
answers() { # answers WORD: bob is asked on a terminal
	(
		sleep 1
		echo "$1"
		sleep 1
	) | script -qfec "'$sign' root sign '$draft' --key bob --keys '$T/bobs' --passphrase-file pass" /dev/null
}
ok "a no is a no" says "not confirmed; nothing was done" answers no
ok "a stranger cannot sign" refuses "key mallory .* is no root key, neither of the current root nor of the next" \
	as mallory root sign "$draft" --yes
ok "nor the server's key" refuses "is no root key" as online root sign "$draft" --yes
ok "alice signs with her token" says "1 of 2 needed" as alice root sign "$draft" --yes
ok "as a file of her key's name" has "$draft/signatures/$alice.json" '"method":"rsassa-pss-sha256"'
ok "twice is refused" refuses "key $alice has signed already" as alice root sign "$draft" --yes
ok "now nothing may be changed any more" refuses "key $alice has signed it already" "$sign" root set-expiry "$draft" --expires 30
ok "one of two is not enough" refuses "TUF 1.0, 5.3: role root: 1 of 2 needed keys of the next root have signed" \
	"$sign" root assemble "$draft" 1.root.json
ok "no root came of it" not test -e 1.root.json

# ---- what others do to the stick
copy() { rm -rf "$T/stick/copy" && cp -r "$draft" "$T/stick/copy"; }
copy=$T/stick/copy
edit_json() { jq -c "$2" "$1" >edited && cat edited >"$1"; }
copy
edit_json "$copy/next.json" '.roles.root.threshold = 1'
ok "a threshold that was lowered after the first signature" refuses "$alice.json: .*next.json, which was changed after it was signed" \
	as bob root sign "$copy" --yes
ok "cannot be assembled either" refuses "which was changed after it was signed" "$sign" root assemble "$copy" x.json
copy
edit_json "$copy/next.json" ".roles.targets.threshold = 1"
ok "a change to another role is noticed too" refuses "which was changed after it was signed" "$sign" root show "$copy"
copy
jq -c --arg id "$(jq -r .keyid mallory.pub)" '.keyid = $id' "$copy/signatures/$alice.json" >"$copy/signatures/$(jq -r .keyid mallory.pub).json"
ok "a signature of an unknown key" refuses "is no root key, neither of the current root nor of the next" as bob root sign "$copy" --yes
copy
cp "$copy/signatures/$alice.json" "$copy/signatures/$bob.json"
ok "a signature under another's name" refuses "$bob.json: is of another key id than its name says" as carol root sign "$copy" --yes
copy
cp "$copy/signatures/$alice.json" "$copy/signatures/again.json"
ok "a signature twice" refuses "signatures/again.json: is no signature, KEYID.json" as bob root sign "$copy" --yes
copy
edit_json "$copy/signatures/$alice.json" '.method = "rsassa-pkcs1v15"'
ok "an unknown method" refuses '"rsassa-pkcs1v15" is unknown' "$sign" root show "$copy"
copy
edit_json "$copy/next.json" '.version = 2'
ok "a version that is not the draft's" refuses "next.json: has version 2, draft.json says 1" as bob root sign "$copy" --yes
edit_json "$copy/draft.json" '.version = 2'
ok "nor one that follows nothing" refuses "has no current.json, which only the draft of version 1 may lack" as bob root sign "$copy" --yes
copy
rm "$copy/next.json"
ln -s "$draft/next.json" "$copy/next.json"
ok "a link" refuses "next.json: Too many levels of symbolic links" "$sign" root show "$copy"
copy
rm "$copy/signatures/$alice.json"
mkfifo "$copy/signatures/$alice.json"
ok "a file that never ends" refuses "not a regular file" timeout 10 "$sign" root show "$copy"
copy
head -c 9000000 /dev/zero | tr '\0' ' ' >"$copy/next.json"
ok "a document of 9 MB" refuses "next.json: has 9000000 bytes" "$sign" root show "$copy"
copy
touch "$copy/signatures/.DS_Store" "$copy/a note.txt"
ok "what file managers leave does no harm" says "1 of 2 needed" "$sign" root show "$copy"

# ---- the root
ok "bob signs with his file, and says yes on a terminal" says "enough have signed" answers yes
ok "enough make a root" "$sign" root assemble "$draft" 1.root.json
ok "which is not written over" refuses "1.root.json: exists already" "$sign" root assemble "$draft" 1.root.json
ok "devices would take it" says "good: roots 1 to 1" "$sign" root verify 1.root.json
ok "it is told in words" says "$alice  rsassa-pss-sha256  good" "$sign" inspect 1.root.json

# ---- the next root: carol instead of bob, signed by old and new keys
draft=$T/stick/root-2
ok "the next root follows one that is there" says "version +2, was 1" "$sign" root new "$draft" --repository image --from 1.root.json
jq -c '.signed.roles.root.keyids = [1]' 1.root.json >damaged.root.json
ok "but no damaged one" refuses "role root" "$sign" root new "$T/stick/damaged" --repository image --from damaged.root.json --key root=bob.pub
"$sign" root add-key "$draft" --key root=mallory.pub >/dev/null
"$sign" root remove-key "$draft" --key root=bob.pub >/dev/null
ok "it shows who comes" says "\+ $(jq -r .keyid mallory.pub)" "$sign" root show "$draft"
ok "and who goes" says "- $bob" "$sign" root show "$draft"
ok "who has an own copy of the root can hold it against the draft" "$sign" root show "$draft" --trusted 1.root.json
jq -c '.signed.expires = "2040-01-01T00:00:00Z"' 1.root.json >other.root.json
ok "another one is told" refuses "another root of version 1 than the draft's" "$sign" root show "$draft" --trusted other.root.json
as mallory root sign "$draft" --yes >/dev/null
as carol root sign "$draft" --yes >/dev/null
ok "the new keys alone are not enough" refuses "role root: 1 of 2 needed keys of the current root" "$sign" root assemble "$draft" 2.root.json
ok "unless that is wanted" "$sign" root assemble "$draft" incomplete.json --incomplete
ok "but devices refuse it" refuses "keys of the root role: .*1 of 2 needed signatures are good" "$sign" root verify 1.root.json incomplete.json
ok "bob signs his own leaving" says "enough have signed" as bob root sign "$draft" --yes
"$sign" root assemble "$draft" 2.root.json
ok "devices go from 1 to 2" says "good: roots 1 to 2" "$sign" root verify 1.root.json 2.root.json
ok "not back" refuses "version 1 does not follow version 2" "$sign" root verify 2.root.json 1.root.json
ok "a root is verified by the one before" says "good: Root version 2" "$sign" verify 2.root.json --root 1.root.json --role root
"$sign" root new "$T/stick/root-3" --repository image --from 2.root.json >/dev/null
cp -r "$T/stick/root-3" "$T/stick/root-3-of-alice"
as carol root sign "$T/stick/root-3" --yes >/dev/null
as alice root sign "$T/stick/root-3-of-alice" --yes >/dev/null
cp "$T/stick/root-3-of-alice/signatures/"* "$T/stick/root-3/signatures/"
ok "two who sign copies put their files together" says "enough have signed" "$sign" root show "$T/stick/root-3"
"$sign" root assemble "$T/stick/root-3" 3.root.json
ok "nor from 1 to 3" refuses "version 3 does not follow version 1" "$sign" root verify 1.root.json 3.root.json
ok "step by step they do" says "good: roots 1 to 3" "$sign" root verify 1.root.json 2.root.json 3.root.json
ok "one end alone verifies as well" says "begins with version 1" "$sign" root verify 3.root.json

# ---- a key that the next root calls by another id, as aktualizr makes them
draft=$T/stick/root-4
other=$(jq -r .keyval.public carol.pub | tr -d '\n' | sed 's/.*/"&"/' | tr -d '\n' | sha256sum | cut -c 1-64)
jq -c --arg id "$other" '.keyid = $id' carol.pub >carol-2.pub
"$sign" root new "$draft" --repository image --from 3.root.json >/dev/null
"$sign" root remove-key "$draft" --key "root=$carol" >/dev/null
ok "a key may get another id" says "$other  ED25519, was called $carol" "$sign" root add-key "$draft" --key root=carol-2.pub
ok "then it signs under both" says "$other +ED25519 +has signed" as carol root sign "$draft" --yes
ok "for the one root and for the other" is "$(find "$draft/signatures" -type f | sort)" "$(printf '%s\n' "$draft/signatures/$carol.json" \
	"$draft/signatures/$other.json" | sort)"
rm "$draft/signatures/$carol.json"
ok "an interrupted signing is made up for" says "$carol +ED25519 +has signed" as carol root sign "$draft" --yes
ok "once" refuses "has signed already" as carol root sign "$draft" --yes
as alice root sign "$draft" --yes >/dev/null
"$sign" root assemble "$draft" 4.root.json
ok "and devices take it" says "good: roots 3 to 4" "$sign" root verify 3.root.json 4.root.json
rm 4.root.json

# ---- targets, off line, 2 of 2
head -c 200000 /dev/urandom >fw.bin
sha=$(sha256sum fw.bin | cut -c 1-64)
commit=$(echo commit | sha256sum | cut -c 1-64)
add() { "$sign" targets add targets.json --name "$1" --version "$2" --hardware "$3" "$4" "$5"; }
version() { jq .signed.version targets.json; }
"$sign" targets new targets.json
ok "a file is offered by its hash" add fw 1.0 ecu-a --file fw.bin
ok "as devices match it" is "$(jq -c '.signed.targets["fw-1.0"] | [.length, .hashes.sha256, .custom.hardwareIds, .custom.targetFormat, .custom.uri]' targets.json)" \
	"[200000,\"$sha\",[\"ecu-a\"],\"BINARY\",null]"
ok "a commit too" add os 7 board --commit "$commit"
ok "of length 0" is "$(jq -c '.signed.targets["os-7"] | [.length, .hashes.sha256, .custom.targetFormat]' targets.json)" "[0,\"$commit\",\"OSTREE\"]"
ok "that is one edit" is "$(version)" 1
keys=suppliers
ok "a stranger's signature is refused" refuses "is none of those that may sign this" as supplier targets sign targets.json --root 1.root.json
keys=builders
ok "one builder signs" says "1 of 2 needed signatures; more have to sign" as build-a targets sign targets.json --root 1.root.json
ok "that is not enough" refuses "TUF 1.0, 5.3: 1 of 2 needed signatures are good" "$sign" targets verify targets.json --root 1.root.json
ok "changed before enough signed it keeps its version" "$sign" targets add targets.json --name fw --version 1.0 --hardware ecu-b \
	--file fw.bin --root 1.root.json
ok "really" is "$(version) $(jq '.signatures | length' targets.json)" "1 0"
as build-a targets sign targets.json --root 1.root.json >/dev/null
ok "the other signs" says "2 of 2 needed signatures" as build-b targets sign targets.json --root 1.root.json
ok "devices take it" says "good: Targets version 1, 2 of 2" "$sign" targets verify targets.json --root 1.root.json
ok "also under the later roots" "$sign" verify targets.json --root 3.root.json --role targets
cp targets.json signed.json
jq -c '.signed.expires = "2020-01-01T00:00:00Z"' 1.root.json >old.root.json
ok "not under a root that has expired" refuses "old.root.json: has expired" "$sign" targets verify targets.json --root old.root.json
ok "a file name is never used for other content" refuses "fw-1.0: is there with sha256 $sha" add fw 1.0 ecu-a --file pass
ok "what is there is left alone" says "is so already" add fw 1.0 ecu-a --file fw.bin
ok "byte for byte" cmp targets.json signed.json
ok "further hardware joins it" add fw 1.0 ecu-c --file fw.bin
ok "as the next version, without the old signatures" is "$(version) $(jq '.signatures | length' targets.json)" "2 0"
ok "a second change is the same version" sh -c "'$sign' targets remove targets.json os-7 && jq -e '.signed.version == 2' targets.json"
ok "what is not there cannot be removed" refuses 'has no target "os-7"' "$sign" targets remove targets.json os-7
edit_json signed.json '.signed.targets["fw-1.0"].length = 1'
ok "a change by hand makes signatures void" refuses "0 of 2 needed" "$sign" targets verify signed.json --root 1.root.json
ok "who signs it then drops them" says "dropped 2 signatures" as build-a targets sign signed.json --root 1.root.json
as build-a targets sign targets.json --root 1.root.json >/dev/null
as build-b targets sign targets.json --root 1.root.json >/dev/null
ok "the same again for longer" says "version 3, .* not signed yet" "$sign" targets renew targets.json --expires 90
while IFS='|' read -r words why; do
	# shellcheck disable=SC2086 # words
	ok "refuses targets add $words" refuses "$why" "$sign" targets add targets.json $words
done <<END
--name x --hardware h --file fw.bin|--version is missing
--name x --version 1 --file fw.bin|custom.hardwareIds is no list
--name x --version 1 --hardware h|give one of --file FILE, --commit HEX
--name x --version 1 --hardware h --file fw.bin --commit $commit|give one of
--name x --version 1 --hardware h --sha256 $sha|--length and --sha256 belong together
--name x --version 1 --hardware h --commit ABC|is not 64 lower-case hex digits
--name x --version 1 --hardware a/b --file fw.bin|hardware id
--name x --version 1 --hardware h --file fw.bin --uri ftp://x|uri is neither null nor
--name x --version 1 --hardware h --file fw.bin --as ../x|has "\.\."
--name x/y --version 1 --hardware h --file fw.bin|package name
--name x --version 1 --hardware h --file none.bin|none.bin: No such file
END
ok "that changed nothing" is "$(version)" 3

# ---- a supplier
paths() { "$sign" targets delegate targets.json "$@"; }
ok "targets delegate to a supplier" paths supplier --key supplier.pub --path 'supplier/*'
ok "not twice" refuses "has a delegation supplier already" paths supplier --key supplier.pub --path 'x/*'
ok "not with a role's name" refuses "is no role's" paths snapshot --key supplier.pub --path 'x/*'
ok "not above the number of keys" refuses "delegation s2: threshold is 2, with 1 different keys" paths s2 --key supplier.pub --threshold 2 --path 'x/*'
ok "not without paths" refuses "delegation s2: has no list of 1 to 64 paths" paths s2 --key supplier.pub
as build-a targets sign targets.json --root 1.root.json >/dev/null
as build-b targets sign targets.json --root 1.root.json >/dev/null
ok "devices take that" "$sign" targets verify targets.json --root 1.root.json
unset keys
"$sign" delegation new supplier.json
offer() { "$sign" delegation add supplier.json --name brake --version 2 --hardware ecu-a --file fw.bin --parent targets.json "$@"; }
ok "a name outside the paths is refused" refuses 'target "brake-2": no path of delegation supplier allows it' offer
ok "one inside is not" offer --as supplier/brake-2
ok "others cannot sign it" refuses "is none of those" as bob delegation sign supplier.json --parent targets.json
ok "the supplier can" says "1 of 1 needed" as supplier delegation sign supplier.json --parent targets.json
ok "devices take it" says "good: Targets version 1, 1 of 1" "$sign" delegation verify supplier.json --parent targets.json --root 1.root.json
cp supplier.json other.json
ok "not as another delegation" refuses "has no delegation other" "$sign" delegation verify other.json --parent targets.json
ok "unless it is named" "$sign" delegation verify other.json --parent targets.json --delegation supplier
ok "the delegation is taken back" "$sign" targets undelegate targets.json supplier
ok "with its key" is "$(jq -c .signed.delegations targets.json)" '{"keys":{},"roles":[]}'
ok "and then nobody takes it" refuses "has no delegation supplier" "$sign" delegation verify supplier.json --parent targets.json
ok "a parent that is not signed is not believed" refuses "0 of 2 needed" "$sign" delegation verify supplier.json --parent targets.json --root 1.root.json \
	--delegation supplier

# ---- bad documents: what inspect, verify and sign say
good=$T/w/good.json
jq -c . other.json >"$good"
bad() { # bad FILTER WORDS: other.json changed so
	jq -c "$1" "$good" >bad.json
	refuses "$2" "$sign" inspect bad.json && refuses "$2" "$sign" sign bad.json --key bob --keys "$T/bobs" --passphrase-file pass &&
		refuses "$2" "$sign" verify bad.json --root 1.root.json
}
while IFS='|' read -r filter why; do
	ok "refuses $filter" bad "$filter" "$why"
done <<'END'
.signed._type = "targets"|_type is "targets"
.signed.version = 0|version is 0, the first is 1
.signed.version = 3000000000|"version" is 3000000000
.signed.version = 1.5|"version" is missing or no integer
.signed.expires = "2020-01-01T00:00:00Z"|has expired
.signed.expires = "2040-01-01T00:00:00.123Z"|is not YYYY-MM-DDTHH:MM:SSZ
.signed.custom = 1.5|real number
.signatures[0].method = "hmac"|method "hmac" is unknown
.signatures += [.signatures[0]]|has two signatures
.signed.targets["a-1"] = {}|a-1: member "length"
.signed.targets["../x"] = .signed.targets["supplier/brake-2"]|has "\.\."
.signed.targets["supplier/brake-2"].hashes.sha256 = "AB"|hashes.sha256 is not 64 lower-case
.signed.targets["supplier/brake-2"].custom.targetFormat = "TAR"|neither OSTREE nor BINARY
.signed.targets["supplier/brake-2"].custom.targetFormat = "OSTREE"|it has to be 0
.signed.targets["supplier/brake-2"].custom.hardwareIds = []|hardwareIds is no list
.signed.targets["supplier/brake-2"].custom.ecuIdentifiers = {"e":{"hardwareId":"h"}}|ecuIdentifiers .of a director. and hardwareIds
.signed.targets["x-1"] = {"length":0,"hashes":{"sha256":("0"*64)},"custom":{"ecuIdentifiers":{"e":{"hardwareId":"h"}}}}|of the other one
.signed.delegations = {"keys":{"a":{"keytype":"EC","keyval":{"public":"00"}}},"roles":[]}|key type "EC" is neither
.signed.targets["supplier/brake-2"].custom.pad = ("x" * 9000000)|larger than the 8 MiB
.signed.targets["supplier/brake-2"].custom.pad = ("x" * 8350000)|a targets may have
END
# A terminal would obey what a stranger wrote.
obeys() { "$sign" "$@" 2>&1 | LC_ALL=C grep -q '[[:cntrl:]]\['; }
printf '{"signatures":[],"signed":{"_type":"\\u001b[2J","expires":"2040-01-01T00:00:00Z","version":1}}' >bad.json
mkdir escape && echo '{"repository":"image","role":"root","version":1}' >escape/draft.json
printf '{"_type":"Root","\\u001b[2J":1}' >escape/next.json
mkdir lines && printf '{"n":1,"time":"2026-11-27T09:00:00Z","event":"file","text":"\\u001b[2J","previous":"0"}\n' >lines/1.log
ok "a stranger's document does not move the cursor" not obeys inspect bad.json
ok "nor does a draft" not obeys root show escape
ok "nor a log" not obeys log verify lines
ok "nor lines of it" not obeys log show lines
ok "though its text is told" says 'x1b' "$sign" log show lines
jq -c '.signed.custom = {"note":"größer"}' "$good" >bad.json
ok "refuses text that is not ASCII" refuses "only printable ASCII is hashed alike" "$sign" inspect bad.json
jq -ca '.signed.custom = {"note":"größer"}' "$good" >bad.json
ok "also when it is escaped" refuses "outside printable ASCII" "$sign" inspect bad.json
jq -c '.signed.targets |= with_entries(.value.hashes.sha512 = "00")' "$good" >bad.json
ok "warns of what garage-sign cannot read" says "warning: supplier/brake-2: has other hashes than sha256" "$sign" inspect bad.json
director='{"signatures":[],"signed":{"_type":"Targets","version":1,"expires":"2040-01-01T00:00:00Z","custom":{"deviceId":"car"},"targets":{}}}'
echo "$director" >director.json
ok "tells a director's document" says "Targets of the director" "$sign" inspect director.json
ok "which is not edited" refuses "is the director's, for one device" "$sign" targets add director.json --name a --version 1 --hardware h --file fw.bin
ok "the type of a document is asked for" refuses "_type is .Targets., not Root" "$sign" verify "$good" --root 1.root.json --role root
ok "targets are no root" refuses "is no document of type Targets" "$sign" targets sign 1.root.json --key bob --keys "$T/bobs"
ok "a chain of garbage is refused" refuses "good.json: " "$sign" root verify 1.root.json "$good"

# ---- with ota-signd: its root keys leave, then everything is signed off line
settings
start_signd
start_watcher
start_build
server() { "$sign" "$@" -c "$conf"; }
first=$(jq -r '.signed.roles.root.keyids[0]' "$T/keys/image/1.root.json")
draft=$T/stick/leave
ok "the server begins a root that gives root to people" server root begin image --add-key root=alice.pub --add-key root=bob.pub \
	--add-key root=carol.pub --remove-key "root=$first" --threshold root=2 "$draft"
ok "they see who goes" says "- $first" "$sign" root show "$draft"
as bob root sign "$draft" --yes >/dev/null
ok "the server does not take it before enough have signed" refuses "1 of 2 needed.*; who has signed: ota-sign root show" server root finish "$draft"
as alice root sign "$draft" --yes >/dev/null
copy
edit_json "$copy/next.json" '.roles.root.threshold = 1'
ok "nor what was changed on the way" refuses "which was changed after it was signed" server root finish "$copy"
ok "the server adds its signature and takes it" server root finish "$draft"
ok "devices go there" "$sign" root verify "$T/keys/image/1.root.json" "$T/keys/image/2.root.json"
ok "the root keys are elsewhere" says "$bob.*elsewhere" server status
ok "the same draft once more is no harm" says "root 2 is made" server root finish "$draft"

# The next root is made without the server: targets get keys of the builders.
cp "$T/keys/image/2.root.json" .
draft=$T/stick/away
online=$(jq -r '.signed.roles.targets.keyids[0]' 2.root.json)
"$sign" root new "$draft" --repository image --from 2.root.json --key targets=build-a.pub --key targets=build-b.pub >/dev/null
ok "targets go off line, 2 of 2" says "targets +2 of 2" "$sign" root remove-key "$draft" --key "targets=$online" --threshold targets=2
as bob root sign "$draft" --yes >/dev/null
as carol root sign "$draft" --yes >/dev/null
copy
edit_json "$copy/draft.json" '.repository = "director"'
ok "a draft of the other repository is refused" refuses "root: version is 3, the next is 2" server root finish "$copy"
ok "nothing came of it" not test -e "$T/keys/director/3.root.json"
ok "the server takes what it could not sign" server root finish "$draft"
ok "byte for byte what was assembled" sh -c "'$sign' root assemble '$draft' 3.root.json --incomplete 2>/dev/null; rm -f away.json;
	'$sign' root assemble '$draft' away.json && cmp away.json '$T/keys/image/3.root.json'"
"$sign" root new "$T/stick/skip" --repository image --from "$T/keys/image/3.root.json" >/dev/null
as bob root sign "$T/stick/skip" --yes >/dev/null
as carol root sign "$T/stick/skip" --yes >/dev/null
"$sign" root assemble "$T/stick/skip" 4.root.json
"$sign" root new "$T/stick/skipped" --repository image --from 4.root.json >/dev/null
as bob root sign "$T/stick/skipped" --yes >/dev/null
as carol root sign "$T/stick/skipped" --yes >/dev/null
ok "a version is not skipped" refuses "root: version is 5, the next is 4" server root finish "$T/stick/skipped"

# Targets, from the file that was published.
keys=builders
cp "$T/repository/published/current/targets.json" targets.json
sum=$(sha256sum targets.json | cut -d' ' -f1)
before=$(version)
ok "the published targets are edited" add fw 1.0 ecu-a --commit "$commit"
ok "as the next version" is "$(version)" $((before + 1))
as build-a targets sign targets.json --root "$T/keys/image/3.root.json" >/dev/null
put() { push /api/v1/user_repo/targets -X PUT --data-binary @targets.json -H "x-ats-role-checksum: $sum"; }
ok "one signature is refused" is "$(put)" 400
ok "for that reason" has "$T/body" "1 of 2 needed signatures"
as build-b targets sign targets.json --root "$T/keys/image/3.root.json" >/dev/null
ok "two are taken" is "$(put)" 204
current=$T/repository/published/current
ok "they are published byte for byte" cmp targets.json "$current/targets.json"
ok "with the root that names their keys" is "$(jq .signed.version "$current/root.json")" 3
for role in targets snapshot timestamp; do
	ok "$role verifies under it" "$sign" verify "$current/$role.json" --root "$current/root.json" --role $role
done

# The same through the spool: the next targets, and the next root as the folder that it is.
ok "the next edit is of the next version" add fw 2.0 ecu-a --commit "$(echo other | sha256sum | cut -c 1-64)"
as build-a targets sign targets.json --root "$current/root.json" >/dev/null
as build-b targets sign targets.json --root "$current/root.json" >/dev/null
cp targets.json "$T/spool/incoming/new-targets"
echo '{"targets":"image"}' >"$T/spool/incoming/new-targets.push.json"
ok "the spool takes signed targets" wait_for 30 test -e "$T/spool/done/new-targets.receipt.json"
ok "and they are published byte for byte" cmp targets.json "$current/targets.json"
unset keys
draft=$T/stick/renewed
"$sign" root new "$draft" --repository image --from "$T/keys/image/3.root.json" >/dev/null
as alice root sign "$draft" --yes >/dev/null
as carol root sign "$draft" --yes >/dev/null
cp -r "$draft" "$T/spool/incoming/renewed.moving" && mv "$T/spool/incoming/renewed.moving" "$T/spool/incoming/renewed"
ok "the spool takes the folder with the next root" wait_for 30 test -e "$T/spool/done/renewed.receipt.json"
ok "devices go from the first root to it" "$sign" root verify "$T/keys/image/"[1234].root.json
ok "and it is published" is "$(jq .signed.version "$current/root.json")" 4
finish
