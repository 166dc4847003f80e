# SPDX-License-Identifier: ISC
# mx-receive -e: what would be answered to a recipient, and why.
. "$(dirname "$0")/../tap.sh"

mkconf 'etrn 192.0.2.0/24' 'xclient 192.0.2.1' 'trusted-proxy 192.0.2.2'
mkdomain example.org 'recipients users'
mkdomain .example.org
mkdomain up.test 'when-up defer'
mkdomain unknown.test 'recipients verify' 'unknown defer'
mkdomain open.test 'recipients verify'
mkdomain closed.test 'recipients verify' 'unknown reject'
mkdomain nolist.test 'recipients missing'
mkdomain zbroken.test 'expire never'
printf 'ann\nbob@example.org\n' >"$CONF/users"

explain()
{
	"$BIN/mx-receive" -C "$CONF" "$@" >"$T/out" 2>"$T/err"
	status=$?
	answer=$(sed -n 's/^answer	//p' "$T/out")
}

# ADDRESS STATUS PATTERN-OF-ANSWER PATTERN-OF-REASON
says()
{
	explain -e "$1"
	is "$status" "$2" "$1: exit $2"
	like "$answer" "$3" "$1: answer"
	like "$(cat "$T/out")" "$4" "$1: reason"
}

says bob@example.org 0 '^250 2\.1\.5' "domains/example.org"
says Ann+news@Example.ORG 0 '^250 2\.1\.5' "listed in $CONF/users"
says eve@example.org 1 '^550 5\.1\.1' "not listed in $CONF/users"
says postmaster@example.org 0 '^250' 'postmaster is always accepted'
says postmaster 0 '^250' 'postmaster is always'
says eve@sub.example.org 0 '^250' 'domains/\.example\.org'
says x@elsewhere.test 1 '^550 5\.7\.1' 'no file for elsewhere\.test'
says a%b@up.test 1 '^550 5\.7\.1' 'routing'
says 'x@[192.0.2.1]' 1 '^550 5\.7\.1' 'literal'
says x@unknown.test 75 '^450 4\.1\.1' 'unknown defer'
says x@open.test 0 '^250' 'unknown accept.*no report'
says x@closed.test 1 '^550 5\.1\.1' 'unknown reject'
says x@nolist.test 75 '^451 4\.3\.5' "recipients	$CONF/missing: No such file"
says x@zbroken.test 75 '^451 4\.3\.5' 'zbroken.test:1: expire: expected'
says x@up.test 0 '^250' 'the primary is unknown'
# What a link leads to may be away for a moment.
ln -s /nowhere/domain "$CONF/domains/linked.test"
says x@linked.test 75 '^451 4\.3\.5' 'linked.test: a link to what is not there'
mkdomain xn--bcher-kva.test 'recipients intl'
printf 'ann@xn--bcher-kva.test\n' >"$CONF/intl"
says ann@bücher.test 0 '^250' 'listed in'
says eve@bücher.test 1 '^550 5\.1\.1' 'not listed in'

mkdir -p "$SPOOL/state/up.test"
printf 'state up\nlast-try %s x\nehlo SIZE 1000;PIPELINING\n' "$(date +%s)" \
    >"$SPOOL/state/up.test/state"
says x@up.test 75 '^451 4\.3\.2' 'the primary answered'
like "$(cat "$T/out")" 'offers SIZE 1000;PIPELINING' "what it offers is told"
says x@up.test 75 '^451 4\.3\.2' 'may return after 5 minutes'
printf 'state up\nlast-try %s x\n' "$(($(date +%s) - 7200))" \
    >"$SPOOL/state/up.test/state"
says x@up.test 0 '^250' 'not known to be up still'

explain -e bob@example.org -f a@b.test -r 192.0.2.1
like "$(cat "$T/out")" 'client	may use XCLIENT' "what a client may do"
like "$(cat "$T/out")" 'client	may use ETRN' "all of it"
unlike "$(cat "$T/out")" 'PROXY' "and no more"
explain -e bob@example.org -r 192.0.2.2
like "$(cat "$T/out")" 'client	speaks the PROXY protocol' "a proxy"
explain -e nonsense
is "$status" 64 "no address is a usage error"
like "$(cat "$T/err")" 'expected an address' "and said so"
explain -e bob@example.org -r mail.example.net
is "$status" 64 "a client that is no address"
explain -e bob@example.org -f '<a@b.test>'
is "$status" 64 "a sender that is none"
printf 'state down\nlast-try %s x\nehlo SIZE 1000\n' "$(date +%s)" \
    >"$SPOOL/state/up.test/state"
explain -e x@up.test -f ä@b.test
like "$answer" '^550 5\.6\.7' "a sender who needs SMTPUTF8"
explain -f a@b.test
is "$status" 64 "a sender without a recipient"
mkdir -p "$SPOOL/state/closed.test/recipients"
says x@closed.test 75 '^451 4\.3\.5' 'what was learnt cannot be read'
mkfifo "$CONF/domains/fifo.test"
says x@fifo.test 75 '^451 4\.3\.5' 'fifo\.test'
sed -i "s,^spool .*,spool $T/nowhere," "$CONF/mxkeep.conf"
explain -e postmaster@example.org
is "$status" 0 "without a spool too"
like "$(cat "$T/err")" 'nowhere: No such file' "which is said"
not_ok "and nothing is made" test -e "$T/nowhere"
is "$(find "$SPOOL/mail" -type f)" "" "nothing is kept by asking"

done_testing
