# shellcheck shell=sh disable=SC2012,SC2016,SC2154,SC2317 # variables of suite.sh; functions are called by name; names are ours
# What devices hand in: cut short, too long, in pieces, slowly, too often.
enroll bodies1
enroll bodies2
bodies=$devices/bodies1

# raw SECONDS: sends standard input as bodies1, and shows what comes back until so long after the end of it
raw() {
	{
		cat
		sleep "$1"
	} | timeout 30 openssl s_client -connect "127.0.0.1:$port" -cert "$T/bodies1/client.pem" -key "$T/bodies1/pkey.pem" \
		-CAfile "$T/pki/server-ca.pem" -servername localhost -quiet -no_ign_eof 2>/dev/null
}
# request TARGET HEADER...: a head with these
request() {
	printf 'POST %s HTTP/1.1\r\nHost: localhost\r\n' "$1"
	shift
	[ $# = 0 ] || printf '%s\r\n' "$@"
	printf '\r\n'
}
# answered STATUS REQUEST...: to a request that is written by this command
answered() {
	want=$1
	shift
	"$@" | raw 0.5 >"$T/raw"
	is "$(sed -n '1s/^HTTP\/1\.1 \([0-9]*\).*/\1/p' "$T/raw")" "$want" || { cat "$T/raw" && false; }
}

# ---- slow ones: they begin here and are looked at below
slow() { # slow NAME TEXT: after how many seconds the server leaves one that sends no more than this
	began=$(date +%s)
	{
		printf '%b' "$2"
		sleep 14
	} | {
		openssl s_client -connect "127.0.0.1:$port" -cert "$T/bodies1/client.pem" -key "$T/bodies1/pkey.pem" -quiet -no_ign_eof \
			>/dev/null 2>&1
		echo $(($(date +%s) - began)) >"$T/slow.$1"
	}
}
slow head 'GET /director/root.json HTTP/1.1\r\nHost: loc' &
slow body 'POST /events HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n[' &
slow nothing '' &

# ---- cut short
# Any part of it would be a configuration too.
seq 1000 1032 | tr '\n' ' ' | sed 's/^/# /' >"$T/bodies.toml"
bytes=$(stat -c %s "$T/bodies.toml")
whole() {
	request /system_info/config "Content-Length: $bytes" "Content-Type: application/toml"
	cat "$T/bodies.toml"
}
whole_in_pieces() {
	request /system_info/config "Transfer-Encoding: chunked" "Content-Type: application/toml"
	printf '%x\r\n' "$((bytes / 2))"
	head -c "$((bytes / 2))" "$T/bodies.toml"
	printf '\r\n%x\r\n' "$((bytes - bytes / 2))"
	tail -c "+$((bytes / 2 + 1))" "$T/bodies.toml"
	printf '\r\n0\r\n\r\n'
}
# cut_everywhere COMMAND: what it writes, ended at every eighth byte of the body
cut_everywhere() {
	"$1" >"$T/cut.whole"
	request /system_info/config "$2" "Content-Type: application/toml" >"$T/cut.head"
	cut_pids=
	for at in $(seq "$(stat -c %s "$T/cut.head")" 8 "$(($(stat -c %s "$T/cut.whole") - 1))"); do
		head -c "$at" "$T/cut.whole" | raw 0.3 >"$T/cut.$1.$at" &
		cut_pids="$cut_pids $!"
	done
	# shellcheck disable=SC2086 # a list
	wait $cut_pids
}
no_answer_is_200() { not grep -l 'HTTP/1.1 200' "$T/cut.$1".*; }
cut_everywhere whole "Content-Length: $bytes"
ok "hands on none of $(ls "$T"/cut.whole.* | wc -l) bodies that end early" not grep -q '[^[:space:]]' "$bodies/config"
ok "... and accepts none" no_answer_is_200 whole
cut_everywhere whole_in_pieces "Transfer-Encoding: chunked"
ok "the same of $(ls "$T"/cut.whole_in_pieces.* | wc -l) in pieces" not grep -q '[^[:space:]]' "$bodies/config"
ok "... which it does not accept" no_answer_is_200 whole_in_pieces
ok "takes the whole one" answered 200 whole
ok "... as it is" cmp "$T/bodies.toml" "$bodies/config"
# Apache hands on no body without a length: it says so, and hands on nothing of it.
case $WEB in
apache)
	pieces=411
	pieces_too_long=411
	;;
