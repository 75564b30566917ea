#!/bin/sh
# Roots that would strand a fleet, handed to a running ota-signd over its socket: each is refused with words that name the
# role or the key and what is wrong with it, in both repositories; what stays is the root before. Then a good one is taken.
# shellcheck source=tests/integration/lib.sh disable=SC2016,SC2317 # filters of jq; functions are called by name
. "$(dirname "$0")/lib.sh"

sign=${OTA_TEST_SIGN:-$(dirname "$OTA_DEVICE")/ota-test-sign}
watcher=64103
otafs=64102
mkdir "$T/k"

# ask UID REQUEST-FILE: prints code and payload of the answer
ask() {
	perl -MIO::Socket::UNIX -e '
		$) = $> = $ARGV[0]; my $s = IO::Socket::UNIX->new($ARGV[1]) or die "socket: $!";
		$SIG{PIPE} = "IGNORE";
		open my $f, "<", $ARGV[2] or die; local $/; my $text = <$f>;
		print $s pack("L>", length $text), $text; $s->flush;
		my $head; (read($s, $head, 8) // 0) == 8 or print("closed\n"), exit;
		my ($bytes, $code) = unpack "L>l>", $head; read $s, my $reply, $bytes - 4; print "$code $reply\n"' \
		"$1" "$T/sign.sock" "$2"
}
# request OPERATION REPOSITORY ROOT-FILE
request() {
	jq -n --arg operation "$1" --arg repository "$2" --rawfile root "$3" '{$operation,$repository,$root}' >"$T/request"
}
# put UID REPOSITORY FILE
put() {
	request put_root "$2" "$3" && ask "$1" "$T/request"
}
# newest REPOSITORY: version of the newest root
newest() {
	echo "{\"operation\":\"keys\",\"repository\":\"$1\"}" >"$T/keys-request"
	ask 0 "$T/keys-request" | sed 's/^0 //' | jq .version
}

settings "root_days = 365"
start_signd
# The root keys of both, so that the test can sign in their place, and new ones.
for repository in image director; do
	# shellcheck disable=SC2046 # one word
	set -- $(cat "$T/keys/$repository"/root-1.key)
	echo "{\"keytype\":\"ED25519\",\"keyval\":{\"private\":\"$1$1\"}}" | "$sign" take "$T/k" "old-$repository" >/dev/null
done
for key in one two; do "$sign" key ed25519 "$T/k" $key >"$T/k/$key.id"; done
"$sign" key rsa "$T/k" rsa >"$T/k/rsa.id"
openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:1024 2>/dev/null | openssl pkey -pubout -out "$T/k/short.pem" 2>/dev/null
openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 2>/dev/null | openssl pkey -pubout -out "$T/k/ec.pem" 2>/dev/null

# good REPOSITORY: the "signed" part of the next root: root keys "one" and the RSA key, 2 of 2
good() {
	jq -c --slurpfile one "$T/k/one.pub" --slurpfile rsa "$T/k/rsa.pub" --arg one_id "$(cat "$T/k/one.id")" \
		--arg rsa_id "$(cat "$T/k/rsa.id")" '.signed | .version = 2 | .keys[$one_id] = $one[0] | .keys[$rsa_id] = $rsa[0]
		| .roles.root = {keyids:[$one_id,$rsa_id],threshold:2}' "$T/keys/$1/1.root.json"
}
# signed REPOSITORY FILE: by old and new keys
signed() { "$sign" sign "$2" "$T/k/old-$1.sec" "$T/k/one.sec" "$T/k/rsa.sec"; }
# bad NAME REASON FILTER: the good root through a jq filter, signed by all, is refused in both repositories
bad() {
	for repository in image director; do
		good $repository | jq -c --arg one "$(cat "$T/k/one.id")" --arg rsa "$(cat "$T/k/rsa.id")" --rawfile short "$T/k/short.pem" \
			--rawfile ec "$T/k/ec.pem" "$3" >"$T/doc"
		signed $repository "$T/doc" >"$T/root"
		ok "$repository: $1" says "^-[0-9]+ .*$2" put 0 $repository "$T/root"
	done
}
# spoilt NAME REASON FILTER: the good root, signed by all, through a jq filter
spoilt() {
	for repository in image director; do
		good $repository >"$T/doc"
		signed $repository "$T/doc" | jq -c "$3" >"$T/root"
		ok "$repository: $1" says "^-[0-9]+ .*$2" put 0 $repository "$T/root"
	done
}

