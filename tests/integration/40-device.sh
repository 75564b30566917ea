#!/bin/sh
# The main job, end to end: drop, assign, update through lighttpd with client certificates, report; and all that the
# device has to refuse when a byte on the way is not what was signed.
# shellcheck source=tests/integration/lib.sh disable=SC2317 # functions are called by name
. "$(dirname "$0")/lib.sh"

settings "spool_quiet_seconds = 1"
start_all
dev=$T/mount/devices/car7

# ---- enrolment and the first visit
ok "enrols a device" enroll car7
ok "says that it was not heard of yet" says "^car7: NotSeen: .*last seen never" cat "$dev/status"
ok "refuses to assign what nobody has published" refuses "I/O error|such file" sh -c "echo 'app 1.0' > $dev/assign"
ok "and says why" has "$dev/why" "app: not in the image repository: ls packages"
ok "has no use for rm" refuses "not permitted" rm "$dev/status"
ok "nor for touch" refuses "not permitted" touch "$T/mount/devices/car9"
ok "registers and polls" says "POST /director/ecus 201" device car7 poll
cp "$T/says.out" "$T/first"
sed -n 's/^\([A-Z]* [^ ]*\) .*/\1/p' "$T/first" >"$T/order"
cat >"$T/expected" <<EOF
POST /director/ecus
PUT /system_info
PUT /core/installed
PUT /system_info/network
POST /system_info/config
PUT /director/manifest
GET /director/1.root.json
GET /director/2.root.json
GET /director/targets.json
EOF
ok "in the order of aktualizr's first start" diff "$T/expected" "$T/order"
ok "tells hardware, network, packages and configuration" sh -c \
	"test -s $dev/hardware && test -s $dev/network && test -s $dev/packages && test -s $dev/config"
device car7 poll >"$T/quiet" 2>&1
ok "makes three requests in a quiet poll" is "$(grep -c . "$T/quiet")" 3
before=$(cat "$dev/history")
jq -nc --argjson key "$(sed -n 's/^key: //p' "$dev/ecus/car7-ecu")" '{primary_ecu_serial:"car7-ecu",
	ecus:[{ecu_serial:"car7-ecu",hardware_identifier:"qemux86-64",clientKey:$key}]}' >"$T/ecus.json"
ok "takes the same registration again" is "$(fetch car7 /director/ecus -X POST -d "@$T/ecus.json")" 200
ok "which changes nothing" is "$(cat "$dev/history")" "$before"

