"""RFC 8725 sections 3.5, 3.8 and 3.10, RFC 7517 section 4: which key checks a token, and that nobody else says so."""

import json
from functools import partial

import pytest
from attack_support import accepted, refused, rows

pytestmark = pytest.mark.parametrize("attacked", ["httptools"], indirect=True, scope="session")


def with_trap(forge, name, alg=None, **header):
    key = forge.issuer.traps[name]
    return forge.mint(forge.header(key, **({"alg": alg} if alg else {}), **header), key=key)


TRAPS = {
    f"RFC 7517 4.2 to 4.4, RFC 8725 3.5: signed by the key that is {name}": partial(with_trap, name=name)
    for name in [
        *("enc", "signs only", "1024 bits", "alg none", "alg HS256", "for ES384 only"),
        *("twin", "other twin", "private", "kid is a number"),
    ]
} | {
    f"RFC 7517 4.2 to 4.4: the same key by {alg}: {name}": partial(with_trap, name=name, alg=alg)
    for name, alg in [
        *(("enc", "PS256"), ("1024 bits", "PS256"), ("alg HS256", "HS256"), ("alg none", "none"), ("for ES384 only", "ES384")),
        *(("signs only", "EdDSA"), ("twin", "RS256")),
    ]
}
NO_KID = {
    f"RFC 7515 6: no kid, signed by {name}": partial(with_trap, name=name, kid=...)
    for name in ("enc", "signs only", "1024 bits", "alg none", "alg HS256", "for ES384 only", "twin", "private")
} | {
    "RFC 7515 6: no kid, and several keys fit": lambda forge: forge.headed(kid=...),
    "RFC 7515 6: no kid, a stranger's key where one fits": lambda forge: forge.mint(
        forge.header(forge.keys["ES384"], kid=...), key=forge.strangers["ES384"]
    ),
}
STRANGERS = {
    f"RFC 8725 3.8: a stranger's {kind} key under the kid of ours": partial(
        lambda forge, kind: forge.mint(forge.header(forge.keys[kind]), key=forge.strangers[kind]), kind=kind
    )
    for kind in ("RS256", "PS256", "ES256", "ES384", "EdDSA")
} | {
    f"RFC 8725 3.8: a stranger's {kind} key under its own kid": partial(
        lambda forge, kind: forge.mint(forge.header(forge.strangers[kind]), key=forge.strangers[kind]), kind=kind
    )
    for kind in ("RS256", "PS256", "ES256", "ES384", "EdDSA")
}


def of_the_other(forge, kid=None, **claims):
    key = forge.other.good["ES256"]
    return forge.mint(forge.header(key, **({"kid": kid(forge)} if kid else {})), forge.claims(**claims), key)


ISSUERS = {
    "RFC 8725 3.8, RFC 9207: another trusted issuer's key for this issuer": of_the_other,
    "RFC 8725 3.8: another trusted issuer's key under the kid of this one": lambda forge: of_the_other(
        forge, lambda forge: forge.key.kid
    ),
    "RFC 8725 3.8: our key for another trusted issuer": lambda forge: forge.token(iss=forge.other.url),
    "RFC 8725 3.8: both issuers at once": lambda forge: of_the_other(forge, iss=[forge.issuer.url, forge.other.url]),
    "RFC 8725 3.8: both issuers in one string": lambda forge: of_the_other(forge, iss=f"{forge.issuer.url},{forge.other.url}"),
}
KIDS = [
    *("", " ", "\0", "\n", "\r\nWWW-Authenticate: Basic", "0", "null", "undefined", "true", "*", "%", "_", "?", ".", "..", "/"),
    *("../../../../../../etc/passwd", "/etc/passwd", "/dev/null", "/proc/self/environ", "file:///etc/passwd", "C:\\boot.ini"),
    *("' OR '1'='1", "1; DROP TABLE keys", "x' UNION SELECT 'secret", "*)(uid=*))(|(uid=*", "$(id)", "`id`", "|id", "; sleep 5"),
    *("http://127.0.0.1:1/", "https://evil.example/jwks", "gopher://127.0.0.1:1/_", "//evil.example", "{{7*7}}", "${7*7}"),
    *("${jndi:ldap://127.0.0.1:1/a}", "%s%s%s%n", "{0.__class__}", "__proto__", "constructor", "<script>", "\u202e", "\ud800"),
    *("\u00e9", "k" * 4000, "oct", "enc", "small", "7"),
    *(None, 7, 7.0, True, False, [], ["kid"], {}, {"kid": "x"}, 1e300, -1),
]
HEADERS = {
    f"RFC 8725 3.10, RFC 7515 4.1.4: kid is {str(kid)[:60]!r}": partial(lambda forge, kid: forge.headed(kid=kid), kid=kid)
    for kid in KIDS
}
CHANGED = {
    "RFC 7515 4.1.4: kid in capitals": lambda kid: kid.upper(),
    "RFC 7515 4.1.4: kid with a space": lambda kid: kid + " ",
    "RFC 7515 4.1.4: kid with a space in front": lambda kid: " " + kid,
    "RFC 7515 4.1.4: kid with a zero byte": lambda kid: kid + "\0",
    "RFC 7515 4.1.4: kid cut short": lambda kid: kid[:-1],
    "RFC 7515 4.1.4: kid in a list": lambda kid: [kid],
    "RFC 7515 4.1.4: kid in wide letters": lambda kid: "".join(chr(ord(letter) + 0xFEE0) for letter in kid),
    "RFC 7515 4.1.4: kid with an invisible character": lambda kid: kid[:4] + "\u200b" + kid[4:],
    "RFC 7515 4.1.4: kid twice": lambda kid: kid + kid,
    "RFC 7515 4.1.4: kid quoted": json.dumps,
}
KID_CHANGES = {
    name: partial(lambda forge, change: forge.headed(kid=change(forge.key.kid)), change=change)
    for name, change in CHANGED.items()
}
ROWS = rows(TRAPS | NO_KID | STRANGERS | ISSUERS | HEADERS | KID_CHANGES)


@pytest.mark.parametrize(("make", "status", "error"), ROWS)
def test_no_other_key_checks_a_token(wire, forge, make, status, error):
    refused(wire.bearer(make(forge)), status, error)


def test_control_the_named_key_checks_it(wire, forge):
    accepted(wire.bearer(forge.token()))


def test_control_the_other_trusted_issuer_with_its_own_key(wire, forge):
    accepted(wire.bearer(of_the_other(forge, iss=forge.other.url)))


def test_control_without_kid_the_only_key_of_an_algorithm_counts(wire, forge):
    accepted(wire.bearer(forge.headed(forge.keys["ES384"], kid=...)))


def test_rfc7517_4_2_every_trap_is_published(attacked, issuers):
    published = {jwk["kid"] for jwk in issuers[0].jwks()["keys"]}
    assert {"enc", "signs-only", "small", "alg-none", "alg-hs256", "for-es384", "twin", "private", 7, "oct"} < published
    assert attacked.process.poll() is None
    assert issuers[0].requests["/jwks"] > 0
