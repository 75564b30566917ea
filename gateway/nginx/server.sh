# shellcheck shell=sh disable=SC2034,SC2154 # variables of ota-gateway(8), which sources this
# nginx 1.22 and later, as nginx-light has it: ssl, scgi, limit_req, limit_conn, map and auth_request.

prepare() {
	device_crl=$(crl "$device_crl")
	build_certificates=$(certificates "$build_ca" "No builder")
	admin_certificates=$(certificates "$admin_ca" "No administrator")
	# A connection, and the file or the socket that it is about.
	device_descriptors=$((device_connections * 2 + 64))
	# A worker may have to take them all. Those that do not ask for anything yet are not counted but here: some 50 KiB each.
	worker_connections=$((device_connections + 64))
}

# certificates CA WHO: what makes certificates of CA count; who shows none may still have a password
certificates() {
	if [ -e "$1" ]; then
		printf 'ssl_verify_client      optional;\n    ssl_verify_depth       3;\n    ssl_client_certificate "%s";' "$1"
	else
		printf '# %s has a certificate: there was no %s.' "$2" "$1"
	fi
}

# crl FILE: what refuses the certificates that their CA has revoked; "-" for none
crl() {
	[ "$1" = - ] || printf 'ssl_crl "%s";' "$1"
}

check_syntax() {
	becoming "$1" nginx -t -q -p "$dir/$1" -c "$dir/$1.conf"
}

run() {
	become "$1" nginx -p "$dir/$1" -c "$dir/$1.conf"
}

reload() {
	signal_server "$1" HUP
}
