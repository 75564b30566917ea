#!/bin/sh
# Drops that are not fine: each ends in failed/ with words that name the thing and the cause; nothing is published.
# shellcheck source=tests/integration/lib.sh disable=SC2317 # functions are called by name
. "$(dirname "$0")/lib.sh"

in=$T/spool/incoming
current=$T/repository/published/current

# refused NAME PATTERN: in failed/, with the reason, gone from incoming/
refused() {
	wait_for 20 test -e "$T/spool/failed/$1.reason.txt" &&
		has "$T/spool/failed/$1.reason.txt" "$2" &&
		is "$(wc -l <"$T/spool/failed/$1.reason.txt")" 1 &&
		not test -e "$in/$1" &&
		{ test -e "$T/spool/failed/$1" || test -L "$T/spool/failed/$1"; }
}
# push NAME JSON: a good repository with that push.json
push() {
	cp -r "$T/good" "$in/$1"
	printf '%s' "$2" >"$in/$1/push.json"
}
files() { find "$1/objects" -name '*.filez' | sort; }
flip() { # flip FILE: the byte in the middle becomes another
	chmod u+w "$1"
	n=$(($(stat -c %s "$1") / 2))
	b=$(od -An -tu1 -j $n -N1 "$1" | tr -d ' ')
	# shellcheck disable=SC2059 # the octal escape is the point
	printf "\\$(printf %03o $((b ^ 1)))" | dd of="$1" bs=1 seek=$n conv=notrunc status=none
}
object() { echo "$1" | sed 's|.*/\(..\)/\([^/]*\)$|\1\2|'; } # object PATH: its name

mkdir -p "$T/tree/etc"
for i in 1 2 3 4 5 6 7 8; do echo "file $i" >"$T/tree/etc/$i"; done
ostree --repo="$T/good" init --mode=archive
commit=$(ostree --repo="$T/good" commit -b app --owner-uid=0 --owner-gid=0 --add-metadata-string=version=1 "$T/tree")

settings "spool_quiet_seconds = 1" "spool_incomplete_seconds = 4"
start_signd && start_watcher || exit 1
before=$(readlink "$current")

# -- objects --
cp -r "$T/good" "$T/bad"
gone=$(files "$T/bad" | head -n 1)
rm -f "$gone"
mv "$T/bad" "$in/missing-file"
cp -r "$T/good" "$T/bad"
hurt=$(files "$T/bad" | tail -n 1)
flip "$hurt"
mv "$T/bad" "$in/flipped-file"
cp -r "$T/good" "$T/bad"
printf 'more' >>"$hurt"
mv "$T/bad" "$in/padded-file"
cp -r "$T/good" "$T/bad"
truncate -s 100M "$hurt"
mv "$T/bad" "$in/sparse-file"
cp -r "$T/good" "$T/bad"
tree=$(find "$T/bad/objects" -name '*.dirtree' | sort | head -n 1)
flip "$tree"
mv "$T/bad" "$in/flipped-tree"
cp -r "$T/good" "$T/bad"
flip "$T/bad/objects/$(echo "$commit" | sed 's|^..|&/|').commit"
mv "$T/bad" "$in/flipped-commit"
cp -r "$T/good" "$T/bad"
short=$(files "$T/bad" | sed -n 3p)
chmod u+w "$short"
truncate -s -3 "$short"
mv "$T/bad" "$in/truncated-file"
cp -r "$T/good" "$T/bad"
link=$(files "$T/bad" | sed -n 4p)
rm -f "$link"
ln -s /etc/passwd "$link"
mv "$T/bad" "$in/linked-file"
cp -r "$T/good" "$T/bad"
mv "$T/bad/objects" "$T/objects"
ln -s "$T/objects" "$T/bad/objects"
mv "$T/bad" "$in/linked-objects"
cp -r "$T/good" "$T/bad"
echo 0123 >"$T/bad/refs/heads/app"
mv "$T/bad" "$in/short-ref"
cp -r "$T/good" "$T/bad"
chown -R 64110:64110 "$T/bad"
chmod 700 "$T/bad"
mv "$T/bad" "$in/unreadable"

# -- push.json --
push json-broken '{"name":'
push json-type '{"version":2.1}'
push json-name '{"name":"../../etc"}'
push json-long "{\"name\":\"$(printf %0300d 1)\"}"
push json-hardware '{"hardwareIds":[]}'
push json-ref '{"ref":"none"}'
push json-utf8 '{"comment":"\u00fcber"}'
cp -r "$T/good" "$in/json-large"
head -c 3000000 /dev/zero | tr '\0' ' ' >"$in/json-large/push.json"
cp -r "$T/good" "$in/json-twice"
echo '{}' >"$in/json-twice/push.json"
echo '{}' >"$in/json-twice.push.json"

# -- no drops, and odd names --
mkdir "$in/no-repository"
echo hello >"$in/plain-file"
mkfifo "$in/a-fifo"
ln -s "$T/good" "$in/a-symlink"
sed 's/^mode=.*/mode=strange/' "$T/good/config" >"$T/config"
cp -r "$T/good" "$in/strange-mode"
cp "$T/config" "$in/strange-mode/config"
long=$(printf %0250d 1)
cp -r "$T/good" "$in/$long"
control=$(printf 'new\nline')
cp -r "$T/good" "$in/$control"
latin=$(printf 'caf\351')
cp -r "$T/good" "$in/$latin"
cp -r "$T/good" "$in/.dotted"
cp -r "$T/good" "$in/x.receipt.json"

