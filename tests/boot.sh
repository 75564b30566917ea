#!/bin/sh
# tests/boot.sh PACKAGE.deb FOLDER: boots the Debian that tests/package.sh has left in FOLDER, systemd as its first process in namespaces of
# its own, and lets an instance run there by its units: what those take away is missed by nobody, and what otafs mounts is seen by the
# others, also when it comes anew. As root; TAP.
# shellcheck disable=SC2317 # functions are called by name
set -u
deb=$(realpath "$1")
root=$(realpath "$2")
tests=0
failed=0
ok() {
	ok_name=$1
	shift
	tests=$((tests + 1))
	if "$@" >"$root.out" 2>&1; then
		echo "ok $tests - $ok_name"
	else
		echo "not ok $tests - $ok_name"
		sed 's/^/# /' "$root.out"
		failed=$((failed + 1))
	fi
}
skip() {
	echo "1..0 # SKIP $*"
	exit 0
}
groups=$(findmnt -nt cgroup2 -o TARGET | head -n 1)
mkdir "${groups:-/nowhere}/otafs-boot" 2>/dev/null || skip "no cgroup2 to boot in"
first=
leave() {
	[ -z "$first" ] || kill -KILL "$first" 2>/dev/null
	sleep 1
	find "$groups/otafs-boot" -depth -type d -exec rmdir {} + 2>/dev/null
}
trap leave EXIT

cp "$deb" "$root/root/otafs.deb"
rm -f "$root/usr/sbin/policy-rc.d"
mkdir -p "$root/old"
cat >"$root.boot" <<'END'
mount --make-rprivate /
mount --bind "$1" "$1"
cd "$1" || exit 1
mount -t proc proc proc && mount -t sysfs sysfs sys && mount -t cgroup2 cgroup2 sys/fs/cgroup && mount -t tmpfs tmpfs run &&
	mount -t devtmpfs devtmpfs dev && mount -t tmpfs tmpfs dev/shm && mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts || exit 1
pivot_root . old && umount -l old
# As the first process of a machine does it, but not that of a container.
mount --make-rshared /
exec env -i container=otafs-boot PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --log-target=null --show-status=0
END
sh -c 'echo $$ >"$1/cgroup.procs"; exec unshare --mount --pid --uts --ipc --net --cgroup --fork --kill-child sh "$2" "$3"' \
	sh "$groups/otafs-boot" "$root.boot" "$root" </dev/null >"$root.log" 2>&1 &
unshare_pid=$!
inside() { timeout 90 nsenter -t "$first" -m -u -i -n -p -C env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C "$@"; }
for _ in $(seq 30); do
	first=$(pgrep -P "$unshare_pid") && [ "$(inside systemctl is-system-running 2>/dev/null)" = running ] && break
	sleep 1
done
[ "$(inside systemctl is-system-running 2>/dev/null)" = running ] || skip "systemd does not come up here; $root.log"

# script NAME: one that is run in there, from standard input
script() {
	{
		echo set -eu
		cat
	} >"$root/root/$1.sh"
}
script start <<'END'
rm -rf /etc/otafs /var/lib/otafs /var/spool/otafs
dpkg --purge otafs 2>/dev/null || :
dpkg -i /root/otafs.deb
systemctl disable --now lighttpd 2>/dev/null || :
ota-pki /etc/otafs localhost
chmod 755 /etc/otafs
chgrp ota-tls /etc/otafs/server.key
chmod 640 /etc/otafs/server.key
systemctl start --no-block otafs.target
until [ -S /run/otafs/sign.sock ]; do sleep 0.2; done
ota-sign init --online
until [ -e /srv/ota/README ]; do sleep 0.2; done
ota-gateway render lighttpd /var/lib/otafs/gateway
systemctl start ota-web@device ota-web@build ota-web@admin
rm -rf /root/car7
ota-device-cert --ca-dir /etc/otafs --url https://localhost:8443 car7 /root/car7
END
script serves <<'END'
ask() { curl -sf --retry 5 --retry-all-errors --cert /root/car7/client.pem --key /root/car7/pkey.pem --cacert /root/car7/root.crt "https://localhost:8443$@"; }
ask /repo/timestamp.json
ask /core/installed -X PUT -d '{}'
END
script admin <<'END'
echo a-password-of-anna | ota-admin add anna operate
curl -sf --retry 5 --retry-all-errors --cacert /etc/otafs/server-ca.pem -u anna:a-password-of-anna -H 'X-OTA-Admin: 1' -X PUT -d Anna https://localhost:8445/tree/devices/car7/name
[ "$(cat /srv/ota/devices/car7/name)" = Anna ]
END
script publishes <<'END'
for version in 1 2; do
	mkdir -p /root/tree
	head -c 300000 /dev/urandom >/root/tree/file$version
	[ -e /root/repo ] || ostree --repo=/root/repo init --mode=archive
	ostree --repo=/root/repo commit -b app --tree=dir=/root/tree --owner-uid=0 --owner-gid=0
	echo "{\"name\":\"app\",\"version\":\"$version\",\"hardwareIds\":[\"qemux86-64\"]}" >/root/repo/push.json
	cp -r /root/repo /var/spool/otafs/incoming/app-$version
	until [ -e /var/spool/otafs/done/app-$version.receipt.json ] || [ -e /var/spool/otafs/failed/app-$version.reason.txt ]; do sleep 0.5; done
	cat /var/spool/otafs/failed/*.reason.txt 2>/dev/null && exit 1
done
until [ -e /srv/ota/packages/app/2/hash ]; do sleep 0.5; done
END
ok "is installed, and started by its units" inside sh /root/start.sh
for unit in ota-signd ota-watcher otafs ota-gate ota-admin-gate ota-web@device ota-web@build ota-web@admin; do
	ok "$unit runs" inside systemctl is-active $unit
done
ok "a device is served, and what it hands in taken" inside sh /root/serves.sh
ok "an administrator, too" inside sh /root/admin.sh
ok "a commit is published from the spool" inside sh /root/publishes.sh
ok "the doctor finds nothing wrong" inside ota-doctor
ok "otafs is started anew" inside systemctl restart otafs
ok "and its mounts are seen by those that run" inside sh /root/serves.sh
ok "otafs is killed" inside systemctl kill -s KILL otafs
sleep 4
ok "and serves again" inside sh /root/serves.sh
ok "nothing has failed" inside sh -c '! systemctl --failed --plain --no-legend | grep .'
ok "is installed anew over what runs" inside dpkg -i /root/otafs.deb
ok "and serves" inside sh /root/serves.sh
ok "is removed" inside dpkg --remove otafs
ok "and all of it has been stopped" inside sh -c '! systemctl list-units --plain --no-legend --state=running "ota*" | grep . && ! grep otafs /proc/mounts'
echo "1..$tests"
exit $((failed > 0))
