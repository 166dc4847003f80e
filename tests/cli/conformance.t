# SPDX-License-Identifier: ISC
# The table of what we do about each clause of the standards holds: its tests
# are there, its deviations are in the manual, and nothing is left out of it
# that EHLO offers or that a reply says.
. "$(dirname "$0")/../tap.sh"
need openssl

man=$TOP/man/mx-receive.8
source=$T/source
(cd "$TOP/lib" && cat serve.h smtp_server.c start.c text.c) >"$source"

# Prints the tests that a table names and that are not there: TABLE
missing_tests()
{
	sh "$TOP/tests/conformance.sh" "$1" | cut -f 7 | awk '{
	    n = split($0, test, " [|] ")
	    for (i = 1; i <= n; i++)
		print test[i] }' | sort -u |
	    while IFS= read -r test; do
		file=$TOP/tests/${test%%: *}
		name=${test#*: }
		case $file in
		*.talk) grep -Fxq -e "== $name" "$file" ;;
		*) grep -Fq -e "\"$name\"" -e "'$name'" "$file" ;;
		esac 2>/dev/null || echo "$test"
	done
}

# Deviations of a table, as the manual names them, that the CAVEATS of a
# manual do not name, and those that only they name: TABLE MAN
unlike_caveats()
{
	sh "$TOP/tests/conformance.sh" "$1" |
	    awk -F '\t' '$4 == "bent" { print "RFC " $1 " " $2 }' |
	    sort -u >"$T/bent"
	sed -n '/^\.Sh CAVEATS/,$p' "$2" |
	    grep -oE 'RFC [0-9]+ [0-9]+(\.[0-9]+)*' | sort -u >"$T/caveats"
	comm -3 "$T/bent" "$T/caveats" | tr -d '\t'
}

# Keywords of a file of them that a table has no record for: FILE TABLE
unknown_keywords()
{
	while read -r keyword; do
		rfc=$(sed -n "s/^offers $keyword //p" "$2")
		[ -n "$rfc" ] && grep -q "^$rfc [0-9]" "$2" || echo "$keyword"
	done <"$1"
}

# The catalogue: its texts, one a line, formats as they are: SOURCE
replies()
{
	awk '
	/^#define R_/ { text = "" }
	/^#define R_/, !/\\$/ {
		line = $0
		while (match(line, /"[^"]*"/)) {
			text = text substr(line, RSTART + 1, RLENGTH - 2)
			line = substr(line, RSTART + RLENGTH)
		}
		if (!/\\$/ && text != "")
			print text
	}' "$1"
}

# Of each reply the first words that tell it from the others: FILE
beginnings()
{
	awk '
	{ text[NR] = $0 }
	END {
		for (i = 1; i <= NR; i++) {
			n = split(text[i], word, " ")
			begin = word[1]
			for (w = 2; w <= n; w++) {
				if (w > 2 && only(i, begin))
					break
				if (word[w] ~ /%/)
					break
				begin = begin " " word[w]
			}
			print begin
		}
	}
	function only(i, begin, j)
	{
		for (j = 1; j <= NR; j++)
			if (j != i && index(text[j], begin) == 1)
				return 0
		return 1
	}' "$1"
}

