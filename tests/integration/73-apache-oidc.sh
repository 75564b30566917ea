#!/bin/sh
# Logging in by OpenID Connect on Apache's admin listener: whom it sends to the provider and whom not, and who somebody is to
# the program behind it. A program that tells what it was told stands for ota-admin-gate, a small provider for a real one.
# shellcheck disable=SC2317 # functions are called by name
WEB=apache
# shellcheck source=tests/integration/lib.sh
. "$(dirname "$0")/lib.sh"

provider_port=$(free_port)
settings "admin_oidc = $T/oidc.conf"
mkdir -p "$T/pki" && cp /dev/null "$T/oidc.conf"

# echo SOCKET: answers each SCGI request with its variables, one a line
cat >"$T/echo" <<'END'
use strict; use warnings; use IO::Socket::UNIX;
my $socket = IO::Socket::UNIX->new(Local => $ARGV[0], Listen => 16) or die $!;
chmod 0666, $ARGV[0];
while (my $client = $socket->accept) {
	my ($length, $c) = ("");
	$length .= $c while read($client, $c, 1) && $c ne ":";
	read $client, my $head, $length + 1;
	my %variable = split /\0/, substr($head, 0, -2), -1;
	print $client "Status: 200 OK\r\nContent-Type: text/plain\r\n\r\n", map { s/\n/ /gr . "\n" } map { "$_=$variable{$_}" } sort grep /./, keys %variable;
}
END
# provider PORT REDIRECT: discovery, authorization of whoever comes as anna, and tokens (OpenID Connect Core 3.1)
cat >"$T/provider" <<'END'
use strict; use warnings; use IO::Socket::INET; use JSON::PP; use MIME::Base64 "encode_base64url"; use Digest::SHA "hmac_sha256";
my $self = "http://127.0.0.1:$ARGV[0]";
my $socket = IO::Socket::INET->new(LocalAddr => "127.0.0.1", LocalPort => $ARGV[0], Listen => 16, ReuseAddr => 1) or die $!;
my $nonce;
sub decode { my $s = shift; $s =~ s/%(..)/chr hex $1/ge; $s }
sub token {
	my $body = join ".", map { encode_base64url(encode_json($_)) } { alg => "HS256", typ => "JWT" },
		{ iss => $self, aud => "otafs", sub => "1", preferred_username => "anna", nonce => $nonce, iat => time, exp => time + 60 };
	"$body." . encode_base64url(hmac_sha256($body, "a secret of at least thirty-two bytes"));
}
sub answer {
	my ($path, $query) = @_;
	my %of = map { my ($n, $v) = split /=/, $_, 2; ($n => decode($v // "")) } split /&/, $query // "";
	return "200 OK", "Content-Type: application/json", encode_json({ issuer => $self, authorization_endpoint => "$self/authorize",
		token_endpoint => "$self/token", jwks_uri => "$self/jwks", response_types_supported => ["code"],
		subject_types_supported => ["public"], id_token_signing_alg_values_supported => ["HS256"],
		token_endpoint_auth_methods_supported => ["client_secret_basic"] }) if $path eq "/.well-known/openid-configuration";
	if ($path eq "/authorize") {
		$nonce = $of{nonce};
		return "302 Found", "Location: $of{redirect_uri}?code=one&state=$of{state}", "";
	}
	return "200 OK", "Content-Type: application/json", '{"keys":[]}' if $path eq "/jwks";
	return "200 OK", "Content-Type: application/json", encode_json({ access_token => "unused", token_type => "Bearer", id_token => token() })
		if $path eq "/token";
	return "404 Not Found", "Content-Type: text/plain", "";
}
while (my $client = $socket->accept) {
	my ($request, $length) = (scalar <$client>, 0);
	while (<$client>) { last if /^\r?\n/; $length = $1 if /^content-length: (\d+)/i }
	read $client, my $body, $length;
	my ($status, $header, $answer) = answer($request =~ m{^\w+ ([^? ]*)\??(\S*)});
	printf $client "HTTP/1.1 %s\r\n%s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", $status, $header, length $answer, $answer;
}
END
start_admin_with_oidc() {
	admin_port=$(free_port)
	url=https://localhost:$admin_port
	echo "admin_port = $admin_port" >>"$conf"
	cat >"$T/oidc.conf" <<-END
		OIDCProviderMetadataURL       http://127.0.0.1:$provider_port/.well-known/openid-configuration
		OIDCClientID                  otafs
		OIDCClientSecret              "a secret of at least thirty-two bytes"
		OIDCIDTokenSignedResponseAlg  HS256
		OIDCRedirectURI               $url/oidc
		OIDCCryptoPassphrase          "$(openssl rand -hex 32)"
		OIDCRemoteUserClaim           preferred_username
	END
	chown 64109 "$T/oidc.conf" && chmod 600 "$T/oidc.conf"
	make_keys
	[ -e "$T/pki/admin-ca.pem" ] || openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=admin CA" \
		-keyout "$T/pki/admin-ca.key" -out "$T/pki/admin-ca.pem" 2>/dev/null
	chmod 644 "$T/pki/admin-ca.pem"
	render
	start_admin_server
}
# ask PATH [CURL ARGUMENT...]: prints the status; what the program behind was told is in $T/body
ask() {
	path=$1
	shift
	: >"$T/body"
	curl -s -o "$T/body" -D "$T/head" -w '%{http_code}\n' --max-time 10 --cacert "$T/pki/server-ca.pem" "$@" "$url$path"
}
gives() {
	want=$1
	shift
	is "$(ask "$@")" "$want"
}
told() { grep -qx -e "$1" "$T/body" || { cat "$T/body" && false; }; }
not_told() { not grep -e "^$1=" "$T/body"; }

start echo perl "$T/echo" "$T/admin.sock"
start provider perl "$T/provider" "$provider_port"
start_admin_with_oidc
browse="-H Sec-Fetch-Mode:navigate -b $T/jar -c $T/jar"

# shellcheck disable=SC2086 # words
ok "a browser that nobody knows is sent to the provider" gives 302 / $browse
ok "... that one" grep -iq "^location: http://127.0.0.1:$provider_port/authorize?" "$T/head"
# shellcheck disable=SC2086
ok "comes back, and is somebody" gives 200 /devices/ $browse -L
ok "... whose name the program behind is told" told REMOTE_USER=anna
ok "... and which path" told REQUEST_URI=/devices/
ok "... but nothing else that the provider said" not grep -i -e '^HTTP_OIDC\|^OIDC' "$T/body"
# shellcheck disable=SC2086
ok "stays somebody" gives 200 / $browse
ok "... by that name" told REMOTE_USER=anna
ok "with another cookie he is sent to log in again" gives 302 / -H Sec-Fetch-Mode:navigate -b mod_auth_openidc_session=x
ok "what is no page is told 401 instead" gives 401 /devices/
ok "... in words" is "$(jq -r .code "$T/body")" not_authenticated
ok "a name in a header is nobody's" gives 401 / -H "REMOTE_USER: anna" -H "Remote-User: anna" -H "OIDC_CLAIM_sub: 1"
ok "who sends a password is left to the program behind" gives 200 / -u anna:secret
ok "... which is told it" told "HTTP_AUTHORIZATION=Basic $(printf anna:secret | base64)"
ok "... and no name" not_told REMOTE_USER
ok "so is who sends a token" gives 200 / -H "Authorization: Bearer abc"
ok "... which is told" told "HTTP_AUTHORIZATION=Bearer abc"
ok "... and no name either" not_told REMOTE_USER
# shellcheck disable=SC2086
ok "who is logged in and sends a password is who the password says" gives 200 / $browse -u bob:secret
ok "... and not who is logged in" not_told REMOTE_USER

openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=carl -keyout "$T/carl.key" 2>/dev/null |
	openssl x509 -req -days 2 -CA "$T/pki/admin-ca.pem" -CAkey "$T/pki/admin-ca.key" -set_serial 7 -out "$T/carl.pem" 2>/dev/null
carl="--cert $T/carl.pem --key $T/carl.key"
# shellcheck disable=SC2086
ok "who shows a certificate is not sent to log in" gives 200 / $carl -H Sec-Fetch-Mode:navigate
ok "... the program behind is told that it was verified" told SSL_CLIENT_VERIFY=SUCCESS
ok "... whose it is" told SSL_CLIENT_S_DN=CN=carl
ok "... and the certificate" told "SSL_CLIENT_CERT=-----BEGIN CERTIFICATE-----.*"
ok "... and no name" not_told REMOTE_USER
for method in TRACE OPTIONS PATCH PROPFIND LOCK FOO; do
	ok "$method is not for administrators" is "$(ask / -u anna:secret -X $method)" 405
done
for method in GET PUT POST DELETE MKCOL MOVE; do
	ok "$method is handed on" gives 200 / -u anna:secret -X $method
	ok "... as $method" told "REQUEST_METHOD=$method"
done
stop echo
ok "without ota-admin-gate it is 503" gives 503 / -u anna:secret
ok "... in words" is "$(jq -r .code "$T/body")" not_available
ok "... and when to try again" grep -iq "^retry-after: [1-9]" "$T/head"
finish
