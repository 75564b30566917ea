# shellcheck shell=sh disable=SC2154 # variables of ota-gateway(8), which sources this
# The live part of `ota-gateway check`: what the listeners that are up answer, by curl and openssl. It changes nothing:
# what it sends is refused, or read.

bad=0
# expect WHAT GOT PATTERN: one line of the report; a pattern as of case
expect() {
	# shellcheck disable=SC2254 # it is a pattern
	case $2 in
	$3) echo "ok      $listener: $1" ;;
	*)
		echo "FAILED  $listener: $1: $2"
		bad=1
		;;
	esac
}

# at LISTENER: sets $host, an address to connect to, $port and $name, one of the names of the server's certificate
at() {
	eval "host=\${${1}_address} port=\${${1}_port}"
	case $host in
	0.0.0.0) host=127.0.0.1 ;;
	'[::]') host='[::1]' ;;
	esac
	name=$(openssl x509 -in "$server_certificate" -noout -ext subjectAltName 2>/dev/null |
		sed -n 's/^ *\(DNS:\|IP Address:\)\([^,]*\).*/\2/p')
	case $name in
	*:*) name="[$name]" ;;
	esac
}
is_up() {
	handshake </dev/null 2>&1 | grep -q '^CONNECTED'
}
# handshake ARGUMENT...: as openssl tells of it, with what is read from standard input sent
handshake() {
	timeout 10 openssl s_client -connect "$host:$port" -servername "$name" "$@"
}
# ask PATH ARGUMENT...: prints the status, or 000; leaves body and head in $work
ask() {
	path=$1
	shift
	: >"$work/body"
	: >"$work/head"
	curl -s -o "$work/body" -D "$work/head" -w '%{http_code}' --max-time 10 --cacert "$server_ca" --path-as-is \
		--connect-to "::$host:$port" "$@" "https://$name:$port$path" || :
}
# ask_as_device PATH ARGUMENT...: the same with a device's certificate
ask_as_device() {
	ask "$@" --cert "$client/client.pem" --key "$client/pkey.pem"
}
empty() { [ -s "$work/body" ] && echo "a body" || echo none; }

protocols() {
	for version in 1_2 1_3; do
		expect "TLS $(echo $version | tr _ .) is spoken" "$(handshake "-tls$version" </dev/null 2>&1 | grep '^New, ')" "*TLSv1.[23]*"
	done
	expect "TLS 1.1 is not" "$(handshake -tls1_1 -cipher ALL:@SECLEVEL=0 </dev/null 2>&1 | grep '^New, ')" "*(NONE)*"
	expect "the certificate is for $name, of a CA in server_ca" \
		"$(handshake -CAfile "$server_ca" -verify_return_error </dev/null 2>&1 | grep -c '^Verify return code: 0')" "[1-9]"
}
# no_ticket ARGUMENT...: a ticket of TLS 1.3 comes after the handshake, with the first answer
no_ticket() {
	for version in 1_2 1_3; do
		printf 'GET /none HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n' "$name" |
			handshake "-tls$version" -ign_eof "$@" >"$work/session" 2>&1 || :
		expect "TLS $(echo $version | tr _ .) without session tickets" "$(grep -ciE 'session ticket( arrived|:$)' "$work/session")" 0
	done
}

check_device() {
	protocols
	expect "no certificate, no answer" "$(ask /director/root.json)" "[04]0[03]"
	[ -n "$client" ] || {
		echo "-       $listener: more with --cert and a folder that ota-device-cert(8) made"
		return 0
	}
	no_ticket -cert "$client/client.pem" -key "$client/pkey.pem"
	for path in /director/root.json /repo/root.json //repo//timestamp.json /treehub/config; do
		expect "GET $path" "$(ask_as_device $path)" 200
	done
	expect "... without a redirect, uncompressed" "$(grep -icE '^(location|content-encoding):' "$work/head")" 0
	expect "GET of an object that is not there (503: this server's user cannot get to the setting repository)" "$(ask_as_device /treehub/objects/00/00.filez) $(empty)" "404 none"
	expect "GET of another path" "$(ask_as_device /none) $(empty)" "404 none"
	expect "GET of another device" "$(ask_as_device /devices/none/00/director/root.json) $(empty)" "404 none"
	expect "DELETE" "$(ask_as_device /director/root.json -X DELETE) $(empty)" "405 none"
	expect "HTTP/1.1 only" "$(ask_as_device /repo/root.json --http2 >/dev/null && head -c 8 "$work/head")" "HTTP/1.1"
	expect "ota-gate answers" "$(ask_as_device /none -X POST -d x) $(grep -o not_found "$work/body")" "404 not_found"
}
check_build() {
	protocols
	no_ticket
	expect "who is nobody is refused, by ota-watcher" "$(ask /api/v3/config)" 401
	expect "... whatever he sends" "$(ask /api/v3/refs/heads/none -X POST -d x)" 401
}
check_admin() {
	protocols
	no_ticket
	expect "who is nobody is refused, by ota-admin-gate" "$(ask /README)" "$([ "$admin_oidc" = - ] && echo 401 || echo '[34]0[12]')"
	expect "... whatever he sends" "$(ask /why -X PUT -d x)" "[34]0[1-3]"
}

check_listeners() {
	work=$(mktemp -d)
	trap 'rm -rf "$work"' EXIT
	[ -z "$client" ] || [ -r "$client/client.pem" ] || die "$client: has no client.pem"
	for listener in device build admin; do
		at "$listener"
		if is_up; then
			"check_$listener"
		else
			echo "-       $listener: nothing listens on $host port $port"
		fi
	done
	[ "$bad" = 0 ] || die "not everything is as it has to be"
}
