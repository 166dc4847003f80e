/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "row.h"
#include "tap.h"

static const struct {
	const char *in, *want;
} strings[] = {
	{ "", "\"\"" },
	{ "plain", "\"plain\"" },
	{ "a\"b\\c", "\"a\\\"b\\\\c\"" },
	{ "a\tb\nc\r", "\"a\\u0009b\\u000ac\\u000d\"" },
	{ "\033[2J\177", "\"\\u001b[2J\\u007f\"" },
	{ "\303\244\342\202\254\360\237\230\200",
	    "\"\303\244\342\202\254\360\237\230\200\"" },
	{ "\302\233x", "\"\\u009bx\"" },		/* C1 */
	{ "\342\200\256x", "\"\\u202ex\"" },		/* direction */
	{ "\342\201\246x", "\"\\u2066x\"" },
	{ "\342\200\250x", "\"\\u2028x\"" },		/* line separator */
	{ "\377", "\"\\ufffd\"" },
	{ "\200", "\"\\ufffd\"" },
	{ "\300\200", "\"\\ufffd\\ufffd\"" },		/* overlong */
	{ "\340\200\257", "\"\\ufffd\\ufffd\\ufffd\"" },
	{ "\360\200\200\257", "\"\\ufffd\\ufffd\\ufffd\\ufffd\"" },
	{ "\355\240\200", "\"\\ufffd\\ufffd\\ufffd\"" },	/* surrogate */
	{ "\364\220\200\200", "\"\\ufffd\\ufffd\\ufffd\\ufffd\"" },
	{ "\303", "\"\\ufffd\"" },			/* cut */
	{ "\342\202", "\"\\ufffd\\ufffd\"" },
	{ "\303(", "\"\\ufffd(\"" },
};

/* A row of everything. */
static char *
print(enum row_style style, char end)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);
	struct row r;

	if (f == NULL)
		abort();
	row_init(&r, f, style);
	if (end == '\0')
		end = '#';	/* to be seen */
	r.end = end;
	for (int i = 0; i < 2; i++) {
		row_begin(&r);
		row_text(&r, "text", "a\tb\033", 8);
		row_int(&r, "int", -5, -4);
		row_bool(&r, "bool", true, 4);
		row_maybe(&r, "maybe", i == 0 ? NULL : "x", 3);
		row_array(&r, "list");
		for (int k = 0; k < i * 2; k++) {
			row_object(&r, NULL);
			row_int(&r, "k", k, 0);
			row_null(&r, "n", 0);
			row_object_end(&r);
		}
		row_array_end(&r);
		row_object(&r, "empty");
		row_object_end(&r);
		row_text(&r, "last", "z", 0);
		row_end(&r);
	}
	fclose(f);
	return text;
}

int
main(void)
{
	char *text = NULL;
	struct row r;
	size_t size;
	FILE *f;

	for (size_t i = 0; i < sizeof(strings) / sizeof(strings[0]); i++) {
		if ((f = open_memstream(&text, &size)) == NULL)
			return 1;
		row_json_string(f, strings[i].in);
		fclose(f);
		is_str(text, strings[i].want, "string %zu", i);
		free(text);
	}
	text = print(ROW_TABS, '\n');
	is_str(text, "a\\tb\\033\t-5\tyes\t-\tz\na\\tb\\033\t-5\tyes\tx\tz\n",
	    "tabs; nested values are left out");
	free(text);
	text = print(ROW_COLUMNS, '\0');
	is_str(text, "a\\tb\\033   -5 yes  -   z#a\\tb\\033   -5 yes  x   z#",
	    "columns");
	free(text);
	text = print(ROW_JSON, '\n');
	is_str(text, "{\"text\":\"a\\u0009b\\u001b\",\"int\":-5,\"bool\":true,"
	    "\"maybe\":null,\"list\":[],\"empty\":{},\"last\":\"z\"}\n"
	    "{\"text\":\"a\\u0009b\\u001b\",\"int\":-5,\"bool\":true,"
	    "\"maybe\":\"x\",\"list\":[{\"k\":0,\"n\":null},"
	    "{\"k\":1,\"n\":null}],\"empty\":{},\"last\":\"z\"}\n", "JSON");
	free(text);
	if ((f = open_memstream(&text, &size)) == NULL)
		return 1;
	row_init(&r, f, ROW_TABS);
	row_begin(&r);
	row_time(&r, "a", 0, 0);
	row_time_maybe(&r, "b", 0, 0);
	row_time_maybe(&r, "c", 86399, 0);
	row_end(&r);
	fclose(f);
	is_str(text, "1970-01-01T00:00:00Z\t-\t1970-01-01T23:59:59Z\n",
	    "times");
	free(text);
	if ((f = tmpfile()) == NULL)
		return 1;
	is_int(row_style_for(f), ROW_TABS, "a file gets tabs");
	fclose(f);
	return done_testing();
}
