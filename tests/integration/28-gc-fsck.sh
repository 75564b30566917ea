#!/bin/sh
# What nobody needs goes, nothing that is needed goes, and damage is found and repaired.
# shellcheck source=tests/integration/lib.sh disable=SC2317 # functions are called by name
. "$(dirname "$0")/lib.sh"

served=$T/repository/ostree
report=$T/repository/report/gc
fsck() { "$OTA_BIN/ota-fsck" -c "$conf" "$@"; }
# exits STATUS PATTERN COMMAND...: with that status, and the output has the pattern
exits() {
	want=$1
	pattern=$2
	shift 2
	"$@" >"$T/exits.out" 2>&1
	got=$?
	has "$T/exits.out" "$pattern" && is "$got" "$want"
}
receipt() { wait_for 30 test -e "$T/spool/done/$1.receipt.json"; }
# object COMMIT KIND: the path of one object of that kind that the commit needs
file_of() { find "$T/$1.drop/objects" -name "*.$2" | sort | sed -n "${3:-1}p" | sed "s|.*/objects/|$served/objects/|"; }
# as the watcher, who owns what is there
as_watcher() { setpriv --reuid=64103 --regid=64103 --clear-groups "$@"; }
flip() { # flip FILE: one byte in the middle
	# shellcheck disable=SC2016 # perl's
	as_watcher perl -e 'open F, "+<", $ARGV[0] or die; my $at = int((-s F) / 2); seek F, $at, 0; read F, my $c, 1;
		seek F, $at, 0; print F chr(ord($c) ^ 1)' "$1"
}
# garbage NAME: objects of a commit that nobody needs, copied into the repository
garbage() {
	commit_of "$1" 1 20 >/dev/null
	rm -rf "$T/$1-1.drop/refs/heads/qemux86-64"
	chmod -R a+rX "$T/$1-1.drop"
	(cd "$T/$1-1.drop" && find objects -type f) | while read -r path; do
		as_watcher sh -c "umask 0027; mkdir -p '$served/${path%/*}' && cp -n '$T/$1-1.drop/$path' '$served/$path'"
	done
}
commits() { find "$served/objects" -name '*.commit' | wc -l; }

settings "spool_quiet_seconds = 0" "gc_seconds = 0" "gc_grace_seconds = 2"
start_signd
start_watcher
c1=$(commit_of app 1.0 20)
commit_of app 2.0 20 >/dev/null
for version in 1.0 2.0; do drop app $version && receipt app-$version; done

# -- dry run: what would go, and nothing goes --
garbage junk
touch -d '2 hours ago' "$T/old"
sleep 3
stop watcher
start_watcher
ok "soon after the start there is a report" wait_for 10 file_with "$report" '^next run: [1-9]'
ok "which says that nothing went yet" has "$report" '^last run: none yet'
ok "and names what would go" has "$report" '^ostree/objects/../[0-9a-f]{62}\.commit [0-9]+$'
ok "as many objects as are garbage" has "$report" "^next run: $(find "$T/junk-1.drop/objects" -type f | while read -r f; do
	find "$T"/app-*.drop/objects -name "${f##*/}" | grep -q . || echo "$f"
done | wc -l) objects, 0 binaries"
ok "the report is for otafs and not for the web" is "$(stat -c %a:%u:%g "$report")" 640:64103:64102
ok "nothing has gone" is "$(commits)" 3

# -- a run --
ok "what is sound is clean" exits 0 'checked [0-9]+ objects, 0 binaries, 0 deltas: clean' fsck
stop watcher
sed -i 's/gc_seconds = 0/gc_seconds = 2/' "$conf"
start_watcher
ok "after a run the garbage is gone" wait_for 15 file_with "$report" '^last run: .*gone: [1-9][0-9]* objects'
ok "and only that" is "$(commits)" 2
ok "ostree finds all in order" ostree --repo="$served" fsck -q
# shellcheck disable=SC2016 # perl's
ok "publishing was held up for less than 50 ms" \
	perl -ne '/hold of publishing ([0-9.]+) ms/ and exit !($1 < 50)' "$report"

# -- a commit that the fleet runs stays when its target and its ref are gone --
mkdir "$T/fleet"
c3=$(commit_of fleet 1 5)
drop fleet 1 && receipt fleet-1
echo "{\"running\":[{\"sha256\":\"$c3\",\"format\":\"OSTREE\",\"hardware\":\"x\",\"devices\":1}],\"assigned\":[]}" \
	>"$T/fleet/fleet.json"
