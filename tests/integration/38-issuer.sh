#!/bin/sh
# The issuing CA of ota-signd: it is asked for, certified by the device CA, installed and shown; what it issues; the log.
# shellcheck source=tests/integration/lib.sh
. "$(dirname "$0")/lib.sh"

settings "certificate_days = 100"
"$top/scripts/ota-pki" "$T/pki" localhost
start_signd
sign() { # sign WORD...: ota-sign of this instance
	"$OTA_BIN/ota-sign" "$@" -c "$conf"
}

openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$T/device.key"

# ---- it is made

ok "without an issuing CA there is nothing to show, in words that lead out" \
	refuses "there is no issuing CA: ota-sign issuer request, and install, make one" sign issuer show
ok "and nothing is issued" refuses "there is no issuing CA" issue 64102 car7 10 "$T/device.key"
ok "only root of the machine asks for one" refuses "user 64102 may not ask for that" \
	setpriv --reuid=64102 --regid=64102 --clear-groups "$OTA_BIN/ota-sign" issuer request -c "$conf"
sign issuer request --name "Example issuing CA" >"$T/issuer.csr"
ok "the request is a PKCS #10 of its key" says "verify OK" openssl req -verify -noout -in "$T/issuer.csr"
ok "the request asks for a CA that makes no others" says "CA:TRUE, pathlen:0" openssl req -noout -text -in "$T/issuer.csr"
ok "the device CA signs it" "$top/scripts/ota-pki" --issue-intermediate "$T/issuer.csr" "$T/pki"
ok "a request that was changed is not signed" refuses "self-signature did not match" sh -c "
	openssl req -in '$T/issuer.csr' -outform DER | sed 's/Example/Exanple/' >'$T/changed.der'
	openssl req -inform DER -in '$T/changed.der' -out '$T/changed.csr'
	'$top/scripts/ota-pki' --issue-intermediate '$T/changed.csr' '$T/pki'"
mv "$T/pki/device-ca.key" "$T/away.key"
ok "without its key the device CA signs nothing" refuses "device-ca.key cannot be read" \
	"$top/scripts/ota-pki" --issue-intermediate "$T/issuer.csr" "$T/pki"
ok "a chain without its root is refused" refuses "has to end with a root" sh -c "
	openssl x509 -in '$T/pki/issuer.pem' >'$T/short.pem'; '$OTA_BIN/ota-sign' issuer install -c '$conf' '$T/short.pem'"
ok "a chain of somebody else is refused" refuses "not signed by the next one" sh -c "
	cat '$T/short.pem' '$T/pki/build-ca.pem' >'$T/other.pem'; '$OTA_BIN/ota-sign' issuer install -c '$conf' '$T/other.pem'"
ok "a CA of another key is refused" refuses "no pathlen:0|not for a key|are missing" sign issuer install "$T/pki/build-ca.pem"
ok "the chain is installed and shown" says "CN=Example issuing CA, expires" sign issuer install "$T/pki/issuer.pem"
ok "show names the CA above" says "under CN=otafs device CA" sign issuer show
ok "show --pem is the chain" sh -c "'$OTA_BIN/ota-sign' issuer show --pem -c '$conf' | cmp - '$T/pki/issuer.pem'"
ok "the key is the signer's alone" is "$(stat -c '%a %u' "$T"/keys/issuer/*.key)" "600 64101"

# ---- it issues

issue 64102 car7 50 "$T/device.key" >"$T/chain.pem"
issue 64102 car8 50 "$T/device.key" >"$T/second.pem"
ok "otafs is given a certificate that verifies up to the device CA" \
	openssl verify -x509_strict -purpose sslclient -CAfile "$T/pki/device-ca.pem.old" \
	-untrusted "$T/chain.pem" "$T/chain.pem"
ok "or with the bundle alone, as a device shows it that knows its own certificate only" \
	openssl verify -purpose sslclient -CAfile "$T/pki/device-ca.pem" "$T/chain.pem"
