# SPDX-License-Identifier: ISC
# make install puts everything in its place, and uninstall leaves nothing.
. "$(dirname "$0")/../tap.sh"
[ -z "$ASAN" ] || skip_all "the same in the normal build"

cd "$TOP" || exit 1
want="opt/x/sbin/mx-check
opt/x/sbin/mx-expire
opt/x/sbin/mx-flush
opt/x/sbin/mx-queue
opt/x/sbin/mx-receive
opt/x/share/man/man1/mx-check.1
opt/x/share/man/man5/mx-spool.5
opt/x/share/man/man5/mxkeep.conf.5
opt/x/share/man/man7/mxkeep.7
opt/x/share/man/man8/mx-expire.8
opt/x/share/man/man8/mx-flush.8
opt/x/share/man/man8/mx-queue.8
opt/x/share/man/man8/mx-receive.8"

for make in make bmake; do
	if ! command -v $make >/dev/null; then
		skip "$make install" "no $make here"
		continue
	fi
	ok "$make install" $make install DESTDIR="$T/$make" PREFIX=/opt/x
	is "$(cd "$T/$make" && find . -type f | sed 's,^\./,,' | sort)" \
	    "$want" "$make: every program and manual, and no more"
	is "$(find "$T/$make" -type f ! -perm -444)" "" "$make: all may read"
	is "$(cd "$T/$make/opt/x/sbin" && find . -type f -perm 755 | wc -l |
	    tr -d ' ')" 5 "$make: programs may be run"
	exits 64 "$make: an installed program runs" \
	    "$T/$make/opt/x/sbin/mx-queue" --no-such-option
	ok "$make uninstall" $make uninstall DESTDIR="$T/$make" PREFIX=/opt/x
	is "$(find "$T/$make" -type f)" "" "$make: nothing is left"
done
is "$(printf 'include Makefile\nx:\n\t@echo $(PROGRAMS:bin/%%=%%)\n' |
    make -s -f - x | tr ' ' '\n' | sort)" \
    "$(ls bin/*.c | sed 's,bin/,,;s,\.c$,,' | sort)" \
    "the Makefile knows every program"

done_testing
