# SPDX-License-Identifier: ISC
# A file of lib includes only headers of floors below its own; the libraries
# and the spool's paths are each named in one place.
. "$(dirname "$0")/../tap.sh"

cd "$TOP" || exit 1
printf 'include Makefile\n%s:\n%s%s%s%s%s' print-floors \
    '	@for f in $(GROUND); do echo "$$f 0"; done
' '	@for f in $(FLOOR1); do echo "$$f 1"; done
' '	@for f in $(FLOOR2); do echo "$$f 2"; done
' '	@for f in $(FLOOR3); do echo "$$f 3"; done
' '	@for f in $(FLOOR4); do echo "$$f 4"; done
' | make -s -f - print-floors >"$T/floors"

# Prints includes that go up or sideways.  Within a floor a header listed
# before is still sideways, but for the data that spool writes.
climbers()
{
	(cd "$1" && grep -Hn '^#include "' ./*.[ch]) | awk -F'[:"]' '
	    NR == FNR { split($0, w, " "); floor[w[1]] = w[2]; order[w[1]] = NR
		next }
	    {
		file = $1
		sub(/^\.\//, "", file)
		from = file
		sub(/\.[ch]$/, "", from)
		to = $4
		sub(/\.h$/, "", to)
		if (from == to)
			next
		if (!(from in floor) || !(to in floor))
			print file ": " to " stands on no floor"
		else if (floor[to] > floor[from] ||
		    floor[to] == floor[from] && order[to] > order[from])
			print file " includes " to ".h"
	    }' "$T/floors" -
}

is "$(grep -c . "$T/floors")" "$(ls lib/*.h | wc -l | tr -d ' ')" \
    "each header stands on a floor"
is "$(climbers lib)" "" "nobody includes a header from above"
# Those named after a library stand for it where it is loaded late.
is "$(ls lib/*.c | grep -vE '^lib/(libidn2|openssl)\.c$' | sed 's/c$/h/' |
    xargs ls 2>&1 >/dev/null)" "" "each file has its header"

only()
{
	what=$1
	shift
	for tap_allowed; do
		set -- "$@" "$tap_allowed"
		shift
	done
	grep -lE "$what" bin/*.c lib/*.[ch] | while read -r file; do
		case " $* " in *" $file "*) ;; *) echo "$file" ;; esac
	done
}
is "$(only '#include <ldns' lib/packet.c lib/chain.c)" "" \
    "ldns stays in packet.c and chain.c"
is "$(only '#include <openssl' lib/tls.c lib/tls_client.c lib/openssl.c)" "" \
    "OpenSSL stays in tls.c and tls_client.c"
is "$(only '#include <idn2' lib/idn.c lib/libidn2.c)" "" \
    "libidn2 stays in idn.c"
is "$(only '"((mail|seen|tmp|locks|trigger)(/[^"]*)?|state/[^"]*)"' lib/spool.c lib/maildir.c)" "" \
    "only spool.c names paths of the spool; maildir.c has a tmp of its own"
is "$(grep -lE '\b(v?f?printf|puts|exit|err|errx|warnx?|getenv) ?\(' lib/*.c |
    grep -vE '^lib/(log|peer|row|domain|envelope|dsn)\.c$' | while read -r f; do
	grep -HnE '\b(printf|puts|exit|_exit|errx?|warnx?|getenv) ?\(' "$f"
    done | grep -vE '_(printf|exit|warnx?|err)')" "" \
    "lib neither prints nor exits nor reads the environment"

# The test can fail.
mkdir "$T/lib"
cp lib/*.h "$T/lib"
printf '#include "spool.h"\n' >"$T/lib/dot.c"
is "$(climbers "$T/lib")" "dot.c includes spool.h" "a climber is caught"

done_testing
