/* SPDX-License-Identifier: ISC */
#include "offers.h"

#include <string.h>

/* Those that matter to senders. */
static const struct {
	enum look_offer bit;
	const char *name;
	bool handed_on;		/* what is taken with it needs it again */
} words[] = {
	{ LOOK_8BITMIME, "8BITMIME", true },
	{ LOOK_SMTPUTF8, "SMTPUTF8", true },
	{ LOOK_DSN, "DSN", false },
	{ LOOK_TLS, "STARTTLS", true }
};

void
offers_init(struct offers *o)
{
	*o = (struct offers){ false, ~0U, 0 };
}

void
offers_add(struct offers *o, const struct look *l)
{
	if (!talk_is_good(&l->ehlo))
		return;
	o->known = true;
	o->bits &= l->offers;
	if (l->size > 0 && (o->size == 0 || l->size < o->size))
		o->size = l->size;
}

/* What A has and B has not; of that only what is HANDED_ON, if so. */
static bool
beyond(char *buf, size_t size, const struct offers *a, const struct offers *b,
    bool handed_on)
{
	unsigned bits = a->bits & ~b->bits;
	size_t i;

	buf[0] = '\0';
	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if ((bits & (unsigned)words[i].bit) == 0 ||
		    (handed_on && !words[i].handed_on))
			continue;
		if (buf[0] != '\0')
			(void)strlcat(buf, ", ", size);
		(void)strlcat(buf, words[i].name, size);
	}
	return buf[0] != '\0';
}

/* True if there is nothing to say. */
static bool
compare_words(struct findings *f, const char *backup, const struct offers *b,
    const char *primary, const struct offers *p)
{
	char text[64];
	bool same = true;

	if (beyond(text, sizeof(text), p, b, false)) {
		same = false;
		finding_add(f, CHECK_WARN, CHECK_BACKUP_OFFERS, backup,
		    "The primary %s offers %s and the backup does not: mail "
		    "that needs it is refused, or the worse for it, while the "
		    "primary is away.", primary, text);
	}
	if (beyond(text, sizeof(text), b, p, true)) {
		same = false;
		finding_add(f, CHECK_WARN, CHECK_BACKUP_OFFERS, backup,
		    "The backup offers %s and the primary %s does not: mail "
		    "that needs it is taken, and cannot be handed over as it "
		    "came.", text, primary);
	}
	return same;
}

static bool
compare_size(struct findings *f, const char *backup, const struct offers *b,
    const char *primary, const struct offers *p)
{
	if (b->size > 0 && (p->size == 0 || b->size < p->size))
		finding_add(f, CHECK_WARN, CHECK_BACKUP_OFFERS, backup,
		    "The backup takes mail up to %lld octets, and the primary "
		    "%s takes larger: raise the backup's limit (max-size).",
		    (long long)b->size, primary);
	else if (p->size > 0 && (b->size == 0 || b->size > p->size))
		finding_add(f, CHECK_WARN, CHECK_BACKUP_OFFERS, backup,
		    "The primary %s takes mail up to %lld octets, and the "
		    "backup takes larger, which the primary will refuse: set "
		    "the backup's limit (max-size) to that.", primary,
		    (long long)p->size);
	else
		return true;
	return false;
}

void
offers_compare(struct findings *f, const char *backup, const struct offers *b,
    const char *primary, const struct offers *p)
{
	bool same = compare_size(f, backup, b, primary, p);

	same &= compare_words(f, backup, b, primary, p);
	if (same)
		finding_add(f, CHECK_OK, CHECK_BACKUP_OFFERS, backup,
		    "The backup offers what the primary %s does.", primary);
}
