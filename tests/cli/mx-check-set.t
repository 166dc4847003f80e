# SPDX-License-Identifier: ISC
# Names, addresses and wildcards of an MX set.
. "$(dirname "$0")/../tap.sh"
. "$TOP/tests/names.sh"

names_serve <<'END'
mx1.example A 8.8.4.4
mx1.example AAAA 2a00::1
good.example MX 10 mx1.example
good.example MX 20 mx2.backup.test
dot.example MX 10 mx.dot.example.dot.example
dot.example NS ns1.example
dot.example NS ns2.example
dot.example SOA 1
doubled.example NS ns1.example
doubled.example NS ns2.example
doubled.example SOA 1
doubled.example MX 10 mx.doubled.example.doubled.example
mx.doubled.example.doubled.example A 8.8.4.4
mx.doubled.example.doubled.example AAAA 2a00::1
abroad.example MX 10 mx2.backup.test.abroad.example
abroad.example NS ns1.example
abroad.example NS ns2.example
abroad.example SOA 1
number.example MX 10 8.8.4.4
relative.example NS ns1.example
relative.example NS ns2.example
relative.example SOA 1
relative.example MX 10 8.8.4.4.relative.example
odd.example MX 10 a\x20b.example
onlysix.example MX 10 six.example
six.example AAAA 2a00::6
onlyfour.example MX 10 four.example
four.example A 8.8.4.6
nullten.example MX 10 .
wild.example NS ns1.example
wild.example NS ns2.example
wild.example SOA 1
wild.example MX 10 mx1.example
*.wild.example MX 10 mx1.example
astray.example NS ns1.example
astray.example NS ns2.example
astray.example SOA 1
astray.example MX 10 mx1.example
*.astray.example MX 10 elsewhere.astray.example
caught.example NS ns1.example
caught.example NS ns2.example
caught.example SOA 1
caught.example MX 10 mx.caught.example
*.caught.example A 8.8.4.7
*.caught.example AAAA 2a00::7
slow.example 172800 MX 10 mx1.example
hasty.example 5 MX 10 mx1.example
fixed.example MX 10 fixed-mx.example
fixed-mx.example 172800 A 8.8.4.8
fixed-mx.example AAAA 2a00::8
END

bad good.example 0
has good.example "ok mx-records good.example" "ok mx-address mx1.example" \
    "ok mx-family mx1.example" "ok ttl good.example"
says 'MX set is 300 seconds' "the TTL"

bad dot.example 2 "fail mx-dot mx.dot.example.dot.example"
says 'write "mx.dot.example.", with the dot' "what to write"
bad doubled.example 1 "warn mx-dot mx.doubled.example.doubled.example"
bad abroad.example 2 "fail mx-dot mx2.backup.test.abroad.example"
says 'write "mx2.backup.test."' "the name of another zone"
check -q -b mx2.backup.test abroad.example
says 'backup is in the MX set as mx2.backup.test.abroad.example' \
    "and the backup is told so"

bad number.example 2 "fail mx-literal 8.8.4.4"
bad relative.example 2 "fail mx-literal 8.8.4.4.relative.example"
says 'add "mail.relative.example. A 8.8.4.4"' "an address, and no final dot"

bad odd.example 2 'fail mx-name a\032b.example'
bad onlysix.example 1 "warn mx-family six.example"
bad onlyfour.example 0
has onlyfour.example "ok mx-family four.example"
says 'IPv4 only' "which says so"
bad nullten.example 1 "warn null-mx nullten.example"

bad wild.example 0
has wild.example "ok wildcard-mx wild.example"
bad astray.example 1 "warn wildcard-mx astray.example"
bad caught.example 1 "warn wildcard-address mx.caught.example"

bad slow.example 1 "warn ttl slow.example"
says '48 hours' "how long"
bad hasty.example 1 "warn ttl hasty.example"
says '5 seconds' "how short"
bad fixed.example 1 "warn ttl fixed-mx.example"

done_testing
