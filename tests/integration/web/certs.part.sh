# shellcheck shell=sh disable=SC2154,SC2317 # variables of suite.sh; functions are called by name
# Who a device is: odd certificates; and which TLS is spoken.
enroll certs1
enroll certs2

# sign NAME SUBJECT CA [EXTENSION...]: $T/NAME/, a certificate of $T/pki/CA.pem
sign() {
	who=$1 subject=$2 ca=$3
	shift 3
	mkdir -p "$T/$who"
	printf '%s\n' "${@:-basicConstraints=CA:FALSE}" >"$T/$who/extensions"
	[ -e "$T/$who/pkey.pem" ] || cp "$T/certs1/pkey.pem" "$T/$who"
	openssl req -new -utf8 -multivalue-rdn -subj "$subject" -key "$T/$who/pkey.pem" 2>/dev/null |
		openssl x509 -req -days 30 -CA "$T/pki/$ca.pem" -CAkey "$T/pki/$ca.key" -extfile "$T/$who/extensions" \
			-set_serial "0x4$(openssl rand -hex 15)1" -out "$T/$who/client.pem" 2>/dev/null
	cp "$T/certs1/root.crt" "$T/$who/root.crt"
}
# odd NAME SUBJECT [EXTENSION...]: of the device CA, with a serial that is accepted for certs1: nothing else is odd
odd() {
	odd=$1 odd_subject=$2
	shift 2
	sign "$odd" "$odd_subject" device-ca "$@"
	mkdir "$devices/certs1/certificates/$(serial_of "$odd")"
}
handed='[{"id":"by-a-stranger","deviceTime":"2026-01-01T00:00:00Z","eventType":{"id":"DevicePaused","version":0},"event":{}}]'
printf '%s\n' /director/root.json /director/9.root.json /repo/targets/x /treehub/config >"$T/certs.asked"
# nobody NAME: TLS is spoken, and all that it asks for is refused; nothing is taken in
nobody() {
	all_are "403 0" "$1" "$T/certs.asked" && gives 403 "$1" /events -X POST -d "$handed" && not grep -q by-a-stranger "$devices"/certs*/history
}
# no_way NAME: gets no connection, or no answer but that its certificate is bad (400 is what nginx says after the handshake)
no_way() {
	for path in /director/root.json /events; do
		: >"$T/body"
		got=$(fetch "$1" "$path" -X POST -d "$handed")
		case $got in 000 | 400) ;; *) echo "$path: $got" && return 1 ;; esac
		not test -s "$T/body" || return 1
	done
	not grep -q by-a-stranger "$devices"/certs*/history
}

odd certs-plain /CN=certs1
ok "a certificate of that subject and an accepted serial is the device" gives 200 certs-plain /director/root.json
ok "... and hands in for it" gives 200 certs-plain /events -X POST -d '[]'
odd certs-plus '/CN=certs1+CN=certs1'
while read -r name subject; do
	odd "certs-$name" "$subject"
	ok "a certificate of subject $subject is nobody" nobody "certs-$name"
done <<'END'
two-names /CN=certs1/CN=certs2
two-names-other /CN=certs2/CN=certs1
same-names /CN=certs1/CN=certs1
joined-names /CN=certs1+CN=certs2
joined-other /CN=certs2+CN=certs1
joined-organisation /CN=certs1+O=x
organisation /O=x/CN=certs1
organisation-after /CN=certs1/O=x
organisation-trick /O=x\/CN=certs2/CN=certs1
no-name /O=certs1
comma /CN=certs2, CN = certs1
quote /CN=certs1"
quotes /CN="certs1"
slash /CN=certs1\/..\/certs2
dots /CN=..
dot /CN=.
encoded /CN=certs1%2f..%2fcerts2
utf8 /CN=cérts1
star /CN=*
backslash /CN=certs1\\
plus-trick /CN=certs1\\+CN=certs2
upper /CN=CERTS1
long /CN=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
END
odd certs-space '/CN=certs1 '
odd certs-newline "/CN=certs1
"
odd certs-tab "/CN=	certs1"
for name in certs-space certs-newline certs-tab certs-plus; do ok "$name is nobody" nobody "$name"; done

# A device whose id has what subjects are written with.
mkdir "$devices/a+b:c.d_e-f"
sign certs-signs '/CN=a\+b:c.d_e-f' device-ca
ok "one that is not accepted is nobody" nobody certs-signs
mkdir "$devices/a+b:c.d_e-f/certificates/$(serial_of certs-signs)"
ok "+ : . _ - in an id are no obstacle" gives 200 certs-signs /director/root.json
ok "... for what it hands in either" gives 200 certs-signs /events -X POST -d '[]'

