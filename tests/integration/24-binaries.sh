#!/bin/sh
# Drops of binaries: files with push.json, many in one go, bytes that are elsewhere; refusals in words; a crash.
# shellcheck source=tests/integration/lib.sh disable=SC2317 # functions are called by name
. "$(dirname "$0")/lib.sh"

in=$T/spool/incoming
current=$T/repository/published/current
target() { jq -r ".signed.targets[\"$1\"]$2" "$current/targets.json"; } # target FILE FILTER
binary() { # binary FILE: where its bytes are in the repository
	sha256sum "$1" | sed "s|^\(..\)\([0-9a-f]*\).*|$T/repository/binaries/\1/\2|"
}
receipt() { wait_for 20 test -e "$T/spool/done/$1.receipt.json"; }
refused() {
	wait_for 20 test -e "$T/spool/failed/$1.reason.txt" && has "$T/spool/failed/$1.reason.txt" "$2" &&
		is "$(wc -l <"$T/spool/failed/$1.reason.txt")" 1 && not test -e "$in/$1"
}
push() { # push NAME JSON [FILE...]: a folder with push.json and these files, in one rename
	mkdir "$T/making"
	printf '%s' "$2" >"$T/making/push.json"
	made=$1
	shift 2
	for file in "$@"; do cp "$file" "$T/making/"; done
	mv "$T/making" "$in/$made"
}

settings "spool_quiet_seconds = 1" "spool_incomplete_seconds = 3"
start_signd && start_watcher || exit 1
head -c 300000 /dev/urandom >"$T/fw.bin"
head -c 1000 /dev/urandom >"$T/small.bin"

# -- what is taken --
cp "$T/fw.bin" "$in/fw.bin"
echo '{"name":"fw","version":"1.0","hardwareIds":["mcu"],"comment":"first","custom":{"team":"red"}}' >"$in/fw.bin.push.json"
ok "a file with push.json beside it: published" receipt fw.bin
ok "its bytes are there under their hash" cmp "$T/fw.bin" "$(binary "$T/fw.bin")"
ok "and may be read by all" is "$(stat -c %a "$(binary "$T/fw.bin")")" 644
ok "target: length" is "$(target fw-1.0 .length)" 300000
ok "target: sha256, and nothing else" is "$(target fw-1.0 '.hashes|tojson')" \
	"{\"sha256\":\"$(sha256sum "$T/fw.bin" | cut -d' ' -f1)\"}"
ok "target: custom" is \
	"$(target fw-1.0 '.custom|[.targetFormat,.uri,.comment,.team,.name,.version,.hardwareIds[0]]|tojson')" \
	'["BINARY",null,"first","red","fw","1.0","mcu"]'
ok "the receipt says hash and length" is "$(jq -c '.published[0]|[.length,.target,.sha256]' \
	"$T/spool/done/fw.bin.receipt.json")" \
	"[300000,\"fw-1.0\",\"$(sha256sum "$T/fw.bin" | cut -d' ' -f1)\"]"

push folder '{"name":"fw","version":"2.0","hardwareIds":["mcu"],"target":"dir/fw 2.bin"}' "$T/small.bin"
ok "a folder with one file and push.json: published" receipt folder
ok "under the file name that was asked for" is "$(target "dir/fw 2.bin" .length)" 1000
push elsewhere "{\"name\":\"far\",\"version\":\"1\",\"hardwareIds\":[\"mcu\"],\"uri\":\"https://cdn.example/far\",
	\"sha256\":\"$(printf %064d 7)\",\"length\":12345}"
ok "bytes that are elsewhere: published" receipt elsewhere
ok "with their address" is "$(target far-1 '|[.custom.uri,.length]|tojson')" '["https://cdn.example/far",12345]'
truncate -s 300G "$in/holes"
echo '{"name":"holes","version":"1","hardwareIds":["qemux86-64"]}' >"$in/holes.push.json"
ok "holes that would be hashed for an hour: refused" wait_for 30 file_with "$T/spool/failed/holes.reason.txt" "has 322122547200 bytes, at most"
truncate -s 200M "$T/sparse"
push sparse '{"name":"sparse","version":"1","hardwareIds":["mcu"]}'
cp --sparse=always "$T/sparse" "$in/sparse/sparse"
ok "a sparse file: published" receipt sparse
ok "its holes stay holes" test "$(du -k "$(binary "$T/sparse")" | cut -f1)" -lt 1000

