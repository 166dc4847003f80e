# SPDX-License-Identifier: ISC
# The backup among the other hosts, and apart from the primary.
. "$(dirname "$0")/../tap.sh"
. "$TOP/tests/names.sh"

names_serve 9.6.1.1 9.6.1.2 9.5.1.1 2a00:9::1 <<'END'
mx1.example A 8.8.4.4
mx1.example AAAA 2a00::1
mx3.example A 8.7.4.4
mx3.example AAAA 2a03::1
good.example MX 10 mx1.example
good.example MX 20 mx2.backup.test
three.example MX 10 mx1.example
three.example MX 20 mx2.backup.test
three.example MX 30 mx3.example
one.example MX 10 mx1.example
best.example MX 10 mx2.backup.test
best.example MX 20 mx1.example
equal.example MX 10 mx2.backup.test
equal.example MX 10 mx1.example
alone.example MX 10 mx2.backup.test
absent.example MX 10 mx1.example
bare.example A 8.8.4.4
dead.example MX 10 none.example
dead.example MX 20 mx2.backup.test
same.example MX 10 twin.example
same.example MX 20 mx2.backup.test
twin.example A 8.8.8.8
twin.example AAAA 2a02::3
near.example MX 10 near4.example
near.example MX 20 mx2.backup.test
near4.example A 8.8.8.99
near4.example AAAA 2a00::1
nearboth.example MX 10 near46.example
nearboth.example MX 20 mx2.backup.test
near46.example A 8.8.8.99
near46.example AAAA 2a02:0:0:9::3
nothing.example TXT "x"
nearsix.example MX 10 near6.example
nearsix.example MX 20 mx2.backup.test
near6.example A 8.8.4.4
near6.example AAAA 2a02:0:0:9::3
home.example NS ns1.home.example
home.example NS ns2.home.example
home.example SOA 1
ns1.home.example A 9.6.1.1
ns2.home.example A 9.6.1.2
home.example MX 10 mx1.home.example
home.example MX 20 mx2.backup.test
mx1.home.example A 9.6.1.25
mx1.home.example AAAA 2a00::25
borrowed.example MX 10 mx1.home.example
borrowed.example MX 20 backup.home.example
backup.home.example A 8.8.8.7
backup.home.example AAAA 2a05::5
shared.example NS ns1.shared.example
shared.example NS ns2.shared.example
shared.example SOA 1
ns1.shared.example A 9.5.1.1
ns2.shared.example A 9.5.1.1
shared.example MX 10 mx1.shared.example
shared.example MX 20 mx2.shared.example
mx1.shared.example A 8.8.4.4
mx1.shared.example AAAA 2a00::25
mx2.shared.example A 8.8.3.3
mx2.shared.example AAAA 2a05::25
inside.example MX 10 mx1.example
inside.example MX 20 mx3.example
END

# Nobody said who it is.
bad good.example 0
has good.example "ok backup-order mx2.backup.test" \
    "ok backup-apart mx2.backup.test" "ok backup-names mx2.backup.test"
has one.example "ok backup-order one.example"
says 'There is no backup' "one host is no backup"
has three.example "ok backup-apart mx2.backup.test" \
    "ok backup-apart mx3.example"
says '^so	three.example	mail goes to mx1.example; if it does not answer, to mx2.backup.test; if neither answers, to mx3.example$' \
    "in words: three"
check equal.example
says '^so	.*	mail goes to mx1.example or mx2.backup.test$' "in words: equal"

backup=mx2.backup.test
bad good.example 0
has good.example "ok backup-listed mx2.backup.test"
bad three.example 0
has three.example "ok backup-order mx2.backup.test"
says '0 come before, 0 beside and 1 after' "a third one"
bad absent.example 2 "fail backup-listed mx2.backup.test"
says 'add ".*\. MX 20 mx2.backup.test." to the zone' "what to add"
bad alone.example 2 "fail backup-alone mx2.backup.test"
bad best.example 2 "fail backup-best mx2.backup.test"
says 'change its record to "best.example. MX 30 mx2.backup.test."' "what to write"
bad bare.example 2 "warn implicit-mx bare.example" \
    "fail backup-listed mx2.backup.test"
says '"bare.example. MX 10 bare.example." and "bare.example. MX 20 mx2.backup.test."' "what to add"
bad equal.example 2 "fail backup-equal mx2.backup.test"
bad dead.example 2 "fail mx-address none.example" \
    "fail backup-primary none.example"

bad same.example 2 "warn address-twice mx2.backup.test" \
    "fail backup-apart mx2.backup.test"
bad near.example 1 "warn backup-apart mx2.backup.test"
says 'IPv4 /24' "which network"
bad nearsix.example 1 "warn backup-apart mx2.backup.test"
says 'IPv6 /48' "which network"
bad nearboth.example 1 "warn backup-apart mx2.backup.test"
says 'near46.example .the IPv4 /24 of 8.8.8.8, the IPv6 /48 of 2a02::2.,' \
    "or networks"

bad nothing.example 2 "warn implicit-mx nothing.example" \
    "fail mx-address nothing.example" "fail backup-listed mx2.backup.test"
says 'neither MX record nor address' "no record is there to be removed"

bad home.example 1 "warn backup-names home.example"
says 'All name servers of home.example stand in the network of the primary' \
    "the domain dies with its primary"
backup=backup.home.example
bad borrowed.example 1 "warn backup-names backup.home.example"
backup=mx2.shared.example
bad shared.example 1 "warn backup-names mx2.shared.example"
says 'same name servers, all in one network' "shared"
backup=mx3.example
bad inside.example 0
has inside.example "ok backup-names mx3.example"
says 'in more than one network' "shared, and apart"

done_testing
