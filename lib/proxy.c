/* SPDX-License-Identifier: ISC */
#include "proxy.h"

#include <arpa/inet.h>
#include <stdint.h>
#include <string.h>

#define V2_HEADER	16
#define TLV_HEADER	3
#define TLV_CRC32C	0x03

static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };

/* Are the first octets of BUF those of TEXT, as far as there are any? */
static bool
begins(const char *buf, size_t len, const char *text, size_t n)
{
	return memcmp(buf, text, len < n ? len : n) == 0;
}

/* Octets of a client and of the end it spoke to. */
static void
show(struct proxy *p, const unsigned char *addr, const unsigned char *local)
{
	net_print(p->addr, addr);
	net_print(p->local, local);
	p->kind = strchr(p->addr, ':') == NULL ? PROXY_TCP4 : PROXY_TCP6;
}

/* Takes the next word off a line; NULL if there is none. */
static char *
word(char **line)
{
	char *begin = *line, *end;

	if (begin == NULL || *begin == '\0' || *begin == ' ')
		return NULL;
	end = strchr(begin, ' ');
	*line = end == NULL ? NULL : end + 1;
	if (end != NULL)
		*end = '\0';
	return begin;
}

static bool
text_addr(unsigned char *out, const char *text, bool v6)
{
	if (text == NULL)
		return false;
	if (v6)
		return inet_pton(AF_INET6, text, out) == 1;
	memcpy(out, mapped, sizeof(mapped));
	return inet_pton(AF_INET, text, out + sizeof(mapped)) == 1;
}

static bool
text_port(int *port, const char *text)
{
	if (text == NULL || (text[0] == '0' && text[1] != '\0'))
		return false;
	*port = 0;
	for (; *text >= '0' && *text <= '9' && *port <= 65535; text++)
		*port = *port * 10 + (*text - '0');
	return *text == '\0' && *port <= 65535;
}

/* "TCP4 192.0.2.1 192.0.2.2 4711 25", without what is around it. */
static enum proxy_got
parse_line(struct proxy *p, char *line)
{
	unsigned char addr[16], local[16];
	const char *family;
	bool v6;

	p->version = 1;
	if ((family = word(&line)) == NULL)
		return PROXY_BAD;
	if (strcmp(family, "UNKNOWN") == 0) {
		p->kind = PROXY_UNKNOWN;
		return PROXY_DONE;
	}
	v6 = strcmp(family, "TCP6") == 0;
	if (!v6 && strcmp(family, "TCP4") != 0)
		return PROXY_BAD;
	if (!text_addr(addr, word(&line), v6) ||
	    !text_addr(local, word(&line), v6) ||
	    !text_port(&p->port, word(&line)) ||
	    !text_port(&p->local_port, word(&line)) || line != NULL)
		return PROXY_BAD;
	show(p, addr, local);
	return PROXY_DONE;
}

static enum proxy_got
parse_v1(struct proxy *p, const char *buf, size_t len, size_t *used)
{
	char line[PROXY_V1_MAX + 1];
	const char *cr;
	size_t n;

	if (len > PROXY_V1_MAX)
		len = PROXY_V1_MAX;
	/* A line that is cut may lack the LF, or the CR too. */
	cr = memchr(buf, '\r', len);
	n = cr == NULL ? len : (size_t)(cr - buf);
	if (memchr(buf, '\0', n) != NULL || memchr(buf, '\n', n) != NULL)
		return PROXY_BAD;
	if (n + 2 > len)
		return len == PROXY_V1_MAX ? PROXY_BAD : PROXY_MORE;
	if (cr[1] != '\n')
		return PROXY_BAD;
	memcpy(line, buf, n);
	line[n] = '\0';
	if (parse_line(p, line + strlen("PROXY ")) != PROXY_DONE)
		return PROXY_BAD;
	*used = n + 2;
	return PROXY_DONE;
}

