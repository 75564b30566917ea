# shellcheck shell=sh disable=SC2034,SC2154 # variables of ota-gateway(8), which sources this
# lighttpd 1.4.69 and later, with mod_openssl and mod_magnet.

prepare() {
	device_crl=$(crl "$device_crl")
	# A connection, and the file or the socket that it is about.
	device_descriptors=$((device_connections * 2 + 64))
	build_certificates=$(certificates "$build_ca" "No builder")
	admin_certificates=$(certificates "$admin_ca" "No administrator")
	mkdir -p "$dir/empty"
	errors_empty
	errors_in_words build ota-watcher
	errors_in_words admin ota-admin-gate
}

# certificates CA WHO: what makes certificates of CA count; who shows none may still have a password
certificates() {
	if [ -e "$1" ]; then
		printf 'ssl.verifyclient.activate = "enable"\nssl.verifyclient.enforce  = "disable"\n'
		printf 'ssl.verifyclient.exportcert = "enable"\n'
		printf 'ssl.verifyclient.depth    = 3\nssl.verifyclient.ca-file  = "%s"' "$1"
	else
		printf '# %s has a certificate: there was no %s.' "$2" "$1"
	fi
}

# crl FILE: what refuses the certificates that their CA has revoked; "-" for none
crl() {
	[ "$1" = - ] || printf 'ssl.verifyclient.ca-crl-file = "%s"' "$1"
}

# aktualizr writes what an error answer says into the file that it downloads.
errors_empty() {
	for status in 400 403 404 405 408 411 413 414 415 416 417 422 424 429 431 500 501 502 503 504 505 507; do
		: >"$dir/device-error-$status.html"
	done
}

# error LISTENER STATUS CODE DESCRIPTION: what the listener says itself, in the form of the program behind it
error() {
	printf '{"cause":null,"code":"%s","description":"%s","errorId":""}' "$3" "$4" >"$dir/$1-error-$2.html"
}
errors_in_words() { # errors_in_words LISTENER PROGRAM
	error "$1" 400 bad_request "the request could not be understood"
	error "$1" 401 not_authenticated "a password or certificate is needed"
	error "$1" 408 timeout "the request took too long"
	error "$1" 411 length_required "a request with a body says its length"
	error "$1" 413 body_too_large "the body is too large"
	error "$1" 414 bad_path "the path is too long"
	error "$1" 417 expectation_failed "the header Expect is not understood"
	error "$1" 431 bad_request "the request's headers are too long"
	error "$1" 500 not_available "$2 broke off"
	error "$1" 502 not_available "$2 gave no answer"
	error "$1" 503 not_available "$2 does not run"
	error "$1" 504 not_available "$2 took too long"
}

check_syntax() {
	becoming "$1" lighttpd -tt -f "$dir/$1.conf"
}

run() {
	# By its path: only then can it start itself anew beside what it still serves.
	become "$1" "$(command -v lighttpd)" -D -f "$dir/$1.conf"
}

reload() {
	signal_server "$1" USR1
}
