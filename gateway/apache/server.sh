# shellcheck shell=sh disable=SC2034,SC2154 # variables of ota-gateway(8), which sources this
# Apache 2.4.56 and later, with mod_qos; for logging in by OpenID Connect mod_auth_openidc.

httpd=apache2
command -v "$httpd" >/dev/null || httpd=httpd
modules=${APACHE_MODULES:-/usr/lib/apache2/modules}

prepare() {
	pcre=$(pcre)
	threads
	# The first that is one too many. A counter of mod_qos has 16 bits, one for the sign.
	device_requests_refused=$((device_requests_per_minute + 1))
	[ "$device_requests_refused" -le 32767 ] || device_requests_refused=32767
	handshake_seconds=10
	[ "$client_seconds" -ge 10 ] || handshake_seconds=$client_seconds
	body_bytes=$((body_kb * 1024))
	device_crl=$(crl "$device_crl")
	build_certificates=$(certificates "$build_ca" "No builder")
	admin_certificates=$(certificates "$admin_ca" "No administrator")
	oidc="# Nobody logs in by OpenID Connect: admin_oidc is not set."
	[ "$admin_oidc" = - ] || oidc="Include \"$dir/oidc.conf\""
	errors_empty >"$dir/errors-empty.conf"
	errors_in_words ota-watcher >"$dir/errors-build.conf"
	errors_in_words ota-admin-gate >"$dir/errors-admin.conf"
}

# pcre: Debian 12's mod_qos is not linked with the library that it uses, which Apache itself uses no more
pcre() {
	file=$(PATH=$PATH:/sbin ldconfig -p 2>/dev/null | sed -n 's|.*libpcre\.so\.3 .*=> ||p' | head -n 1)
	[ -z "$file" ] || printf 'LoadFile "%s"' "$file"
}

# crl FILE: what refuses the certificates that their CA has revoked; "-" for none
crl() {
	[ "$1" = - ] || printf 'SSLCARevocationCheck chain\nSSLCARevocationFile  "%s"' "$1"
}

# certificates CA WHO: what makes certificates of CA count; who shows none may still have a password
certificates() {
	if [ -e "$1" ]; then
		printf 'SSLVerifyClient      optional\nSSLVerifyDepth       3\nSSLCACertificateFile "%s"' "$1"
	else
		printf '# %s has a certificate: there was no %s.' "$2" "$1"
	fi
}

# threads: 64 in a process, one for each eight connections; the others wait without one
threads() {
	device_processes=$(((device_connections + 511) / 512))
	[ "$device_processes" -le 64 ] || device_processes=64
	device_threads=$((device_processes * 64))
	device_factor=$(((device_connections + device_threads - 1) / device_threads - 1))
	[ "$device_factor" -ge 1 ] || device_factor=1
}

# aktualizr writes what an error answer says into the file that it downloads.
errors_empty() {
	# These device.lua looks at once more.
	for status in 403 404 500 502 504; do echo "ErrorDocument $status /.error"; done
	for status in 400 401 405 406 408 409 410 411 412 413 414 415 416 417 421 422 423 424 426 428 429 431 451 \
		501 503 505 506 507 508 510 511; do
		echo "ErrorDocument $status %{env:NOTHING}"
	done
}

# error STATUS CODE DESCRIPTION: what the listener says itself, in the form of the program behind it
error() {
	echo "ErrorDocument $1 '{\"cause\":null,\"code\":\"$2\",\"description\":\"$3\",\"errorId\":\"\"}'"
}
errors_in_words() { # errors_in_words PROGRAM
	error 400 bad_request "the request could not be understood"
	error 401 not_authenticated "a password or certificate is needed"
	error 403 not_allowed "this is not allowed"
	error 404 not_found "there is nothing of the kind"
	error 405 method_not_allowed "not by this method"
	error 408 timeout "the request took too long"
	error 411 length_required "a request with a body says its length"
	error 413 body_too_large "the body is too large"
	error 414 bad_path "the path is too long"
	error 417 expectation_failed "the header Expect is not understood"
	error 431 bad_request "the headers of the request are too long"
	error 500 not_available "$1 broke off"
	error 502 not_available "$1 gave no answer"
	error 503 not_available "$1 does not run"
	error 504 not_available "$1 took too long"
}

# It says "Syntax OK" as well, in a place for errors.
check_syntax() {
	said=$(becoming "$1" "$httpd" -t -f "$dir/$1.conf" 2>&1) || {
		echo "$said" >&2
		return 1
	}
}

run() {
	become "$1" "$httpd" -DFOREGROUND -f "$dir/$1.conf"
}

reload() {
	signal_server "$1" USR1
}
