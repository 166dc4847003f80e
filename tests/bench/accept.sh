# SPDX-License-Identifier: ISC
#
# Taking mail, beside Postfix, and what bounds it.

# accept PEER CASE SESSIONS PER-CONNECTION MESSAGES [-T]
accept() {
	progress "accept: $1, $2"
	c0=$(cpu "$1")
	# shellcheck disable=SC2086
	set -- "$1" "$2" "$5" $("$W/load" ${6-} -p "$(port "$1")" -s "$3" \
	    -n "$4" -m "$5" -w 60)
	[ "$4" = "$3" ] || die "$1 took $4 of $3 messages"
	settle "$1"
	note "$2" "$1" "$3 $5 $(($(cpu "$1") - c0))"
	wipe "$1"
}

# What the file system does for so many writers that do nothing else.
raw() {
	progress "raw limit: $1 writers"
	# shellcheck disable=SC2046
	set -- "$1" $("$W/commit" -s "$1" -m "$2" "$W/fs/raw") ||
	    die "the file system refuses"
	note "raw-$1" raw "$2 $3 0"
	find "$W/fs/raw" -type f -delete
}

has_tls() {
	"$W/load" -T -w 5 -p "$(port "$1")" >/dev/null 2>&1
}

# Private memory of a session in the middle of a message.
memory() {
	for channel in clear tls; do
		for kind in small big lines; do
			progress "memory: $channel, $kind"
			kb=$(python3 "$TOP/tests/bench/memory" \
			    "$(port listener)" $channel $kind) || continue
			echo "$channel $kind $kb" >>"$W/memory"
			wipe listener
		done
	done
}

accept_run() {
	STATICS='' MANY=1000
	[ -z "$QUICK" ] || MANY=300
	begin_listener
	begin_floors
	takers="mxkeep listener${POSTFIX:+ postfix}"
	for peer in $takers $STATICS $FLOORS; do
		"$W/load" -p "$(port $peer)" -s 20 -m 60 >/dev/null
		settle $peer
		wipe $peer
	done
	round=0
	while [ $round -lt $ROUNDS ]; do
		for s in 1 10 50; do
			for peer in $takers; do
				accept $peer "one-$s" $s 1 $MANY
				accept $peer "kept-$s" $s 100 $MANY
			done
			# Longer, for connections to matter little.
			accept listener "long-$s" $s 1000 $((MANY * 5))
			accept forked "long-$s" $s 1000 $((MANY * 5))
			raw $s $((MANY * 5))
		done
		for peer in $STATICS $FLOORS; do
			accept $peer one-10 10 1 $MANY
		done
		for peer in $takers; do
			has_tls $peer && accept $peer tls-10 10 1 $MANY -T
		done
		round=$((round + 1))
	done
	memory
}

accept_table() {
	table '
	function row(name, c, peer,    r, u, rp, up) {
		r = median(c " " peer " rate"); u = median(c " " peer " cpu")
		rp = median(c " postfix rate"); up = median(c " postfix cpu")
		if (r == 0)
			return
		printf "%-36s %8.0f %8.0f", name, r, u
		if (rp > 0)
			printf " %8.0f %8.0f %6.1f %6.1f", rp, up, r / rp, \
			    ratio(up, u)
		printf "\n"
	}
	function heading(what, who) {
		printf "\n%-36s %17s %17s %13s\n", what, who, "Postfix",
		    "ratio"
		printf "%-36s %8s %8s %8s %8s %6s %6s\n", "", "msg/s",
		    "CPU us", "msg/s", "CPU us", "msg/s", "1/CPU"
	}
	function accept(peer,    i, s) {
		split("1 10 50", s, " ")
		for (i = 1; i <= 3; i++)
			row(sprintf("one a connection, %d at once", s[i]),
			    "one-" s[i], peer)
		row("static, one a connection, 10 at once", "one-10", peer "-static")
		for (i = 1; i <= 3; i++)
			row(sprintf("100 a connection, %d at once", s[i]),
			    "kept-" s[i], peer)
		row("STARTTLS, one a connection, 10", "tls-10", peer)
	}
	function limit(peer,    i, s, r) {
		split("1 10 50", s, " ")
		printf "\n%-36s %8s %17s %17s\n",
		    "the same commits and nothing else", "files/s",
		    "mxkeep reaches", "fixed replies do"
		for (i = 1; i <= 3; i++) {
			r = median("raw-" s[i] " raw rate")
			if (r > 0)
				printf "%-36s %8.0f %15.0f %% %15.0f %%\n",
				    s[i] " writers", r, 100 / r \
				    * median("long-" s[i] " " peer " rate"),
				    100 / r \
				    * median("long-" s[i] " forked rate")
		}
	}
	function floors() {
		heading("a process each, and the same commits", "fixed replies")
		row("tcpserver, 10 at once", "one-10", "executed")
		row("static, tcpserver, 10 at once", "one-10",
		    "executed-static")
		row("forked, 10 at once", "one-10", "forked")
		row("static, forked, 10 at once", "one-10",
		    "forked-static")
	}
	END {
		heading("accept 4 KiB (tcpserver)", "mxkeep")
		accept("mxkeep")
		heading("accept 4 KiB (listening socket)", "mxkeep")
		accept("listener")
		limit("listener")
		floors()
	}'
	[ -f "$W/memory" ] || return 0
	printf '\n%s\n' 'Private memory of a session in a message, kB:'
	awk '{ printf "%9s, %-24s %8d\n", $1, $2 == "small" ? "1 kB" : \
	    $2 == "big" ? "100 MB" : "a million lines", $3 }' "$W/memory"
}
