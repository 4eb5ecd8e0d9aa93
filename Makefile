# Build, tests and installation of mcpgw, for GNU make.
#
# make, make demo, make check: from a bare clone, nothing else first.
# Sources are found by wildcard. Each folder of FOLDERS gives a library of all
# its .c files but main.c, and with main.c the program $(PROG_folder).
# O=dir builds elsewhere, SANITIZE=address,undefined builds with sanitizers,
# V=1 shows the commands whole.

O ?= build
override O := $(patsubst $(CURDIR)/%,%,$(O))
FOLDERS = common policy config daemon fetcher keeper monitor worker ctl

MAKEFLAGS += --no-builtin-rules --no-print-directory
.SUFFIXES:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := all

# These must work before config.mk can exist; they build by calling make.
BEFORE = deps demo check check-asan run-asan bench clean distclean dist deb
ifneq ($(filter-out $(BEFORE),$(or $(MAKECMDGOALS),all)),)
include config.mk
endif

configure: configure.ac
	@sh etc/deps.sh build
	autoconf -f

config.mk: configure config.mk.in
	@if test -x config.status; then \
		./config.status --recheck && ./config.status; \
	else \
		sh etc/deps.sh build && ./configure $(CONFIGURE_ARGS); \
	fi
	@touch $@

# How things are compiled.

Q = $(if $(V),,@)
say = $(if $(V),,@echo '  $(1)  $(2)')

STD_CFLAGS = -std=gnu17 -Wall -Wextra -Wpedantic -Wshadow \
	-Wstrict-prototypes -Wmissing-prototypes $(WERROR)
DEFINES = -D_GNU_SOURCE -DVERSION='"$(VERSION)"' \
	-DSBINDIR='"$(sbindir)"' -DLIBEXECDIR='"$(libexecdir)/mcpgw"' \
	-DSYSCONFDIR='"$(sysconfdir)"' -DLOCALSTATEDIR='"$(localstatedir)"'

ifeq ($(SANITIZE),)
# Rooms are many small files; programs are linked as if they were one.
MODE_CFLAGS = $(HARDEN_CFLAGS) $(LTO_CFLAGS)
MODE_LDFLAGS = $(HARDEN_LDFLAGS)
else
MODE_CFLAGS = -fsanitize=$(SANITIZE) -fno-sanitize-recover=all \
	-fno-omit-frame-pointer -DSANITIZE
MODE_LDFLAGS = -fsanitize=$(SANITIZE)
endif

COMPILE = $(CC) -I. $(LIB_CFLAGS) $(DEFINES) $(CPPFLAGS) $(STD_CFLAGS) \
	$(MODE_CFLAGS) -pthread $(CFLAGS)
LINK = $(CC) $(MODE_CFLAGS) $(MODE_LDFLAGS) $(AS_NEEDED) -pthread \
	$(CFLAGS) $(LDFLAGS)

# Changes when the way to compile does, so that everything is built again.
$(O)/compile: FORCE
	@mkdir -p $(@D)
	@n=$@.$$$$; \
	printf '%s\n' $(call quote,$(COMPILE)) $(call quote,$(LINK)) >$$n; \
	if cmp -s $$n $@; then rm $$n; else mv $$n $@; fi
quote = '$(subst ','\'',$(1))'

$(O)/%.o: %.c $(O)/compile config.mk
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(COMPILE) -MMD -MP -c -o $@ $<

# What is made of other files first.

MADE_monitor = monitor/page_data.c

$(O)/monitor/page_data.c: monitor/page.html monitor/page.sh
	@mkdir -p $(@D)
	$(call say,GEN,$@)
	$(Q)sh monitor/page.sh monitor/page.html >$@

$(O)/%.o: $(O)/%.c $(O)/compile config.mk
	$(call say,CC,$@)
	$(Q)$(COMPILE) -MMD -MP -c -o $@ $<

# Libraries: lib(folder) is the path, or nothing for a folder without sources.

sources = $(filter-out $(1)/main.c,$(wildcard $(1)/*.c $(1)/*/*.c)) \
	$(MADE_$(1))
objects = $(patsubst %.c,$(O)/%.o,$(call sources,$(1)))
lib = $(if $(call sources,$(1)),$(O)/$(1)/lib$(1).a)

