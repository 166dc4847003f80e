# mxkeep: the only build file; works under GNU make (4 or newer) and bmake.
#
#	make			the programs, in bin/
#	make check		all tests (sh tests/run)
#	make check-postfix	one of them at full length: 1000 messages
#	make check-tls		another: all that testssl.sh looks for
#	make check-powercut	what power cuts leave of acknowledged mail (root)
#	make demo		the main job on real mail (sh contrib/demo)
#	make bench		accept and drain rates beside others, and
#				mx-check beside drill in a loop
#	make fuzz		each parser for a minute under libFuzzer
#	make lint		compilers' warnings as errors, manuals, style
#	make install		PREFIX, DESTDIR, SBINDIR, MANDIR
#
# CFLAGS, CPPFLAGS, LDFLAGS and LDLIBS are the user's.

CC =		cc
CFLAGS =	-O2 -g
PREFIX =	/usr/local
SBINDIR =	$(PREFIX)/sbin
MANDIR =	$(PREFIX)/share/man
SYSCONFDIR =	/etc/mxkeep
INSTALL =	install

# The floors, lowest first: a file includes only headers that stand on a
# floor below its own (tests/cli/floors.t keeps it so).
GROUND =	log deadline sandbox plain utf8 xtext siphash watch lines complain
FLOOR1 =	stream dot addr reply header duration row net param \
		idn xclient proxy children crew team breaker ipaddr sts
FLOOR2 =	settings conf msgid envelope domain spool scan draft message ledger \
		sweep seen recipients usage ration maildir backlog outlook
FLOOR3 =	crowd peer resolv packet query ask dns asked route hosts tls confine \
		tls_client hook dane turn dial knock chain agenda
FLOOR4 =	listener incoming learn policy etrn master serve text start trial smtp_server \
		smtp_wire smtp_session smtp_params smtp_client report dsn delay \
		notice event tls_policy link inquiry doubt settle way \
		carry drain deliver finding check legal place authority cover \
		plan examine verdict \
		talk look conduct offers rehearse survey \
		desk detail listing tally copy hand submit flush run vigil
LIB =		$(GROUND) $(FLOOR1) $(FLOOR2) $(FLOOR3) $(FLOOR4)

PROGRAMS =	bin/mx-receive bin/mx-queue bin/mx-flush bin/mx-check bin/mx-expire
MAN5 =		man/mx-spool.5 man/mxkeep.conf.5
MAN7 =		man/mxkeep.7
MAN1 =		man/mx-check.1
MAN8 =		man/mx-receive.8 man/mx-queue.8 man/mx-flush.8 man/mx-expire.8

STD =		-std=c11 -D_GNU_SOURCE -DLIBBSD_OPENBSD_VIS \
		-DSYSCONFDIR='"$(SYSCONFDIR)"'
WARN =		-Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes \
		-Wmissing-prototypes -Wvla -Wformat=2 -Wswitch-enum
HARDEN =	-fPIE -fstack-protector-strong -U_FORTIFY_SOURCE \
		-D_FORTIFY_SOURCE=2
HARDEN_LD =	-pie -Wl,-z,relro,-z,now
BSD_CFLAGS !=	pkg-config --cflags libbsd-overlay
BSD_LIBS !=	pkg-config --libs libbsd-overlay
# Where libbsd's archives are installed mx-receive takes them: one library less
# to load saves an exec a fifth of its CPU time.
BSD_ARCHIVES !=	b=`cc -print-file-name=libbsd.a` \
		m=`cc -print-file-name=libmd.a`; \
		test -f "$$b" && test -f "$$m" && echo "$$b $$m" || \
		pkg-config --libs libbsd-overlay
DNS_CFLAGS !=	pkg-config --cflags ldns libidn2
DNS_LIBS !=	pkg-config --libs ldns libidn2
IDN_LIBS !=	pkg-config --libs libidn2
TLS_CFLAGS !=	pkg-config --cflags libssl libcrypto
TLS_LIBS !=	pkg-config --libs libssl libcrypto
# Empty in a release; the tests' sanitizer builds set it.
EXTRA =
# For mx-receive alone: "make STATIC='-static -no-pie' LATE='-lssl -lcrypto
# -lidn2 -lunistring'" saves a tenth of its CPU time, and twice that where a
# super-server executes it for each connection, at the price of a fixed address
# and of a new build whenever one of these libraries is mended.  LATE: they are
# loaded at their first use; a static program cannot do that, and has their
# archives in it.
STATIC =
LATE =		lib/libidn2.o lib/openssl.o

COMPILE =	$(CC) $(STD) $(WARN) $(HARDEN) $(BSD_CFLAGS) $(DNS_CFLAGS) \
		$(TLS_CFLAGS) $(CPPFLAGS) $(CFLAGS) $(EXTRA)
