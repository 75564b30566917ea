# shellcheck shell=sh
# The life of a device: it registers, is assigned what was dropped, installs and reports.
enroll life
ok "a device registers" device life poll
commit=$(commit_of life 1)
ok "what is dropped is published" sh -c "cp -r $T/life-1.drop $T/life-1.moving && mv $T/life-1.moving $T/spool/incoming/life-1"
ok "... as a package" published life 1
ok "it is assigned" sh -c "echo 'life 1' >$devices/life/assign"
ok "the device installs it" device life poll
ok "and the server knows" has "$devices/life/ecus/life-ecu" "^sha256: $commit$"
