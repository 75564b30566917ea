# shellcheck shell=sh disable=SC2154,SC2317 # variables of suite.sh; functions are called by name
# What a device meets while something changes behind the server: its certificate is taken away on an open connection, the
# server is reloaded in the middle of a download, otafs is stopped, killed and started under load, ota-gate is away.

# ---- a certificate that is taken away
enroll trouble
enroll trouble2
# resume: asks as trouble2 in the session that it had before, if the server has any idea of it
resume() {
	[ "$1" = -sess_out ] || [ -s "$2" ] || set --
	printf 'GET /director/root.json HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' |
		timeout 10 openssl s_client -connect "127.0.0.1:$port" -cert "$T/trouble2/client.pem" -key "$T/trouble2/pkey.pem" \
			-CAfile "$T/pki/server-ca.pem" -servername localhost -ign_eof -tls1_2 "$@" >"$T/trouble.session" 2>&1
	grep -ao 'HTTP/1\.1 [0-9]*' "$T/trouble.session"
}
ok "a session begins" is "$(resume -sess_out "$T/session")" "HTTP/1.1 200"
mkfifo "$T/trouble.in"
openssl s_client -connect "127.0.0.1:$port" -cert "$T/trouble2/client.pem" -key "$T/trouble2/pkey.pem" -quiet \
	-CAfile "$T/pki/server-ca.pem" -servername localhost <"$T/trouble.in" >"$T/trouble.out" 2>/dev/null &
exec 3>"$T/trouble.in"
ask() { printf '%s HTTP/1.1\r\nHost: localhost\r\n%b\r\n%b' "$1" "${2-}" "${3-}" >&3; }
# answered N [STATUS]: so many answers on that connection
answered() { is "$(grep -ao 'HTTP/1\.1 [0-9]*' "$T/trouble.out" | grep -c "${2:-.}")" "$1"; }
ask "GET /director/root.json"
ok "an open connection is answered" wait_for 5 answered 1 200
rmdir "$devices/trouble2/certificates/$(serial_of trouble2)"
ask "GET /director/root.json"
ok "after its certificate was taken away it is not" wait_for 5 answered 1 403
ask "GET /repo/timestamp.json"
ok "... for the image repository" wait_for 5 answered 2 403
ask "GET /treehub/objects/00/00.commit"
ok "... for objects" wait_for 5 answered 3 403
ask "PUT /events" 'Content-Length: 2\r\n' '[]'
ok "... nor does it report" wait_for 5 answered 4 403
ok "and it is still the same connection" answered 5
exec 3>&-
ok "who comes back with the session of before is refused, too" is "$(resume -sess_in "$T/session")" "HTTP/1.1 403"

# ---- a reload in the middle of a download
head -c 25165824 /dev/urandom >"$T/trouble.bin"
echo '{"name":"trouble","version":"1","hardwareIds":["mcu"]}' >"$T/spool/incoming/trouble.bin.push.json"
cp "$T/trouble.bin" "$T/spool/incoming/trouble.bin"
ok "an image is published" wait_for 20 test -e "$T/spool/done/trouble.bin.receipt.json"
image=/repo/targets/$(jq -r '.signed.targets | keys[] | select(startswith("trouble"))' "$T/repository/published/current/targets.json")
# get FILE CURL ARGUMENT...: beside others, so without $T/body; prints the status
get() {
	file=$1
	shift
	curl -s -o "$file" -w '%{http_code}\n' --max-time 20 --cert "$T/trouble/client.pem" --key "$T/trouble/pkey.pem" \
		--cacert "$T/trouble/root.crt" "$@"
}
get "$T/download" --limit-rate 8M "$url$image" >"$T/download.status" &
download=$!
wait_for 5 test -s "$T/download"
ok "the server reads its configuration anew during a download" "$top/scripts/ota-gateway" reload "$WEB" device "$T/gateway"
ok "and answers others meanwhile" gives 200 trouble /director/root.json
ok "while it is sending" kill -0 $download
wait $download
ok "which ends well" is "$(cat "$T/download.status")" 200
ok "with every byte" cmp "$T/download" "$T/trouble.bin"

# ---- a file that cannot be read
ok "(makes a file that otafs may not open)" sh -c "mkdir -p $T/repository/ostree/objects/aa && cp $T/repository/ostree/config \
	$T/repository/ostree/objects/aa/b.filez && chmod 0 $T/repository/ostree/objects/aa/b.filez"
ok "is 503: neither missing nor forbidden" empty 503 trouble /treehub/objects/aa/b.filez
ok "... with words when to try again" header "Retry-After: [1-9][0-9]*"
ok "... and is not to be kept" no_header "Cache-Control: public"
chmod 644 "$T/repository/ostree/objects/aa/b.filez"
ok "and there when it may" gives 200 trouble /treehub/objects/aa/b.filez

# ---- a disk that is away
printf '%s\n' /treehub/objects/aa/b.filez /treehub/objects/00/00.filez /treehub/deltas/00/00/superblock "$image" >"$T/on-disk"
mv "$T/repository" "$T/repository.away"
ok "a repository that is moved is still served" gives 200 trouble /treehub/objects/aa/b.filez
printf '%s\n' /treehub/objects/00/00.filez /treehub/deltas/00/00/superblock /repo/targets/none-1 >"$T/not-there"
ok "and what is not there may be in another one: 503" all_are "503 0" trouble "$T/not-there"
mv "$T/repository.away" "$T/repository"
umount -l "$T/web/www.repository"
ok "without the repository's disk nothing of it is missing: 503" all_are "503 0" trouble "$T/on-disk"
stop otafs
start_otafs
ok "when it is back an object is there" gives 200 trouble /treehub/objects/aa/b.filez
ok "... as it was" body_is "$T/repository/ostree/config"
ok "and one that is not there is missing" empty 404 trouble /treehub/objects/00/00.filez
rm "$T/repository/ostree/objects/aa/b.filez"

