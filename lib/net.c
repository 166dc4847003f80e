/* SPDX-License-Identifier: ISC */
#include "net.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };

/* The octets of a numeric address; its kind is told by *BITS, 32 or 128. */
static bool
read_addr(unsigned char *out, int *bits, const char *text)
{
	*bits = 32;
	memcpy(out, mapped, sizeof(mapped));
	if (inet_pton(AF_INET, text, out + sizeof(mapped)) == 1)
		return true;
	*bits = 128;
	return inet_pton(AF_INET6, text, out) == 1;
}

static void
cut(struct net *net)
{
	for (int i = 0; i < 16; i++) {
		int left = net->bits - 8 * i;

		if (left <= 0)
			net->addr[i] = 0;
		else if (left < 8)
			net->addr[i] &= (unsigned char)(0xff << (8 - left));
	}
}

bool
net_parse(struct net *net, const char *text)
{
	char addr[INET6_ADDRSTRLEN + 2];
	const char *slash = strchr(text, '/'), *error = NULL, *begin = addr;
	size_t n = slash != NULL ? (size_t)(slash - text) : strlen(text);
	int most, length;

	if (n == 0 || n >= sizeof(addr))
		return false;
	memcpy(addr, text, n);
	addr[n] = '\0';
	if (addr[0] == '[' && addr[n - 1] == ']') {
		addr[n - 1] = '\0';
		begin++;
	}
	if (!read_addr(net->addr, &most, begin) ||
	    (begin != addr && most == 32))
		return false;
	length = slash == NULL ? most :
	    (int)strtonum(slash + 1, 0, most, &error);
	if (error != NULL)
		return false;
	net->bits = length + 128 - most;
	cut(net);
	return true;
}

bool
net_of(struct net *net, const char *addr, int bits4, int bits6)
{
	int most;

	if (!read_addr(net->addr, &most, addr))
		return false;
	if (memcmp(net->addr, mapped, sizeof(mapped)) == 0)
		net->bits = 96 + bits4;
	else
		net->bits = bits6;
	cut(net);
	return true;
}

void
net_print(char *buf, const unsigned char *addr)
{
	bool v4 = memcmp(addr, mapped, sizeof(mapped)) == 0;

	if (inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? addr + sizeof(mapped) :
	    addr, buf, NET_ADDR_MAX) == NULL)
		buf[0] = '\0';
}

bool
net_covers(const struct net *list, size_t n, const char *addr)
{
	struct net one;

	for (size_t i = 0; i < n; i++)
		if (net_of(&one, addr, list[i].bits - 96, list[i].bits) &&
		    one.bits == list[i].bits && list[i].bits >= 0 &&
		    memcmp(one.addr, list[i].addr, sizeof(one.addr)) == 0)
			return true;
	return false;
}
