# SPDX-License-Identifier: ISC
# A program's usage is the SYNOPSIS of its manual.
. "$(dirname "$0")/../tap.sh"
need mandoc

# Words of a text, one space between them.
words()
{
	tr -s ' \t\n' '   ' | sed 's/^ *//; s/ *$//'
}

for page in "$TOP"/man/mx-*.[18]; do
	name=$(basename "$page" | sed 's/\.[18]$//')
	program=$BIN/$name
	# Standard error of a wrong option, without "unknown option" before.
	"$program" --no-such-option >"$T/stdout" 2>"$T/stderr" </dev/null
	is "$?" 64 "$name: a wrong option exits 64"
	is "$(cat "$T/stdout")" "" "$name: nothing on standard output"
	usage=$(sed -n '/^usage: /,$p' "$T/stderr" | sed 's/^usage: //' | words)
	synopsis=$(mandoc -T ascii -O width=500 "$page" |
	    sed "s/.$(printf '\b')//g" |
	    sed -n '/^SYNOPSIS/,/^DESCRIPTION/p' | sed '1d;$d' | words)
	is "$usage" "$synopsis" "$name: usage and SYNOPSIS agree"
done

done_testing
