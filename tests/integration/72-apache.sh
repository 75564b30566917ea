#!/bin/sh
# All that is said of a web server, of Apache; see web/suite.sh.
WEB=apache
# shellcheck source=tests/integration/web/suite.sh
. "$(dirname "$0")/web/suite.sh"