mkdir "$T/many"
for i in $(seq 300); do echo "binary $i" >"$T/many/f$i"; done
jq -n '{releases:[range(1;301)|{name:"m\(.)",version:"1",hardwareIds:["mcu"],file:"f\(.)"}]}' >"$T/many/push.json"
before=$(readlink "$current")
mv "$T/many" "$in/many"
ok "300 in one go: published" receipt many
ok "in one publication" is "$(readlink "$current")" $((before + 1))
ok "all of them" is "$(jq '[.signed.targets|keys[]|select(startswith("m"))]|length' "$current/targets.json")" 300

before=$(jq .signed.version "$current/targets.json")
cp "$T/fw.bin" "$in/again.bin"
echo '{"name":"fw","version":"1.0","hardwareIds":["mcu"]}' >"$in/again.bin.push.json"
ok "the same once more: done" receipt again.bin
ok "and nothing was signed" is "$(jq .signed.version "$current/targets.json")" "$before"

# -- what is not --
push other '{"name":"fw","version":"1.0","hardwareIds":["mcu"]}' "$T/small.bin"
push nohw '{"name":"x","version":"1"}' "$T/small.bin"
push noname '{"hardwareIds":["mcu"]}' "$T/small.bin"
push two '{"name":"x","version":"1","hardwareIds":["mcu"],"file":"fw.bin"}' "$T/small.bin" "$T/fw.bin"
push gone '{"name":"x","version":"1","hardwareIds":["mcu"],"file":"none.bin"}'
push dots '{"name":"x","version":"1","hardwareIds":["mcu"],"target":"../x"}' "$T/small.bin"
push custom '{"name":"x","version":"1","hardwareIds":["mcu"],"custom":{"uri":"x"}}' "$T/small.bin"
push real '{"name":"x","version":"1","hardwareIds":["mcu"],"custom":{"a":1.5}}' "$T/small.bin"
push hash "{\"name\":\"x\",\"version\":\"1\",\"hardwareIds\":[\"mcu\"],\"sha256\":\"$(printf %064d 7)\"}" "$T/small.bin"
push length '{"name":"x","version":"1","hardwareIds":["mcu"],"length":999}' "$T/small.bin"
push nohash '{"name":"x","version":"1","hardwareIds":["mcu"],"uri":"https://cdn.example/x"}'
push link '{"name":"x","version":"1","hardwareIds":["mcu"],"file":"l"}'
ln -s /etc/passwd "$in/link/l"
: >"$T/empty"
push empty '{"name":"x","version":"1","hardwareIds":["mcu"]}' "$T/empty"
ok "other content for a file name" refused other 'fw-1.0: was published with sha256'
ok "no hardware ids" refused nohw 'a binary needs "hardwareIds"'
ok "no name" refused noname 'needs members "name" and "version"'
ok "a file that nothing is said of" refused two '"small.bin" is in the drop, but push.json does not name it'
ok "a file that is not there" refused gone 'file "none.bin", which push.json names, is not in the drop'
ok "a file name with .." refused dots 'target "../x": the file name has'
ok "a member that is not the builder's" refused custom 'member "uri" is not the builder.s to set'
ok "a real number" refused real 'a real number has no canonical form'
ok "another hash than announced" refused hash 'its sha256 is [0-9a-f]{64}, push.json says'
ok "another length than announced" refused length 'has 1000 bytes, push.json says 999'
ok "elsewhere without a hash" refused nohash '"sha256" and "length" are needed'
ok "a symlink" refused link 'l'
ok "an empty file" refused empty 'file "empty" is empty'
ok "nothing of them is left behind" is "$(find "$T/repository/upload" -type f | wc -l)" 0

# -- a slow copy, and a crash --
echo '{"name":"slow","version":"1","hardwareIds":["mcu"],"length":300000}' >"$in/slow.bin.push.json"
head -c 100000 "$T/fw.bin" >"$in/slow.bin"
sleep 2
tail -c 200000 "$T/fw.bin" >>"$in/slow.bin"
ok "a slow copy with its length announced: published whole" receipt slow.bin
ok "whole" is "$(target slow-1 .hashes.sha256)" "$(sha256sum "$T/fw.bin" | cut -d' ' -f1)"
stop signd
push patient '{"name":"late","version":"1","hardwareIds":["mcu"]}' "$T/small.bin"
ok "without a signer it waits" wait_for 10 says "^patient\$" ls "$T/spool/work"
stop watcher KILL
start_signd
start watcher "$OTA_BIN/ota-watcher" -c "$conf"
ok "after kill -9 it is published" receipt patient
ok "limits are reported" has "$T/repository/report/limits" '^targets.json: [0-9]+ of 8388608 bytes, ok$'
finish
