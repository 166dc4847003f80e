#!/bin/sh
# SPDX-License-Identifier: ISC
#
# usage: sh tests/conformance.sh [FILE]
#
# Prints the conformance table, tests/conformance, one record a line of
# tab-separated fields: RFC, section, level, verdict, requirement, what is
# said of the verdict, tests (separated by " | ").  On a terminal it is folded
# and ends with how many there are.  A record that is none is an error.

set -u
LC_ALL=C
export LC_ALL

records()
{
	awk '
	function wrong(why)
	{
		print file ":" NR ": " why >"/dev/stderr"
		failed = 1
	}
	function end_record()
	{
		if (rfc == "")
			return
		if (what == "")
			wrong("the record before says nothing")
		if (verdict == "")
			wrong("the record before has no verdict")
		else if (verdict != "no" && tests == "")
			wrong("the record before names no test")
		if (verdict != "yes" && why == "")
			wrong("the record before does not say why")
		print rfc "\t" section "\t" level "\t" verdict "\t" what \
		    "\t" why "\t" tests
		rfc = what = verdict = why = tests = ""
	}
	/^#/ || /^offers / { next }
	/^$/ { end_record(); next }
	/^[0-9]/ {
		end_record()
		if (!match($0,
		    /^[0-9]+ [0-9A-Z.]+ (MUST NOT|MUST|SHOULD NOT|SHOULD|SAYS) /))
			wrong("no RFC, section, level")
		rfc = $1
		section = $2
		level = $3 ($4 == "NOT" ? " NOT" : "")
		what = substr($0, RLENGTH + 1)
		part = "what"
		next
	}
	rfc == "" { wrong("no record begins here"); next }
	/^\t= (yes|no|bent)(:|$)/ {
		if (verdict != "")
			wrong("a second verdict")
		verdict = $2
		sub(/:$/, "", verdict)
		why = $0
		sub(/^\t= [a-z]+:? */, "", why)
		part = "why"
		next
	}
	/^\t> [^ ]+: ./ {
		tests = tests (tests == "" ? "" : " | ") substr($0, 4)
		part = ""
		next
	}
	/^\t[^ ]/ && part == "what" { what = what " " substr($0, 2); next }
	/^\t[^ ]/ && part == "why" { why = why " " substr($0, 2); next }
	{ wrong("neither text, nor verdict, nor test") }
	END { end_record(); exit failed }' file="$1" "$1"
}

fold_records()
{
	awk -F '\t' '
	function fold(indent, text, n, i, word, line)
	{
		n = split(text, word, " ")
		line = indent
		for (i = 1; i <= n; i++) {
			if (length(line) + length(word[i]) > 78) {
				print line
				line = indent
			}
			line = line (line == indent ? "" : " ") word[i]
		}
		print line
	}
	{
		levels[$3 " " $4]++
		printf("RFC %s %s: %s\n", $1, $2, $4)
		fold("    ", $3 " " $5)
		if ($6 != "")
			fold("    ", "- " $6)
		n = split($7, test, " [|] ")
		for (i = 1; i <= n; i++)
			print "    > " test[i]
	}
	END {
		n = split("MUST,MUST NOT,SHOULD,SHOULD NOT,SAYS", level, ",")
		printf("\n%-12s%8s%8s%8s\n", "", "yes", "bent", "no")
		for (i = 1; i <= n; i++)
			printf("%-12s%8d%8d%8d\n", level[i],
			    levels[level[i] " yes"], levels[level[i] " bent"],
			    levels[level[i] " no"])
	}'
}

file=${1:-$(dirname "$0")/conformance}
if [ -t 1 ]; then
	records "$file" | fold_records
else
	records "$file"
fi
