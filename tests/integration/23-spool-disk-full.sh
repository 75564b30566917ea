#!/bin/sh
# A full disk is not the drop's fault: it waits, status says why, and when there is room it is published.
# shellcheck source=tests/integration/lib.sh disable=SC2317 # functions are called by name
. "$(dirname "$0")/lib.sh"

mkdir -p "$T/tree/etc" "$T/repository"
mount -t tmpfs -o size=2m,mode=755 otafs-test "$T/repository" || {
	echo "1..0 # SKIP no tmpfs can be mounted here"
	exit 0
}
cleanup "umount $T/repository"
head -c 900000 /dev/urandom >"$T/tree/etc/large"
ostree --repo="$T/repo" init --mode=archive
commit=$(ostree --repo="$T/repo" commit -b app --owner-uid=0 --owner-gid=0 --add-metadata-string=version=1 "$T/tree")

settings "spool_quiet_seconds = 0" "spool_incomplete_seconds = 1" "disk_reserve_mb = 0"
start_signd && start_watcher || exit 1
before=$(sha256sum <"$T/repository/published/current/timestamp.json")
head -c 1400000 /dev/zero >"$T/repository/filler"
cp -r "$T/repo" "$T/spool/incoming/app"
ok "status says that the disk is full" wait_for 10 file_with "$T/spool/status" '^app: waiting: staging: No space left on device'
sleep 2
ok "the drop is not refused" is "$(find "$T/spool/failed" "$T/spool/done" -mindepth 1)" ""
ok "nothing half-made stays in staging" is "$(find "$T/repository/staging" -mindepth 1)" ""
ok "what is published stays" is "$(sha256sum <"$T/repository/published/current/timestamp.json")" "$before"
rm "$T/repository/filler"
ok "with room again: published" wait_for 15 test -e "$T/spool/done/app.receipt.json"
ok "and whole" is "$(ostree --repo="$T/repository/ostree" rev-parse app)" "$commit"
ok "every object is good" ostree --repo="$T/repository/ostree" fsck -q

# The same before the disk is full: disk_reserve_mb and store_quota_mb.
stop watcher
sed -i 's/^disk_reserve_mb.*/disk_reserve_mb = 256/' "$conf"
start_watcher || exit 1
head -c 300000 /dev/urandom >"$T/tree/etc/more"
ostree --repo="$T/repo" commit -b app --owner-uid=0 --owner-gid=0 --add-metadata-string=version=2 "$T/tree" >/dev/null
cp -r "$T/repo" "$T/spool/incoming/next"
ok "status says what the reserve keeps" wait_for 10 file_with "$T/spool/status" \
	'^next: waiting: the disk has [0-9]* MiB free, disk_reserve_mb keeps 256'
ok "nothing of it stays in staging" is "$(find "$T/repository/staging" -mindepth 1)" ""
stop watcher
sed -i 's/^disk_reserve_mb.*/disk_reserve_mb = 0/' "$conf"
echo "store_quota_mb = 1" >>"$conf"
start_watcher || exit 1
ok "status says what the quota allows" wait_for 10 file_with "$T/spool/status" \
	'^next: waiting: the repository takes [0-9]* MiB, store_quota_mb allows 1,'
finish