# ---- what the document says
bad "a version skipped" "version is 3, the next is 2" '.version = 3'
bad "the same version" "version is 1, the next is 2" '.version = 1'
bad "version 0" "version is 0, the first is 1" '.version = 0'
bad "a negative version" 'member "version" is -1, allowed is 0 to 2147483647' '.version = -1'
bad "a version of 32 bits" 'member "version" is 2147483648, allowed is 0 to 2147483647' '.version = 2147483648'
bad "a version that is text" 'member "version" is missing or no integer' '.version = "2"'
bad "fractions of a second" 'expires "2040-01-01T00:00:00.000Z" is not YYYY-MM-DDTHH:MM:SSZ' '.expires = "2040-01-01T00:00:00.000Z"'
bad "no time zone" 'is not YYYY-MM-DDTHH:MM:SSZ' '.expires = "2040-01-01T00:00:00"'
bad "no such day" 'is not YYYY-MM-DDTHH:MM:SSZ' '.expires = "2040-02-30T00:00:00Z"'
bad "expired" 'expires.*in the past' '.expires = "2020-01-01T00:00:00Z"'
bad "no expiry" 'member "expires" is missing' 'del(.expires)'
bad "another type" '_type is "Targets", not Root' '._type = "Targets"'
bad "the type in small letters" '_type is "root", not Root' '._type = "root"'
bad "consistent snapshots" 'consistent_snapshot is not false' '.consistent_snapshot = true'
bad "a member more" 'has a member "custom"' '.custom = {}'
bad "characters that are not ASCII, escaped" 'outside printable ASCII' '.keys[$one].keytype = "ED25519\u00fc"'
bad "a role missing" 'role snapshot is missing' 'del(.roles.snapshot)'
bad "a role more" 'roles: has a member "mirrors"' '.roles.mirrors = {}'

# ---- thresholds and keys
bad "threshold 0" 'role targets has no keys or no threshold' '.roles.targets.threshold = 0'
bad "a negative threshold" 'role root: member "threshold" is -1' '.roles.root.threshold = -1'
bad "threshold 1001" 'role root: member "threshold" is 1001' '.roles.root.threshold = 1001'
bad "more than there are keys" 'role root needs 3 signatures and has 2 different keys' '.roles.root.threshold = 3'
bad "no keys" 'role timestamp has no keys or no threshold' '.roles.timestamp.keyids = []'
bad "a key id twice in a role" 'role root names key [0-9a-f]+... twice' '.roles.root.keyids += [$one]'
bad "one key under two ids" 'role root needs 3 signatures and has 2 different keys' \
	'("ab" * 32) as $id | .keys[$id] = .keys[$one] | .roles.root.keyids += [$id] | .roles.root.threshold = 3'
bad "a key that is not there" 'role root names a key that is not there' 'del(.keys[$one])'
bad "an unknown key type" 'key [0-9a-f]+...: key type "ECPRIME256V1" is neither ED25519 nor RSA' \
	'.keys[$one] = {keytype:"ECPRIME256V1",keyval:{public:$ec}}'
bad "a curve as RSA" 'key [0-9a-f]+...: RSA key is no SPKI PEM of 2048, 3072 or 4096 bits' '.keys[$one] = {keytype:"RSA",keyval:{public:$ec}}'
bad "a short RSA key" 'key [0-9a-f]+...: RSA key is no SPKI PEM of 2048, 3072 or 4096 bits' \
	'.keys[$one] = {keytype:"RSA",keyval:{public:$short}}'
bad "half a key" 'key [0-9a-f]+...: ED25519 key is not 64 hex digits' '.keys[$one].keyval.public |= .[:32]'
bad "a key type in small letters" 'key type "rsa" is not in upper-case' '.keys[$rsa].keytype = "rsa"'
bad "a private key" 'has a member "private"' '.keys[$one].keyval.private = "00"'
bad "a key id that is none" 'key id "my-key" is not 64 lower-case hex digits' '.keys["my-key"] = .keys[$one]'
bad "a key id in capital letters" 'is not 64 lower-case hex digits' '.keys[$one | ascii_upcase] = .keys[$one]'
bad "a snapshot that could not be signed here" 'snapshot' '.roles.snapshot.keyids = [$one]'
bad "a timestamp of 2 that could not be signed here" 'timestamp' '.roles.timestamp.keyids += [$one] | .roles.timestamp.threshold = 2'