*)
	printf ' ' >>"$T/bodies.toml"
	bytes=$((bytes + 1))
	pieces=200
	pieces_too_long=413
	;;
esac
ok "in pieces it is answered with $pieces" answered $pieces whole_in_pieces
ok "... as it is" cmp "$T/bodies.toml" "$bodies/config"

# ---- lengths that are none
length() { request /system_info/config "$@" && printf '12345'; }
for value in -1 5x 0x5 '5, 5' 99999999999999999999999999; do
	not_taken() { length "Content-Length: $value" | raw 0.3 >"$T/raw" && not grep '^HTTP/1.1 [2]' "$T/raw"; }
	ok "takes no body of length $value" not_taken
done
two_lengths() { length "Content-Length: 5" "Content-Length: 4"; }
ok "takes no body of two lengths" answered 400 two_lengths
ok "all is as it was" cmp "$T/bodies.toml" "$bodies/config"
# What stands behind a body is the next request, or nothing: never a part of what another asked.
both() {
	request /events "Content-Length: 6" "Transfer-Encoding: chunked"
	printf '2\r\n[]\r\n0\r\n\r\nGET /director/root.json HTTP/1.1\r\nHost: localhost\r\n\r\n'
}
both | raw 0.5 >"$T/raw"
ok "is not of two minds about where a request ends" test "$(grep -c '^HTTP/1.1 ' "$T/raw")" -le 2
ok "... and gives no answer that says so" not grep -E '^HTTP/1.1 (5|404)' "$T/raw"
pipelined() {
	request /events "Content-Length: 2" && printf '[]'
	printf 'GET /director/root.json HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'
}
pipelined | raw 1 >"$T/raw"
ok "answers two requests in a row" is "$(grep -c 'HTTP/1.1 200' "$T/raw")" 2

# ---- too long
head -c 5000000 /dev/zero | tr '\0' ' ' >"$T/bodies.long"
ok "a body longer than any may be is 413" empty 413 bodies1 /events -X POST --data-binary "@$T/bodies.long"
ok "... also when it is not asked before" empty 413 bodies1 /events -X POST -H Expect: --data-binary "@$T/bodies.long"
ok "... and in pieces" empty $pieces_too_long bodies1 /events -X POST -H "Transfer-Encoding: chunked" --data-binary "@$T/bodies.long"
huge() { request /events "Content-Length: 1000000000000"; }
ok "one of a terabyte is 413 before it comes" answered 413 huge
# What suite.sh has set, in KiB; what is not there is as in otafs.conf(5).
cat >"$T/bodies.limits" <<END
/director/manifest PUT 128
/director/ecus POST 64
/system_info PUT 2048
/system_info/network PUT 8
/system_info/config POST 32
/core/installed PUT 512
/events POST 1024
/devices POST 4
/.well-known/est/simpleenroll POST 16
/.well-known/est/simplereenroll POST 16
END
# limited PATH METHOD KIB: a body of so much is judged, of a byte more not even read; more than any may have, the server refuses
limited() {
	head -c "$(($3 * 1024))" "$T/bodies.long" >"$T/bodies.just"
	not gives 413 bodies1 "$1" -X "$2" --data-binary "@$T/bodies.just" || return 1
	printf ' ' >>"$T/bodies.just"
	case $3 in
	2048) empty 413 bodies1 "$1" -X "$2" --data-binary "@$T/bodies.just" ;;
	*) words 413 body_too_large bodies1 "$1" -X "$2" --data-binary "@$T/bodies.just" ;;
	esac
}
while read -r path method kib; do
	ok "$path takes $kib KiB, and one byte more is 413" limited "$path" "$method" "$kib"
