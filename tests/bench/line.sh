# SPDX-License-Identifier: ISC
#
# Getting rid of mail over a line with a round trip of 50 ms, by 4 connections
# at once, beside Postfix.

ROUND_TRIP=50

# connections N: Postfix's, at once
connections() {
	[ -z "$POSTFIX" ] || (in_group postfix sh -c 'postconf -c /etc/postfix \
	    -e "relay_destination_concurrency_limit = $0" &&
	    postfix -c /etc/postfix reload' "$1" >/dev/null 2>&1)
}

line_run() {
	few=300 many=10000
	[ -z "$QUICK" ] || few=200 many=4000
	connections 4
	round=0
	while [ $round -lt $ROUNDS ]; do
		for peer in mxkeep ${POSTFIX:+postfix}; do
			fill $peer $few
			back $peer line $few '' $ROUND_TRIP
			n=$few
			[ $peer = postfix ] || n=$many
			fill $peer $n
			back $peer line-chunking $n -c $ROUND_TRIP
		done
		round=$((round + 1))
	done
	connections 20
}

line_table() {
	table '
	function row(name, c, aim,    r, p) {
		r = median(c " mxkeep rate")
		p = median(c " postfix rate")
		printf "%-36s %8.1f", name, r
		if (p > 0)
			printf " %8.1f %6.1f  aim: %s", p, r / p, aim
		printf "\n"
	}
	END {
		printf "\n%-36s %8s %8s %6s\n",
		    "drain 50 ms away, 4 connections", "mxkeep", "Postfix",
		    "ratio"
		row("PIPELINING offered, msg/s", "line", 1.5)
		row("CHUNKING as well, msg/s", "line-chunking", 20)
	}'
}
