#!/bin/sh
# All that is said of a web server, of lighttpd; see web/suite.sh.
WEB=lighttpd
# shellcheck source=tests/integration/web/suite.sh
. "$(dirname "$0")/web/suite.sh"
