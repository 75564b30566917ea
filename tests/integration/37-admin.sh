#!/bin/sh
# The admin listener: who gets in and what he may (the same on each web server, web/admin.part.sh); then what does not depend
# on the server: large files, tables, guessing, an otafs that is away.
# shellcheck source=tests/integration/lib.sh
. "$(dirname "$0")/lib.sh"

settings "$@"
start_signd
start_watcher
start_otafs
# shellcheck source=tests/integration/web/admin.part.sh
. "$top/tests/integration/web/admin.part.sh"

finish
