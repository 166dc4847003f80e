# SPDX-License-Identifier: ISC
# The checks that mx-check knows, the manual's list of them, and the tests:
# none has one that the others have not, nor a level.
. "$(dirname "$0")/../tap.sh"

# "level check" a line, of each
sed -n 's/^	\[CHECK_[A-Z_0-9]*\] = { "\(.*\)", \(.*\) },$/\1 \2/p' \
    "$TOP/lib/finding.c" | tr 'A-Z|' 'a-z ' |
    awk '{ for (i = 2; i <= NF; i++) print $i, $1 }' | sort >"$T/program"
sed -n '/^\.Ss Checks/,/^\.Sh/s/^\.It Cm \([^ ]*\) Pq /\1 /p' \
    "$TOP/man/mx-check.1" | tr -d ',' |
    awk '{ for (i = 2; i <= NF; i++) print $i, $1 }' | sort >"$T/manual"
same "$T/program" "$T/manual" "the manual lists every check and level"
diff "$T/program" "$T/manual" | sed 's/^/#   /'
[ "$(wc -l <"$T/program")" -ge 60 ] && pass "of which there are many" ||
    fail "of which there are many"
is "$(grep -c '^	CHECK_' "$TOP/lib/finding.h")" \
    "$(($(cut -d ' ' -f 2 "$T/program" | sort -u | wc -l) + 1))" \
    "each check of the header is in the table"

# A test names what it wants as "level check subject".
grep -ohE '["'"'"'](ok|warn|fail) [a-z0-9-]+ ' "$TOP"/tests/cli/mx-check*.t |
    sed 's/^.//; s/ $//' | sort -u >"$T/tested"
is "$(comm -23 "$T/program" "$T/tested")" "" "each has a test"
is "$(comm -13 "$T/program" "$T/tested")" "" "and tests want no other"

done_testing
