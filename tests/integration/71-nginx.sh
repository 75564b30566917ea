#!/bin/sh
# All that is said of a web server, of nginx; see web/suite.sh.
WEB=nginx
# shellcheck source=tests/integration/web/suite.sh
. "$(dirname "$0")/web/suite.sh"
