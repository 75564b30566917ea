# One Makefile, no recursion into folders; every object goes under build/$(VARIANT)/.
#
#   make                        the programs
#   make demo                   a whole instance on loopback, with a device that updates; ONCE=1 ends by itself
#   make check                  unit tests, then integration tests (TAP, through prove)
#   make check VARIANT=asan     the same under address and undefined-behaviour sanitizers
#   make soak                   the stress test for longer: SOAK_ROUNDS pushes of each builder (200: about half an hour);
#                               then SOAK_DAYS of a fleet's life in compressed time (400: about as long); ten thousand devices at once;
#                               otafs killed, and replaced, SOAK_KILLS times under each web server (100: a quarter of an hour);
#                               programs that die, disks that fail and power cuts at each SOAK_EACH-th call of each durable step;
#                               and tests/soak/, GETs beside a writer among it
#   make lint                   clang-format, cppcheck, shellcheck, mandoc, includes, pages against code
#   make bench                  one table of speed, memory and counts, each row against its goal and its reference in the same run; also
#                               build/VARIANT/bench.json and bench.txt. Depends on the machine; no part of check, which has only the
#                               counts (tests/integration/67-bench.sh). ONLY="manifests gateway": those of such names
#   make curves                 docs/curves.svg: cost over the number of devices and of objects, up to a million of each (some minutes)
#   make fuzz                   each tests/fuzz/*_fuzz.c for FUZZ_SECONDS (clang)
#   make install DESTDIR=...    and make uninstall
#   make deb                    build/deb/otafs_*.deb, from the files that are committed
#   make deb-check              installs, runs, upgrades, removes and purges that in a Debian of its own (tests/package.sh)
#
# deb, demo, check, soak, lint, bench, curves and fuzz install the Debian packages they need when run as root.

VARIANT ?= release
PREFIX  ?= /usr/local
BINDIR  ?= $(PREFIX)/bin
SBINDIR ?= $(PREFIX)/sbin
MANDIR  ?= $(PREFIX)/share/man
DATADIR ?= $(PREFIX)/share/otafs
UNITDIR ?= $(PREFIX)/lib/systemd/system
SYSUSERSDIR ?= $(PREFIX)/lib/sysusers.d
TMPFILESDIR ?= $(PREFIX)/lib/tmpfiles.d
PKG_CONFIG ?= pkg-config
INSTALL    ?= install
CFLAGS     ?= -O2 -g
FUZZ_SECONDS ?= 20
SOAK_ROUNDS  ?= 200
SOAK_DAYS    ?= 400
SOAK_KILLS   ?= 100
SOAK_EACH    ?= 3

B := build/$(VARIANT)
# One short line a step; V=1 shows the commands.
say = $(if $(V),,@echo '  $(1)'; )

flags_release := -Werror
# Sanitizers and coverage look at more than a sandbox leaves.
flags_asan    := -DSANDBOX_OFF -Werror -O1 -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
flags_tsan    := -DSANDBOX_OFF -O1 -fsanitize=thread -fno-omit-frame-pointer
flags_cov     := -DSANDBOX_OFF -O0 --coverage
flags_fuzz    := -DSANDBOX_OFF -O1 -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
$(if $(filter $(VARIANT),release asan tsan cov fuzz),,$(error VARIANT=$(VARIANT): use release, asan, tsan, cov or fuzz))

# Goals that install packages start this Makefile again for the rest.
outer := check soak demo lint bench curves fuzz deb deb-check clean uninstall packages
inner := $(if $(MAKECMDGOALS),$(filter-out $(outer),$(MAKECMDGOALS)),all)

# Which packages each folder needs, and so which folder may include what.
pkgs_lib     := jansson libcrypto
# Of lib/, only programs that check passwords need this (lib/login.h).
pkgs_login   := libcrypt
# And only programs that give something up need this (lib/sandbox.h).
pkgs_sandbox := libseccomp
pkgs_sign    := libsodium
pkgs_state   := sqlite3
pkgs_otafs   := fuse3
pkgs_store   := ostree-1 zlib
pkgs_watcher :=
pkgs_gateway :=
pkgs_ceremony := p11-kit-1
pkgs_tests/device := ostree-1 libcurl
pkgs_tests/load := libssl
folders      := lib state sign otafs store watcher gateway ceremony
pkgs         := $(foreach f,$(folders),$(pkgs_$(f))) $(pkgs_login) $(pkgs_sandbox)

