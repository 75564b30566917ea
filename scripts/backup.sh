# shellcheck shell=sh disable=SC2154,SC2164 # $work, die() and set -e are of the script that sources this
# A backup as a folder: about, the parts, and the manifest, which is written last. What ota-backup makes and puts back, and
# ota-import makes of another server.
#
# Under a passphrase all of it but objects/ is in sealed.gpg, a backup of its own, and the folder around it has a manifest too.

new_folder() {
	if [ -e "$1" ]; then
		[ -z "$(ls -A "$1")" ] || die "$1: is there already and not empty"
	fi
	mkdir -p "$1"
	[ -O "$1" ] || die "$1: belongs to somebody else, who could read and change what comes there"
	chmod 700 "$1"
}
# seal DIR: nobody else may read it, and what is in it is what the manifest says
seal() {
	printf 'format = 1\nmade = %s\nhost = %s\n' "$(date -u +%FT%TZ)" "$(hostname)" >"$1/about"
	(
		cd "$1"
		find . -type d -exec chmod 700 {} +
		find . -type f ! -path './objects/*' -exec chmod 600 {} +
		find . -type l -printf '%p -> %l\n' | sort >links
		find . -type f -exec sha256sum {} + | sort -k2 >"$work/manifest"
		cp "$work/manifest" .manifest
		mv .manifest manifest
		sync -f manifest
	)
}
# integrity DIR: without the journal that somebody may have laid beside it
integrity() {
	(cd "$1" && sqlite3 'file:otafs.db?immutable=1' 'PRAGMA integrity_check')
}
check() {
	[ -e "$1/manifest" ] || die "$1: has no manifest: the backup was not finished, or this is none"
	(
		cd "$1"
		grep -qx 'format = 1' about || die "$1: is of a newer ota-backup"
		sha256sum --check --quiet --strict manifest >&2 || die "$1: is not what its manifest says"
		find . -type l -printf '%p -> %l\n' | sort | cmp -s - links || die "$1: its links are not what they were"
		# A file name with a line break or a backslash is none of ours.
		[ "$(find . -type f ! -name manifest | wc -l)" = "$(wc -l <manifest)" ] || die "$1: has files that its manifest does not name"
		[ -z "$(find . -maxdepth 0 -perm /077)" ] || die "$1: others can read it: chmod 700"
		# Whoever owns it could change it after it was looked at.
		[ -O . ] || die "$1: belongs to somebody else: see where it was, then chown -R root"
		stranger=$(find . ! -type f ! -type d ! \( -type l \( -path ./published/current -o -path './objects/*' \) \) | head -n 1)
		[ -z "$stranger" ] || die "$1: $stranger is no file: ota-backup makes none like that"
		case $(readlink published/current || echo 1) in *[!0-9]*) die "$1/published/current: names no set" ;; esac
	)
	[ ! -e "$1/otafs.db" ] || [ "$(integrity "$1")" = ok ] || die "$1/otafs.db: is damaged"
	[ ! -e "$1/published" ] || [ -e "$1/published/current/timestamp.json" ] || die "$1/published/current: is not whole"
	[ ! -d "$1/keys" ] || check_roots "$1/keys"
}
# newest_root DIR: the highest N of N.root.json, 0 for none
newest_root() {
	find "$1/." -maxdepth 1 -name '[0-9]*.root.json' -printf '%f\n' 2>/dev/null | cut -d. -f1 | sort -n | tail -n 1 | grep . || echo 0
}
check_roots() {
	for name in image director; do
		[ -d "$1/$name" ] || continue
		for n in $(seq "$(newest_root "$1/$name")"); do
			[ -e "$1/$name/$n.root.json" ] || die "$1/$name/$n.root.json: is missing"
		done
	done
}

# ---- under a passphrase

# private_work: $work for what nobody but root may read, on a disk
private_work() {
	work=$(mktemp -d "${TMPDIR:-/var/tmp}/ota-backup.XXXXXX")
}
check_passphrase() {
	command -v gpg >/dev/null || die "gpg is missing: install gnupg"
	[ -n "$(find "$1" -maxdepth 0 -type f -size +0 2>/dev/null)" ] || die "$1: is no file with a passphrase"
	[ -n "$(find "$1" -maxdepth 0 -user "$(id -u)" ! -perm /077)" ] || die "$1: has to be yours, and readable for nobody else: chmod 600"
}
# crypt ARGUMENT...: gpg with nothing of anybody's home, whose agent ends with it
crypt() {
	mkdir -p "$work/gpg"
	crypted=0
	GNUPGHOME=$work/gpg gpg --batch --quiet --no-tty --pinentry-mode loopback --passphrase-file "$passphrase_file" "$@" 2>"$work/gpg.said" || crypted=$?
	GNUPGHOME=$work/gpg gpgconf --kill gpg-agent 2>/dev/null || :
	return $crypted
}
# lock FOLDER DIR: a sealed FOLDER becomes DIR/sealed.gpg, of which no byte can be changed, and is read back
lock() {
	tar -C "$1" -cf - . | crypt --symmetric --cipher-algo AES256 --s2k-mode 3 --s2k-digest-algo SHA512 --s2k-count 65011712 \
		--compress-algo none --output "$2/sealed.gpg" || die "$2/sealed.gpg: $(tail -n 1 "$work/gpg.said")"
	unlock "$2"
	cmp -s "$1/manifest" "$opened/manifest" || die "$2/sealed.gpg: is not what was written"
}
# unlock DIR: what is in DIR/sealed.gpg is the backup $opened
unlock() {
	opened=$work/opened
	rm -rf "$opened"
	mkdir -m 700 "$opened"
	crypt --decrypt --output "$work/opened.tar" "$1/sealed.gpg" ||
		die "$1/sealed.gpg: the passphrase is wrong, or the file damaged: $(tail -n 1 "$work/gpg.said")"
	tar -C "$opened" --no-same-owner -xf "$work/opened.tar"
	rm "$work/opened.tar"
}
# open_backup DIR: checks it, and sets $opened to the folder that has its parts; objects/ is in DIR
open_backup() {
	check "$1"
	opened=$1
	[ -e "$1/sealed.gpg" ] || return 0
	[ -n "$passphrase_file" ] || die "$1: is encrypted: --passphrase-file"
	unlock "$1"
	check "$opened"
}
