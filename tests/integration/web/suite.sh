# shellcheck shell=sh
# One instance behind the server $WEB, and the sections NAME.part.sh of this folder, each of which uses devices of its own.
# PARTS="life paths" runs only these.
# shellcheck source=tests/integration/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/integration/answers.sh
. "$top/tests/integration/answers.sh"

settings "fleet_ca = $T/fleet.pem" "spool_quiet_seconds = 0" "client_seconds = 5" "device_requests_per_minute = 600" \
	"manifest_kb = 128" "ecus_kb = 64" "system_info_kb = 2048" "network_kb = 8" "config_kb = 32" "installed_kb = 512"
printf 'push/* - qemux86-64\n' >"$T/build-refs"
# Certificates: an issuing CA, and a fleet with two CAs of its own.
make_keys
for name in fleet fleet2; do
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj "/CN=a $name" -keyout "$T/$name.key" \
		-out "$T/$name.pem" 2>"$T/openssl.said"
done
cat "$T/fleet2.pem" >>"$T/fleet.pem"
start_signd
make_issuer
start_watcher
start_otafs
start_web
start_build
# shellcheck disable=SC2034 # for the sections
devices=$T/mount/devices

for part in "$top"/tests/integration/web/*.part.sh; do
	name=$(basename "$part" .part.sh)
	case " ${PARTS:-$name} " in
	*" $name "*) ;;
	*) continue ;;
	esac
	echo "# $WEB: $name"
	# shellcheck source=tests/integration/web/life.part.sh
	. "$part"
done
finish