longest=$(printf '%063d1' 0)
mkdir "$devices/$longest"
sign certs-longest "/CN=$longest" device-ca
mkdir "$devices/$longest/certificates/$(serial_of certs-longest)"
ok "neither is one of 64 characters" gives 200 certs-longest /director/root.json
ok "... when it hands in" gives 200 certs-longest /events -X POST -d '[]'

enroll certs3
mine=$(serial_of certs3)
rmdir "$devices/certs3/certificates/$mine"
ok "a serial that was taken back is nobody" nobody certs3
mkdir "$devices/certs3/certificates/$(serial_of certs2)"
ok "... and does not become somebody by another's" nobody certs3
mkdir "$devices/certs3/certificates/$mine"
ok "... until it is accepted: at once" gives 200 certs3 /director/root.json
rmdir "$devices/certs3/certificates/"* "$devices/certs3"
ok "a deleted device is nobody at once" nobody certs3

# ---- what no device CA has signed for a client, now
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj "/CN=otafs device CA" \
	-keyout "$T/pki/rogue.key" -out "$T/pki/rogue.pem" 2>/dev/null
for ca in rogue server-ca build-ca admin-ca; do
	sign "certs-$ca" /CN=certs1 "$ca"
	mkdir "$devices/certs1/certificates/$(serial_of "certs-$ca")"
	ok "a certificate of the $ca gets nowhere" no_way "certs-$ca"
done
# elsewhere CURL-ARGUMENT...: as certs1 on the build listener, by certificate alone
elsewhere() {
	: >"$T/body"
	got=$(curl -s -o "$T/body" -w '%{http_code}' --cacert "$T/certs1/root.crt" --cert "$T/certs1/client.pem" \
		--key "$T/certs1/pkey.pem" "$@")
	case $got in 000 | 401) not grep -q signatures "$T/body" ;; *) echo "$got" && false ;; esac
}
ok "a device is no builder" elsewhere "$build_url/api/v1/user_repo/targets.json"
ok "... nor does it push" elsewhere "$build_url/api/v3/refs/heads/push/x" -d "$(printf '%064d' 0)"
odd certs-server /CN=certs1 extendedKeyUsage=serverAuth
ok "a certificate for servers gets nowhere" no_way certs-server
odd certs-client /CN=certs1 extendedKeyUsage=clientAuth
ok "one for clients does" gives 200 certs-client /director/root.json
# A device's certificate is no CA, whatever it signs.
cp "$T/certs1/client.pem" "$T/pki/leaf.pem"
cp "$T/certs1/pkey.pem" "$T/pki/leaf.key"
sign certs-by-device /CN=certs2 leaf
mkdir "$devices/certs2/certificates/$(serial_of certs-by-device)"
cat "$T/pki/leaf.pem" >>"$T/certs-by-device/client.pem"
ok "what a device has signed gets nowhere" no_way certs-by-device
mkdir "$T/certs-self" && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=certs1 \
	-keyout "$T/certs-self/pkey.pem" -out "$T/certs-self/client.pem" 2>/dev/null && cp "$T/certs1/root.crt" "$T/certs-self"