done <"$T/bodies.limits"
{
	printf '[]'
	head -c 900000 "$T/bodies.long"
} >"$T/bodies.large"
ok "takes one that is large" gives 200 bodies1 /events -X POST --data-binary "@$T/bodies.large"
ok "... in pieces too" gives $pieces bodies1 /events -X POST -H "Transfer-Encoding: chunked" --data-binary "@$T/bodies.large"
ok "says that a body may come when it is asked" sh -c "curl -sv --max-time 10 --expect100-timeout 9 -H 'Expect: 100-continue' \
	--cert $T/bodies1/client.pem --key $T/bodies1/pkey.pem --cacert $T/bodies1/root.crt -d '[]' $url/events 2>&1 |
	grep -q '^< HTTP/1.1 100'"
ok "a path that is too long is refused" sh -c "curl -s -o $T/body -w '%{http_code}' --cert $T/bodies1/client.pem \
	--key $T/bodies1/pkey.pem --cacert $T/bodies1/root.crt $url/repo/$(printf '%030000d' 0) | grep -q '^4' && ! test -s $T/body"
ok "so is a head of 100 KB" sh -c "curl -s -o $T/body -w '%{http_code}' --cert $T/bodies1/client.pem \
	--key $T/bodies1/pkey.pem --cacert $T/bodies1/root.crt $(for n in 1 2 3 4 5 6 7 8 9 10; do
		printf -- '-H X-%d:%010000d ' "$n" 0
	done) $url/repo/root.json | grep -Eq '^(4|000)' && ! test -s $T/body"

# ---- too often
# rush ID PATH COUNT: how many of so many requests in a row had which status, in $T/rush
rush() {
	curl -s -o /dev/null -w '%{http_code}\n' --cert "$T/$1/client.pem" --key "$T/$1/pkey.pem" --cacert "$T/$1/root.crt" \
		"$url$2?[1-$3]" | sort | uniq -c >"$T/rush"
}
count() { awk -v status="$1" '$2 == status { n = $1 } END { print n + 0 }' "$T/rush"; }
rush bodies2 /treehub/config 900
ok "objects are fetched as often as one likes" is "$(count 200)" 900
rush bodies2 /director/root.json 1500
ok "metadata as often as device_requests_per_minute allows" test "$(count 200)" -ge 500
ok "... and not much more often" test "$(count 429)" -ge 200
ok "... with no other answer" is "$(($(count 200) + $(count 429)))" 1500
curl -s -o "$T/body" -D "$T/heads" --cert "$T/bodies2/client.pem" --key "$T/bodies2/pkey.pem" --cacert "$T/bodies2/root.crt" \
	"$url/director/root.json?[1-50]"
sed -n 'H; /^HTTP/h; ${x;p;}' "$T/heads" >"$T/head" # the last one
ok "which is told so" header 'HTTP/1.1 429 .*'
ok "... and for how long" header 'retry-after: [0-9]*'
ok "... without a body" header 'content-length: 0'
ok "objects still come" gives 200 bodies2 /treehub/config
ok "and others are not touched" gives 200 bodies1 /director/root.json

# A client of mod_qos is whom device.lua calls it: none can name others until its own count is forgotten. (The smallest table.)
if [ "$WEB" = apache ]; then
	stop web
	sed -i 's/^QS_ClientEntries .*/QS_ClientEntries 641/' "$T/gateway/device.conf"
	start_web_server
	rush bodies2 /director/root.json 605
	perl -e 'printf "GET /treehub/config HTTP/1.1\r\nHost: localhost\r\nX-Device: 2001:db8::%x\r\n\r\n", $_ for 1 .. 3000' |
		raw 1 >"$T/raw"
	ok "a device may name others" is "$(grep -ac 'HTTP/1.1 200' "$T/raw")" 3000
	ok "... which does not make what it asked for less" gives 429 bodies2 /director/root.json
fi

# ---- the slow ones
wait_for 15 sh -c "[ -s $T/slow.head ] && [ -s $T/slow.body ] && [ -s $T/slow.nothing ]" >/dev/null
for name in head body nothing; do
	ok "one that sends no more ($name) is left after client_seconds" test "$(cat "$T/slow.$name")" -lt 12
done