define folder_rules
$(O)/$(1)/lib$(1).a: $(call objects,$(1))
	@rm -f $$@
	$(call say,AR,$$@)
	$(Q)$(AR) rcs $$@ $$^
endef
$(foreach f,$(FOLDERS),$(eval $(call folder_rules,$(f))))

# Programs.

PROG_daemon = mcpgw
PROG_fetcher = fetcher
PROG_keeper = keeper
PROG_monitor = monitor
PROG_worker = worker
PROG_ctl = mcpgwctl
LIBS_daemon = $(YAML_LIBS) $(EVENT_LIBS) $(CRYPTO_LIBS)
LIBS_fetcher = $(CURL_LIBS) $(YAJL_LIBS) $(EVENT_LIBS) $(CRYPTO_LIBS) \
	$(ZLIB_LIBS) $(SECCOMP_LIBS)
LIBS_keeper = $(ARGON2_LIBS) $(EVENT_LIBS) $(CRYPTO_LIBS) $(SECCOMP_LIBS)
LIBS_worker = $(SSL_LIBS) $(CRYPTO_LIBS) $(YAJL_LIBS) $(EVENT_LIBS) \
	$(SECCOMP_LIBS)
LIBS_monitor = $(EVHTTP_LIBS) $(EVENT_LIBS) $(CRYPTO_LIBS) $(SECCOMP_LIBS) \
	$(YAJL_LIBS)
LIBS_ctl = $(YAML_LIBS) $(YAJL_LIBS) $(ARGON2_LIBS) $(CRYPTO_LIBS) \
	$(ZLIB_LIBS)

# Folders whose libraries a program uses, beside its own and common.
USES_daemon = config
USES_ctl = config

HAVE = $(foreach f,$(FOLDERS),$(if $(wildcard $(f)/main.c),$(f)))
program = $(O)/$(1)/$(PROG_$(1))
PROGRAMS = $(foreach f,$(HAVE),$(call program,$(f)))

define program_rules
$(call program,$(1)): $(O)/$(1)/main.o $(call lib,$(1)) \
    $(foreach u,$(USES_$(1)),$(call lib,$(u))) $(call lib,common)
	$(call say,LD,$$@)
	$(Q)$$(LINK) -o $$@ $$^ $$(LIBS_$(1)) $$(BSD_LIBS)
endef
$(foreach f,$(HAVE),$(eval $(call program_rules,$(f))))

# The demo's servers: each demo-NAME.c is a program, the rest they share.