# ---- a signer that does not answer, a watcher that is away
mkdir "$devices/trouble3"
enroll trouble3
stop signd
ok "a document that cannot be signed now is 503, not missing" empty 503 trouble3 /director/targets.json
ok "... with words when to try again" header "Retry-After: [1-9][0-9]*"
start_signd
signed() { gives 200 trouble3 /director/targets.json; }
ok "and comes when it can" wait_for 10 signed
stop watcher
for path in "/api/v3/objects/00/$(printf '%062d' 0).commit -I" /api/v3/refs/heads/none "/api/v3/refs/heads/none -X POST -d x"; do
	# shellcheck disable=SC2086 # a path and arguments
	ok "without ota-watcher $path is 503" is "$(push $path)" 503
	ok "... with words when to try again" file_with "$T/headers" "^[Rr]etry-[Aa]fter: [1-9]"
done
start_watcher

# ---- otafs away and back under load
# report: events one after the other; which were acknowledged, and each status
report() {
	n=0
	while [ ! -e "$T/trouble.stop" ]; do
		n=$((n + 1))
		status=$(get /dev/null -d "[{\"id\":\"load-$1-$n\",\"eventType\":{\"id\":\"Load\",\"version\":0}}]" "$url/events")
		[ "$status" != 200 ] || echo "load-$1-$n" >>"$T/acknowledged"
		echo "$status" >>"$T/statuses"
	done
}
# read_on: what there is, one after the other; each status
read_on() {
	while [ ! -e "$T/trouble.stop" ]; do
		get "/dev/null" "$url/director/targets.json" -o /dev/null "$url/repo/timestamp.json" -o /dev/null "$url$image" \
			-o /dev/null "$url/treehub/config?[1-30]" >>"$T/statuses"
	done
}
count() { grep -c "$1" "$T/statuses"; }
acknowledged() { [ "$(wc -l <"$T/acknowledged")" -gt "$1" ]; }
# back WHAT: reports are taken again
back() {
	before=$(wc -l <"$T/acknowledged")
	ok "after $1 reports are taken again" wait_for 15 acknowledged $((before + 2))
}
: >"$T/acknowledged"
rm -f "$T/trouble.stop" "$T/statuses"
report 1 &
loads=$!
report 2 &
loads="$loads $!"
read_on &
loads="$loads $!"
cleanup "touch $T/trouble.stop"
wait_for 5 acknowledged 5
stop otafs
is_away() {
	for path in /director/targets.json /director/99.root.json /repo/timestamp.json "$image" /treehub/config /treehub/objects/00/00.commit; do
		echo "for: $path"
		empty 503 trouble "$path" || return 1
		header "Retry-After: [1-9][0-9]*" || return 1
	done
}
ok "without a mount all that can be fetched is 503, with words when to try again" is_away
ok "and what is handed in as well" words 503 not_available trouble /events -X POST -d '[]'
ok "... with words when to try again" header "Retry-After: [1-9][0-9]*"
start_otafs
back "a stop"
pid=$(cat "$T/otafs.pid")
# shellcheck disable=SC2046 # one word each
kill -KILL "$pid" $(pgrep -P "$pid")
wait "$pid" 2>/dev/null
ok "a dead otafs is 503, not a missing file" empty 503 trouble /director/99.root.json
ok "and takes no report" words 503 not_available trouble /events -X POST -d '[]'
start_otafs
back "a kill"
stop gate
ok "without ota-gate reports are 503" empty 503 trouble /events -X POST -d '[]'
ok "... with words when to try again" header "Retry-After: [1-9][0-9]*"
ok "and what can be fetched is fetched" gives 200 trouble /director/root.json
# One that ends just now takes a request and says nothing.
cat >"$T/mute" <<'END'
use strict; use IO::Socket::UNIX;
my $socket = IO::Socket::UNIX->new(Local => $ARGV[0], Listen => 64) or die $!;
chmod 0666, $ARGV[0];
while (my $client = $socket->accept) { sysread $client, my $head, 65536 }
END
rm -f "$T/gate.sock"
start mute perl "$T/mute" "$T/gate.sock"
needs 5 test -S "$T/gate.sock"
ok "with one that breaks off reports are 503" empty 503 trouble /events -X POST -d '[]'
ok "... with words when to try again" header "Retry-After: [1-9][0-9]*"
stop mute
rm "$T/gate.sock"
start gate "$OTA_BIN/ota-gate" -c "$conf"
back "a start of ota-gate"
touch "$T/trouble.stop"
# shellcheck disable=SC2086 # one word each
wait $loads
echo "# $(sort "$T/statuses" | uniq -c | tr -s ' \n' ' ')"
ok "no answer was anything but 200 and 503" is "$(grep -vxc -e 200 -e 503 "$T/statuses")" 0
ok "and both were given" test "$(count 200)" -gt 20 -a "$(count 503)" -gt 0
is_kept() {
	grep -o '"load-[0-9]*-[0-9]*"' "$devices/trouble/events" | tr -d '"' | sort -u >"$T/kept"
	is "$(sort "$T/acknowledged" | comm -23 - "$T/kept")" ""
}
ok "every report that was acknowledged is there" is_kept
