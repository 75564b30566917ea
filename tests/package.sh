#!/bin/sh
# tests/package.sh PACKAGE.deb FOLDER: installs the package in a Debian of its own (debootstrap, in FOLDER, which is used again if it is
# there), looks at what that makes, lets an instance run without systemd, upgrades, removes and purges it: nothing may be left.
# MIRROR: where Debian comes from. As root; TAP.
set -u
deb=$(realpath "$1")
root=$2
MIRROR=${MIRROR:-http://deb.debian.org/debian}
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
# shellcheck disable=SC2317 # by name
not() { if "$@"; then return 1; else return 0; fi; }

[ -e "$root/etc/debian_version" ] || debootstrap --variant=minbase --include=systemd,systemd-sysv bookworm "$root" "$MIRROR" >"$root.log" 2>&1 || {
	echo "1..0 # SKIP no Debian can be made by debootstrap; $root.log"
	exit 0
}
in_root() { chroot "$root" env DEBIAN_FRONTEND=noninteractive LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"; }
# A service that is started by its package would take ports of this machine.
printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
chmod 755 "$root/usr/sbin/policy-rc.d"
leave() {
	for pid in $pids; do kill "$pid" 2>/dev/null; done
	sleep 1
	umount -l "$root/srv/ota" "$root/run/otafs/web/www" "$root/run/otafs/web/www.repository" "$root/proc" "$root/dev" 2>/dev/null
}
pids=
trap leave EXIT
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev" && mount --make-rslave "$root/dev"
cp /etc/resolv.conf "$root/etc/"
for file in /etc/apt/apt.conf.d/*proxy* /etc/apt/apt.conf.d/*registry*; do [ ! -e "$file" ] || cp "$file" "$root/etc/apt/apt.conf.d/"; done

# What the package needs is there before, so that what is left of it can be told.
in_root apt-get update -qq >"$root.log" 2>&1
cp "$deb" "$root/tmp/otafs.deb"
in_root apt-get install -y -qq --no-install-recommends /tmp/otafs.deb ostree lighttpd lighttpd-mod-openssl lighttpd-modules-lua curl >>"$root.log" 2>&1
in_root dpkg --purge otafs >>"$root.log" 2>&1
rm -rf "$root/etc/otafs" "$root/var/lib/otafs" "$root/var/spool/otafs" "$root/srv/ota" "$root/run/otafs" "$root/root"/*
state() { (cd "$root" && find . -xdev \( -path ./proc -o -path ./dev -o -path ./tmp -o -path ./run/systemd -o -path ./var/lib/dpkg -o -path ./var/log -o -path ./var/cache \) -prune \
	-o ! -name 'passwd*' ! -name 'group*' ! -name 'shadow*' ! -name 'gshadow*' ! -name 'sub[ug]id*' -print | sort); }
state >"$root.before"

install_it() { in_root dpkg -i /tmp/otafs.deb; }
ok "installs" install_it
for user in ota-sign otafs ota-watcher ota-gate ota-build-web ota-admin-gate ota-admin-web; do ok "makes user $user" in_root getent passwd $user; done
for group in ota-admin ota-build ota-tls; do ok "and group $group" in_root getent group $group; done
ok "the web server's user may read the server's key" sh -c "chroot '$root' id -nG www-data | grep -qw ota-tls"
for p in ota-signd ota-watcher otafs ota-gate ota-admin-gate; do ok "$p takes the settings" in_root $p --check; done
ok "folders are there" sh -c "[ \"\$(stat -c '%a %G' '$root/run/otafs/web')\" = '750 www-data' ] && [ -d '$root/var/lib/otafs' ]"
ok "units are right" in_root systemd-analyze verify --man=no /lib/systemd/system/ota-signd.service /lib/systemd/system/ota-watcher.service \
	/lib/systemd/system/otafs.service /lib/systemd/system/ota-gate.service /lib/systemd/system/ota-admin-gate.service /lib/systemd/system/otafs.target
ok "nothing is enabled" not ls "$root"/etc/systemd/system/*.wants/otafs.target
ok "each program has its page" sh -c "cd '$root'/usr/sbin && for p in ota*; do [ -e ../share/man/man8/\$p.8.gz ] || { echo \$p; exit 1; }; done"

# ---- an instance, as docs/OPERATIONS.md has it; on a port that is free
echo "device_port = 18443" >>"$root/etc/otafs/otafs.conf"
ok "certificates are made" in_root sh -c 'ota-pki /etc/otafs localhost && chmod 755 /etc/otafs && chgrp ota-tls /etc/otafs/server.key && chmod 640 /etc/otafs/server.key'
run() { # run PROGRAM [ARGUMENT...]: until this ends
	chroot "$root" env LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@" >>"$root.log" 2>&1 &
	pids="$! $pids"
	sleep 2
}
run ota-signd
run ota-watcher
ok "keys are made" in_root ota-sign init --online
sleep 3
run otafs
run ota-gate
run ota-admin-gate
sleep 2
ok "the web server's files are made" in_root ota-gateway render lighttpd /var/lib/otafs/gateway
run ota-gateway run lighttpd device /var/lib/otafs/gateway
ok "the doctor finds nothing wrong" in_root ota-doctor
ok "a device gets its certificate" in_root ota-device-cert --ca-dir /etc/otafs --url https://localhost:18443 car7 /root/car7
ok "and its metadata" in_root curl -sSf --retry 10 --retry-all-errors --cert /root/car7/client.pem --key /root/car7/pkey.pem --cacert /root/car7/root.crt \
	https://localhost:18443/repo/timestamp.json
ok "is installed anew over it" install_it
leave
pids=
mount -t proc proc "$root/proc" # for dpkg's scripts

# ---- away
ok "is removed" in_root dpkg --remove otafs
ok "the settings stay" test -e "$root/etc/otafs/otafs.conf"
ok "is purged" sh -c "chroot '$root' dpkg --purge otafs >'$root.purged' 2>&1"
ok "keys and state are not purged with it, which it says" sh -c "[ -d '$root/var/lib/otafs/keys' ] && grep -q 'stay in /var/lib/otafs' '$root.purged'"
rm -rf "$root/root/car7"
rm -rf "$root/etc/otafs" "$root/var/lib/otafs" "$root/var/spool/otafs" "$root/srv/ota"
install_it >/dev/null 2>&1
in_root dpkg --purge otafs >/dev/null 2>&1
state >"$root.after"
ok "without an instance nothing is left" diff -u "$root.before" "$root.after"
echo "1..$tests"
exit $((failed > 0))
