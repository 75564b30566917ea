#!/bin/sh
# Static deltas: made from what devices run, used by a stock client over the device listener, and never wrong.
# shellcheck source=tests/integration/lib.sh disable=SC2317 # functions are called by name
. "$(dirname "$0")/lib.sh"

served=$T/repository/ostree
report=$T/repository/report/deltas.json
fsck() { "$OTA_BIN/ota-fsck" -c "$conf" "$@"; }
exits() { # exits STATUS PATTERN COMMAND...
	want=$1
	pattern=$2
	shift 2
	"$@" >"$T/exits.out" 2>&1
	got=$?
	has "$T/exits.out" "$pattern" && is "$got" "$want"
}
flip() {
	perl -e 'open F, "+<", $ARGV[0] or die; my $at = int((-s F) / 2); seek F, $at, 0; read F, my $c, 1;
		seek F, $at, 0; print F chr(ord($c) ^ 1)' "$1"
}
receipt() { wait_for 30 test -e "$T/spool/done/$1.receipt.json"; }
# image VERSION: a commit with large files that differ a little from version to version; prints it
image() {
	tree=$T/tree
	mkdir -p "$tree/usr"
	perl -e 'srand 1; for my $f (1 .. 40) { open F, ">", "$ARGV[0]/usr/lib$f"; my $t = ""; $t .= pack "N", rand 2**32 for 1 .. 5000;
		substr($t, 100, 4) = sprintf "%04d", $ARGV[1]; print F $t }' "$tree" "$1"
	ostree --repo="$T/app-$1.drop" init --mode=archive
	ostree --repo="$T/app-$1.drop" commit --branch=qemux86-64/app --tree=dir="$tree" --owner-uid=0 --owner-gid=0
	echo "{\"name\":\"app\",\"version\":\"$1\",\"hardwareIds\":[\"qemux86-64\"]}" >"$T/app-$1.drop/push.json"
}
# fleet COMMIT...: devices run these
fleet() {
	mkdir -p "$T/fleet"
	for commit in "$@"; do
		echo "{\"sha256\":\"$commit\",\"format\":\"OSTREE\",\"hardware\":\"qemux86-64\",\"devices\":3}"
	done | jq -sc '{running: ., assigned: []}' >"$T/fleet/new"
	mv "$T/fleet/new" "$T/fleet/fleet.json"
}
# client NAME COMMIT: a device's repository that has COMMIT, with the listener as remote
client() {
	rm -rf "$T/${1:?}"
	ostree --repo="$T/$1" init --mode=bare-user
	ostree --repo="$T/$1" pull-local "$T/app-1.drop" "$2" >/dev/null
	ostree --repo="$T/$1" remote add --no-gpg-verify \
		--set=tls-client-cert-path="$T/car/client.pem" --set=tls-client-key-path="$T/car/pkey.pem" \
		--set=tls-ca-path="$T/car/root.crt" ota "$url/treehub"
}
# pull NAME COMMIT: what lighttpd was asked for meanwhile is in $T/asked
pull() {
	: >"$T/asked"
	before=$(wc -l <"$access")
	ostree --repo="$T/$1" pull ota "$2"
	status=$?
	kill -HUP "$(cat "$T/web.pid")" # lighttpd writes its log every few seconds, or when it opens it anew
	sleep 0.5
	tail -n "+$((before + 1))" "$access" >"$T/asked"
	return "$status"
}
asked() { grep -c "$1" "$T/asked"; }

settings "spool_quiet_seconds = 0" "gc_seconds = 0"
start_all
enroll car >/dev/null
access=$(sed -n 's/^accesslog.filename *= *"\(.*\)"/\1/p' "$T/gateway/device.conf")
[ -e "$access" ] || access=$T/web.log
c1=$(image 1)
drop app 1 && receipt app-1
c2=$(image 2)
drop app 2 && receipt app-2
stop otafs
rm -rf "$T/fleet/fleet.json"
fleet "$c1"
start otafs "$OTA_BIN/otafs" -c "$conf"
needs 10 test -e "$T/mount/README"
# otafs may write the file itself by now; what counts here is what the watcher reads
fleet "$c1"

ok "a delta is made from what devices run to what is newest" \
	wait_for 60 file_with "$report" "\"$c2\":\\[\\{\"bytes\":[1-9][0-9]*,\"from\":\"$c1\",\"saved\":[1-9]"