# ---- signatures
spoilt "none" 'keys of the root role: root: TUF 1.0, 5.3: 0 of 1 needed signatures are good: none is by [0-9a-f]{12}...' '.signatures = []'
spoilt "of the new keys only" 'by 1.root.json: keys of the root role: root: TUF 1.0, 5.3: 0 of 1' '.signatures |= .[1:]'
spoilt "of the old key only" 'by itself: keys of the root role: root: TUF 1.0, 5.3: 0 of 2' '.signatures |= .[:1]'
spoilt "one of two new keys" 'by itself: keys of the root role: root: TUF 1.0, 5.3: 1 of 2' '.signatures |= .[:2]'
spoilt "twice by one key" 'key id [0-9a-f]+ has two signatures' '.signatures += [.signatures[1]]'
spoilt "one key's in the place of another's" '1 of 2 needed signatures are good: key [0-9a-f]+...: signature' \
	'.signatures[2].sig = .signatures[1].sig'
spoilt "an unknown method" 'key [0-9a-f]+...: signature method "ecdsa" is unknown' '.signatures[1].method = "ecdsa"'
spoilt "a method that does not fit" 'does not fit the key' '.signatures[1].method = "rsassa-pss"'
spoilt "no base64" 'is not base64' '.signatures[1].sig = "*"'
spoilt "changed after it was signed" '0 of 1 needed signatures are good: key [0-9a-f]+...: signature' '.signed.expires = "2041-01-01T00:00:00Z"'
spoilt "a member more beside" 'has a member "more"' '.more = 1'
spoilt "characters that are not ASCII" 'outside printable ASCII' '.signatures[1].keyid = "\u00fc"'
spoilt "no signatures at all" 'is no \{"signatures"' 'del(.signatures)'

# ---- texts
for repository in image director; do
	good $repository >"$T/doc"
	signed $repository "$T/doc" >"$T/root"
	head -c 700 "$T/root" >"$T/bad"
	ok "$repository: half of it" says "^-[0-9]+ root: not JSON" put 0 $repository "$T/bad"
	sed 's/"version":2/"version":2.0/' "$T/root" >"$T/bad"
	ok "$repository: a real number" says "^-[0-9]+ TUF 1.0, 4.3: root: member \"version\" is missing or no integer" put 0 $repository "$T/bad"
	sed 's/"version":2/"version":2,"version":2/' "$T/root" >"$T/bad"
	ok "$repository: a member twice" says "^-[0-9]+ root: not JSON: duplicate" put 0 $repository "$T/bad"
	{ cat "$T/root" && head -c 65536 /dev/zero | tr '\0' ' '; } >"$T/bad"
	ok "$repository: 64 KiB and more" says "^-[0-9]+ root: has [0-9]+ bytes, devices read 65536" put 0 $repository "$T/bad"
	{ printf '{"operation":"put_root","repository":"%s","root":"' $repository && head -c 9437184 /dev/zero | tr '\0' 'a' && printf '"}'; } >"$T/large"
	ok "$repository: 9 MiB" says "^closed|^-" ask 0 "$T/large"
	other=director
	[ $repository = image ] || other=image
	good $other >"$T/doc"
	signed $other "$T/doc" >"$T/bad"
	ok "$repository: the root of the other one" says "^-[0-9]+ by 1.root.json: keys of the root role: root: TUF 1.0, 5.3: 0 of 1 .*none is by [0-9a-f]{12}..., key [0-9a-f]{12}... is none of them" \
		put 0 $repository "$T/bad"
	ok "$repository: by a user who may not" says "^-13 user $otafs may not" put $otafs $repository "$T/root"
	ok "$repository: the root before stands" is "$(newest $repository)" 1
	ok "$repository: with its files" is "$(find "$T/keys/$repository" -name '*.root.json' | wc -l)" 1
done
ok "the log names the user, not the text" has "$T/signd.log" 'refused uid=0 reason="TUF 1.0, 4.3: root: _type'

# ---- and a good one
for repository in image director; do
	good $repository >"$T/doc"
	signed $repository "$T/doc" >"$T/root"
	ok "$repository: a good root is taken" says "^0 " put $watcher $repository "$T/root"
	ok "$repository: once more is no error" says "^0 " put 0 $repository "$T/root"
	ok "$repository: it is kept byte for byte" cmp "$T/root" "$T/keys/$repository/2.root.json"
	ok "$repository: it is the newest" is "$(newest $repository)" 2
done
finish
