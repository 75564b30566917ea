#!/bin/sh
# Delegations: suppliers sign on their own machines; the spool takes their documents as they are, if they may.
# shellcheck source=tests/integration/lib.sh disable=SC2317 # functions are called by name
. "$(dirname "$0")/lib.sh"

in=$T/spool/incoming
current=$T/repository/published/current
sign=${OTA_TEST_SIGN:-$(dirname "$OTA_DEVICE")/ota-test-sign}
receipt() { wait_for 20 test -e "$T/spool/done/$1.receipt.json"; }
refused() { wait_for 20 test -e "$T/spool/failed/$1.reason.txt" && has "$T/spool/failed/$1.reason.txt" "$2"; }
# document VERSION FILE [SHA256-DIGIT]: the "signed" part of a supplier's targets
document() {
	jq -n --arg file "$2" --arg hash "$(printf '%064d' "${3:-1}")" --argjson version "$1" '{_type:"Targets",
		expires:"2098-01-01T00:00:00Z", version:$version, targets:{($file):{length:5, hashes:{sha256:$hash},
		custom:{name:"radio", version:"1", hardwareIds:["radio-hw"], targetFormat:"BINARY", uri:null}}}}'
}
# push NAME DELEGATION FILE: a folder with the signed document
push() {
	mkdir "$T/making"
	cp "$3" "$T/making/signed.json"
	echo "{\"delegation\":\"$2\"}" >"$T/making/push.json"
	mv "$T/making" "$in/$1"
}

settings "spool_quiet_seconds = 1" "spool_incomplete_seconds = 3"
mkdir "$T/sup"
id=$("$sign" key ed25519 "$T/sup" one)
id2=$("$sign" key rsa "$T/sup" two)
"$sign" key ed25519 "$T/sup" stranger >/dev/null
start_signd && start_watcher || exit 1

# Trust is set over the build listener; here signd signs it for the watcher's user, and the next publication keeps it.
stop watcher
jq -c --slurpfile one "$T/sup/one.pub" --slurpfile two "$T/sup/two.pub" --arg id "$id" --arg id2 "$id2" '.signed
	| .version += 1 | .delegations = {keys:{($id):$one[0],($id2):$two[0]}, roles:[
	{name:"later",keyids:[$id],paths:["later/*"],threshold:1,terminating:false},
	{name:"supplier",keyids:[$id,$id2],paths:["radio-*"],threshold:2,terminating:false}]}
	| {operation:"sign",repository:"image",role:"targets",signed:.}' "$current/targets.json" >"$T/request"
perl -MIO::Socket::UNIX -e '
	$> = 64103; my $s = IO::Socket::UNIX->new($ARGV[0]) or die "$!";
	open my $f, "<", $ARGV[1] or die; local $/; my $text = <$f>; chomp $text;
	print $s pack("L>", length $text), $text; $s->flush;
	read $s, my $head, 4; read $s, my $reply, unpack("L>", $head); print substr $reply, 4' \
	"$T/sign.sock" "$T/request" >"$T/targets.json"
cat "$T/targets.json" >"$current/targets.json"
echo radio >"$in/top.bin"
echo '{"name":"top","version":"1","hardwareIds":["radio-hw"],"target":"radio-0"}' >"$in/top.bin.push.json"
start watcher "$OTA_BIN/ota-watcher" -c "$conf"
ok "targets with delegations: the next publication keeps them" receipt top.bin
ok "both" is "$(jq -c '[.signed.delegations.roles[].name]' "$current/targets.json")" '["later","supplier"]'

# -- what is taken --
document 3 radio-1 >"$T/doc"
"$sign" sign "$T/doc" "$T/sup/one.sec" "$T/sup/two.sec" >"$T/good"
jq . "$T/good" >"$T/pretty"
push first supplier "$T/pretty"
ok "signed by both: published" receipt first
ok "byte for byte" cmp "$T/pretty" "$current/delegations/supplier.json"
ok "the snapshot lists it, though another was never pushed" is \
	"$(jq -c '.signed.meta|keys' "$current/snapshot.json")" '["root.json","supplier.json","targets.json"]'
