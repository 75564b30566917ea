# shellcheck shell=sh disable=SC2154 # variables of suite.sh
# The life of a device from its registration to the report of an update, and what garage-push and garage-sign say.
enroll life
events='[{"id":"life-1","deviceTime":"2026-11-23T21:38:30Z","eventType":{"id":"DevicePaused","version":0},"event":{}}]'

ok "a device registers and hands in its first manifest" device life poll
ok "its reports are taken: hardware" gives 200 life /system_info -X PUT -H "Content-Type: application/json" -d '{"id":"box","class":"system"}'
ok "... which is in the tree" has "$devices/life/hardware" box
ok "network" gives 200 life /system_info/network -X PUT -d '{"local_ipv4":"192.0.2.7","hostname":"life","mac":"02:00:00:00:00:01"}'
ok "... which is in the tree" has "$devices/life/network" 192.0.2.7
ok "configuration" gives 200 life /system_info/config -X POST -H "Content-Type: application/toml" -d '[uptane]'
ok "packages" gives 200 life /core/installed -X PUT -d '[{"name":"vim","version":"9"}]'
ok "events" gives 200 life /events -X POST -d "$events"
ok "... which are in the history" has "$devices/life/history" "event DevicePaused"
ok "a manifest that is none is refused in JSON" words 400 invalid_manifest life /director/manifest -X PUT -d '{}'

# ---- a builder pushes as garage-push does
commit=$(commit_of life 1)
commit_object=$(echo "$commit" | sed 's|^\(..\)\(.*\)|\1/\2.commit|')
# post OBJECT
post() { push "/api/v3/objects/$1" -X POST --data-binary "@$T/life-1.drop/objects/$1" -H "Content-Type: application/octet-stream"; }
# garage OBJECT: asks for it, pushes it, asks again, pushes it again
garage() {
	is "$(push "/api/v3/objects/$1" -I) $(post "$1") $(push "/api/v3/objects/$1" -I) $(post "$1")" "404 204 200 409"
}
(cd "$T/life-1.drop/objects" && find . -type f ! -name '*.commit*' | sed 's|^\./||') >"$T/life.objects"
ok "each object is absent, pushed, there, and not pushed twice" each "$T/life.objects" garage
ok "a ref to a commit that is not there is 412" is "$(push /api/v3/refs/heads/push/life -X POST -d "$commit")" 412
ok "the commit comes last" garage "$commit_object"
ok "then its ref is set" is "$(push /api/v3/refs/heads/push/life -X POST -d "$commit")" 200
ok "... and read" is "$(push /api/v3/refs/heads/push/life)$(cat "$T/body")" "200$commit"
ok "a form as old clients send it is taken, too" \
	is "$(push "/api/v2/objects/$commit_object" -X POST -F "file=@$T/life-1.drop/objects/$commit_object")" 409
ok "who is no builder is told what is missing" is "$(curl -s -o "$T/body" -w '%{http_code}' --cacert "$T/pki/server-ca.pem" \
	"$build_url/api/v3/config") $(jq -r .code "$T/body")" "401 not_authenticated"
ok "nor is a wrong password one" is "$(push /api/v3/config -u ci:wrong)" 401
ok "garage-sign reads the targets" is "$(push /api/v1/user_repo/targets.json)" 200
ok "... with their checksum" file_with "$T/headers" "^[Xx]-[Aa][Tt][Ss]-[Rr]ole-[Cc]hecksum: [0-9a-f]{64}"
ok "the push is a release" wait_for 10 test -e "$T/mount/packages/life/$commit/hash"

# ---- the device installs it
echo "life $commit" >"$devices/life/assign"
ok "the device sees the update, pulls it and reports" device life poll
ok "the server knows what it runs" has "$devices/life/ecus/life-ecu" "^sha256: $commit$"
ok "an object may be fetched in pieces" gives 206 life "/treehub/objects/$commit_object" -H "Range: bytes=4-"
tail -c +5 "$T/life-1.drop/objects/$commit_object" >"$T/life.rest"
ok "... that fit together" body_is "$T/life.rest"
etag=$(tr -d '\r' <"$T/head" | sed -n 's/^[Ee][Tt][Aa][Gg]: //p')
ok "and is not sent again to who has it" gives 304 life "/treehub/objects/$commit_object" -H "If-None-Match: $etag"

# ---- a file of bytes
head -c 3000000 /dev/urandom >"$T/life-image.moving"
echo '{"name":"life-image","version":"1","hardwareIds":["qemux86-64"],"target":"life/image +1.bin"}' >"$T/spool/incoming/life-image.push.json"
mv "$T/life-image.moving" "$T/spool/incoming/life-image"
ok "a binary is published" wait_for 20 test -e "$T/spool/done/life-image.receipt.json"
file=$(jq -r '.published[0].target' "$T/spool/done/life-image.receipt.json" | jq -Rr '@uri' | sed 's|%2F|/|g')
ok "and fetched by its name, encoded as aktualizr does" gives 200 life "/repo/targets/$file"
ok "whole" body_is "$T/spool/done/life-image"
ok "... which no cache keeps: another may have that name" header "cache-control: no-cache"
ok "a download goes on where it broke off" gives 206 life "/repo/targets/$file" -H "Range: bytes=2999999-"
