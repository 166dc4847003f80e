# SPDX-License-Identifier: ISC
# "when-up defer": who was asked to go to the primary and returns after five
# minutes is taken.
. "$(dirname "$0")/../tap.sh"

need faketime
[ -z "$ASAN" ] || skip_all "libfaketime and AddressSanitizer exclude each other"
FAKETIME_DONT_FAKE_MONOTONIC=1
export FAKETIME_DONT_FAKE_MONOTONIC

mkconf
mkdomain example.org 'when-up defer'
mkdomain other.test 'when-up defer'
for domain in example.org other.test; do
	mkdir -p "$SPOOL/state/$domain"
	printf 'state up\nlast-try %s x\n' "$(date +%s)" \
	    >"$SPOOL/state/$domain/state"
done

# At so many MINUTES from now, from CLIENT, SENDER and RECIPIENT: the reply.
rcpt()
{
	(
		sleep 0.1
		printf 'EHLO client.test\r\n'
		sleep 0.1
		printf 'MAIL FROM:<%s>\r\nRCPT TO:<%s>\r\n' "$3" "$4"
		sleep 0.1
		printf 'QUIT\r\n'
	) | TCPREMOTEIP=$2 faketime -f "+${1}m" "$BIN/mx-receive" -C "$CONF" \
	    2>>"$T/log" | tr -d '\r' | grep -v '^221 ' | tail -n 1
}

first='192.0.2.1 a@sender.test b@example.org'
like "$(rcpt 0 $first)" '^451 4\.3\.2' "asked to go to the primary"
like "$(rcpt 0 $first)" '^451 4\.3\.2' "and again"
like "$(rcpt 4 $first)" '^451 4\.3\.2' "four minutes are not enough"
like "$(rcpt 6 192.0.2.1 other@sender.test b@example.org)" '^451' \
    "another sender begins anew"
like "$(rcpt 6 192.0.2.1 a@sender.test c@example.org)" '^451' \
    "another recipient, too"
like "$(rcpt 6 198.51.100.1 a@sender.test b@example.org)" '^451' \
    "and another network"
like "$(rcpt 6 192.0.2.200 a@sender.test b@example.org)" '^250 2\.1\.5' \
    "who returns after six minutes is taken, from any host of the network"
like "$(rcpt 7 $first)" '^250 2\.1\.5' "and from then on at once"
like "$(rcpt 18 192.0.2.1 other@sender.test b@example.org)" '^250 2\.1\.5' \
    "the other sender in his turn"
like "$(rcpt 30 192.0.2.1 new@sender.test b@example.org)" '^250 2\.1\.5' \
    "a state that is old defers nobody"
like "$(rcpt 0 2001:db8::1 a@sender.test b@example.org)" '^451' "IPv6"
like "$(rcpt 6 2001:db8:0:1::1 a@sender.test b@example.org)" '^451' \
    "another /64"
like "$(rcpt 6 2001:db8::ffff a@sender.test b@example.org)" '^250' \
    "the same /64"
unlike "$(cat "$T/log")" ': cannot' "without trouble"

done_testing