# Replies of a catalogue that no dialogue and no test waits for: SOURCE
unheard_replies()
{
	{
		grep -hE '^([RS]|UNTIL): ' "$TOP"/tests/smtp/*.talk
		sed -n '/^T: /s/ | /\nR: /gp' "$TOP"/tests/smtp/*.talk
		# Shell tests escape the dots of regular expressions.
		find "$TOP/tests/cli" -name '*.t' ! -name conformance.t \
		    -exec cat {} + | sed 's/\\\././g'
	} >"$T/heard"
	replies "$1" >"$T/replies"
	beginnings "$T/replies" | while IFS= read -r begin; do
		grep -Fq -e " $begin" -e "|$begin" -e "^$begin" "$T/heard" || echo "$begin"
	done
}

# What EHLO offers, to a client that may use all of it.
offers()
{
	: >"$T/session"
	{
		until_ok 5 grep -q '^220 ' "$T/session"
		printf 'EHLO client.test\r\n'
		until_ok 5 grep -q '^250 ' "$T/session"
		printf 'QUIT\r\n'
	} | TCPREMOTEIP=192.0.2.5 "$BIN/mx-receive" -q -C "$CONF" \
	    >"$T/session"
	tr -d '\r' <"$T/session" | sed -n 's/^250[- ]//p' | sed 1d |
	    cut -d ' ' -f 1
}

openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=mx2.backup.test \
    -keyout "$T/key.pem" -out "$T/certificate.pem" 2>"$T/openssl"
mkconf "etrn 192.0.2.5" "xclient 192.0.2.5" \
    "tls-certificate $T/certificate.pem" "tls-key $T/key.pem"
mkdomain example.org

ok "each record is whole" sh "$TOP/tests/conformance.sh"
is "$(missing_tests "$TOP/tests/conformance")" "" \
    "each test that is named is there"
is "$(unlike_caveats "$TOP/tests/conformance" "$man")" "" \
    "CAVEATS of the manual name each deviation, and no other"
offers >"$T/offers"
like "$(wc -l <"$T/offers")" '^ *[4-9]|^ *[1-9][0-9]' "EHLO offers something"
is "$(unknown_keywords "$T/offers" "$TOP/tests/conformance")" "" \
    "each keyword of EHLO has its RFC"
is "$(unheard_replies "$source")" "" \
    "each reply of the catalogue is heard in a test"
# Their enhanced codes; what comes before EHLO, and 354, has none.
replies "$source" | grep -vE '^(354|554) [a-z]' >"$T/enhanced"
is "$(grep -vE '^(2(14|20|21|5[0-3])|4(2[1-3]|5[0-589])|5(0[0-4]|2[13]|5[0-6])) [245]\.[0-9]+\.[0-9]+ |^454 4\.7\.0 ' \
    "$T/enhanced")" "" "each reply has a code of an RFC"
is "$(awk 'substr($1, 1, 1) != substr($2, 1, 1)' "$T/enhanced")" "" \
    "and an enhanced code of the same class"
# The registry of RFC 5248, as far as we need it.
is "$(cut -d ' ' -f 2 "$T/enhanced" | cut -d . -f 2,3 | sort -u |
    grep -vxE '0\.0|1\.[0-8]|2\.[0-4]|3\.[0-5]|4\.[0-7]|5\.[0-6]|6\.([0-9]|10)|7\.([0-9]|[12][0-9]|30)')" \
    "" "each enhanced code is registered"

# All of that can fail.
broken()
{
	sed "$1" "$TOP/tests/conformance" >"$T/table"
}
broken 's/^5321 3.1 MUST/5321 3.1 WILL/'
not_ok "a level that is none is found" sh "$TOP/tests/conformance.sh" \
    "$T/table"
broken '/by HELO$/d'
not_ok "a missing test is found" sh "$TOP/tests/conformance.sh" "$T/table"
broken '0,/= yes/{/= yes/d;}'
not_ok "a missing verdict is found" sh "$TOP/tests/conformance.sh" "$T/table"
broken 's/\(= bent\):.*/\1/'
not_ok "a missing reason is found" sh "$TOP/tests/conformance.sh" "$T/table"
broken 's/: by HELO$/: by HALO/'
is "$(missing_tests "$T/table")" "smtp/data.talk: by HALO" \
    "a test of another name is found"
broken 's/smtp\/time.talk/smtp\/tame.talk/'
like "$(missing_tests "$T/table")" '^smtp/tame.talk: ' \
    "a file that is not there is found"
broken '/^5321 2.3.11 /,/^$/s/= bent/= yes/'
is "$(unlike_caveats "$T/table" "$man")" "RFC 5321 2.3.11" \
    "a deviation of the manual alone is found"
sed 's/RFC 5321 2\.3\.11/RFC 5321/' "$man" >"$T/man"
is "$(unlike_caveats "$TOP/tests/conformance" "$T/man")" "RFC 5321 2.3.11" \
    "a deviation of the table alone is found"
broken '/^offers SIZE/d'
is "$(unknown_keywords "$T/offers" "$T/table")" "SIZE" \
    "a keyword without its RFC is found"
broken '/^1870 /d'
is "$(unknown_keywords "$T/offers" "$T/table")" "SIZE" \
    "an RFC without a record is found"
{
	cat "$source"
	printf '#define R_NEW\t"459 4.9.9 never " \\\n\t"heard %%s"\n'
} >"$T/source.c"
is "$(unheard_replies "$T/source.c")" "459 4.9.9" \
    "a reply that no test hears is found"

done_testing
