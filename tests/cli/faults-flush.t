# SPDX-License-Identifier: ISC
# kill -9 before every system call of mx-flush, and an error from each.
. "$(dirname "$0")/../tap.sh"
need python3 strace
[ -z "$ASAN" ] || skip_all "the calls of a sanitizer are not ours"

python3 "$TOP/tests/faults" flush