# ---- publish, assign, update
commit=$(commit_of app 1.0)
drop app 1.0
ok "publishes a drop" published app 1.0
ok "shows the commit as the package's hash" is "$(cat "$T/mount/packages/app/1.0/hash")" "$commit"
ok "shows it in treehub" test -e "$T/mount/treehub/objects/$(echo "$commit" | cut -c1-2)/$(echo "$commit" | cut -c3-).commit"
ok "refuses a package that does not exist" refuses "I/O error|No such file" sh -c "echo 'nothing 1.0' > $dev/assign"
ok "naming it" has "$dev/why" "nothing: not in the image repository"
ok "refuses a version that does not exist" refuses . sh -c "echo 'app 9' > $dev/assign"
ok "naming it too" has "$dev/why" "package app has no version 9"
commit_of brake 7 >/dev/null
echo '{"name":"brake","version":"7","hardwareIds":["brake-ecu-a","brake-ecu-b"]}' >"$T/brake-7.drop/push.json"
drop brake 7
ok "publishes a package for other hardware" published brake 7
ok "refuses what does not fit" refuses . sh -c "echo 'brake 7' > $dev/assign"
ok "naming both hardware ids" has "$dev/why" 'brake-7 is for hardware \["brake-ecu-a","brake-ecu-b"\]; this device has car7-ecu \(qemux86-64\)'
ok "refuses an ECU that it does not have" refuses . sh -c "echo 'app 1.0 nobody' > $dev/assign"
ok "naming it as well" has "$dev/why" 'no ECU "nobody"'
mkdir "$T/mount/devices/new"
ok "refuses an assignment before it is known what fits" refuses . sh -c "echo 'app 1.0' > $T/mount/devices/new/assign"
ok "and says why" has "$T/mount/devices/new/why" "has not registered its ECUs"
ok "assigns" sh -c "echo 'app 1.0' > $dev/assign"
ok "names what is open" has "$dev/assign" "^app-1.0 to ECU car7-ecu"
ok "says what is to come and why it has not" has "$dev/status" "^car7: UpdatePending: car7-ecu should run app-1.0, runs unknown because"
ok "refuses a second update while one is open" refuses . sh -c "echo 'app 1.0' > $dev/assign"
ok "saying so" has "$dev/why" "is open"
ok "updates" says "installed app-1.0 on car7-ecu" device car7 poll
grep '^GET /repo' "$T/says.out" | cut -d' ' -f2 >"$T/order"
printf '%s\n' /repo/1.root.json /repo/2.root.json /repo/timestamp.json /repo/snapshot.json /repo/targets.json >"$T/expected"
ok "having read the image repository in order" diff "$T/expected" "$T/order"
ok "runs the commit" says "sha256 $commit" device car7 show
ok "has the files" sh -c "ostree --repo=$T/car7/state/ostree checkout -U $commit $T/checkout && grep -q 'app 1.0' $T/checkout/usr/bin/version"
ok "the server knows" has "$dev/ecus/car7-ecu" "sha256: $commit"
ok "the server is content" has "$dev/status" ": UpToDate: car7-ecu runs app-1.0"
ok "tells it in the history" has "$dev/history" "installed app-1.0 on ECU car7-ecu"
ok "keeps the report's words" has "$dev/history" "reported success OK"
ok "keeps the events" is "$(grep -c EcuInstallationCompleted "$dev/events")" 1
ok "lists who runs it" has "$T/mount/packages/app/1.0/devices" "^car7 car7-ecu installed"
ok "is quiet again" says "GET /director/targets.json 200" device car7 poll
ok "refuses to assign what it runs" refuses . sh -c "echo 'app 1.0' > $dev/assign"
ok "saying that too" has "$dev/why" "runs app-1.0 already"

# ---- plain ostree through HTTPS
ostree --repo="$T/plain" init --mode=archive
ostree --repo="$T/plain" remote add otafs "$url/treehub" --no-gpg-verify \
	--set=tls-client-cert-path="$T/car7/client.pem" --set=tls-client-key-path="$T/car7/pkey.pem" \
	--set=tls-ca-path="$T/car7/root.crt"
ok "ostree pulls by commit" ostree --repo="$T/plain" pull otafs "$commit"
ok "ostree pulls by ref" ostree --repo="$T/plain" pull otafs qemux86-64/app
ok "ostree finds it sound" ostree --repo="$T/plain" fsck

# ---- cancelling
commit2=$(commit_of app 2.0)
drop app 2.0
ok "publishes a second version" published app 2.0
echo 'app 2.0' >"$dev/assign"
jq -nc --arg c "$(tail -n 1 "$dev/log" | jq -r .correlation)" '[{id:"applied",eventType:{id:"EcuInstallationApplied",version:0},
	event:{correlationId:$c,ecu:"car7-ecu"}}]' >"$T/applied.json"
fetch car7 /events -X POST -d "@$T/applied.json" >/dev/null
ok "says that a device waits for its reboot" has "$dev/status" "has installed it and waits for a reboot"
ok "cancels" sh -c "echo cancel > $dev/assign"
ok "leaves nothing to do" says "GET /director/targets.json 200" device car7 poll
ok "leaves the device as it was" says "sha256 $commit" device car7 show
ok "knows what it runs" has "$dev/status" "^car7: UpToDate: "
ok "refuses to cancel nothing" refuses . sh -c "echo cancel > $dev/assign"