ifneq ($(inner),)
missing := $(foreach p,$(pkgs),$(if $(shell $(PKG_CONFIG) --exists $(p) && echo y),,$(p)))
$(if $(strip $(missing)),$(error pkg-config finds no: $(missing); "make packages" as root installs what is needed))
endif

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
        -Wundef -Wformat=2 -Wvla -Wwrite-strings -Wcast-qual
own_flags = -std=gnu11 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -pthread -I. $(WARN) $(flags_$(VARIANT)) -MMD -MP
# Headers of other projects are not ours to warn about.
system = $(patsubst -I%,-isystem %,$(shell $(PKG_CONFIG) --cflags $(1)))
folder_flags = $(call system,$(pkgs_lib) $(pkgs_$(1)))
ifneq ($(inner),)
$(foreach f,$(folders) tests/device,$(eval $(B)/$(f)/%.o: pkg_flags := $(call folder_flags,$(f))))
$(eval $(B)/tests/%.o: pkg_flags := $(call system,$(pkgs)))
endif
libs = $(shell $(PKG_CONFIG) --libs $(1))

# A folder is an archive of all in it but its main function, so that tests can link it whole.
parts = $(patsubst %.c,$(B)/%.o,$(filter-out %/main.c %_main.c,$(wildcard $(1)/*.c)))
lib_a     := $(B)/lib.a
sign_a    := $(B)/sign.a
state_a   := $(B)/state.a
otafs_a   := $(B)/otafs.a
watcher_a := $(B)/watcher.a
store_a   := $(B)/store.a
gateway_a := $(B)/gateway.a
ceremony_a := $(B)/ceremony.a
device_a  := $(B)/tests/device.a
programs  := $(addprefix $(B)/bin/,otafs ota-watcher ota-signd ota-gate ota-admin-gate ota-fsck ota-sign)
device    := $(B)/tests/ota-device
test_sign := $(B)/tests/ota-test-sign
quick_sign := $(B)/tests/ota-sign
load      := $(B)/tests/ota-load
polls     := $(B)/tests/ota-poll $(B)/tests/ota-hammer
slow_sync := $(B)/tests/slow-sync.so
old_kernel := $(B)/tests/old-kernel.so
faults    := $(B)/tests/disk-faults.so
hostile   := $(B)/tests/hostile.so

all: $(programs)

$(B)/bin/otafs:       $(B)/otafs/main.o $(otafs_a) $(state_a) $(sign_a) $(lib_a)
$(B)/bin/ota-watcher: $(B)/watcher/main.o $(watcher_a) $(store_a) $(sign_a) $(lib_a)
$(B)/bin/ota-signd:   $(B)/sign/main.o $(sign_a) $(lib_a)
$(B)/bin/ota-gate:    $(B)/gateway/main.o $(gateway_a) $(lib_a)
$(B)/bin/ota-admin-gate: $(B)/gateway/admin_main.o $(gateway_a) $(lib_a)
$(B)/bin/ota-fsck:    $(B)/store/main.o $(store_a) $(sign_a) $(lib_a)
$(B)/bin/ota-sign:    $(B)/ceremony/main.o $(ceremony_a) $(sign_a) $(lib_a)
$(device):            $(B)/tests/device/main.o $(device_a) $(sign_a) $(lib_a)
$(test_sign):         $(B)/tests/sign/main.o $(sign_a) $(lib_a)
# A passphrase costs it nothing: for tests.
$(quick_sign):        $(B)/ceremony/main.o $(B)/tests/sign/cost.o $(ceremony_a) $(sign_a) $(lib_a)
load_parts := $(filter-out %/slow_sync.o %/old_kernel.o,$(call parts,tests/load))
$(load):              $(B)/tests/load/main.o $(load_parts) $(sign_a) $(lib_a)
$(polls):             $(B)/tests/ota-%: $(B)/tests/load/%_main.o $(load_parts) $(sign_a) $(lib_a)
$(B)/bin/otafs:       link_pkgs := $(pkgs_otafs) $(pkgs_state) $(pkgs_sign) $(pkgs_lib) $(pkgs_sandbox)
$(B)/bin/ota-watcher: link_pkgs := $(pkgs_store) $(pkgs_sign) $(pkgs_lib) $(pkgs_login) $(pkgs_sandbox)
$(B)/bin/ota-signd:   link_pkgs := $(pkgs_sign) $(pkgs_lib) $(pkgs_sandbox)
$(B)/bin/ota-gate:    link_pkgs := $(pkgs_lib) $(pkgs_sandbox)
$(B)/bin/ota-admin-gate: link_pkgs := $(pkgs_lib) $(pkgs_login) $(pkgs_sandbox)
$(B)/bin/ota-fsck:    link_pkgs := $(pkgs_store) $(pkgs_sign) $(pkgs_lib)
$(B)/bin/ota-sign:    link_pkgs := $(pkgs_ceremony) $(pkgs_sign) $(pkgs_lib)
$(device):            link_pkgs := $(pkgs_tests/device) $(pkgs_sign) $(pkgs_lib)
$(test_sign):         link_pkgs := $(pkgs_sign) $(pkgs_lib)
$(quick_sign):        link_pkgs := $(pkgs_ceremony) $(pkgs_sign) $(pkgs_lib)
$(load) $(polls):     link_pkgs := $(pkgs_tests/load) $(pkgs_sign) $(pkgs_lib)
$(programs) $(device) $(test_sign) $(quick_sign) $(load) $(polls):
	@mkdir -p $(@D)
	$(call say,LD $@)$(CC) -pthread $(flags_$(VARIANT)) $(LDFLAGS) -o $@ $^ $(call libs,$(link_pkgs)) $(LDLIBS)

# Preloaded into programs of any variant.
$(slow_sync): tests/load/slow_sync.c
$(old_kernel): tests/load/old_kernel.c
$(hostile): tests/hostile/hostile.c
$(slow_sync) $(old_kernel) $(hostile):
	@mkdir -p $(@D)
	$(call say,LD $@)$(CC) -std=gnu11 -D_GNU_SOURCE $(WARN) -O2 -shared -fPIC -o $@ $< -ldl
# Sanitizers have their own malloc.
$(faults): $(wildcard tests/disk/*.[ch])
	@mkdir -p $(@D)
	$(call say,LD $@)$(CC) -std=gnu11 -D_GNU_SOURCE -I. $(WARN) -O2 -shared -fPIC -o $@ \
	    $(filter-out $(if $(filter asan tsan,$(VARIANT)),%/memory.c),$(filter %.c,$^)) -ldl

define archive
$(B)/$(1).a: $(call parts,$(1))
	@rm -f $$@ && $(AR) rcs $$@ $$^
endef
$(foreach f,$(folders) tests/device,$(eval $(call archive,$(f))))

# By name, so that none counts as intermediate: make would not miss those.
objects := $(patsubst %.c,$(B)/%.o,$(filter-out tests/disk/%,$(wildcard $(folders:%=%/*.c) tests/*/*.c)))
$(objects): $(B)/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC $<)$(CC) $(CPPFLAGS) $(CFLAGS) $(own_flags) $(pkg_flags) -c -o $@ $<

