#!/bin/sh
# A hundred rotations of each repository's keys: a device that has been away since root 1, or since root 50, walks to the
# newest one root at a time, and updates. Each root stays to be had, byte for byte.
# shellcheck source=tests/integration/lib.sh disable=SC2317 # functions are called by name
. "$(dirname "$0")/lib.sh"

last=101 # 1 and a hundred rotations
settings "spool_quiet_seconds = 1"
start_all

# rotate REPOSITORY VERSION: the root key each time, so that each root is signed by two; now and then the others too
rotate() {
	roles=root
	case $1-$2 in
	image-*0) roles="root targets" ;;
	image-*[37] | director-*[37]) roles="root snapshot timestamp" ;;
	director-*5) roles="root targets snapshot timestamp" ;;
	esac
	# shellcheck disable=SC2086 # a list
	"$OTA_BIN/ota-sign" rotate -c "$conf" "$1" $roles --yes >>"$T/rotate.out" 2>&1
}
# served VERSION: both roots of that version are there for devices; a root that comes while ota-watcher signs for the one
# before is published when it tries again, after 5 s
served() {
	is "$(fetch early /director/"$1".root.json)" 200 && is "$(fetch early /repo/"$1".root.json)" 200
}
# rotate_to VERSION
rotate_to() {
	while [ "$version" -lt "$1" ]; do
		version=$((version + 1))
		rotate image "$version" || return 1
		rotate director "$version" || return 1
	done
	wait_for 20 served "$version"
}
# newest REPOSITORY: of the roots that are kept
newest() { find "$T/keys/$1" -name '*.root.json' | sed 's|.*/||' | sort -n | tail -n 1; }
# roots DEVICE-OUTPUT PREFIX STATUS: numbers of the roots that the device asked for
roots() { sed -n "s|^GET $2/\([0-9]*\)\.root\.json $3 .*|\1|p" "$1" | tr '\n' ' '; }
# update DEVICE PACKAGE VERSION: assigns; the device has to have the present documents before it polls
update() {
	echo "$2 $3" >"$T/mount/devices/$1/assign" && device "$1" poll >"$T/$1.out" 2>&1 && grep -q "^installed $2-$3 on $1-ecu" "$T/$1.out"
}

for car in early middle; do
	enroll $car >/dev/null
	device $car poll >/dev/null 2>&1
done
for v in 1.0 2.0; do
	commit_of app $v >/dev/null
	drop app $v
	ok "publishes app $v" published app $v
done
version=1
ok "a device updates under the first roots" update early app 1.0

started=$(date +%s)
ok "49 rotations of both repositories" rotate_to 50
ok "a device that saw the director's first root only updates" update middle app 1.0
ok "it walked the image repository's roots from the first" is "$(roots "$T/middle.out" /repo 200)" "$(seq -s ' ' 1 50) "
ok "and the director's from the second" is "$(roots "$T/middle.out" /director 200)" "$(seq -s ' ' 2 50) "
ok "51 more" rotate_to $last
echo "# $((2 * (last - 1))) rotations in $(($(date +%s) - started)) s"
for repository in image director; do
	ok "$repository: the newest root is $last" is "$(newest $repository)" $last.root.json
	size=$(find "$T/keys/$repository" -name '*.root.json' -printf '%s\n' | sort -n | tail -n 1)
	echo "# $repository: largest root has $size bytes"
	ok "$repository: no root is too large for a device" test "$size" -lt 65536
done

# ---- the ways of three devices
enroll fresh >/dev/null
device fresh poll >"$T/first.out" 2>&1
ok "a new device walks all of the director's roots" is "$(roots "$T/first.out" /director 200)" "$(seq -s ' ' 1 $last) "
ok "and asks for one more" is "$(roots "$T/first.out" /director 404)" "$((last + 1)) "
ok "it updates" update fresh app 2.0
# The web server writes its log every few seconds.
logged() { is "$(grep -c 'GET /[a-z]*/[0-9]*\.root\.json [^ ]* 200 .* fresh$' "$T/gateway/device/access.log")" "$1"; }
ok "the web server's log has each of them once" wait_for 15 logged $((2 * last))
ok "having walked all of the image repository's" is "$(roots "$T/fresh.out" /repo 200)" "$(seq -s ' ' 1 $last) "
ok "and asked for one more" is "$(roots "$T/fresh.out" /repo 404)" "$((last + 1)) "
for car in early middle; do
	from=2
	[ $car = early ] || from=51
	ok "$car updates" update $car app 2.0
	for prefix in /director /repo; do
		ok "$car walked $prefix from $from" is "$(roots "$T/$car.out" $prefix 200)" "$(seq -s ' ' $from $last) "
		ok "$car asked for one more" is "$(roots "$T/$car.out" $prefix 404)" "$((last + 1)) "
	done
done
ok "then a poll is quiet" says "GET /director/targets.json 200" device early poll
ok "and asks for one root" is "$(grep -c 'root\.json' "$T/says.out")" 1

# ---- a device that was told a moment ago that there is no next root
for roles in targets root "targets snapshot timestamp"; do
	device early poll >/dev/null 2>&1
	last=$((last + 1))
	# shellcheck disable=SC2086 # a list
	"$OTA_BIN/ota-sign" rotate -c "$conf" director $roles --yes >>"$T/rotate.out" 2>&1
	is_there() { is "$(fetch early "/director/$last.root.json")" 200; }
	ok "director: a rotation of $roles is there within seconds, though nothing else happens" wait_for 4 is_there
	ok "and the device goes on with it" says "GET /director/targets.json 200" device early poll
	ok "having read it" has "$T/says.out" "GET /director/$last.root.json 200"
done
for roles in "root targets" "snapshot timestamp" root; do
	# shellcheck disable=SC2086 # a list
	"$OTA_BIN/ota-sign" rotate -c "$conf" image $roles --yes >>"$T/rotate.out" 2>&1
done
ok "the image repository's are as well" wait_for 20 served $last

# ---- what is served is what is kept
# kept PREFIX REPOSITORY: over one connection
kept() {
	mkdir -p "$T/served/$2"
	curl -sS --fail --max-time 60 --cert "$T/fresh/client.pem" --key "$T/fresh/pkey.pem" --cacert "$T/fresh/root.crt" \
		-o "$T/served/$2/#1.root.json" "$url$1/[1-$last].root.json" || return 1
	is "$(find "$T/served/$2" -type f | wc -l)" "$last" || return 1
	for file in "$T/served/$2"/*; do cmp "$file" "$T/keys/$2/${file##*/}" || return 1; done
}
ok "image: each root as it was signed" kept /repo image
ok "director: each root as it was signed" kept /director director
for prefix in /repo /director; do
	ok "$prefix: the next one is not there" is "$(fetch fresh $prefix/$((last + 1)).root.json)" 404
	ok "$prefix: nor one before the first" is "$(fetch fresh $prefix/0.root.json)" 404
done
private() { find "$T/keys" -name '*.key' | wc -l; }
ok "one private key a role is left" is "$(private)" 8
stop signd
start_signd
ok "the signer starts again with all of them" is "$(newest image) $(newest director)" "$last.root.json $last.root.json"
ok "and a device goes on" says "GET /director/targets.json 200" device fresh poll
finish