# ---- another device
enroll other >/dev/null
ok "another device has documents of its own" is "$(fetch other /director/targets.json)" 200
ok "with its own name in it" has "$T/body" '"deviceId":"other"'
before=$(cat "$dev/history")
ok "hands in under its own name only" is "$(fetch other /director/manifest -X PUT -d "@$top/tests/vectors/device/manifest.json")" 400
ok "having no ECUs yet" has "$T/body" device_not_registered
ok "and the first knows nothing of it" is "$(cat "$dev/history")" "$before"

# ---- bad input through the gateway
bad() { # bad NAME STATUS CODE PATH CURL...: a JSON refusal
	title=$1 status=$2 code=$3 path=$4
	shift 4
	ok "$title" is "$(fetch car7 "$path" "$@")" "$status"
	ok "$title, in words" has "$T/body" "\"code\":\"$code\".*\"description\":\"."
}
head -c 2097152 /dev/zero | tr '\0' 'x' >"$T/large"
before=$(cat "$dev/history")
bad "a manifest of 2 MB" 413 body_too_large /director/manifest -T "$T/large"
bad "a manifest that is no JSON" 400 invalid_manifest /director/manifest -X PUT -d 'hello'
bad "a manifest cut short" 400 invalid_manifest /director/manifest -X PUT -d '{"signatures":['
bad "a manifest of nothing, unsigned" 400 signature_not_valid /director/manifest -X PUT -d '{"signatures":[],"signed":{}}'
bad "a manifest nobody signed" 400 signature_not_valid /director/manifest -X PUT \
	-d "$(jq -c '.signatures = []' "$top/tests/vectors/device/manifest.json")"
bad "another device's manifest" 400 signature_not_valid /director/manifest -X PUT -d "@$top/tests/vectors/device/manifest.json"
bad "ECUs without a key" 400 invalid_ecus /director/ecus -X POST \
	-d '{"primary_ecu_serial":"x","ecus":[{"ecu_serial":"x","hardware_identifier":"y"}]}'
bad "ECUs without the primary" 400 primary_is_not_listed_for_device /director/ecus -X POST \
	-d "$(jq -c '.primary_ecu_serial="z"' "$top/tests/vectors/device/ecus.json")"
bad "events that are none" 400 invalid_events /events -X POST -d '{}'
ok "none of it changed anything, and refused manifests are told" is "$(grep -v ' manifest refused: ' "$dev/history")" "$before"
ok "in words" has "$dev/history" "manifest refused: invalid_manifest: manifest: not JSON"
ok "an event that is not known is taken" is "$(fetch car7 /events -X POST -d '[{"id":"e1","eventType":{"id":"New","version":9}}]')" 200
ok "and taken once" is "$(fetch car7 /events -X POST -d '[{"id":"e1","eventType":{"id":"New","version":9}}]')$(grep -c '"e1"' "$dev/events")" 2001

# ---- a byte that is not what was signed: refused, and nothing installed
# A lying server: the same answers with one byte of one file changed, by a lighttpd that maps that path elsewhere.
echo 'app 2.0' >"$dev/assign"
mkdir "$T/lies"
chmod 755 "$T/lies"
port2=$(free_port)
sed "s/^server.port .*/server.port = $port2/; s|\"$T/gateway/map.lua\"|\"$T/lies/map.lua\"|" "$T/gateway/device.conf" >"$T/lies/device.conf"
sed "s|^local path = .*|&\nif lighty.c.stat(\"$T/lies/www\" .. path) and lighty.c.stat(\"$T/lies/www\" .. path).is_file then\n r.req_attr[\"physical.path\"] = \"$T/lies/www\" .. path\n return 0\nend|" \
	"$T/gateway/map.lua" >"$T/lies/map.lua"
