# SPDX-License-Identifier: ISC
#
# One run over domains whose servers do not answer at all, in a network of
# their own.

silent_run() {
	SILENT=1000 SILENCE=10
	[ -z "$QUICK" ] || SILENT=300 SILENCE=5
	progress "silent domains: $SILENT"
	unshare -n python3 "$TOP/tests/bench/silent" "$TOP/bin" \
	    "$W/fs/silent" $SILENT $SILENCE >"$W/silent" || rm -f "$W/silent"
}

silent_table() {
	[ -f "$W/silent" ] || return 0
	read -r took size processes cpu <"$W/silent"
	printf '\n%s domains with silent servers, time-out %s s\n' $SILENT $SILENCE
	printf '%-28s %8s s   aim: under %s\n' 'one run' "$took" \
	    $((3 * SILENCE))
	printf '%-28s %8s MB  aim: 512, for 1000\n' \
	    "most memory, $processes processes" "$size"
	printf '%-28s %8s ms\n' CPU "$cpu"
}
