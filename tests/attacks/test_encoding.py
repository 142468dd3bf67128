"""RFC 7515 sections 2, 3 and 5.2, RFC 8725 section 3.7: one spelling per token, one reading per text."""

import gzip
import json
import zlib
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
    "RFC 7515 3.1: no dot": lambda forge: forge.token().replace(".", ""),
    "RFC 7515 3.1: two parts": lambda forge: forge.token().rpartition(".")[0],
    "RFC 7515 3.1: two parts and a dot": lambda forge: forge.token().rpartition(".")[0] + ".",
    "RFC 7515 3.1: four parts": lambda forge: forge.token() + ".AAAA",
    "RFC 7516 3.1: five parts": lambda forge: forge.token() + ".AAAA.AAAA",
    "RFC 7515 3.1: six parts": lambda forge: forge.token() + "." + forge.token(),
    "RFC 7515 3.1: a dot in front": lambda forge: "." + forge.token(),
    "RFC 7515 3.1: a dot behind": lambda forge: forge.token() + ".",
    "RFC 7515 3.1: dots only": lambda forge: "..",
    "RFC 7515 3.1: one dot": lambda forge: ".",
    "RFC 7515 3.1: very many dots": lambda forge: "." * 16000,
    "RFC 7515 3.1: an empty payload": lambda forge: forge.mint(payload=""),
    "RFC 7516 3.1: a JWE": lambda forge: ".".join([base64url(b'{"alg":"dir","enc":"A128GCM"}'), "", "AAAA", "AAAA", "AAAA"]),
    "SD-JWT 4: a disclosure behind a tilde": lambda forge: forge.token() + "~WyJzYWx0IiwgInNjb3BlIiwgImFkbWluIl0~",
    "PASETO": lambda forge: "v2.public.AAAA",
    "RFC 7515 2: padding behind the signature": lambda forge: forge.token() + "=",
    "RFC 7515 2: padding twice behind the signature": lambda forge: forge.token() + "==",
    # The same bytes by another last character.
    "RFC 7515 2: spare bits in the signature": lambda forge: respelt(forge, 2, spare_bits),
    "rule A4: 16 KiB": lambda forge: "a" * LIMIT,
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


DUPLICATES = {
    f"RFC 8725 3.7, RFC 7519 4: {name} twice": partial(
        lambda forge, text: forge.text(text), text=f", {json.dumps(name)}: {value}"
    )
    for name, value in {"scope": '"a b"', "sub": '"bob"', "exp": "99999999999", "iss": '"x"', "aud": '"x"', "jti": '"x"'}.items()
} | {
    "RFC 8725 3.7: scope twice, the same": lambda forge: forge.text(', "scope": "a"'),
    "RFC 8725 3.7: scope twice, once escaped": lambda forge: forge.text(', "sc\\u006fpe": "a"'),
    "RFC 8725 3.7: sub twice, once with a capital escape": lambda forge: forge.text(', "\\u0073ub": "bob"'),
    "RFC 8725 3.7: twice in a nested object": lambda forge: forge.text(', "x": {"y": 1, "y": 2}'),
    "RFC 8725 3.7: twice in an object in a list": lambda forge: forge.text(', "x": [{"y": 1, "y": 2}]'),
    "RFC 8725 3.7: an empty name twice": lambda forge: forge.text(', "": 1, "": 2'),
    "RFC 8725 3.7: first and last": lambda forge: read_twice(forge, '"scope": "admin"', '"x": 1'),
    "RFC 7515 4: alg twice in the header": lambda forge: forge.text(', "alg": "none"', place="header"),
    "RFC 7515 4: alg twice, the same": lambda forge: forge.text(', "alg": "ES256"', place="header"),
    "RFC 7515 4: alg twice, once escaped": lambda forge: forge.text(', "\\u0061lg": "none"', place="header"),
    "RFC 7515 4: kid twice": lambda forge: forge.text(', "kid": "x"', place="header"),
    "RFC 7515 4: twice in a nested object of the header": lambda forge: forge.text(', "x": {"y": 1, "y": 1}', place="header"),
}
TEXTS = {
    "NaN": ', "x": NaN',
    "Infinity": ', "x": Infinity',
    "minus Infinity": ', "x": -Infinity',
    "a number beyond doubles": ', "x": 1e999',
    "a number beyond doubles, nested": ', "x": [[-1e999]]',
    "a comma at the end": ', "x": 1,',
    "a comment": ', "x": 1 /* comment */',
    "a line comment": ', "x": 1 // comment\n',
    "single quotes": ", 'x': 1",
    "a bare name": ", x: 1",
    "hexadecimal": ', "x": 0x10',
    "a leading zero": ', "x": 01',
    "a plus sign": ', "x": +1',
    "a dot at the end": ', "x": 1.',
    "a raw line feed in a string": ', "x": "\n"',
    "a raw zero byte in a string": ', "x": "\0"',
    "an unknown escape": ', "x": "\\q"',
    "a short escape": ', "x": "\\u12"',
    "an unpaired surrogate": ', "x": "\\ud800"',
    "surrogates in the wrong order": ', "x": "\\udc00\\ud800"',
    "True": ', "x": True',
    "undefined": ', "x": undefined',
    "a second object": "}{",
    "a closing brace more": "}",
    "an underscore in a number": ', "x": 1_000',
}
JSON = {f"RFC 8259: {name}, in the {place}": partial(lambda forge, text, place: forge.text(text, place=place), text=text, place=place)
        for name, text in TEXTS.items() for place in ("payload", "header")}  # fmt: skip


