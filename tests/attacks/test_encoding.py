"""RFC 7515 sections 2, 3 and 5.2, RFC 8725 section 3.7: one spelling per token, one reading per text.

Texts that are no JSON, or no clear one, stand in `tests/support/bad_tokens.py`.
"""

import json
from base64 import urlsafe_b64decode
from functools import partial

import pytest
from attack_support import accepted, by, refused, rows

from mcp_oauth2_deps.testing.keys import base64url

pytestmark = pytest.mark.parametrize("attacked", ["httptools"], indirect=True, scope="session")

LIMIT = 16 * 1024
PARTS = ("header", "payload", "signature")


def parts_with_every_character(forge):
    """The parts of a good token, each with the two characters in which base64url differs from base64."""
    marks = {"x": "????????>>>>>>>>"}
    parts = [""]
    while not all("-" in part and "_" in part for part in parts):
        parts = forge.mint(forge.header(**marks), forge.claims(**marks)).split(".")
    return parts


def respelt(forge, part, change):
    """A good token with one part in another spelling; the signature is over this spelling, so that only the spelling is wrong."""
    parts = parts_with_every_character(forge)
    changed = change(parts[part])
    assert changed != parts[part], "no mutation"
    parts[part] = changed
    if PARTS[part] != "signature":
        parts[2] = base64url(forge.key.sign(".".join(parts[:2]).encode("latin-1")))
    return ".".join(parts)


def spare_bits(segment):
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return segment[:-1] + alphabet[alphabet.index(segment[-1]) + 1]


# Characters of a b64token, but no base64url.
SPELLINGS = {
    "RFC 7515 2: three characters more": lambda text: text + "AAA",
    "RFC 7515 2: a character less": lambda text: text[:-1],
    "RFC 7515 2: the slash of the standard alphabet": lambda text: text.replace("_", "/"),
    "RFC 7515 2: the plus of the standard alphabet": lambda text: text.replace("-", "+"),
    "RFC 7515 2: a tilde": lambda text: text[:6] + "~" + text[6:],
    "RFC 7515 2: empty": lambda text: "",
    "RFC 7515 2: one character": lambda text: "A",
    "RFC 7515 2: other case": str.swapcase,
}
# Base64url perhaps, but of no JSON; a signature may be any bytes, and so fails as one.
TEXT_SPELLINGS = {
    "RFC 7515 2: a character more": lambda text: text + "A",
    "RFC 7515 2: doubled": lambda text: text + text,
    "RFC 7515 2: reversed": lambda text: text[::-1],
}
OTHER_BYTES = {
    "RFC 7515 2: a character more, in the signature": partial(respelt, part=2, change=lambda text: text + "A"),
    "RFC 7515 2: doubled, in the signature": partial(respelt, part=2, change=lambda text: text + text),
    "RFC 7515 2: reversed bytes, in the signature": partial(
        respelt, part=2, change=lambda text: base64url(urlsafe_b64decode(text + "==")[::-1])
    ),
}
NO_TOKENS = {
    "RFC 6750 2.1: a space inside": lambda text: text[:6] + " " + text[6:],
    "RFC 6750 2.1: a tab inside": lambda text: text[:6] + "\t" + text[6:],
    "RFC 6750 2.1: a comma": lambda text: text[:6] + "," + text[6:],
    "RFC 6750 2.1: a percent sign": lambda text: text[:6] + "%2E" + text[6:],
    "RFC 6750 2.1: a quote": lambda text: '"' + text,
    "RFC 6750 2.1: a byte above ASCII": lambda text: text[:6] + "\xe9" + text[6:],
    "RFC 6750 2.1: a UTF-8 soft hyphen": lambda text: text[:6] + "\xc2\xad" + text[6:],
    "RFC 6750 2.1: padding inside": lambda text: text[:4] + "=" + text[4:],
    "RFC 6750 2.1: a bracket": lambda text: "[" + text,
    "RFC 6750 2.1: a colon": lambda text: text + ":",
}
SEGMENTS = {
    f"{name}, in the {PARTS[part]}": (partial(respelt, part=part, change=change), reason)
    for reason, spellings, parts in (
        ("malformed", SPELLINGS, (0, 1, 2)),
        ("malformed", TEXT_SPELLINGS, (0, 1)),
        ("malformed_credentials", NO_TOKENS, (0, 1, 2)),
    )
    for name, change in spellings.items()
    for part in parts
}
SEGMENTS |= by("signature", OTHER_BYTES)
SHAPES = {
    "RFC 7515 3.1: two parts and a dot": lambda forge: forge.token().rpartition(".")[0] + ".",
    "RFC 7515 3.1: dots only": lambda forge: "..",
    "RFC 7515 3.1: an empty payload": lambda forge: forge.mint(payload=""),
    "SD-JWT 4: a disclosure behind a tilde": lambda forge: forge.token() + "~WyJzYWx0IiwgInNjb3BlIiwgImFkbWluIl0~",
    "PASETO": lambda forge: "v2.public.AAAA",
    "RFC 7515 2: padding behind the signature": lambda forge: forge.token() + "=",
    "RFC 7515 2: padding twice behind the signature": lambda forge: forge.token() + "==",
    # The same bytes by another last character.
    "RFC 7515 2: spare bits in the signature": lambda forge: respelt(forge, 2, spare_bits),
    "RFC 7515 3.1: four parts": lambda forge: forge.token() + ".AAAA",
    "RFC 7515 3.1: six parts": lambda forge: forge.token() + "." + forge.token(),
    "RFC 7515 3.1: a dot behind": lambda forge: forge.token() + ".",
}
# What could not be taken for a JWT, where nobody is there to be asked about it.
OPAQUE = {
    "RFC 7515 3.1: no dot": lambda forge: forge.token().replace(".", ""),
    "RFC 7515 3.1: two parts": lambda forge: forge.token().rpartition(".")[0],
    "RFC 7515 3.1: a dot in front": lambda forge: "." + forge.token(),
    "RFC 7515 3.1: one dot": lambda forge: ".",
    "RFC 7515 3.1: very many dots": lambda forge: "." * 16000,
    "rule A4: 16 KiB": lambda forge: "a" * LIMIT,
}
ENCRYPTED = {
    "RFC 7516 3.1: five parts": lambda forge: forge.token() + ".AAAA.AAAA",
    "RFC 7516 3.1: a JWE": lambda forge: ".".join([base64url(b'{"alg":"dir","enc":"A128GCM"}'), "", "AAAA", "AAAA", "AAAA"]),
}
NO_BEARER = {
    "RFC 7515 7.2: JSON serialization": lambda forge: json.dumps({"payload": "AAAA"}),
    "RFC 6750 2.1: padding only": lambda forge: "====",
    "RFC 6750 2.1: two tokens": lambda forge: f"{forge.token()} {forge.token()}",
    "RFC 6750 2.1: two tokens and a comma": lambda forge: f"{forge.token()},{forge.token()}",
    "RFC 6750 2.1: a second scheme": lambda forge: f"{forge.token()}, Bearer {forge.token()}",
}
OVERSIZED = {
    "rule A4: one byte above 16 KiB": lambda forge: "a" * (LIMIT + 1),
    "rule A4: 60 KiB": lambda forge: "a" * 60000,
}


