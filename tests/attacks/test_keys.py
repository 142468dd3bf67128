"""RFC 8725 sections 3.5, 3.8 and 3.10, RFC 7517 section 4: which key checks a token, and that nobody else says so."""

import json
from functools import partial

import pytest
from attack_support import accepted, by, refused, rows

pytestmark = pytest.mark.parametrize("attacked", ["httptools"], indirect=True, scope="session")


def with_trap(forge, name, alg=None, **header):
    key = forge.issuer.traps[name]
    return forge.mint(forge.header(key, **({"alg": alg} if alg else {}), **header), key=key)


NOT_USED = ("enc", "signs only", "1024 bits", "alg none", "alg HS256", "for ES256 only", "private", "kid is a number")
TRAPS = {
    f"RFC 7517 4.2 to 4.4, RFC 8725 3.5: signed by the key that is {name}": partial(with_trap, name=name) for name in NOT_USED
} | {
    f"RFC 7517 4.2 to 4.4: the same key by {alg}: {name}": partial(with_trap, name=name, alg=alg)
    for name, alg in (("enc", "PS256"), ("1024 bits", "PS256"), ("for ES256 only", "ES256"), ("signs only", "EdDSA"))
}
# The header says it, before any key is looked for; the kid of the twins is known, and no key for this algorithm.
OTHER_ALG = {
    f"RFC 7517 4.2 to 4.4: the same key by {alg}: {name}": partial(with_trap, name=name, alg=alg)
    for name, alg in (("alg HS256", "HS256"), ("alg none", "none"), ("twin", "RS256"))
}
TWINS = {
    f"RFC 7517 4.5, RFC 8725 3.5: signed by the key that is {name}": partial(with_trap, name=name)
    for name in ("twin", "other twin")
}
# Of each algorithm one good key is left, which did not sign.
NO_KID = {f"RFC 7515 6: no kid, signed by {name}": partial(with_trap, name=name, kid=...) for name in NOT_USED} | {
    "RFC 7515 6: no kid, a stranger's key where one fits": lambda forge: forge.mint(
        forge.header(forge.keys["ES384"], kid=...), key=forge.strangers["ES384"]
    ),
}
SEVERAL_FIT = {
    "RFC 7515 6: no kid, signed by twin": partial(with_trap, name="twin", kid=...),
    "RFC 7515 6: no kid, and several keys fit": lambda forge: forge.headed(kid=...),
}
STRANGERS = {
    f"RFC 8725 3.8: a stranger's {kind} key under the kid of ours": partial(
        lambda forge, kind: forge.mint(forge.header(forge.keys[kind]), key=forge.strangers[kind]), kind=kind
    )
    for kind in ("RS256", "PS256", "ES256", "ES384", "EdDSA")
}
UNKNOWN_STRANGERS = {
    f"RFC 8725 3.8: a stranger's {kind} key under its own kid": partial(
        lambda forge, kind: forge.mint(forge.header(forge.strangers[kind]), key=forge.strangers[kind]), kind=kind
    )
    for kind in ("RS256", "PS256", "ES256", "ES384", "EdDSA")
}


def of_the_other(forge, kid=None, **claims):
    key = forge.other.good["ES256"]
    return forge.mint(forge.header(key, **({"kid": kid(forge)} if kid else {})), forge.claims(**claims), key)