ok "with the hash of its canonical form" is "$(jq -r '.signed.meta["supplier.json"].hashes.sha256' \
	"$current/snapshot.json")" "$("$sign" canonical "$T/good" | tr -d '\n' | sha256sum | cut -d' ' -f1)"
cp "$T/pretty" "$in/doc.json"
echo '{"delegation":"supplier"}' >"$in/doc.json.push.json"
ok "the same as a plain file: done" receipt doc.json
before=$(readlink "$current")
echo more >"$in/more.bin"
echo '{"name":"more","version":"1","hardwareIds":["radio-hw"]}' >"$in/more.bin.push.json"
ok "a publication after it" receipt more.bin
ok "is another set" not is "$(readlink "$current")" "$before"
ok "and keeps the delegation" cmp "$T/pretty" "$current/delegations/supplier.json"
ok "as the same file" is "$(stat -c %i "$current/delegations/supplier.json")" \
	"$(stat -c %i "$T/repository/published/$before/delegations/supplier.json")"

# -- what is not --
before=$(readlink "$current")
document 4 radio-1 >"$T/doc"
"$sign" sign "$T/doc" "$T/sup/one.sec" >"$T/bad"
push one-only supplier "$T/bad"
"$sign" sign "$T/doc" "$T/sup/one.sec" "$T/sup/stranger.sec" >"$T/bad"
push stranger supplier "$T/bad"
"$sign" sign "$T/doc" "$T/sup/one.sec" "$T/sup/two.sec" >"$T/bad"
push nobody nobody "$T/bad"
push rolename targets "$T/bad"
sed 's/radio-1/radio-2/' "$T/bad" >"$T/bad2"
push changed supplier "$T/bad2"
document 3 radio-2 >"$T/doc"
"$sign" sign "$T/doc" "$T/sup/one.sec" "$T/sup/two.sec" >"$T/bad"
push old supplier "$T/bad"
document 4 other-1 >"$T/doc"
"$sign" sign "$T/doc" "$T/sup/one.sec" "$T/sup/two.sec" >"$T/bad"
push outside supplier "$T/bad"
document 4 radio-0 >"$T/doc"
"$sign" sign "$T/doc" "$T/sup/one.sec" "$T/sup/two.sec" >"$T/bad"
push taken supplier "$T/bad"
document 4 radio-1 | jq '.expires = "2020-01-01T00:00:00Z"' >"$T/doc"
"$sign" sign "$T/doc" "$T/sup/one.sec" "$T/sup/two.sec" >"$T/bad"
push expired supplier "$T/bad"
document 4 radio-1 | jq '.targets[].custom.hardwareIds = []' >"$T/doc"
"$sign" sign "$T/doc" "$T/sup/one.sec" "$T/sup/two.sec" >"$T/bad"
push nohw supplier "$T/bad"
echo '{"signatures":[' >"$T/bad"
push half supplier "$T/bad"
ok "one signature of two" refused one-only '1 of 2 needed signatures are good'
ok "a stranger's" refused stranger '1 of 2 needed signatures are good'
ok "a name that nobody trusts" refused nobody 'there is no trusted delegation "nobody"'
ok "a role's name" refused rolename '"targets" is no name of a delegation'
ok "changed on the way" refused changed '0 of 2 needed signatures are good'
ok "an old version" refused old 'has version 3, it has to be above 3'
ok "a file name outside its paths" refused outside 'may not offer the file name "other-1"'
ok "a file name that the top level has" refused taken 'radio-0: was published with sha256'
ok "expired" refused expired 'has expired'
ok "without hardware ids" refused nohw 'custom.hardwareIds is missing or empty'
ok "half a document" refused half 'not JSON'
ok "nothing was published" is "$(readlink "$current")" "$before"
finish
