# shellcheck shell=sh disable=SC2154 # $conf, $work and die() are of the script that sources this
# What the scripts of an administrator have in common. Those that run on another machine, ota-pki and ota-device-renew, do not
# need it.

# default_of SETTING: what lib/config.c has; check-docs compares them
default_of() {
	case $1 in
	mount) echo /srv/ota ;;
	www) echo /run/otafs/web/www ;;
	spool) echo /var/spool/otafs ;;
	disk_reserve_mb) echo 256 ;;
	repository) echo /var/lib/otafs/repository ;;
	state) echo /var/lib/otafs/state/otafs.db ;;
	keys) echo /var/lib/otafs/keys ;;
	fleet) echo /var/lib/otafs/fleet ;;
	sign_socket) echo /run/otafs/sign.sock ;;
	gate_socket) echo /run/otafs/gate.sock ;;
	build_socket) echo /run/otafs/build.sock ;;
	admin_socket) echo /run/otafs/admin.sock ;;
	user_sign) echo ota-sign ;;
	user_otafs) echo otafs ;;
	user_watcher) echo ota-watcher ;;
	user_www) echo www-data ;;
	user_build) echo ota-build-web ;;
	user_admin) echo ota-admin-gate ;;
	user_admin_web) echo ota-admin-web ;;
	device_address | build_address) echo 0.0.0.0 ;;
	admin_address) echo 127.0.0.1 ;;
	device_port) echo 8443 ;;
	build_port) echo 8444 ;;
	admin_port) echo 8445 ;;
	device_ca) echo /etc/otafs/device-ca.pem ;;
	server_ca) echo /etc/otafs/server-ca.pem ;;
	build_ca) echo /etc/otafs/build-ca.pem ;;
	admin_ca) echo /etc/otafs/admin-ca.pem ;;
	server_certificate) echo /etc/otafs/server.pem ;;
	server_key) echo /etc/otafs/server.key ;;
	build_passwords) echo /etc/otafs/build.htpasswd ;;
	admin_passwords) echo /etc/otafs/admin.htpasswd ;;
	build_refs) echo /etc/otafs/build-refs ;;
	build_limits) echo /etc/otafs/build-limits ;;
	device_crl | fleet_ca | admin_oidc) echo - ;;
	client_seconds) echo 60 ;;
	device_connections) echo 8192 ;;
	device_requests_per_minute) echo 240 ;;
	manifest_kb | ecus_kb | events_kb) echo 1024 ;;
	system_info_kb | installed_kb) echo 4096 ;;
	network_kb) echo 64 ;;
	config_kb) echo 256 ;;
	*) die "$1: has no default here" ;;
	esac
}
# setting NAME: its value in $conf, as lib/config.c reads it
setting() {
	setting_value=$(sed -n "s/^[[:space:]]*$1[[:space:]]*=[[:space:]]*\(.*[^[:space:]]\)[[:space:]]*\$/\1/p" "$conf")
	[ -n "$setting_value" ] || setting_value=$(default_of "$1")
	printf '%s' "$setting_value"
}
# group_of USER: its group, also of a number without a name
group_of() {
	id -g -- "$1" 2>/dev/null || echo "$1"
}

# The name in the server's certificate is the one that clients have to use.
server_name() {
	server_said=$(openssl x509 -in "$(setting server_certificate)" -noout -ext subjectAltName 2>/dev/null |
		sed -n 's/^ *\(DNS\|IP Address\)://p' | sed 's/,.*//' | head -n 1)
	case $server_said in
	*:*) server_said="[$server_said]" ;;
	esac
	printf '%s' "${server_said:-$(uname -n)}"
}

# quietly COMMAND...: what openssl says matters only when it fails
quietly() {
	"$@" 2>"$work/said" || {
		cat "$work/said" >&2
		die "$1 $2 failed"
	}
}
# new_request NAME KEY REQUEST: a key, and a request for a certificate of NAME
new_request() {
	# A plus sign would begin another part of the name.
	quietly openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -sha256 \
		-subj "/CN=$(printf '%s' "$1" | sed 's/+/\\+/g')" -keyout "$2" -out "$3"
}
# certify CA DAYS REQUEST CERTIFICATE: a client's, by CA.pem and CA.key
certify() {
	printf '%s\n' basicConstraints=critical,CA:FALSE keyUsage=critical,digitalSignature extendedKeyUsage=clientAuth \
		subjectKeyIdentifier=hash authorityKeyIdentifier=keyid >"$work/extensions"
	# The first digit makes the serial number positive and always 16 octets.
	quietly openssl x509 -req -sha256 -days "$2" -CA "$1.pem" -CAkey "$1.key" \
		-set_serial "0x4$(openssl rand -hex 16 | cut -c2-)" -extfile "$work/extensions" -in "$3" -out "$4"
}

# read_password BYTES: sets password to the first line of standard input; on a terminal, or when that is empty, to a random one of
# so many bytes, and is_made
read_password() {
	password=
	is_made=
	[ -t 0 ] || IFS= read -r password || :
	[ -n "$password" ] || {
		password=$(openssl rand -base64 "$1" | tr '+/' '-_')
		# shellcheck disable=SC2034 # for whoever calls this
		is_made=1
	}
	case $password in
	*[![:print:]]*) die "the password has a control character" ;;
	esac
}
# put_password FILE USER NAME [PASSWORD]: NAME's line in an htpasswd file that USER and nobody else reads; without a password he has
# none from then on. The file is exchanged as a whole: it is read at any time.
put_password() {
	[ -n "${4:-}" ] || [ -e "$1" ] || return 0
	new_passwords=$(mktemp "$1.XXXXXX")
	[ ! -e "$1" ] || grep -v "^$(printf '%s' "$3" | sed 's/[.+]/[&]/g'):" "$1" >"$new_passwords" || :
	[ -z "${4:-}" ] || printf '%s:%s\n' "$3" "$(printf '%s\n' "$4" | openssl passwd -6 -stdin)" >>"$new_passwords"
	chmod 640 "$new_passwords"
	[ "$(id -u)" != 0 ] || chown "root:$(group_of "$2")" "$new_passwords"
	mv "$new_passwords" "$1"
}

# tree_says MOUNT: why the tree refused something: the file "why" at its top has it in words
tree_says() {
	tail -n 1 "$1/why" 2>/dev/null || :
}
# hand_in FILE: standard input to a transaction file of the tree: one open is one request, and the read from its start hands it
# in. Prints the answer's body, or fails with its words.
hand_in() {
	perl -e '
		use strict;
		my ($program, $file) = @ARGV;
		sub fail { die "$program: @_\n" }
		local $/;
		my $body = <STDIN> // "";
		open my $request, "+<", $file or fail "$file: $!";
		!length $body or (syswrite($request, $body) // -1) == length $body or fail "$file: $!";
		sysseek $request, 0, 0;
		my ($answer, $n) = ("");
		while ($n = sysread $request, $answer, 65536, length $answer) { }
		defined $n or fail "$file: $!";
		my ($head, $rest) = split /\r\n\r\n/, $answer, 2;
		if ($head !~ /^Status: 2/) {
			my ($why) = ($rest // "") =~ /"description":"((?:[^"\\]|\\.)*)"/;
			fail $why // $head;
		}
		print $rest;
	' "${0##*/}" "$1"
}