ok "while there is hope, status says what is missing" wait_for 5 file_with "$T/spool/status" \
	"^missing-file: waiting, incomplete: commit $commit .*$(object "$gone"), which is missing \\(unchanged for"
ok "a missing object is named, and who needs it" refused missing-file \
	"^missing-file: commit $commit \\(ref app\\) needs object $(object "$gone"), which is missing"
ok "a flipped byte in a file is found" refused flipped-file "needs object $(object "$hurt"), which is damaged"
ok "bytes after an object's content are found" refused padded-file \
	"needs object $(object "$hurt"), which is damaged: its content ends at byte [0-9]+ of [0-9]+"
ok "a file that is mostly a hole is not copied" refused sparse-file "which is damaged: it has 104857600 bytes, most of them holes"
ok "a flipped byte in a dirtree is found" refused flipped-tree "needs object $(object "$tree"), which is damaged"
ok "a flipped byte in a commit is found" refused flipped-commit "object $commit.commit: is damaged"
ok "a truncated file is found" refused truncated-file "needs object $(object "$short"), which is damaged"
ok "a symlink for an object is not followed" refused linked-file "needs object $(object "$link"), which .*not a regular file"
ok "a symlink for the objects is not followed" refused linked-objects 'objects: is a symlink'
ok "a half-written ref is named" refused short-ref 'ref app: does not hold a commit id'
ok "a drop that cannot be read says how to help" refused unreadable 'may not read it; chmod -R a\+rX'

ok "push.json: cut off" refused json-broken 'push.json: not JSON'
ok "push.json: wrong type" refused json-type 'push.json: member "version" is no text'
ok "push.json: a path for a name" refused json-name 'push.json: package name "../../etc": character 1'
ok "push.json: a name of 300 bytes" refused json-long 'package name .* has 300 bytes, at most 128'
ok "push.json: no hardware ids" refused json-hardware 'push.json: the list of hardware ids is empty'
ok "push.json: an unknown ref" refused json-ref 'push.json: ref "none" is not in the drop'
ok "push.json: no ASCII" refused json-utf8 'push.json: member "comment" is not printable ASCII'
ok "push.json: too large" refused json-large 'push.json: has 3000000 bytes, at most 2097152'
ok "push.json: two of them" refused json-twice 'there are two push.json'

ok "a folder that is no repository" refused no-repository 'no OSTree repository: there is no file "config"'
ok "a plain file: says what is taken" refused plain-file 'a file needs NAME.push.json beside it, .* what is taken is a folder that is an OSTree'
ok "a fifo" refused a-fifo 'this is neither a folder nor a file'
ok "a symlink is not followed" refused a-symlink 'a symlink is not followed'
ok "a mode that nobody knows" refused strange-mode 'config: mode "strange" is not known'
ok "a name of 250 bytes" refused "$(printf %0200d 0)" 'the name has 250 bytes, 1 to 200 are allowed'
ok "a name with a line feed" refused new_line 'the name "new.x0aline" is not printable ASCII: byte 4 is 0x0a'
ok "a name that is not UTF-8" refused caf_ 'the name "caf.xe9" is not printable ASCII'
ok "a name with a dot" refused _dotted 'the name ".dotted" starts with a dot'
ok "a name that means something else" refused x.receipt_json 'ends with .receipt.json, which has a meaning'

ok "nothing of all this was published" is "$(readlink "$current")" "$before"
ok "no ref was set" is "$(ostree --repo="$T/repository/ostree" refs)" ""
ok "nothing is left behind" is "$(find "$in" "$T/spool/work" "$T/repository/staging" -mindepth 1)" ""
ok "the log has a line for each, and no line is forged" is "$(grep -c 'result=failed' "$T/watcher.log")" \
	"$(find "$T/spool/failed" -name '*.reason.txt' | wc -l)"

# -- after the refusals: the same name, repaired --
cp -r "$T/good" "$in/missing-file"
ok "repaired and dropped again: published" wait_for 10 test -e "$T/spool/done/missing-file.receipt.json"

# -- a file name is never used for other content --
echo other >"$T/tree/etc/1"
ostree --repo="$T/good" commit -b app --owner-uid=0 --owner-gid=0 --add-metadata-string=version=1 "$T/tree" >/dev/null
cp -r "$T/good" "$in/same-version"
ok "another commit for the same version is refused" refused same-version \
	"app-1: was published with commit $commit; a file name is never used for other content, so commit $(ostree \
	--repo="$T/good" rev-parse app) needs another version"
ok "and the ref still names the first" is "$(ostree --repo="$T/repository/ostree" rev-parse app)" "$commit"
push below '{"ref":"app","version":"2"}'
mkdir "$in/below/refs/heads/x"
mv "$in/below/refs/heads/app" "$in/below/refs/heads/x/y"
mkdir "$in/below/refs/heads/app"
mv "$in/below/refs/heads/x/y" "$in/below/refs/heads/app/y"
echo '{"version":"2"}' >"$in/below/push.json"
ok "a ref below another is refused" refused below 'ref app/y cannot be set: a part of its path is a ref already'
finish
