# SPDX-License-Identifier: ISC
#
# Getting rid of mail: a queue to a fast sink once the primary is back, and
# what one run over it costs while the primary is not, beside Postfix, Exim
# and OpenSMTPD.
#
# What is slow is measured with less, and once: rates hardly depend on it.

# dead PEER CASE N: the primary refuses connections
dead() {
	progress "dead domain: $1, $3"
	c0=$(cpu "$1") t0=$(clock)
	queue_run "$1"
	s=$(since "$t0")
	settle "$1"
	note "$2" "$1" "$3 $s" "$(($(cpu "$1") - c0))"
	[ "$(waiting "$1")" -eq "$3" ] || die "$1 lost mail"
}

# calls N: system calls of our run over a dead domain with N messages
calls() {
	command -v strace >/dev/null || return
	strace -f -c -o "$W/strace" "$TOP/bin/mx-flush" -C "$W/etc" -q
	awk -v n="$1" '$NF == "total" {
	    printf "calls %d %d\n", n, NF == 6 ? $4 : $3 }' "$W/strace" \
	    >>"$W/calls"
}

same_cost() {
	for n in 10 10000 100000; do
		fill mxkeep $n
		for i in ${QUICK:-1 2 3}; do
			dead mxkeep "dead-$n" $n
		done
		calls $n
		wipe mxkeep
	done
}

drain_run() {
	QUEUE=10000 EXIM_QUEUE=10000 OPENSMTPD_QUEUE=1000
	[ -z "$QUICK" ] || QUEUE=1000 EXIM_QUEUE=300 OPENSMTPD_QUEUE=60
	round=0
	while [ $round -lt $ROUNDS ]; do
		for how in '' -c; do
			fill mxkeep 10000
			back mxkeep drain$how 10000 $how
		done
		if [ -n "$POSTFIX" ]; then
			fill postfix $QUEUE
			dead postfix dead $QUEUE
			back postfix drain $QUEUE
		fi
		round=$((round + 1))
	done
	same_cost
	[ -n "$POSTFIX" ] || return 0
	begin_exim
	fill exim $EXIM_QUEUE
	[ -n "$QUICK" ] || dead exim dead $EXIM_QUEUE
	back exim drain $EXIM_QUEUE
	begin_opensmtpd
	fill opensmtpd $OPENSMTPD_QUEUE
	back opensmtpd drain $OPENSMTPD_QUEUE
}

drain_table() {
	table '
	# Without control groups nobody counts it.
	function cpu(figure, t) {
		return t > 0 ? sprintf(figure, t) : "-"
	}
	function drained(name, key, aims,    r, u) {
		r = median(key " rate")
		u = median(key " cpu")
		if (r == 0)
			return
		printf "%-28s %8d %8.0f %8s", name, count[key], r,
		    cpu("%.0f", u)
		if (key !~ /mxkeep/)
			printf " %8.1f %6.1f  %s",
			    ratio(median("drain mxkeep rate"), r),
			    ratio(u, median("drain mxkeep cpu")), aims
		printf "\n"
	}
	function stopped(name, c, peer, aims,    n, t) {
		n = count[c " " peer]; t = median(c " " peer " total")
		if (n == 0)
			return
		printf "%-28s %8d %11s %11.1f", name, n,
		    cpu("%.1f", t / 1000), 1000 * median(c " " peer " s")
		# As if 10000 waited for it as well.
		if (peer != "mxkeep")
			printf " %8.0f  %s", ratio(t, ours) * 10000 / n, aims
		printf "\n"
	}
	END {
		printf "\n%-28s %8s %8s %8s %15s\n", "drain, 4 KiB", "number",
		    "msg/s", "CPU us", "ours: msg/s 1/CPU"
		drained("mxkeep", "drain mxkeep")
		drained("mxkeep, CHUNKING offered", "drain-c mxkeep")
		drained("Postfix", "drain postfix", "aim: 6 and 8")
		drained("Exim, 4 queue runners", "drain exim")
		drained("OpenSMTPD, told repeatedly", "drain opensmtpd")
		ours = median("dead-10000 mxkeep total")
		printf "\n%-28s %8s %11s %11s %8s\n",
		    "one run over a dead domain", "number", "CPU ms",
		    "ms", "1/CPU"
		stopped("mxkeep", "dead-10", "mxkeep")
		stopped("mxkeep", "dead-10000", "mxkeep")
		stopped("mxkeep", "dead-100000", "mxkeep")
		stopped("Postfix", "dead", "postfix", "aim: 100")
		stopped("Exim", "dead", "exim")
	}'
	[ -f "$W/calls" ] || return 0
	awk '{ printf "%-28s %8d %11d system calls\n", "mxkeep", $2, $3 }' \
	    "$W/calls"
}