static unsigned
octets2(const unsigned char *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

/* CRC32C (RFC 3720 B.4), continued from CRC. */
static uint32_t
crc32c(uint32_t crc, const unsigned char *p, size_t len)
{
	for (; len > 0; p++, len--) {
		crc ^= *p;
		for (int i = 0; i < 8; i++)
			crc = crc >> 1 ^ (0x82f63b78U & (0U - (crc & 1)));
	}
	return crc;
}

/* Does the sum whose four octets are at SUM fit the header, they being 0? */
static bool
is_sum(const unsigned char *head, size_t len, const unsigned char *sum)
{
	static const unsigned char zero[4];
	size_t before = (size_t)(sum - head);
	uint32_t crc;

	crc = crc32c(0xffffffffU, head, before);
	crc = crc32c(crc, zero, sizeof(zero));
	crc = crc32c(crc, sum + 4, len - before - 4);
	return ~crc == ((uint32_t)octets2(sum) << 16 | octets2(sum + 2));
}

/* What stands behind the addresses, AT octets into the header. */
static bool
check_tlvs(const unsigned char *head, size_t len, size_t at)
{
	size_t n;

	for (; at < len; at += TLV_HEADER + n) {
		if (len - at < TLV_HEADER)
			return false;
		n = octets2(head + at + 1);
		if (n > len - at - TLV_HEADER)
			return false;
		if (head[at] == TLV_CRC32C && (n != 4 ||
		    !is_sum(head, len, head + at + TLV_HEADER)))
			return false;
	}
	return true;
}

/* The whole header of version 2, LEN octets. */
static enum proxy_got
parse_block(struct proxy *p, const unsigned char *head, size_t len)
{
	/* By address family: unspecified, IPv4, IPv6, local sockets. */
	static const size_t sizes[] = { 0, 12, 36, 216 };
	const unsigned char *body = head + V2_HEADER;
	unsigned family = head[13] >> 4, protocol = head[13] & 0xf;
	unsigned char addr[16], local[16];

	p->version = 2;
	if ((head[12] & 0xf) == 0) {
		p->kind = PROXY_LOCAL;	/* the rest is not to be looked at */
		return PROXY_DONE;
	}
	if (family >= sizeof(sizes) / sizeof(sizes[0]) || protocol > 2)
		return PROXY_BAD;
	p->kind = PROXY_UNKNOWN;
	/* How long an unspecified address is, nobody says. */
	if (family == 0 || protocol == 0)
		return PROXY_DONE;
	if (len - V2_HEADER < sizes[family] ||
	    !check_tlvs(head, len, V2_HEADER + sizes[family]))
		return PROXY_BAD;
	if (family == 3 || protocol != 1)
		return PROXY_DONE;
	if (family == 1) {
		memcpy(addr, mapped, sizeof(mapped));
		memcpy(local, mapped, sizeof(mapped));
		memcpy(addr + 12, body, 4);
		memcpy(local + 12, body + 4, 4);
		body += 8;
	} else {
		memcpy(addr, body, 16);
		memcpy(local, body + 16, 16);
		body += 32;
	}
	p->port = (int)octets2(body);
	p->local_port = (int)octets2(body + 2);
	show(p, addr, local);
	return PROXY_DONE;
}

static enum proxy_got
parse_v2(struct proxy *p, const char *buf, size_t len, size_t *used)
{
	const unsigned char *head = (const unsigned char *)buf;
	size_t whole;

	/* What is wrong is said as soon as it can be seen. */
	if (len > 12 && (head[12] >> 4 != 2 || (head[12] & 0xf) > 1))
		return PROXY_BAD;
	if (len < V2_HEADER)
		return PROXY_MORE;
	whole = V2_HEADER + octets2(head + 14);
	if (whole > PROXY_V2_MAX)
		return PROXY_BAD;
	if (len < whole)
		return PROXY_MORE;
	if (parse_block(p, head, whole) != PROXY_DONE)
		return PROXY_BAD;
	*used = whole;
	return PROXY_DONE;
}

enum proxy_got
proxy_parse(struct proxy *p, const char *buf, size_t len, size_t *used)
{
	static const char v1[] = "PROXY ";
	static const char v2[] = "\r\n\r\n\0\r\nQUIT\n";

	memset(p, 0, sizeof(*p));
	*used = 0;
	if (len == 0)
		return PROXY_MORE;
	if (begins(buf, len, v1, sizeof(v1) - 1))
		return len < sizeof(v1) - 1 ? PROXY_MORE :
		    parse_v1(p, buf, len, used);
	if (begins(buf, len, v2, sizeof(v2) - 1))
		return len < sizeof(v2) - 1 ? PROXY_MORE :
		    parse_v2(p, buf, len, used);
	return PROXY_BAD;
}