def encoded(forge, place, encode):
    header, payload = (json.dumps(part).encode() for part in (forge.header(), forge.claims()))
    return forge.mint(encode(header), payload) if place == "header" else forge.mint(header, encode(payload))


ENCODERS = {
    "RFC 8259 8.1: UTF-16": lambda data: data.decode().encode("utf-16"),
    "RFC 8259 8.1: UTF-16 without mark": lambda data: data.decode().encode("utf-16-le"),
    "RFC 8259 8.1: UTF-32": lambda data: data.decode().encode("utf-32"),
    "RFC 8259 8.1: a byte order mark": lambda data: b"\xef\xbb\xbf" + data,
    "RFC 3629: an impossible byte": lambda data: data[:-1] + b', "x": "\xff"}',
    "RFC 3629: an overlong slash": lambda data: data[:-1] + b', "x": "\xc0\xaf"}',
    "RFC 3629: an overlong zero": lambda data: data[:-1] + b', "x": "\xc0\x80"}',
    "RFC 3629: an encoded surrogate": lambda data: data[:-1] + b', "x": "\xed\xa0\x80"}',
    "RFC 3629: cut short": lambda data: data[:-1] + b', "x": "\xe2\x82"}',
    "RFC 3629: Latin-1": lambda data: data[:-1] + b', "x": "\xe9"}',
    "UTF-7": lambda data: data.decode().encode("utf-7").replace(b"{", b"+AHs-"),
    "RFC 1952: gzip": gzip.compress,
    "RFC 1951: deflate": zlib.compress,
    "RFC 1952: a bomb": lambda data: gzip.compress(b"[" * 4_000_000),
    "base64url twice": lambda data: base64url(data).encode(),
    "in a list": lambda data: b"[" + data + b"]",
    "in a string": lambda data: json.dumps(data.decode()).encode(),
    "null": lambda data: b"null",
    "a number": lambda data: b"1",
    "a list": lambda data: b"[]",
    "nothing": lambda data: b" ",
    "cut short": lambda data: data[:-1],
    "a zero byte behind": lambda data: data + b"\0",
    "a no-break space behind": lambda data: data + b"\xc2\xa0",
    "a form feed in front": lambda data: b"\x0c" + data,
    "MessagePack": lambda data: b"\x81\xa3alg\xa4none",
    "CBOR": lambda data: b"\xd2\x84\x43\xa1\x01\x26\xa0",
    "XML": lambda data: b"<!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><x>&e;</x>",
    "a pickle": lambda data: b"cos\nsystem\n(S'true'\ntR.",
    "YAML": lambda data: b"!!python/object/apply:os.system ['true']",
}
ENCODED = {
    f"{name}, the {place}": partial(encoded, place=place, encode=encode)
    for name, encode in ENCODERS.items()
    for place in ("header", "payload")
}
DEPTHS = {
    f"CWE-674: {depth} {name} deep in the {place}": partial(
        lambda forge, text, place: forge.text(text, place=place), text=f', "x": {start * depth}1{end * depth}', place=place
    )
    for name, start, end, depths in (("lists", "[", "]", (300, 4000)), ("objects", '{"":', "}", (300, 1200)))
    for depth in depths
    for place in ("header", "payload")
}
ROWS = rows(
    SEGMENTS
    | by("malformed", SHAPES | DUPLICATES | JSON | ENCODED | DEPTHS)
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
    "a thousand members": lambda forge: forge.token(**{f"x{number}": number for number in range(700)}),
    "no special meaning": lambda forge: forge.token(**{"__proto__": {"scope": "admin"}, "$ref": "#", "@type": "x"}),
}


@pytest.mark.parametrize("make", HARMLESS.values(), ids=list(HARMLESS))
def test_control_what_is_odd_but_right_is_let_in(wire, forge, make):
    accepted(wire.bearer(make(forge)))