ok "a set that devices may still be reading is left alone" ostree --repo="$served" ls "$c3" /usr/bin/version

# -- pushes beside it --
push_many() {
	for i in 1 2 3 4 5 6 7 8; do
		commit_of "many$1" "$i" 30 >/dev/null && drop "many$1" "$i" || return 1
		garbage "junk$1$i"
	done
	for i in 1 2 3 4 5 6 7 8; do receipt "many$1-$i" || return 1; done
}
push_many a >"$T/a.log" 2>&1 &
a=$!
push_many b >"$T/b.log" 2>&1 &
b=$!
ok "one pusher's drops are all published while garbage is collected" wait "$a"
ok "and the other's" wait "$b"
ok "garbage was collected meanwhile" wait_for 30 sh -c "
	[ \$(grep -c 'garbage collection objects=[1-9]' $T/watcher.log) -ge 3 ]"
ok "nothing that is needed has gone" ostree --repo="$served" fsck -q
ok "every published commit is complete" sh -c "
	for c in \$(jq -r '.signed.targets[].hashes.sha256' $T/repository/published/current/targets.json); do
		ostree --repo=$served ls -R \$c >/dev/null || exit 1
	done"
ok "no slice was longer than 50 ms" sh -c "
	! grep -o 'longest_slice_ms=[0-9.]*' $T/watcher.log | cut -d= -f2 | awk '\$1 >= 50' | grep ."
grep -ho 'longest_slice_ms=[0-9.]*' "$T/watcher.log" | sort -t= -k2 -n | tail -1 | sed 's/^/# /'
ok "ota-fsck says so too, beside the watcher" exits 0 ': clean' fsck

# -- damage --
stop watcher
sed -i 's/gc_seconds = 2/gc_seconds = 0/' "$conf"
start_watcher
file=$(file_of app-1.0 filez)
tree=$(file_of app-1.0 dirtree)
gone=$(file_of app-2.0 filez 5)
flip "$file"
ok "a flipped byte in a file is found" exits 2 "${file#"$T/repository/"}: is damaged" fsck
flip "$tree"
rm "$gone"
ok "a flipped byte in a folder, and a missing file too" exits 2 "${tree#"$T/repository/"}: is damaged" fsck
ok "the missing one is named" has "$T/exits.out" "${gone#"$T/repository/"}: is missing"
ok "all three are counted" has "$T/exits.out" ': 3 found, 0 repaired'
ok "without --repair nothing changes" exits 2 ': 3 found, 0 repaired' fsck
ok "--repair takes them from the drops" exits 1 ': 3 found, 3 repaired' fsck --repair
ok "and says from which" has "$T/exits.out" 'repaired: copied from done/app-2.0'
ok "then all is well" exits 0 ': clean' fsck
ok "for ostree too" ostree --repo="$served" fsck -q
ok "the repaired file is for the group of otafs" setpriv --reuid=64102 --regid=64102 --clear-groups cat "$file"

rm -rf "$T/spool/done/app-1.0"
flip "$file"
rm "$tree"
ok "what no drop has is told" exits 2 ': 2 found, 0 repaired' fsck --repair
ok "and the damaged one is served to nobody" not test -e "$file"
ok "but kept" test -e "$T/repository/damaged/$(echo "${file#"$T/repository/"}" | tr / _)"
ok "garbage collection tells of it" sh -c "$(printf '%s' "rm -f $report; kill \$(cat $T/watcher.pid); sleep 1")"
rm -f "$T/watcher.pid"
start_watcher
ok "in its report" wait_for 10 file_with "$report" '^(incomplete|missing): .*'
cp -r "$T/app-1.0.drop" "$T/spool/done/app-1.0"
ok "with the drop back, it is repaired" exits 1 '(2|3) found, (2|3) repaired' fsck --repair
ok "for good" exits 0 ': clean' fsck
ok "and the first commit is whole" ostree --repo="$served" ls -R "$c1"

# -- the published set, a ref --
current=$T/repository/published/current
as_watcher sh -c "sed 's/\"version\":/\"version\": /' $current/snapshot.json >$T/repository/upload/x; cat $T/repository/upload/x >$current/snapshot.json"
ok "a document that is not what the one above names is told" exits 2 'published/current/snapshot.json: has SHA-256' fsck
ok "a program that cannot look says so with another status" exits 3 'no such user|ota-fsck|stopped' \
	"$OTA_BIN/ota-fsck" -c /nonexistent
finish