ok "one that signed itself gets nowhere" no_way certs-self
mkdir "$T/certs-thief" && cp "$T/certs1/client.pem" "$T/certs1/root.crt" "$T/certs-thief" && cp "$T/certs2/pkey.pem" "$T/certs-thief"
ok "one without its key gets nowhere" is "$(fetch certs-thief /director/root.json)" 000
no_certificate() {
	: >"$T/body"
	got=$(curl -s -o "$T/body" -w '%{http_code}' --cacert "$T/certs1/root.crt" "$@" "$url/repo/root.json")
	case $got in 000 | 400) not test -s "$T/body" ;; *) echo "$got" && false ;; esac
}
ok "without a certificate nobody gets anything" no_certificate
# aged NAME FROM TO: of the device CA, for certs1, with these times
aged() {
	mkdir -p "$T/$1" "$T/certs-ca"
	: >"$T/certs-ca/index"
	printf '%s\n' '[ca]' 'default_ca=one' '[one]' "database=$T/certs-ca/index" "new_certs_dir=$T/certs-ca" rand_serial=yes \
		default_md=sha256 policy=any '[any]' commonName=supplied >"$T/certs-ca/conf"
	openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=certs1 -keyout "$T/$1/pkey.pem" \
		-out "$T/$1/csr" 2>/dev/null
	openssl ca -batch -notext -config "$T/certs-ca/conf" -cert "$T/pki/device-ca.pem" -keyfile "$T/pki/device-ca.key" \
		-in "$T/$1/csr" -startdate "$2" -enddate "$3" -out "$T/$1/client.pem" 2>/dev/null
	cp "$T/certs1/root.crt" "$T/$1"
	mkdir "$devices/certs1/certificates/$(serial_of "$1")"
}
aged certs-expired 20200101000000Z 20210101000000Z
ok "an expired certificate gets nowhere" no_way certs-expired
aged certs-early 20990101000000Z 20991231000000Z
ok "nor does one of the future" no_way certs-early
mkdir "$T/certs-rsa" && openssl genrsa -out "$T/certs-rsa/pkey.pem" 2048 2>/dev/null
odd certs-rsa /CN=certs1
ok "an RSA key of 2048 bits will do" gives 200 certs-rsa /director/root.json
mkdir "$T/certs-weak" && openssl genrsa -out "$T/certs-weak/pkey.pem" 512 2>/dev/null
odd certs-weak /CN=certs1
ok "one of 512 does not" no_way certs-weak
mkdir "$T/certs-ed25519" && openssl genpkey -algorithm ed25519 -out "$T/certs-ed25519/pkey.pem"
odd certs-ed25519 /CN=certs1
ok "an Ed25519 key will do" gives 200 certs-ed25519 /director/root.json

# ---- TLS
# talk OPTION...: a request by openssl s_client as certs1; all that it says in $T/tls
talk() {
	printf 'GET /repo/root.json HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' |
		timeout 10 openssl s_client -connect "127.0.0.1:$port" -cert "$T/certs1/client.pem" -key "$T/certs1/pkey.pem" \
			-CAfile "$T/pki/server-ca.pem" -servername localhost -ign_eof "$@" >"$T/tls" 2>&1
	grep -q '^HTTP/1.1 200' "$T/tls"
}
said() { grep -Eq -e "$1" "$T/tls" || { cat "$T/tls" && false; }; }
for version in 2 3; do
	ok "speaks TLS 1.$version" talk "-tls1_$version" -alpn h2,http/1.1 -sess_out "$T/tls.session"
	ok "... with ECDSA" said 'Peer signature type: (ECDSA|ecdsa)'
	ok "... on P-256 or X25519" said 'Server Temp Key: (X25519|ECDH, prime256v1)'
	ok "... its certificate verified" said 'Verify return code: 0'
	ok "... without HTTP/2" not said 'ALPN protocol: h2'
	ok "... without a ticket" not said '(TLS session ticket:|Session Ticket arrived)'
	ok "... nor any other session to come back to" not said '^Reused'
	ok "... without compression" said '^Compression: NONE'
	[ ! -s "$T/tls.session" ] || ok "... which is made anew when asked for" sh -c "timeout 10 openssl s_client -connect 127.0.0.1:$port \
		-cert $T/certs1/client.pem -key $T/certs1/pkey.pem -sess_in $T/tls.session </dev/null 2>&1 | grep -q '^New, '"
done
for version in -tls1 -tls1_1; do
	ok "does not speak $version" not talk $version -cipher ALL:@SECLEVEL=0
done
for cipher in NULL aNULL RC4 3DES EXPORT LOW MD5; do
	ok "takes no cipher of $cipher" not talk -tls1_2 -cipher "$cipher:@SECLEVEL=0"
done
ok "takes AES-128-GCM" talk -tls1_2 -cipher ECDHE-ECDSA-AES128-GCM-SHA256
ok "takes ChaCha20" talk -tls1_2 -cipher ECDHE-ECDSA-CHACHA20-POLY1305
renegotiate() {
	{
		echo R
		sleep 0.5
		printf 'GET /repo/root.json HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'
		sleep 0.5
	} | timeout 10 openssl s_client -connect "127.0.0.1:$port" -cert "$T/certs1/client.pem" -key "$T/certs1/pkey.pem" -tls1_2 \
		>"$T/tls" 2>&1
	said '^RENEGOTIATING' && not said '^HTTP/1.1 200'
}
ok "does not renegotiate" renegotiate
ok "answers no plain HTTP" sh -c "! curl -s --max-time 5 http://127.0.0.1:$port/repo/root.json | grep -q signed"
