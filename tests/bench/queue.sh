# SPDX-License-Identifier: ISC
#
# A queue: filled, and drained once the primary is back.

# fill PEER N: N messages that were tried and wait.  The others are filled by
# SMTP, while nobody listens at the primary's.
fill() {
	progress "fill: $1, $2"
	if [ "$1" = mxkeep ]; then
		"$W/crowd" -n "$2" "$W/fs/mxkeep" $DOMAIN ||
		    die "the spool does not take $2 messages"
		# Whose write-back is nobody's cost.
		sync -f "$W/fs"
		# They have been tried, as those of the others.
		queue_run mxkeep
		return
	fi
	"$W/load" -p "$(port "$1")" -s 20 -n 100 -m "$2" -w 300 >/dev/null ||
	    die "$1 did not take all of $2 messages"
	settle "$1"
}

# back PEER CASE N [OPTION [MILLISECONDS]]: the primary takes everything; what
# the sink offers besides, and how far away it is
back() {
	progress "$2: $1, $3"
	rm -f "$W/gone"
	far='' port=$SINK
	if [ -n "${5-}" ]; then
		port=$((SINK + 1))
		"$W/delay" -r "$5" $SINK $port &
		far=$!
	fi
	# shellcheck disable=SC2086
	"$W/sink" ${4-} -p $port -n "$3" -w 300 >"$W/sink.out" &
	sink=$!
	sleep 0.2
	c0=$(cpu "$1") t0=$(clock)
	hand_over "$1" &
	wait $sink
	s=$(since "$t0")
	: >"$W/gone"
	wait $!
	[ -z "$far" ] || kill "$far"
	settle "$1"
	# shellcheck disable=SC2046
	set -- "$1" "$2" "$3" $(cat "$W/sink.out")
	[ "$4" -ge "$3" ] || echo "bench: $1 delivered $4 of $3" >&2
	[ "$4" -eq 0 ] || note "$2" "$1" "$4 $s" "$(($(cpu "$1") - c0))"
	wipe "$1"
}