DEMO_MAINS = $(wildcard regress/demo/demo-*.c)
DEMO_SHARED = $(filter-out $(DEMO_MAINS),$(wildcard regress/demo/*.c))
DEMOS = $(patsubst %.c,$(O)/%,$(DEMO_MAINS))

$(DEMOS): %: %.o $(patsubst %.c,$(O)/%.o,$(DEMO_SHARED)) $(call lib,common)
	$(call say,LD,$@)
	$(Q)$(LINK) -o $@ $^ $(EVHTTP_LIBS) $(EVENT_LIBS) $(CRYPTO_LIBS) \
	    $(YAJL_LIBS) $(BSD_LIBS)

# Tests may use every folder; TESTED="worker common" links fewer.

TESTED = worker policy daemon config fetcher keeper monitor ctl common
TEST_LIBS = $(foreach f,$(TESTED),$(call lib,$(f)))
ALL_LIBS = $(YAML_LIBS) $(CURL_LIBS) $(YAJL_LIBS) $(EVHTTP_LIBS) \
	$(EVENT_LIBS) $(SSL_LIBS) $(CRYPTO_LIBS) $(ARGON2_LIBS) \
	$(SECCOMP_LIBS) $(ZLIB_LIBS) $(BSD_LIBS)
# They are many, and not for speed: no optimization at the link.
LINK_TEST = $(LINK) -fno-lto -o $@ $(filter %.o,$^) \
	-Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(ALL_LIBS)

UNIT_SHARED = $(filter-out $(wildcard regress/unit/test_*.c), \
	$(wildcard regress/unit/*.c))
UNITS = $(patsubst %.c,$(O)/%,$(wildcard regress/unit/test_*.c))
$(UNITS): %: %.o $(patsubst %.c,$(O)/%.o,$(UNIT_SHARED)) $(TEST_LIBS)
	$(call say,LD,$@)
	$(Q)$(LINK_TEST) -lcmocka

# Fuzz targets are linked in a tree of their own: make fuzz-programs.

FUZZ_SHARED = $(filter-out $(wildcard regress/fuzz/fuzz_*.c), \
	$(wildcard regress/fuzz/*.c))
FUZZERS = $(patsubst %.c,$(O)/%,$(wildcard regress/fuzz/fuzz_*.c))
$(FUZZERS): %: %.o $(patsubst %.c,$(O)/%.o,$(FUZZ_SHARED)) $(TEST_LIBS)
	$(call say,LD,$@)
	$(Q)$(LINK_TEST) -fsanitize=fuzzer

# The bench's server and client need nothing of ours.

BENCHES = $(patsubst %.c,$(O)/%,$(wildcard regress/bench/bench-*.c))
$(BENCHES): %: %.o
	$(call say,LD,$@)
	$(Q)$(LINK) -o $@ $^ -lm

.PHONY: all programs demos benches unit-programs fuzz-programs fuzzers
all: programs demos
programs: $(PROGRAMS)
demos: $(DEMOS)
benches: $(BENCHES)
unit-programs: $(UNITS)
fuzzers: $(FUZZERS)
fuzz-programs:
	+@$(MAKE) O=$(O)-fuzz CC=clang HARDEN_CFLAGS= HARDEN_LDFLAGS= \
	    SANITIZE=fuzzer-no-link,address,undefined fuzzers

# Running things. Suites are run by regress/run, which adds up their results.

SUITES = unit tree fuzz system interop man
RUN = O='$(abspath $(O))' MAKE='$(MAKE)' sh regress/run

.PHONY: deps demo check check-asan bench $(SUITES)
deps:
	@sh etc/deps.sh

demo:
	@sh etc/deps.sh demo
	+@$(MAKE) all
	@O='$(abspath $(O))' exec regress/demo/run

check:
	+@$(RUN) deps build $(SUITES)

check-asan:
	+@$(MAKE) O=$(O)-asan SANITIZE=address,undefined run-asan

bench:
	@sh etc/deps.sh
	+@$(MAKE) all benches
	@O='$(abspath $(O))' exec regress/bench/run

unit tree: unit-programs
fuzz: fuzz-programs
system interop: all
$(SUITES):
	+@$(RUN) $@

.PHONY: run-asan
run-asan:
	+@$(RUN) deps build unit system

# Installation.

INSTALL = install
MANS = $(wildcard man/*.[1-9])
CHILDREN = $(filter-out daemon ctl,$(HAVE))
libexec = $(DESTDIR)$(libexecdir)/mcpgw
confdir = $(DESTDIR)$(sysconfdir)/mcpgw
unitdir = $(prefix)/lib/systemd/system
bashdir = $(DESTDIR)$(datarootdir)/bash-completion/completions
zshdir = $(DESTDIR)$(datarootdir)/zsh/site-functions
sysusersdir = $(prefix)/lib/sysusers.d
tmpfilesdir = $(prefix)/lib/tmpfiles.d
logrotatedir = $(sysconfdir)/logrotate.d
exampledir = $(datarootdir)/doc/mcpgw/examples
# Files that say where things are, with our paths in them.
text = sed -e 's|@sbindir@|$(sbindir)|g' -e 's|/usr/local/sbin|$(sbindir)|g' \
	-e 's|@sysconfdir@|$(sysconfdir)|g' -e 's|/var/|$(localstatedir)/|g' \
	etc/$(1)
install_text = $(text) >$(DESTDIR)$(2) && chmod 644 $(DESTDIR)$(2)
install_program = $(INSTALL) -m 755 $(call program,$(1)) $(2)/$(PROG_$(1))

.PHONY: install install-user uninstall
install: programs install-user
	$(INSTALL) -d $(DESTDIR)$(sbindir) $(libexec) $(confdir)
	$(INSTALL) -d -m 755 $(DESTDIR)$(localstatedir)/empty/mcpgw
	$(INSTALL) -d -m 750 $(DESTDIR)$(localstatedir)/log/mcpgw
	$(foreach f,$(filter daemon ctl,$(HAVE)), \
	    $(call install_program,$(f),$(DESTDIR)$(sbindir)) &&) :
	$(foreach f,$(CHILDREN),$(call install_program,$(f),$(libexec)) &&) :
	for m in $(MANS); do \
		d=$(DESTDIR)$(mandir)/man$${m##*.}; \
		$(INSTALL) -d $$d && $(INSTALL) -m 644 $$m $$d || exit 1; \
	done
	$(INSTALL) -d $(bashdir) $(zshdir)
	$(INSTALL) -m 644 etc/completion/mcpgwctl.bash $(bashdir)/mcpgwctl
	$(INSTALL) -m 644 etc/completion/_mcpgwctl $(zshdir)
	test ! -e etc/mcpgw.yaml || test -e $(confdir)/mcpgw.yaml || \
	    $(INSTALL) -m 640 etc/mcpgw.yaml $(confdir)/mcpgw.yaml
	$(INSTALL) -d $(DESTDIR)$(unitdir) $(DESTDIR)$(exampledir) \
	    $(DESTDIR)$(sysusersdir) $(DESTDIR)$(tmpfilesdir) \
	    $(DESTDIR)$(logrotatedir)
	$(call install_text,systemd/mcpgw.service.in,$(unitdir)/mcpgw.service)
	$(call install_text,sysusers.d/mcpgw.conf,$(sysusersdir)/mcpgw.conf)
	$(call install_text,tmpfiles.d/mcpgw.conf,$(tmpfilesdir)/mcpgw.conf)
	$(call install_text,systemd/rootless.conf,$(exampledir)/rootless.conf)
	$(call install_text,systemd/mcpgw.socket,$(exampledir)/mcpgw.socket)
	$(call install_text,rc.d/mcpgw,$(exampledir)/mcpgw.rc)
	test -e $(DESTDIR)$(logrotatedir)/mcpgw || \
	    { $(call install_text,logrotate.d/mcpgw,$(logrotatedir)/mcpgw); }

install-user:
	@if test -z '$(DESTDIR)' && test "$$(id -u)" = 0 && \
	    ! id _mcpgw >/dev/null 2>&1; then \
		useradd --system --user-group --no-create-home \
		    --home-dir $(localstatedir)/empty/mcpgw \
		    --shell /usr/sbin/nologin _mcpgw; \
	fi

# The configuration, the logs and the user stay, and so does what was changed of
# the rotation of the logs.
uninstall:
	rm -f $(DESTDIR)$(sbindir)/mcpgw $(DESTDIR)$(sbindir)/mcpgwctl
	rm -rf $(libexec)
	for m in $(MANS); do \
		rm -f $(DESTDIR)$(mandir)/man$${m##*.}/$${m##*/}; \
	done
	rm -f $(DESTDIR)$(unitdir)/mcpgw.service $(bashdir)/mcpgwctl \
	    $(zshdir)/_mcpgwctl $(DESTDIR)$(sysusersdir)/mcpgw.conf \
	    $(DESTDIR)$(tmpfilesdir)/mcpgw.conf
	if $(call text,logrotate.d/mcpgw) | \
	    cmp -s - $(DESTDIR)$(logrotatedir)/mcpgw; then \
		rm $(DESTDIR)$(logrotatedir)/mcpgw; \
	fi
	rm -rf $(DESTDIR)$(exampledir)
	-rmdir $(DESTDIR)$(localstatedir)/empty/mcpgw

.PHONY: clean distclean dist deb
clean:
	rm -rf $(O) $(O)-asan $(O)-fuzz $(O)-asan-fuzz

distclean: clean
	rm -rf autom4te.cache
	rm -f config.mk config.log config.status configure configure~ \
	    mcpgw-*.tar.gz mcpgw_*.deb
	rm -rf regress/interop/node_modules regress/interop/node/node_modules

# What is committed, and configure, so that no autoconf is needed.
dist:
	@set -e; \
	v=$$(sed -n 's/^AC_INIT(.*\[\(.*\)\])/\1/p' configure.ac); \
	d=mcpgw-$$v; t=$$(mktemp -d); trap 'rm -rf $$t' EXIT; \
	umask 022; \
	git -c tar.umask=0022 archive --prefix=$$d/ HEAD | tar -xf - -C $$t; \
	(cd $$t/$$d && autoconf && rm -rf autom4te.cache); \
	tar -C $$t --owner=0 --group=0 --numeric-owner -czf $$d.tar.gz $$d; \
	echo $$d.tar.gz

deb:
	@etc/deb/build .

.PHONY: FORCE
FORCE:

-include $(shell find $(O) -name '*.d' 2>/dev/null)