def read_twice(forge, first, second):
    """A payload in which one of two parsers sees something else than the other."""
    text = json.dumps(forge.claims())
    return forge.mint(payload="{" + first + "," + text[1:-1] + "," + second + "}")


CLAIMS = {"scope": '"a b"', "sub": '"bob"', "exp": "99999999999", "iss": '"x"', "aud": '"x"', "jti": '"x"'}
DUPLICATES = {
    f"RFC 8725 3.7, RFC 7519 4: {name} twice": partial(lambda forge, text: forge.text(text), text=f', "{name}": {value}')
    for name, value in CLAIMS.items()
} | {
    "RFC 8725 3.7: scope twice, the same": lambda forge: forge.text(', "scope": "a"'),
    "RFC 8725 3.7: scope twice, once escaped": lambda forge: forge.text(', "sc\\u006fpe": "a"'),
    "RFC 8725 3.7: sub twice, once with a capital escape": lambda forge: forge.text(', "\\u0073ub": "bob"'),
    "RFC 8725 3.7: first and last": lambda forge: read_twice(forge, '"scope": "admin"', '"x": 1'),
    "RFC 7515 4: alg twice in the header": lambda forge: forge.text(', "alg": "none"', place="header"),
    "RFC 7515 4: alg twice, the same": lambda forge: forge.text(', "alg": "ES256"', place="header"),
    "RFC 7515 4: alg twice, once escaped": lambda forge: forge.text(', "\\u0061lg": "none"', place="header"),
    "RFC 7515 4: kid twice": lambda forge: forge.text(', "kid": "x"', place="header"),
    "RFC 7515 2: base64url twice, the header": lambda forge: forge.mint(base64url(json.dumps(forge.header()).encode())),
    "RFC 7515 2: base64url twice, the payload": lambda forge: forge.mint(payload=base64url(json.dumps(forge.claims()).encode())),
}
ROWS = rows(
    SEGMENTS
    | by("malformed", SHAPES | DUPLICATES)
    | by("opaque", OPAQUE)
    | by("encrypted", ENCRYPTED)
    | by("malformed_credentials", NO_BEARER)
    | by("oversized_credentials", OVERSIZED)
)


@pytest.mark.parametrize(("make", "reason"), ROWS)
def test_another_spelling_is_refused(wire, forge, make, reason):
    refused(wire.bearer(make(forge)), reason=reason)


HARMLESS = {
    "every character of base64url": lambda forge: ".".join(parts_with_every_character(forge)),
    "RFC 8259 2: white space": lambda forge: forge.mint(payload=" \t\r\n" + json.dumps(forge.claims(), indent=4) + "\n"),
    "RFC 8259 2: white space in the header": lambda forge: forge.mint(json.dumps(forge.header(), indent=1)),
    "RFC 8259 7: escapes": lambda forge: forge.mint(payload=json.dumps(forge.claims()).replace("alice", "\\u0061lice")),
    "RFC 8259 7: characters beyond the basic plane": lambda forge: forge.token(x="\U0001f600"),
    "RFC 8259 6: an exponent": lambda forge: forge.text(', "x": 1E2'),
    "RFC 8259 6: a small number": lambda forge: forge.text(', "x": 1e-999'),
    "CVE-2020-10735: an integer of 3000 digits": lambda forge: forge.text(', "x": ' + "9" * 3000),
    "twenty lists deep": lambda forge: forge.text(', "x": ' + "[" * 20 + "]" * 20),
    "10 KiB": lambda forge: forge.token(x="x" * 10000),
    "hundreds of members": lambda forge: forge.token(**{f"x{number}": number for number in range(450)}),
    "no special meaning": lambda forge: forge.token(**{"__proto__": {"scope": "admin"}, "$ref": "#", "@type": "x"}),
}


@pytest.mark.parametrize("make", HARMLESS.values(), ids=list(HARMLESS))
def test_control_what_is_odd_but_right_is_let_in(wire, forge, make):
    accepted(wire.bearer(make(forge)))