ok "by the user of the watcher, for the group of otafs" sh -c "
	[ \"\$(find $served/deltas $served/delta-indexes -type f -printf '%U:%G %m\n' | sort -u)\" = '64103:64102 644' ]"
ok "ostree knows it" is "$(ostree --repo="$served" static-delta list)" "$c1-$c2"
ok "and only it: nothing leads back" is "$(find "$served/delta-indexes" -name '*.index' | wc -l)" 1
ok "it saves more than nine tenths here" \
	jq -e ".\"$c2\"[0] | .bytes * 9 < .saved" "$report"
ok "ota-fsck finds it in order" exits 0 '1 deltas: clean' fsck

client with "$c1"
ok "a device that runs it pulls the new commit" pull with "$c2"
ok "by the index" is "$(asked 'treehub/delta-indexes/')" 1
ok "and by the delta" sh -c "[ $(asked 'treehub/deltas/') -ge 2 ]"
# libostree 2022.7 looks for the files of a commit while it still unpacks the delta, and fetches some that it is about to make.
echo "# files fetched besides: $(asked 'treehub/objects/..*filez') of 40"
ok "what it has is sound" ostree --repo="$T/with" fsck -q
ok "and the right thing" ostree --repo="$T/with" ls "$c2" /usr/lib1

ostree --repo="$T/without" init --mode=bare-user
ostree --repo="$T/without" remote add --no-gpg-verify --set=tls-client-cert-path="$T/car/client.pem" \
	--set=tls-client-key-path="$T/car/pkey.pem" --set=tls-ca-path="$T/car/root.crt" ota "$url/treehub"
ok "a device that has nothing pulls objects" pull without "$c2"
ok "namely the files" sh -c "[ $(asked 'treehub/objects/..*filez') -ge 40 ]"
ok "and is sound" ostree --repo="$T/without" fsck -q

# -- damage is not served silently --
# A page that the kernel has is not read from the disk again: the damage is there from the start of a view.
again() {
	stop web
	stop otafs
	"$@"
	start_otafs
	start_web_server
	fleet "$c1"
}
# refused_or_sound: the pull fails, or the client got everything in another way; either way it holds nothing damaged
refused_or_sound() {
	client hurt "$c1"
	if pull hurt "$c2"; then ostree --repo="$T/hurt" fsck -q && ostree --repo="$T/hurt" ls "$c2" /usr/lib1; else
		cat "$T/ok.out"
		ostree --repo="$T/hurt" fsck -q && not ostree --repo="$T/hurt" ls "$c2" /usr/lib1
	fi
}
part=$(find "$served/deltas" -name 0)
superblock=${part%/0}/superblock
cp "$part" "$T/part"
again flip "$part"
ok "a damaged part does no harm to a client" refused_or_sound
ok "ota-fsck finds it" exits 2 'deltas/.*/0: is damaged: its bytes have checksum' fsck
cat "$T/part" >"$part"
again flip "$superblock"
ok "nor does a damaged superblock" refused_or_sound
ok "ota-fsck finds it" exits 2 '(superblock: is (damaged|not the one that the index names)|is damaged)' fsck
ok "--repair takes it away" exits 1 'taken away' fsck --repair
ok "and then all is well" exits 0 'clean' fsck
fleet "$c1"
ok "and the watcher makes it again" wait_for 30 sh -c "[ \"\$(ostree --repo=$served static-delta list)\" = $c1-$c2 ]"
client hurt "$c1"
ok "the device pulls again, with a delta or without" pull hurt "$c2"
ok "and is sound" ostree --repo="$T/hurt" fsck -q
index=$(find "$served/delta-indexes" -name '*.index' | head -1)
flip "$index"
ok "a damaged index does no harm either" refused_or_sound
ok "and goes, to be made anew" exits 1 'taken away' fsck --repair

# -- bounds --
stop watcher
echo "deltas_mb = 0" >>"$conf"
start_watcher
ok "deltas_mb = 0: those that are there go" wait_for 20 sh -c "[ -z \"\$(ostree --repo=$served static-delta list | grep -v '^(')\" ]"
c3=$(image 3)
drop app 3 && receipt app-3
sleep 3
ok "and none are made" is "$(find "$served/deltas" -name superblock)" ""
stop watcher
sed -i 's/^deltas_mb.*/disk_reserve_mb = 1000000000/' "$conf"
start_watcher
ok "none are made when the disk reserve would be touched" \
	wait_for 20 file_with "$T/watcher.log" "delta not made from=$c1 to=$c3 reason=.less than disk_reserve_mb would stay free"
finish
