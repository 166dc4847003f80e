# SPDX-License-Identifier: ISC
#
# What testssl.sh finds wrong with our TLS: protocols, classes of ciphers,
# renegotiation, compression and the bleeding heart.  "make check-tls" has it
# look for everything it knows, which takes a minute.

. "$(dirname "$0")/../tap.sh"
. "$TOP/tests/clients.sh"

[ -z "$ASAN" ] || skip_all "a scan takes too long with the sanitizers"
need openssl python3 tcpserver bash hexdump
need_pkg TESTSSL testssl.sh
TESTSSL_INSTALL_DIR=$TESTSSL/etc/testssl
export TESTSSL_INSTALL_DIR
checks=${TESTSSL_CHECKS:---protocols --std --renegotiation --crime --heartbleed}
ok "two receivers" receivers

# Its own temporary files go to /tmp.
sed "s,/tmp/testssl,$T/testssl,g" "$TESTSSL/usr/bin/testssl" >"$T/testssl"
(
	cd "$T" || exit
	# shellcheck disable=SC2086
	bash "$T/testssl" --quiet --color 0 --warnings off --nodns none \
	    --openssl-timeout 5 --csvfile "$T/csv" --add-ca "$T/cert.pem" \
	    --starttls smtp $checks "127.0.0.1:$port2"
) >"$T/out" 2>&1

found()
{
	awk -F '","' -v id="\"$1" '$1 == id { print $4 ": " $5 }' "$T/csv"
}
for id in SSLv2 SSLv3 TLS1 TLS1_1 cipherlist_NULL cipherlist_aNULL \
    cipherlist_EXPORT cipherlist_LOW cipherlist_3DES_IDEA; do
	like "$(found $id)" ': not offered$' "$id is not offered"
done
for id in TLS1_2 TLS1_3 cipherlist_STRONG; do
	like "$(found $id)" '^OK: offered' "$id is offered"
done
is "$(found secure_renego)" "OK: supported" \
    "nobody else can begin a session for a client"
for id in secure_client_renego CRIME_TLS heartbleed; do
	like "$(found $id)" '^OK: not vulnerable' "$id: not vulnerable"
done

# Left are: CBC for senders of old, in OpenSSL's implementation, which takes
# constant time; and that a certificate signed by itself is revoked nowhere.
except='^(LOW (cipherlist_AVERAGE|LUCKY13)|HIGH cert_revocation) '
is "$(sed 's/^"//' "$T/csv" | awk -F '","' 'NR > 1 &&
    $4 ~ /LOW|MEDIUM|HIGH|CRITICAL|FATAL/ { print $4, $1, $5 }' |
    grep -Ev "$except")" "" "it finds nothing else"

[ "$checks" != --full ] || sed 's/^/# /' "$T/out"

done_testing