ISSUERS = {
    "RFC 8725 3.8, RFC 9207: another trusted issuer's key for this issuer": (of_the_other, "unknown_key (kid)"),
    "RFC 8725 3.8: another trusted issuer's key under the kid of this one": (
        lambda forge: of_the_other(forge, lambda forge: forge.key.kid),
        "signature",
    ),
    "RFC 8725 3.8: our key for another trusted issuer": (lambda forge: forge.token(iss=forge.other.url), "unknown_key (kid)"),
    "RFC 8725 3.8: both issuers at once": (
        lambda forge: of_the_other(forge, iss=[forge.issuer.url, forge.other.url]),
        "claim (iss)",
    ),
    "RFC 8725 3.8: both issuers in one string": (
        lambda forge: of_the_other(forge, iss=f"{forge.issuer.url},{forge.other.url}"),
        "issuer (iss)",
    ),
}
WORDS = """
0 null undefined true * % _ ? . .. / ../../../../../../etc/passwd /etc/passwd /dev/null /proc/self/environ file:///etc/passwd
C:\\boot.ini *)(uid=*))(|(uid=* $(id) `id` |id http://127.0.0.1:1/ https://evil.example/jwks gopher://127.0.0.1:1/_
//evil.example {{7*7}} ${7*7} ${jndi:ldap://127.0.0.1:1/a} %s%s%s%n {0.__class__} __proto__ constructor <script> \u202e \u00e9
oct enc small 7
"""
SPACED = ["", " ", "\0", "\n", "\r\nWWW-Authenticate: Basic", "; sleep 5", "k" * 4000]
SQL = ["' OR '1'='1", "1; DROP TABLE keys", "x' UNION SELECT 'secret"]
NO_STRINGS = [None, 7, 7.0, True, False, [], ["kid"], {}, {"kid": "x"}, 1e300, -1]


def named(kids):
    return {
        f"RFC 8725 3.10, RFC 7515 4.1.4: kid is {str(kid)[:60]!r}": partial(lambda forge, kid: forge.headed(kid=kid), kid=kid)
        for kid in kids
    }


CHANGES = {
    "in capitals": lambda kid: kid.upper(),
    "with a space": lambda kid: kid + " ",
    "with a space in front": lambda kid: " " + kid,
    "with a zero byte": lambda kid: kid + "\0",
    "cut short": lambda kid: kid[:-1],
    "in wide letters": lambda kid: "".join(chr(ord(letter) + 0xFEE0) for letter in kid),
    "with an invisible character": lambda kid: kid[:4] + "\u200b" + kid[4:],
    "twice": lambda kid: kid + kid,
    "quoted": json.dumps,
}
CHANGED = {
    f"RFC 7515 4.1.4: kid {name}": partial(lambda forge, change: forge.headed(kid=change(forge.key.kid)), change=change)
    for name, change in CHANGES.items()
}
IN_A_LIST = {"RFC 7515 4.1.4: kid in a list": lambda forge: forge.headed(kid=[forge.key.kid])}
# Not Unicode, so no JSON either (RFC 8259 section 8.2).
NO_UNICODE = named(["\ud800"])
ROWS = rows(
    by("unknown_key (kid)", TRAPS | UNKNOWN_STRANGERS | named([*WORDS.split(), *SPACED, *SQL]) | CHANGED)
    | by("algorithm (alg)", OTHER_ALG)
    | by("ambiguous_key (kid)", TWINS | SEVERAL_FIT)
    | by("signature", NO_KID | STRANGERS)
    | by("malformed (kid)", named(NO_STRINGS) | IN_A_LIST)
    | by("malformed", NO_UNICODE)
    | ISSUERS
)


@pytest.mark.parametrize(("make", "reason"), ROWS)
def test_no_other_key_checks_a_token(wire, forge, make, reason):
    refused(wire.bearer(make(forge)), reason=reason)


def test_control_the_named_key_checks_it(wire, forge):
    accepted(wire.bearer(forge.token()))


def test_control_the_other_trusted_issuer_with_its_own_key(wire, forge):
    accepted(wire.bearer(of_the_other(forge, iss=forge.other.url)))


def test_control_without_kid_the_only_key_of_an_algorithm_counts(wire, forge):
    accepted(wire.bearer(forge.headed(forge.keys["ES384"], kid=...)))


def test_rfc7517_4_2_every_trap_is_published(attacked, issuers):
    published = {jwk["kid"] for jwk in issuers[0].jwks()["keys"]}
    assert {"enc", "signs-only", "small", "alg-none", "alg-hs256", "for-es256", "twin", "private", 7, "oct"} < published
    assert attacked.process.poll() is None
    assert issuers[0].requests["/jwks"] > 0