LINK =		$(CC) $(CFLAGS) $(EXTRA) $(HARDEN_LD) $(LDFLAGS)

LIBOBJ =	$(LIB:%=lib/%.o)
HEADERS =	$(LIB:%=lib/%.h)

all: $(PROGRAMS)

.SUFFIXES: .c .o
.c.o:
	$(COMPILE) -iquote lib -c -o $@ $<

# A full build takes seconds, so every object depends on every header.
$(LIBOBJ) lib/libidn2.o lib/openssl.o: $(HEADERS)

lib/libmx.a: $(LIBOBJ)
	rm -f $@
	ar rcsD $@ $(LIBOBJ)

# What each program is linked with says what it may do: only those that ask
# the DNS bring libldns in, and an exec of mx-receive stays cheap.
bin/mx-receive: bin/mx-receive.c lib/libmx.a lib/libidn2.o lib/openssl.o
	$(COMPILE) -iquote lib $(HARDEN_LD) $(STATIC) $(LDFLAGS) -o $@ bin/mx-receive.c lib/libmx.a $(LATE) $(BSD_ARCHIVES) $(LDLIBS)
bin/mx-queue: bin/mx-queue.c lib/libmx.a
	$(COMPILE) -iquote lib $(HARDEN_LD) $(LDFLAGS) -o $@ bin/mx-queue.c lib/libmx.a $(IDN_LIBS) $(BSD_LIBS) $(LDLIBS)
bin/mx-expire: bin/mx-expire.c lib/libmx.a
	$(COMPILE) -iquote lib $(HARDEN_LD) $(LDFLAGS) -o $@ bin/mx-expire.c lib/libmx.a $(IDN_LIBS) $(BSD_LIBS) $(LDLIBS)
bin/mx-flush: bin/mx-flush.c lib/libmx.a
	$(COMPILE) -iquote lib $(HARDEN_LD) $(LDFLAGS) -o $@ bin/mx-flush.c lib/libmx.a $(DNS_LIBS) $(TLS_LIBS) $(BSD_LIBS) $(LDLIBS)
bin/mx-check: bin/mx-check.c lib/libmx.a
	$(COMPILE) -iquote lib $(HARDEN_LD) $(LDFLAGS) -o $@ bin/mx-check.c lib/libmx.a $(DNS_LIBS) $(TLS_LIBS) $(BSD_LIBS) $(LDLIBS)

check:
	sh tests/run

# The acceptance test at full length: root, real Postfixes, 1000 messages.
check-postfix: all
	ACCEPTANCE_MESSAGES=1000 sh tests/cli/acceptance.t

# Everything testssl.sh knows of: a minute.
check-tls: all
	TESTSSL_CHECKS=--full sh tests/cli/testssl.t

# Root, loop devices, FUSE.  Options of it: POWERCUT="-f ext4 -i 1000".
POWERCUT =
check-powercut: all
	sh tests/packages powercut
	python3 tests/long/powercut $(POWERCUT)

demo:
	sh contrib/demo

bench: all
	sh tests/bench/run
	sh tests/bench/check

fuzz:
	sh tests/fuzz/run

lint: all
	sh tests/lint

install: all
	$(INSTALL) -d $(DESTDIR)$(SBINDIR) $(DESTDIR)$(MANDIR)/man1 \
	    $(DESTDIR)$(MANDIR)/man5 $(DESTDIR)$(MANDIR)/man7 \
	    $(DESTDIR)$(MANDIR)/man8
	$(INSTALL) -m 755 $(PROGRAMS) $(DESTDIR)$(SBINDIR)
	$(INSTALL) -m 644 $(MAN1) $(DESTDIR)$(MANDIR)/man1
	$(INSTALL) -m 644 $(MAN5) $(DESTDIR)$(MANDIR)/man5
	$(INSTALL) -m 644 $(MAN7) $(DESTDIR)$(MANDIR)/man7
	$(INSTALL) -m 644 $(MAN8) $(DESTDIR)$(MANDIR)/man8

uninstall:
	cd $(DESTDIR)$(SBINDIR) && rm -f $(PROGRAMS:bin/%=%)
	cd $(DESTDIR)$(MANDIR) && rm -f $(MAN1:man/%=man1/%) \
	    $(MAN5:man/%=man5/%) $(MAN7:man/%=man7/%) $(MAN8:man/%=man8/%)

clean:
	rm -f $(PROGRAMS) lib/*.o lib/libmx.a
	rm -rf build

.PHONY: all check check-postfix check-tls check-powercut demo bench lint install \
    uninstall clean fuzz