ok "the root is not in the answer" is "$(grep -c BEGIN "$T/chain.pem")" 2
openssl x509 -in "$T/chain.pem" -noout -text >"$T/text"
ok "its subject is the common name alone" is "$(openssl x509 -in "$T/chain.pem" -noout -subject -nameopt RFC2253)" "subject=CN=car7"
ok "it is for clients" has "$T/text" "TLS Web Client Authentication"
ok "it signs nothing else" has "$T/text" "CA:FALSE"
ok "its serial number has 16 octets" says "^serial=[4-7][0-9A-F]{31}$" openssl x509 -in "$T/chain.pem" -noout -serial
ok "it lives as long as was asked" openssl x509 -in "$T/chain.pem" -noout -checkend $((49 * 86400))
ok "and no longer" not openssl x509 -in "$T/chain.pem" -noout -checkend $((51 * 86400))
ok "not longer than the settings allow" refuses "lives 101 days, otafs.conf gives it 1 to 100" issue 64102 car7 101 "$T/device.key"
ok "nothing for a name that no device has" refuses 'device' issue 64102 "car 7" 10 "$T/device.key"
ok "nothing for root" refuses "user 0 may not have certificates issued" issue 0 car7 10 "$T/device.key"
ok "nothing for ota-watcher" refuses "user 64103 may not have certificates issued" issue 64103 car7 10 "$T/device.key"
ok "nothing for ota-gate" not issue 64104 car7 10 "$T/device.key"
openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:1024 -out "$T/device.key"
ok "nothing for a weak key" refuses "RSA of 2048 to 4096 bits" issue 64102 car7 10 "$T/device.key"

# ---- a revocation list, for who wants one
sign issuer crl --days 30 "$(openssl x509 -in "$T/second.pem" -noout -serial | sed s/serial=//)" >"$T/issuer.crl"
openssl crl -in "$T/issuer.crl" -noout -text >"$T/text"
ok "its revocation list has the serial number" says "$(openssl x509 -in "$T/second.pem" -noout -serial | sed s/serial=//)" cat "$T/text"
openssl x509 -in "$T/chain.pem" >"$T/leaf.pem"
openssl x509 -in "$T/second.pem" >"$T/gone.pem"
ok "openssl follows it" refuses "certificate revoked" \
	openssl verify -crl_check -CAfile "$T/pki/device-ca.pem" -CRLfile "$T/issuer.crl" "$T/gone.pem"
ok "and takes others" openssl verify -crl_check -CAfile "$T/pki/device-ca.pem" -CRLfile "$T/issuer.crl" "$T/leaf.pem"
ok "for so many days" says "notAfter|nextUpdate=$(date -u -d '+30 days' '+%b %e')" openssl crl -in "$T/issuer.crl" -noout -nextupdate
ok "an empty one is a list, too" says "No Revoked Certificates" sh -c "'$OTA_BIN/ota-sign' issuer crl -c '$conf' | openssl crl -noout -text"
ok "what is no serial number is not on it" refuses "serial" sign issuer crl 12xy
ok "it is for root of the machine" refuses "user 64102 may not ask for that" \
	setpriv --reuid=64102 --regid=64102 --clear-groups "$OTA_BIN/ota-sign" issuer crl -c "$conf"
ok "and in the log" says "issuer: revocation list of 1 certificates for 30 days" sign log show -n 100

# ---- the log

serial=$(openssl x509 -in "$T/chain.pem" -noout -serial | sed s/serial=//)
ok "the certificate is in the log of signatures" says "certificate $serial of car7 until" sign log show --device car7
ok "so is the CA" says "issuer: CN=Example issuing CA until" sign log show
ok "the log verifies" says "^good: .* 2 certificates" sign log verify
ok "a certificate cannot be taken out of it" refuses "the log was changed" sh -c "
	cp -r '$T/keys/signatures' '$T/copy' && sed -i '/$serial/d' '$T/copy/1.log'
	'$OTA_BIN/ota-sign' log verify '$T/copy'"

finish
