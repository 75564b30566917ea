#!/bin/sh
# The build listener: a client that keeps to garage-push's protocol (docs/ARCHITECTURE.md) pushes, with everything that can go
# wrong on the way; pushed refs become releases that a device can be given.
# shellcheck source=tests/integration/lib.sh disable=SC2317 # functions are called by name
. "$(dirname "$0")/lib.sh"

settings "disk_reserve_mb = 0"
cat >"$T/build-refs" <<'TEXT'
# which pushed refs become releases
release/*	app	qemux86-64,raspberrypi4
qemux86-64/*	-	-
bad/version	app	qemux86-64
TEXT
start_all
start_build
enroll car1

# pushes REPO COMMIT: the objects that the server lacks, children first, the commit last, four at a time
pushes() {
	# shellcheck disable=SC2016 # expanded by the shells that are started
	objects "$1" "$2" | xargs -P 4 -n 1 sh -c '
		head=$(curl -s -o /dev/null -w "%{http_code}" -I --cacert "$2" -u ci:secret "$1/api/v3/objects/$4")
		[ "$head" != 200 ] || exit 0
		[ "$head" = 404 ] || exit 255
		status=$(curl -s -o /dev/null -w "%{http_code}" -X POST --cacert "$2" -u ci:secret --data-binary "@$3/objects/$4" \
			-H "Content-Type: application/octet-stream" -H "x-ats-ostree-force: true" "$1/api/v3/objects/$4")
		[ "$status" = 204 ] || [ "$status" = 409 ] || { echo "$4: $status"; exit 255; }' \
		sh "$build_url" "$T/pki/server-ca.pem" "$1" || return 1
	post_object "$1" "$(object "$2" commit)" | grep -Eqx '204|409'
}
object() { echo "$(echo "$1" | cut -c1-2)/$(echo "$1" | cut -c3-).$2"; }
# objects REPO COMMIT: all that belongs to the one commit in REPO but the commit itself
objects() {
	(cd "$1/objects" && find . -type f ! -name '*.commit' ! -name '*.commitmeta' | sed 's|^\./||')
}
post_object() { push "/api/v3/objects/$2" -X POST --data-binary "@$1/objects/$2" -H 'Content-Type: application/octet-stream'; }
post_ref() { # post_ref REF COMMIT [CURL ARGUMENT...]
	ref=$1
	id=$2
	shift 2
	push "/api/v3/refs/heads/$ref" -X POST -d "$id" "$@"
}
gives() { # gives STATUS COMMAND...
	status=$1
	shift
	is "$("$@")" "$status" || {
		cat "$T/body"
		return 1
	}
}
because() { # because CODE WORDS: what the refusal said
	is "$(jq -r .code "$T/body")" "$1" && has "$T/body" "$2" &&
		is "$(jq -r 'has("errorId") and has("cause")' "$T/body")" true
}
repo=$T/repository/ostree

# ---- who may

unknown() { curl -s -o "$T/body" -w '%{http_code}\n' --max-time 20 --cacert "$T/pki/server-ca.pem" "$@"; }
for path in / /api/v3/config /treehub/config //api/v2/objects/x /api/v1/user_repo/targets.json /%2e%2e/x /build-error-401.html; do
	ok "without a name: 401 for $path" gives 401 unknown --path-as-is "$build_url$path"
done
ok "... for POST and PUT too" gives 401 unknown -X POST -d x "$build_url/api/v3/refs/heads/x"
ok "... in JSON" because not_authenticated password
ok "with a wrong password: 401" gives 401 unknown -u ci:wrong "$build_url/api/v3/config"
ok "a header that claims a user is no user" gives 401 unknown -H 'Remote-User: ci' -H 'REMOTE_USER: ci' \
	-H 'X-Remote-User: ci' "$build_url/api/v3/config"
ok "a device's certificate: 401" gives 401 unknown --cert "$T/car1/client.pem" --key "$T/car1/pkey.pem" \
	"$build_url/api/v3/config"
"$top/scripts/ota-builder" -c "$conf" --url "$build_url" --certificate ci2 "$T/ci2.zip"
unzip -q -d "$T/ci2" "$T/ci2.zip"
with_p12() { unknown --cert-type P12 --cert "$T/ci2/client_auth.p12:" "$@"; }
ok "a certificate of the build CA: in" gives 200 with_p12 "$build_url/api/v3/config"
openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$T/two.key" -subj "/O=x/CN=ci" -out "$T/two.csr" 2>"$T/openssl.out"
openssl x509 -req -CA "$T/pki/build-ca.pem" -CAkey "$T/pki/build-ca.key" -set_serial 77 -in "$T/two.csr" -out "$T/two.pem" 2>>"$T/openssl.out"
ok "a subject with more than a CN: 403" gives 403 unknown --cert "$T/two.pem" --key "$T/two.key" "$build_url/api/v3/config"
ok "the watcher's socket is the build listener's alone" is "$(stat -c '%a %u %g' "$T/build.sock")" "660 64103 64107"
ok "the password's hash is not for everybody" is "$(stat -c '%a %g' "$T/build.htpasswd")" "640 64103"

# ---- paths

for prefix in api/v2 api/v3 treehub treehub/api/v2 /treehub//api/v3/; do
	ok "config below /$prefix" gives 200 push "/$prefix/config"
done
ok "it says indexed-deltas" has "$T/body" indexed-deltas=true
for path in summary summary.sig deltas/ab/cd/superblock delta-indexes/ab/cd.index refs/heads/none objects/ab/cd.filez \
	manifests/none nothing "objects/ab/$(printf %062d 0).filez" deltas; do
	ok "what is absent is 404: $path" gives 404 push "/api/v3/$path"
done
ok "HEAD has no body" is "$(push "/api/v3/objects/ab/$(printf %062d 0).filez" -I)" 404
for path in /api/v3/../../x /api/v3/objects/%2e%2e/x /api/v3/refs/heads/..%2f..%2fx "/api/v3/refs/heads/a%0ab" \
	/api/v3/%00 /api/v3/%zz /api/v3/deltas/./x; do
	ok "a path with a trick is 400: $path" gives 400 push "$path" --path-as-is
done
ok "another method: 405" gives 405 push /api/v3/config -X DELETE
ok "... with words" because method_not_allowed DELETE

# ---- objects

commit=$(commit_of app 2.1 20)
drop=$T/app-2.1.drop
commit_object=$(object "$commit" commit)
file=$(objects "$drop" "$commit" | grep filez | head -1)
other=$(objects "$drop" "$commit" | grep filez | tail -1)
ok "an object that is not what its name says: 400" gives 400 push "/api/v3/objects/$file" -X POST \
	--data-binary "@$drop/objects/$other"
ok "... with words" because object_not_accepted "object $(echo "$file" | tr -d / | cut -d. -f1)"
head -c 20 "$drop/objects/$file" >"$T/cut"
ok "one that is cut short: 400" gives 400 push "/api/v3/objects/$file" -X POST --data-binary "@$T/cut"
cat "$drop/objects/$file" "$drop/objects/$other" >"$T/long"
ok "one that goes on: 400" gives 400 push "/api/v3/objects/$file" -X POST --data-binary "@$T/long"
# A length that promises more than comes: the client hangs up in the middle.
ok "a client that hangs up early leaves nothing" sh -c "curl -s --max-time 2 --cacert '$T/pki/server-ca.pem' -u ci:secret \
	-X POST -H 'Content-Length: 100000' --data-binary '@$drop/objects/$file' '$build_url/api/v3/objects/$file' >/dev/null;
	test ! -e '$repo/objects/$file'"
ok "... in the folder of uploads either" wait_for 5 sh -c "test -z \"\$(find '$T/repository/upload' -type f)\""
truncate -s 11M "$T/eleven"
ok "without a length: 411" gives 411 push "/api/v3/objects/$file" -X POST -H 'Transfer-Encoding: chunked' -T "$T/eleven"
ok "... in JSON" is "$(jq -r .code "$T/body")" length_required
ok "an empty one: 411" gives 411 push "/api/v3/objects/$file" -X POST -d ''
ok "a commit beyond what libostree takes: 413" gives 413 push "/api/v3/objects/$commit_object" -X POST -T "$T/eleven"
ok "a bad name: 400" gives 400 push /api/v3/objects/ab/cd.exe -X POST -d x
ok "nothing of all that is stored" is "$(find "$repo/objects" -type f)" ""

ok "a ref whose commit is not stored: 412" gives 412 post_ref qemux86-64/app "$commit" -H 'x-ats-ostree-force: true'
ok "... commit_missing" because commit_missing "$commit"
ok "all objects are pushed" pushes "$drop" "$commit"
ok "again: 409" gives 409 post_object "$drop" "$commit_object"
ok "HEAD says that it is there" is "$(push "/api/v2/objects/$commit_object" -I)" 200
ok "what is read is what was pushed" sh -c "curl -s --cacert '$T/pki/server-ca.pem' -u ci:secret '$build_url/treehub/objects/$file' |
	cmp - '$drop/objects/$file'"
rm "$repo/objects/$file"
ok "a ref whose commit is not whole: 412" gives 412 post_ref qemux86-64/app "$commit" -H 'x-ats-ostree-force: true'
ok "... it names what is missing" because objects_missing "$(echo "$file" | tr -d / | cut -d. -f1)"
ok "... and so does the spool, since garage-push shows a number" has \
	"$T/spool/failed/push-qemux86-64-app-$(echo "$commit" | cut -c1-12).reason.txt" "$(echo "$file" | tr -d / | cut -d. -f1)"
ok "... and its status" has "$T/spool/status" "push-qemux86-64-app-.* failed"
describe() { # describe FORMAT HASH LENGTH [URI]: a target of content that is elsewhere, or was pushed before
	push /api/v1/user_repo/targets/said-1 -X POST -d "{\"name\":\"said\",\"version\":\"1\",\"hardwareIds\":[\"qemux86-64\"],
		\"targetFormat\":\"$1\",\"length\":$3,\"uri\":\"${4:-}\",\"checksum\":{\"method\":\"sha256\",\"hash\":\"$2\"}}"
}
ok "a target of it: 400" gives 400 describe OSTREE "$commit" 0
ok "... it names what is missing" because invalid_entity "$(echo "$file" | tr -d / | cut -d. -f1)"
ok "a target at an address that clients hash in another way: 400" gives 400 describe BINARY "$commit" 5 https://x/é
ok "... nothing of it is signed" not grep -q said "$T/repository/published/current/targets.json"
ok "an old client's form: 200" gives 200 push "/api/v2/objects/$file" -X POST -F "file=@$drop/objects/$file"
ok "... stores it" cmp "$repo/objects/$file" "$drop/objects/$file"
rm "$repo/objects/$file"
ok "a form without the part: 400" gives 400 push "/api/v2/objects/$file" -X POST -F "other=x"
ok "... and with it again: 200" gives 200 push "/api/v2/objects/$file" -X POST -F other=x -F "file=@$drop/objects/$file"
ok "what was pushed is sound" ostree --repo="$repo" fsck -q

# ---- refs become releases

ok "the ref is set" gives 200 post_ref qemux86-64/app "$commit"
ok "the answer is the commit" is "$(cat "$T/body")" "$commit"
ok "... and says what was published" has "$T/headers" "^X-OTA-Published: app $commit, targets version 2"
ok "it can be read" gives 200 push /api/v3/refs/heads/qemux86-64/app
ok "... as the plain commit" is "$(cat "$T/body")" "$commit"
receipt="$T/spool/done/push-qemux86-64-app-$(echo "$commit" | cut -c1-12).receipt.json"
ok "there is a receipt" is "$(jq -r '.result + " " + .builder + " " + .published[0].hardwareIds[0]' "$receipt")" \
	"published ci qemux86-64"
ok "status tells it" has "$T/spool/status" "last: app $commit pushed and published"
ok "the tree has the package" wait_for 5 test -e "$T/mount/packages/app/$commit/hash"
ok "the same again is no new release" gives 200 post_ref qemux86-64/app "$commit" -H 'Content-Type: application/octet-stream'
ok "... as the receipt says" is "$(jq -r .result "$receipt")" "already published"

device car1 poll >"$T/device.out" 2>&1
echo "app $commit" >"$T/mount/devices/car1/assign"
ok "a device is given it and pulls it" device car1 poll
ok "... and runs it" wait_for 5 grep -qx "sha256: $commit" "$T/mount/devices/car1/ecus/car1-ecu"

second=$(commit_of app 2.2 5)
ok "another commit is pushed" pushes "$T/app-2.2.drop" "$second"
ok "a ref does not jump: 412" gives 412 post_ref qemux86-64/app "$second"
ok "... not_fast_forward" because not_fast_forward "$commit|$second"
ok "... stays as it was" is "$(ostree --repo="$repo" rev-parse qemux86-64/app)" "$commit"
ok "forced it does" gives 200 post_ref qemux86-64/app "$second" -H 'x-ats-ostree-force: true'
ok "... as the repository says" is "$(ostree --repo="$repo" rev-parse qemux86-64/app)" "$second"
ok "a ref that no line is for is set" gives 200 post_ref elsewhere/x "$second"
ok "... and the answer says that nothing follows" has "$T/headers" "^X-OTA-Not-Published: no line of build-refs matches elsewhere/x"
ok "... so does the receipt" is \
	"$(jq -r .result "$T/spool/done/push-elsewhere-x-$(echo "$second" | cut -c1-12).receipt.json")" "not published"
for ref in .hidden a//b/.. 'a b' "$(printf %0300d 0)"; do
	ok "a bad name of a ref is 400: $(echo "$ref" | cut -c1-20)" gives 400 push "/api/v3/refs/heads/$(echo "$ref" | sed 's/ /%20/g')" \
		--path-as-is -X POST -d "$second"
done
ok "only below refs/heads" gives 400 push /api/v3/refs/remotes/x -X POST -d "$second"
ok "no commit id: 400" gives 400 post_ref x "not-a-commit"
ok "a body that is too long: 413" gives 413 push /api/v3/refs/heads/x -X POST --data-binary "@$T/eleven"

mkdir -p "$T/tree3/usr"
echo three >"$T/tree3/usr/three"
ostree --repo="$T/three" init --mode=archive
third=$(ostree --repo="$T/three" commit --branch=x --tree=dir="$T/tree3" --owner-uid=0 --owner-gid=0 --add-metadata-string=version=3.0)
pushes "$T/three" "$third"
ok "package and hardware of the line, version of the commit" gives 200 post_ref release/three "$third"
ok "... are what is published" has "$T/headers" "^X-OTA-Published: app 3.0"
echo four >"$T/tree3/usr/four"
fourth=$(ostree --repo="$T/three" commit --branch=y --tree=dir="$T/tree3" --owner-uid=0 --owner-gid=0 --add-metadata-string=version=3.0)
pushes "$T/three" "$fourth"
ok "another content of the same name: 409" gives 409 post_ref release/four "$fourth"
ok "... with words" because not_published app-3.0
ok "... and in failed/" has "$T/spool/failed/push-release-four-$(echo "$fourth" | cut -c1-12).reason.txt" app-3.0
ok "... the ref is not set" not ostree --repo="$repo" rev-parse release/four
echo 'one two' >"$T/build-refs"
ok "a mistake in build-refs: 503" gives 503 post_ref release/four "$fourth"
ok "... names the line" has "$T/body" "build_refs: line 1"
rm "$T/build-refs"

# ---- manifests

ok "a manifest is kept" gives 200 push "/api/v3/manifests/$commit" -X PUT -H 'Content-Type: application/json' -d '{"a": [1]}'
ok "... and given" gives 200 push "/api/v3/manifests/$commit"
ok "... as it came" is "$(cat "$T/body")" '{"a": [1]}'
ok "one of no commit: 412" gives 412 push "/api/v3/manifests/$(echo "$commit" | tr a-f0-9 0-9a-f)" -X PUT -d '{}'
ok "one that is no JSON: 400" gives 400 push "/api/v3/manifests/$commit" -X PUT -d '{'
perl -e 'print "[", "[]," x 300000, "0]"' >"$T/dense"
ok "one that would take far more memory than its bytes: 400" gives 400 push "/api/v3/manifests/$commit" -X PUT --data-binary "@$T/dense"
ok "... with words" has "$T/body" "has 600002 values in 900003 bytes"
ok "a larger one: 413" gives 413 push "/api/v3/manifests/$commit" -X PUT -T "$T/eleven"

# ---- four builders at once, and a crash

parallel=$(commit_of big 1.0 50)
pushers=
for n in 1 2 3 4; do
	pushes "$T/big-1.0.drop" "$parallel" >"$T/push$n.out" 2>&1 &
	pushers="$pushers $!"
done
for pusher in $pushers; do wait "$pusher"; done
ok "four push the same at once" pushes "$T/big-1.0.drop" "$parallel"
ok "... none of them failed" is "$(cat "$T"/push?.out)" ""
ok "what they pushed is sound" ostree --repo="$repo" fsck -q

head -c 3000000 /dev/urandom >"$T/tree3/usr/large"
large=$(ostree --repo="$T/large" init --mode=archive && ostree --repo="$T/large" commit -b z --owner-uid=0 --owner-gid=0 "$T/tree3")
object=$(cd "$T/large/objects" && find . -size +1000k | sed 's|^\./||')
push "/api/v3/objects/$object" -X POST --limit-rate 1M -T "$T/large/objects/$object" >"$T/killed.out" 2>&1 &
pusher=$!
wait_for 5 sh -c "test -n \"\$(find '$T/repository/upload' -type f -size +0)\""
stop watcher KILL
wait "$pusher"
ok "kill -9 in the middle of an upload: 5xx" grep -Eqx '50[0-4]' "$T/killed.out"
ok "... nothing of it is stored" test ! -e "$repo/objects/$object"
ok "without the watcher: 503" gives 503 push /api/v3/config
ok "... in JSON" is "$(jq -r .code "$T/body")" not_available
start_watcher
needs 5 file_with "$T/watcher.log" ready
wait_for 10 test -S "$T/build.sock"
ok "after the start nothing is left of it" wait_for 5 sh -c "test -z \"\$(find '$T/repository/upload' -type f)\""
ok "the push is done again" wait_for 10 pushes "$T/large" "$large"
ok "what is there is sound" ostree --repo="$repo" fsck -q

# ---- a gigabyte costs no memory

watcher=$(pgrep -P "$(cat "$T/watcher.pid")")
echo 5 >"/proc/$watcher/clear_refs" # VmHWM begins anew
truncate -s 1G "$T/sparse"
ok "a gigabyte that is no object: 400" gives 400 push "/api/v3/objects/ab/$(printf %062d 0).filez" -X POST -T "$T/sparse"
ok "... costs the web server no memory" test "$(awk '/VmHWM/ {print $2}' "/proc/$(cat "$T/build.pid")/status")" -lt 20000
# Watched by a sanitizer it takes far more.
grep -q __asan_init "$OTA_BIN/ota-watcher" || ok "... and the watcher at most 16 MiB" test "$(awk '/VmHWM/ {print $2}' "/proc/$watcher/status")" -le 16384

ok "ota-gateway check" "$top/scripts/ota-gateway" check lighttpd -c "$conf" "$T/gateway"
# ---- a socket that is handed on, as by systemd

stop watcher
start kept perl "$top/tests/integration/gate.pl" "$T/build.sock" keep "$OTA_BIN/ota-watcher" -c "$conf"
needs 10 file_with "$T/kept.log" "ota-watcher ready"
ok "serves on a socket that is handed on" wait_for 5 gives 200 push /api/v3/config
kill "$(pgrep -P "$(cat "$T/kept.pid")" -x ota-watcher)"
ok "... where requests wait while it is started again" gives 200 push /api/v3/config
ok "... which it is" wait_for 5 sh -c "grep -c 'ota-watcher ready' '$T/kept.log' | grep -qx 2"

ok "no password is in a log" not grep -rq secret "$T"/*.log "$T/gateway/build"
finish