start liar setpriv --reuid=64105 --regid=64105 --clear-groups lighttpd -D -f "$T/lies/device.conf"
wait_for 5 perl -MIO::Socket::INET -e "exit !IO::Socket::INET->new(PeerAddr => '127.0.0.1:$port2')"
lie() { # lie PATH OFFSET: the file with the bit 0 of one byte turned
	mkdir -p "$T/lies/www$(dirname "$1")"
	fetch car7 "$1" >/dev/null
	perl -e 'open F, "<:raw", $ARGV[0]; local $/; $_ = <F>; my $o = $ARGV[1] < 0 ? length($_) + $ARGV[1] : $ARGV[1];
		substr($_, $o, 1) = chr(ord(substr($_, $o, 1)) ^ 1); print' "$T/body" "$2" >"$T/lies/www$1"
	chmod -R a+rX "$T/lies/www"
}
# A copy of the device counts its manifests from where that one was: its count begins anew.
copy_device() {
	rm -rf "$T/victim"
	cp -r "$T/car7/state" "$T/victim"
	echo reset >"$dev/counter"
}
refused_by_device() { # refused_by_device PATH OFFSET
	rm -rf "$T/lies/www"
	lie "$1" "$2"
	copy_device
	"$OTA_DEVICE" --url "https://localhost:$port2" --cert "$T/car7/client.pem" --key "$T/car7/pkey.pem" \
		--ca "$T/car7/root.crt" --dir "$T/victim" --hardware qemux86-64 --ecu car7-ecu check >"$T/victim.out" 2>&1
	answer=$?
	cat "$T/victim.out"
	[ "$answer" = 2 ] || [ "$answer" = 3 ]
}
copy_device
ok "the liar is believed when it does not lie" sh -c "'$OTA_DEVICE' \
	--url https://localhost:$port2 --cert $T/car7/client.pem --key $T/car7/pkey.pem --ca $T/car7/root.crt --dir $T/victim \
	--hardware qemux86-64 --ecu car7-ecu check; test \$? = 4"
for path in /director/targets.json /repo/timestamp.json /repo/snapshot.json /repo/targets.json; do
	fetch car7 "$path" >/dev/null
	size=$(wc -c <"$T/body")
	for offset in 0 60 $((size / 3)) $((size / 2)) $((size * 3 / 4)) $((size - 3)); do
		ok "refuses $path with byte $offset of $size turned" refused_by_device "$path" "$offset"
	done
done
object=/treehub/objects/$(echo "$commit2" | cut -c1-2)/$(echo "$commit2" | cut -c3-).commit
rm -rf "$T/lies/www"
lie "$object" 20
copy_device
ok "refuses a commit object with a byte turned" not "$OTA_DEVICE" --url "https://localhost:$port2" --cert "$T/car7/client.pem" \
	--key "$T/car7/pkey.pem" --ca "$T/car7/root.crt" --dir "$T/victim" --hardware qemux86-64 --ecu car7-ecu poll
ok "and does not run it" not says "sha256 $commit2" "$OTA_DEVICE" --url "https://localhost:$port2" --cert "$T/car7/client.pem" \
	--key "$T/car7/pkey.pem" --ca "$T/car7/root.crt" --dir "$T/victim" --hardware qemux86-64 --ecu car7-ecu show

# ---- what failed is told
ok "a failed download ends the update" has "$dev/history" "failed app-2.0 on ECU car7-ecu"
ok "with the device's words in status" has "$dev/status" "^car7: Error: .*failed: DOWNLOAD_FAILED"
ok "but not in why, where refusals are" not has "$dev/why" DOWNLOAD
echo 'app 2.0' >"$dev/assign"
echo reset >"$dev/counter"
ok "the honest server updates it" says "installed app-2.0" device car7 poll
ok "to the second commit" has "$dev/ecus/car7-ecu" "sha256: $commit2"
ok "and status says nothing of the past" not has "$dev/status" "failed"
finish
