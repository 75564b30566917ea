# shellcheck shell=sh disable=SC2154 # variables of ota-gateway(8), which sources this
# The live part of `ota-gateway check`: what the listeners answer, by curl and openssl.

check_listeners() {
	:
}