# tests/unit/FOLDER_MODULE_test.c; the linker's --wrap lets tests/unit/fault.c fail any call.
archives   := $(ceremony_a) $(otafs_a) $(state_a) $(watcher_a) $(store_a) $(gateway_a) $(device_a) $(sign_a) $(lib_a)
unit_tests := $(patsubst tests/unit/%.c,$(B)/tests/%,$(wildcard tests/unit/*_test.c))
wrapped    := malloc calloc realloc strdup openat64 write fsync fdatasync ftruncate64 renameat renameat2
$(B)/tests/%_test: $(B)/tests/unit/%_test.o $(B)/tests/unit/fault.o $(archives)
	@mkdir -p $(@D)
	$(call say,LD $@)$(CC) -pthread $(flags_$(VARIANT)) $(LDFLAGS) $(wrapped:%=-Wl,--wrap=%) -o $@ \
	    $(filter %.o,$^) $(filter %.a,$^) $(call libs,$(pkgs) $(pkgs_tests/device)) -lcmocka $(LDLIBS)
# A core without mounts, for the tests of otafs/.
$(filter $(B)/tests/otafs_%,$(unit_tests)): $(B)/tests/unit/fixture.o

tests-built: $(unit_tests) $(programs) $(device) $(test_sign) $(quick_sign) $(load) $(polls) $(slow_sync) $(old_kernel) $(hostile) \
    $(faults) $(B)/tests/bench/fleet

packages:
	scripts/install-packages

# They load the machine by themselves and count what happens in a time.
alone := $(wildcard tests/integration/41-*.sh tests/integration/63-*.sh)
tests_env = ASAN_OPTIONS=suppressions=$(CURDIR)/tests/asan.supp OTA_BIN=$(CURDIR)/$(B)/bin OTA_DEVICE=$(CURDIR)/$(device) \
            OTA_TEST_SIGN=$(CURDIR)/$(test_sign)
check: packages
	$(MAKE) tests-built VARIANT=$(VARIANT)
	CMOCKA_MESSAGE_OUTPUT=TAP prove -j2 --merge -e '' $(unit_tests)
	$(tests_env) prove -j4 --timer $(filter-out $(alone),$(wildcard tests/integration/[0-9]*.sh))
	$(tests_env) prove --timer $(alone)

soak: packages
	$(MAKE) tests-built VARIANT=$(VARIANT)
	$(tests_env) SOAK_ROUNDS=$(SOAK_ROUNDS) SOAK_DAYS=$(SOAK_DAYS) MANIFESTS=10000 EACH=$(SOAK_EACH) SERVERS="lighttpd nginx apache" \
	    KILLS=$(SOAK_KILLS) UPGRADES=$(SOAK_KILLS) prove --timer -v tests/integration/63-stress.sh tests/integration/48-year.sh \
	    tests/integration/32-manifests.sh tests/integration/57-outlive.sh tests/integration/59-each-call.sh tests/soak/*.sh

demo: packages
	$(MAKE) all $(device) VARIANT=$(VARIANT)
	@export OTA_BIN=$(CURDIR)/$(B)/bin OTA_DEVICE=$(CURDIR)/$(device); exec scripts/demo

# cppcheck knows neither the cleanup attribute nor jansson's loops.
cppcheck_flags := --suppress=memleak --suppress=resourceLeak '-Djson_array_foreach(a,i,v)=for(;;)' \
                  '-Djson_object_foreach(o,k,v)=for(;;)' '-Djson_object_foreach_safe(o,n,k,v)=for(;;)'
lint: packages
	clang-format --dry-run -Werror $$(git ls-files '*.[ch]')
	scripts/check-layers
	scripts/check-docs
	cppcheck -q --enable=warning,portability --inline-suppr --error-exitcode=1 $(cppcheck_flags) -I. $(folders) \
	    tests/device
	shellcheck -x $$(git ls-files '*.sh') $$(git grep -lI '^#!/bin/sh' -- scripts gateway .ci)
	mandoc -T lint -W warning docs/*.[1-8]
	$(MAKE) CC=clang VARIANT=release B=build/clang all $(patsubst $(B)/%,build/clang/%,$(device))
	$(MAKE) CC=clang VARIANT=fuzz fuzzers

# tests/bench/NN-what.sh gives rows (tests/bench/lib.sh); a C program beside it does what has to be done in one process.
benches := $(patsubst tests/bench/%.c,$(B)/tests/bench/%,$(wildcard tests/bench/*.c))
bench_scripts = $(sort $(if $(ONLY),$(foreach o,$(ONLY),$(wildcard tests/bench/[0-9]*$(o)*.sh)),$(wildcard tests/bench/[0-9]*.sh)))
bench: packages
	$(MAKE) all benches $(load) $(polls) $(slow_sync) $(device) VARIANT=$(VARIANT)
	@$(tests_env) BENCH=$(CURDIR)/$(B)/tests/bench tests/bench/run.sh $(B)/bench $(bench_scripts)
curves: packages
	$(MAKE) all benches VARIANT=$(VARIANT)
	@$(tests_env) BENCH=$(CURDIR)/$(B)/tests/bench tests/bench/curves.sh docs/curves
benches: $(benches)
$(B)/tests/bench/batch: $(B)/tests/load/body.o
$(benches): %: %.o $(store_a) $(state_a) $(sign_a) $(lib_a)
	$(call say,LD $@)$(CC) -pthread $(flags_$(VARIANT)) $(LDFLAGS) -o $@ $^ $(call libs,$(pkgs) $(pkgs_tests/load)) $(LDLIBS)

fuzz: packages
	$(MAKE) VARIANT=fuzz CC=clang fuzzers
	for f in build/fuzz/tests/*_fuzz; do n=$$(basename $$f _fuzz); mkdir -p build/fuzz/corpus/$$n && \
	    $$f -max_total_time=$(FUZZ_SECONDS) build/fuzz/corpus/$$n tests/fuzz/corpus/$$n || exit 1; done
fuzzers: $(patsubst tests/fuzz/%.c,$(B)/tests/%,$(wildcard tests/fuzz/*_fuzz.c))
$(B)/tests/%_fuzz: $(B)/tests/fuzz/%_fuzz.o $(archives)
	@mkdir -p $(@D)
	$(call say,LD $@)$(CC) -pthread $(flags_fuzz) -fsanitize=fuzzer -o $@ $^ $(call libs,$(pkgs) $(pkgs_tests/device)) $(LDLIBS)

# Scripts whose own names say too little where otafs is not all there is.
planners := capacity measure-host
# Web servers that ota-gateway knows.
servers := $(patsubst gateway/%/server.sh,%,$(wildcard gateway/*/server.sh))
units := $(wildcard systemd/*.service systemd/*.socket systemd/*.target)
install: all
	$(INSTALL) -d $(addprefix $(DESTDIR),$(BINDIR) $(SBINDIR) $(MANDIR)/man1 $(MANDIR)/man5 $(MANDIR)/man8 $(UNITDIR) $(SYSUSERSDIR) \
	    $(TMPFILESDIR) $(addprefix $(DATADIR)/,$(servers)))
	$(INSTALL) -m 755 $(filter-out %/ota-sign,$(programs)) $(wildcard scripts/ota-*) $(DESTDIR)$(SBINDIR)
	for s in $(planners); do $(INSTALL) -m 755 scripts/$$s $(DESTDIR)$(SBINDIR)/ota-$$s || exit 1; done
	$(INSTALL) -m 755 $(B)/bin/ota-sign $(DESTDIR)$(BINDIR)
	$(INSTALL) -m 644 $(wildcard docs/*.1) $(DESTDIR)$(MANDIR)/man1
	$(INSTALL) -m 644 $(wildcard docs/*.5) $(DESTDIR)$(MANDIR)/man5
	$(INSTALL) -m 644 $(wildcard docs/*.8) $(DESTDIR)$(MANDIR)/man8
	for u in $(units); do sed 's|/usr/local/sbin/|$(SBINDIR)/|' $$u >$(DESTDIR)$(UNITDIR)/$${u##*/} && \
	    chmod 644 $(DESTDIR)$(UNITDIR)/$${u##*/} || exit 1; done
	$(INSTALL) -m 644 $(wildcard systemd/*.sysusers) $(DESTDIR)$(SYSUSERSDIR)/otafs.conf
	$(INSTALL) -m 644 $(wildcard systemd/*.tmpfiles) $(DESTDIR)$(TMPFILESDIR)/otafs.conf
	$(INSTALL) -m 644 gateway/check.sh gateway/certificate.sh scripts/shared.sh scripts/backup.sh $(DESTDIR)$(DATADIR)
	for s in $(servers); do $(INSTALL) -m 644 gateway/$$s/* $(DESTDIR)$(DATADIR)/$$s || exit 1; done
uninstall:
	rm -f $(DESTDIR)$(BINDIR)/ota-sign $(addprefix $(DESTDIR)$(MANDIR)/man1/,$(notdir $(wildcard docs/*.1)))
	rm -f $(addprefix $(DESTDIR)$(SBINDIR)/,$(notdir $(programs) $(wildcard scripts/ota-*)) $(planners:%=ota-%))
	rm -f $(addprefix $(DESTDIR)$(MANDIR)/man5/,$(notdir $(wildcard docs/*.5)))
	rm -f $(addprefix $(DESTDIR)$(MANDIR)/man8/,$(notdir $(wildcard docs/*.8)))
	rm -f $(addprefix $(DESTDIR)$(UNITDIR)/,$(notdir $(units)))
	rm -f $(DESTDIR)$(SYSUSERSDIR)/otafs.conf $(DESTDIR)$(TMPFILESDIR)/otafs.conf
	rm -rf $(DESTDIR)$(DATADIR)

# From a copy: debhelper writes into the folder of its package.
deb:
	scripts/install-packages debhelper dpkg-dev lintian
	rm -rf build/deb && mkdir -p build/deb/otafs
	git archive HEAD | tar -x -C build/deb/otafs
	cd build/deb/otafs && dpkg-buildpackage -us -uc -b
	lintian --fail-on error,warning build/deb/otafs_*.changes

deb-check: deb
	scripts/install-packages debootstrap
	tests/package.sh $$(ls build/deb/otafs_*.deb) build/deb/root
	tests/boot.sh $$(ls build/deb/otafs_*.deb) build/deb/root

clean:
	rm -rf build

.PHONY: all check soak demo packages tests-built bench curves benches fuzz fuzzers lint install uninstall deb deb-check clean
.DELETE_ON_ERROR:
-include $(shell find $(B) -name '*.d' 2>/dev/null)
