# SPDX-License-Identifier: ISC
# Each name server of the domain, asked directly.
. "$(dirname "$0")/../tap.sh"
. "$TOP/tests/names.sh"

# NAME: a zone with a server of its own at 9.6.1.1 and one at 9.5.1.1, further
# lines of it on standard input.
zone()
{
	cat <<END
$1.test NS a.$1.test
$1.test NS b.$1.test
$1.test SOA 1
$1.test MX 10 mx1.example
a.$1.test A 9.6.1.1
b.$1.test A 9.5.1.1
END
	cat -
}

{
	echo "test NS ns.test"
	echo "ns.test A 9.4.1.1"
	echo "mx1.example A 8.8.4.4"
	echo "mx1.example AAAA 2a00::1"
	zone good <<'END'
www.good.test MX 10 mx1.example
END
	zone six <<'END'
b.six.test AAAA 2a00:9::1
END
	zone far <<'END'
b.far.test AAAA 2a0f::1
END
	zone silent <<'END'
9.5.1.1> silent.test @silent
9.5.1.1> silent.test NS b.silent.test
END
	zone quiet <<'END'
9.6.1.1> quiet.test @silent
9.5.1.1> quiet.test @silent
END
	zone lame <<'END'
9.5.1.1> lame.test @lame
END
	zone refused <<'END'
9.5.1.1> refused.test @5
END
	zone notcp <<'END'
9.5.1.1> notcp.test @notcp
9.5.1.1> notcp.test SOA 1
9.5.1.1> notcp.test MX 10 mx1.example
END
	zone neither <<'END'
neither.test @notcp
END
	zone noedns <<'END'
9.5.1.1> noedns.test @noedns
9.5.1.1> noedns.test SOA 1
9.5.1.1> noedns.test MX 10 mx1.example
END
	zone serial <<'END'
9.5.1.1> serial.test SOA 2
9.5.1.1> serial.test MX 10 mx1.example
END
	zone mx <<'END'
9.5.1.1> mx.test SOA 1
9.5.1.1> mx.test MX 10 mx1.example
9.5.1.1> mx.test MX 20 mx2.backup.test
END
	zone forked <<'END'
9.5.1.1/tcp> forked.test SOA 1
9.5.1.1/tcp> forked.test MX 10 old.example
END
	zone cached <<'END'
9.5.1.1> cached.test @noaa
9.5.1.1> cached.test SOA 1
9.5.1.1> cached.test MX 10 mx1.example
END
	zone extra <<'END'
9.4.1.1> extra.test NS a.extra.test
9.4.1.1> extra.test NS b.extra.test
9.4.1.1> extra.test NS c.extra.test
END
	zone empty <<'END'
9.5.1.1> empty.test SOA 1
END
	zone view <<'END'
127.0.0.1> view.test NS a.view.test
127.0.0.1> view.test NS b.view.test
127.0.0.1> view.test MX 10 old.example
old.example A 8.8.4.5
old.example AAAA 2a00::5
END
	zone parent <<'END'
9.4.1.1> parent.test NS a.parent.test
9.4.1.1> parent.test NS gone.parent.test
END
	zone child <<'END'
9.4.1.1> child.test NS a.child.test
END
	zone slow <<'END'
9.5.1.1> slow.test @slow-500
9.5.1.1> slow.test SOA 1
9.5.1.1> slow.test MX 10 mx1.example
END
	cat <<'END'
single.test NS a.good.test
single.test SOA 1
single.test MX 10 mx1.example
noaddr.test NS a.good.test
noaddr.test NS none.noaddr.test
noaddr.test SOA 1
noaddr.test MX 10 mx1.example
nowhere.invalid 172801 MX 10 mx1.example
END
} | names_serve 9.6.1.1 9.5.1.1 9.4.1.1 2a00:9::1

bad good.test 0
has good.test "ok ns-records good.test" "ok ns-answer good.test" \
    "ok ns-tcp good.test" "ok ns-edns good.test" "ok ns-serial good.test" \
    "ok ns-mx good.test" "ok ns-view good.test" "ok ns-parent good.test"
is "$(grep ' good.test SOA' "$T/log" | sort | uniq -c | tr -s ' ')" \
    " 4 udp good.test SOA 0000" "asked without recursion, over UDP"
is "$(grep -c '^tcp good.test MX' "$T/log")" 4 "and over TCP"
has www.good.test "ok ns-records good.test"

has six.test "ok ns-answer six.test"
says 'answer, 3 addresses' "IPv6, too"
check -4 six.test
says 'answer, 2 addresses' "-4: not IPv6"
bad far.test 0
has far.test "ok ns-answer far.test"
says '1 of another family cannot be reached' "a way that is not there"

bad silent.test 2 "fail ns-answer b.silent.test"
bad quiet.test 3 "fail ns-answer quiet.test"
says 'None of 2 addresses' "all are silent: perhaps it is us"
bad lame.test 2 "fail ns-lame b.lame.test"
bad refused.test 2 "fail ns-lame b.refused.test"
says 'REFUSED' "and why"
bad notcp.test 2 "fail ns-tcp b.notcp.test"
bad neither.test 3 "fail ns-tcp neither.test"
says 'TCP port 53 is closed there, or between' "perhaps it is us"
bad noedns.test 1 "warn ns-edns b.noedns.test"
bad serial.test 1 "warn ns-serial serial.test"
says 'a.serial.test .9.6.1.1. serial 1 and b.serial.test .9.5.1.1. serial 2' \
    "which, where"
bad mx.test 2 "fail ns-mx mx.test"
check -q -b mx2.backup.test mx.test
says 'in the MX set of the name server b.mx.test' "the backup is there"
says 'b.mx.test .9.5.1.1. has the MX record 20 mx2.backup.test, and a.mx.test' \
    "which record, where"
bad forked.test 2 "fail ns-mx forked.test"
bad cached.test 2 "fail ns-lame b.cached.test"
says 'an answer without authority' "and why"
bad extra.test 1 "warn ns-parent extra.test"
says 'c.extra.test is in the parent zone, not in the zone' "and where"
bad empty.test 2 "fail ns-mx empty.test"
bad view.test 1 "warn ns-view view.test"
bad parent.test 1 "warn ns-parent parent.test"
says 'b.parent.test|gone.parent.test' "which"
bad child.test 1 "warn ns-parent child.test"
says 'b.child.test is in the zone itself, not in the parent' "and where"
bad single.test 1 "warn ns-records single.test"
bad noaddr.test 2 "fail ns-address none.noaddr.test"
bad nowhere.invalid 3 "fail ns-records nowhere.invalid" \
    "warn ttl nowhere.invalid"

# No longer than the slowest answer, and not for those beside it.
began=$(date +%s%N)
check slow.test good.test
took=$((($(date +%s%N) - began) / 1000000))
is "$status" 0 "slow.test: exit 0"
[ "$took" -ge 500 ] && [ "$took" -lt 1500 ] && pass "as long as its server" ||
    fail "as long as its server" "$took ms"

done_testing
