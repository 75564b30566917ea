# shellcheck shell=sh disable=SC2154 # variables of ota-gateway(8), which sources this
# `ota-gateway certificate`: puts a new certificate of the server in the place of the present one, if devices will take it.

# A certificate that ends sooner was renewed too late, or is the wrong one.
least_seconds=86400

# first_in FILE: its first certificate
first_in() {
	openssl x509 -in "$1" 2>/dev/null || die "$1: has no certificate"
}
# names_in FILE: the names and addresses of its first certificate, one a line
names_in() {
	openssl x509 -in "$1" -noout -ext subjectAltName 2>/dev/null |
		sed -n 's/^ *//; s/IP Address:/IP:/g; s/, /\n/g; /^[A-Z].*:/p' | sed -n '/^\(DNS\|IP\):/p' | sort
}
check_key() { # check_key KEY CHAIN
	[ -r "$1" ] || die "$1: cannot be read"
	public=$(openssl pkey -in "$1" -passin pass: -pubout 2>/dev/null) || die "$1: is no private key without a passphrase"
	[ "$public" = "$(openssl x509 -in "$2" -noout -pubkey)" ] || die "$2: its first certificate is for another key than $1"
}
check_dates() {
	openssl x509 -in "$1" -noout -checkend "$least_seconds" >/dev/null ||
		die "$1: $(openssl x509 -in "$1" -noout -enddate): lives for less than a day"
}
# A name that devices use would be missed by all of them at once. Those of this machine itself come from ota-pki.
check_names() { # check_names PRESENT NEW
	[ -e "$1" ] && [ -z "$other_names" ] || return 0
	names_in "$2" >"$work/new"
	names_in "$1" | grep -vx -e DNS:localhost -e IP:127.0.0.1 -e 'IP:0:0:0:0:0:0:0:1' >"$work/present" || :
	missing=$(grep -vxF -f "$work/new" "$work/present" || :)
	[ -z "$missing" ] || die "$2: has not the name $(echo "$missing" | head -n 1) of $1; --other-names takes it without"
}
# complete_chain CHAIN: as devices need it, up to the root, which ACME leaves out; into $work/chain
complete_chain() {
	awk '/BEGIN CERTIFICATE/ { on = 1 } on { print } /END CERTIFICATE/ { on = 0 }' "$1" >"$work/chain"
	[ -r "$server_ca" ] || die "$server_ca: cannot be read, and devices trust what it has"
	said=$(openssl verify -purpose sslserver -CAfile "$server_ca" -untrusted "$work/chain" -show_chain "$work/chain" 2>&1) ||
		die "$1: devices, which trust $server_ca, would refuse it: $(echo "$said" | sed -n 's/^error [0-9]* at //p' | head -n 1)"
	awk -v to="$work/link-" '/BEGIN CERTIFICATE/ { n++ } { print > (to n) }' "$work/chain"
	last=$work/link-$(grep -c 'BEGIN CERTIFICATE' "$work/chain")
	is_root "$last" || root_of "$last" >>"$work/chain"
}
is_root() {
	[ "$(openssl x509 -in "$1" -noout -subject_hash)" = "$(openssl x509 -in "$1" -noout -issuer_hash)" ]
}
# root_of CERTIFICATE: which one of server_ca signed it
root_of() {
	awk -v to="$work/root-" '/BEGIN CERTIFICATE/ { n++ } n { print > (to n) }' "$server_ca"
	for root in "$work"/root-*; do
		if openssl verify -partial_chain -CAfile "$root" "$1" >/dev/null 2>&1; then
			openssl x509 -in "$root"
			return
		fi
	done
}
# put FILE PLACE MODE: durably, with owner and mode of what was there
put() {
	cp "$1" "$2.new"
	chmod "$3" "$2.new"
	[ ! -e "$2" ] || {
		chmod --reference="$2" "$2.new"
		[ "$(id -u)" != 0 ] || chown --reference="$2" "$2.new"
		cp -p "$2" "$2.old"
	}
	sync "$2.new"
}
install_certificate() { # install_certificate CHAIN KEY
	server_certificate=$(readlink -f "$server_certificate")
	server_key=$(readlink -f "$server_key")
	umask 077
	work=$(mktemp -d)
	trap 'rm -rf "$work"' EXIT
	trap 'exit 1' INT TERM
	first_in "$1" >/dev/null
	check_key "$2" "$1"
	check_dates "$1"
	check_names "$server_certificate" "$1"
	complete_chain "$1"
	put "$work/chain" "$server_certificate" 644
	cmp -s "$2" "$server_key" || put "$2" "$server_key" 600
	# One right after the other: a server that starts in between finds two that do not fit, and tries again.
	[ ! -e "$server_key.new" ] || mv "$server_key.new" "$server_key"
	mv "$server_certificate.new" "$server_certificate"
	sync "$(dirname "$server_certificate")" "$(dirname "$server_key")"
}
# reload_running: the listeners of $server in DIR that run
reload_running() {
	for listener in device build admin; do
		[ ! -e "$dir/$listener/server.pid" ] || (reload_listener "$listener") ||
			die "$listener: was not reloaded: the certificate is in its place, but not in use"
	done
}
