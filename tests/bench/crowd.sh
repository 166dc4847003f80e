# SPDX-License-Identifier: ISC
#
# A million messages waiting in one domain, as many as in a month without its
# primary: how long until the first is there, and how much memory all of the
# flusher takes until then and in the twenty seconds that follow.

crowd_run() {
	CROWD=1000000 watch=20
	[ -z "$QUICK" ] || CROWD=100000 watch=5
	progress "crowd: $CROWD"
	"$W/crowd" -n $CROWD -l 400 "$W/fs/mxkeep" $DOMAIN ||
	    die "the spool does not take $CROWD messages"
	sync -f "$W/fs"
	queue_run mxkeep
	"$W/sink" -p $SINK -w $watch >"$W/sink.out" &
	sink=$!
	sleep 0.2
	t0=$(clock)
	(in_group mxkeep "$TOP/bin/mx-flush" -C "$W/etc" -q) &
	flusher=$!
	python3 "$TOP/tests/bench/peak" $flusher >"$W/peak.out" &
	wait $!
	wait $sink
	wait $flusher
	# shellcheck disable=SC2046
	set -- $(cat "$W/sink.out" "$W/peak.out")
	CROWD_FIRST=$(echo "$4 $t0" | awk '{ printf "%.2f", $1 - $2 }')
	CROWD_DONE=$1 CROWD_KB=$5
	progress "crowd: end"
	wipe mxkeep
}

crowd_table() {
	printf '\n%s messages waiting in one domain\n' $CROWD
	printf '%-28s %8s s   aim: 3, for a million\n' \
	    'until the first is there' "$CROWD_FIRST"
	printf '%-28s %8d MB  aim: 192, for a million\n' \
	    "most memory, $CROWD_DONE away" $((CROWD_KB / 1024))
}
