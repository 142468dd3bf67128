"""RFC 7515 sections 2, 3 and 5.2, RFC 8725 section 3.7: one spelling per token, one reading per text."""

import gzip
import json
import zlib
from functools import partial

import pytest
from attack_support import accepted, refused, rows

from mcp_oauth2_deps.testing.keys import base64url

pytestmark = pytest.mark.parametrize("attacked", ["httptools"], indirect=True, scope="session")

MALFORMED = (400, "invalid_request")
LIMIT = 16 * 1024
PARTS = ("header", "payload", "signature")


def respelt(forge, part, change):
    parts = forge.token().split(".")
    changed = change(parts[part])
    assert changed != parts[part], "no mutation"
    parts[part] = changed
    return ".".join(parts)


def spare_bits(segment):
    """The same bytes by another last character."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return segment[:-1] + alphabet[alphabet.index(segment[-1]) + 1]


SPELLINGS = {
    "RFC 7515 2: a character more": (lambda text: text + "A", 401),
    "RFC 7515 2: three characters more": (lambda text: text + "AAA", 401),
    "RFC 7515 2: a character less": (lambda text: text[:-1], 401),
    "RFC 7515 2: the slash of the standard alphabet": (lambda text: text[:6] + "/" + text[7:], 401),
    "RFC 7515 2: the plus of the standard alphabet": (lambda text: text[:6] + "+" + text[7:], 401),
    "RFC 7515 2: a tilde": (lambda text: text[:6] + "~" + text[6:], 401),
    "RFC 7515 2: doubled": (lambda text: text + text, 401),
    "RFC 7515 2: empty": (lambda text: "", 401),
    "RFC 7515 2: one character": (lambda text: "A", 401),
    "RFC 7515 2: reversed": (lambda text: text[::-1], 401),
    "RFC 7515 2: other case": (str.swapcase, 401),
    "RFC 6750 2.1: a space inside": (lambda text: text[:6] + " " + text[6:], 400),
    "RFC 6750 2.1: a tab inside": (lambda text: text[:6] + "\t" + text[6:], 400),
    "RFC 6750 2.1: a comma": (lambda text: text[:6] + "," + text[6:], 400),
    "RFC 6750 2.1: a percent sign": (lambda text: text[:6] + "%2E" + text[6:], 400),
    "RFC 6750 2.1: a quote": (lambda text: '"' + text, 400),
    "RFC 6750 2.1: a byte above ASCII": (lambda text: text[:6] + "\xe9" + text[6:], 400),
    "RFC 6750 2.1: a UTF-8 soft hyphen": (lambda text: text[:6] + "\xc2\xad" + text[6:], 400),
    "RFC 6750 2.1: padding inside": (lambda text: text[:4] + "=" + text[4:], 400),
    "RFC 6750 2.1: a bracket": (lambda text: "[" + text, 400),
    "RFC 6750 2.1: a colon": (lambda text: text + ":", 400),
}
SEGMENTS = {
    f"{name}, in the {PARTS[part]}": (
        partial(respelt, part=part, change=change),
        status,
        "invalid_token" if status == 401 else "invalid_request",
    )
    for part in range(3)
    for name, (change, status) in SPELLINGS.items()
}
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
    "RFC 7515 2: spare bits in the signature": lambda forge: respelt(forge, 2, spare_bits),
    "RFC 7515 7.2: JSON serialization": (lambda forge: json.dumps({"payload": "AAAA"}), *MALFORMED),
    "RFC 6750 2.1: padding only": (lambda forge: "====", *MALFORMED),
    "RFC 6750 2.1: two tokens": (lambda forge: f"{forge.token()} {forge.token()}", *MALFORMED),
    "RFC 6750 2.1: two tokens and a comma": (lambda forge: f"{forge.token()},{forge.token()}", *MALFORMED),
    "RFC 6750 2.1: a second scheme": (lambda forge: f"{forge.token()}, Bearer {forge.token()}", *MALFORMED),
    "rule A4: one byte above 16 KiB": (lambda forge: "a" * (LIMIT + 1), *MALFORMED),
    "rule A4: 60 KiB": (lambda forge: "a" * 60000, *MALFORMED),
    "rule A4: 16 KiB": lambda forge: "a" * LIMIT,
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
ROWS = rows(SEGMENTS | SHAPES | DUPLICATES | JSON | ENCODED | DEPTHS)


@pytest.mark.parametrize(("make", "status", "error"), ROWS)
def test_another_spelling_is_refused(wire, forge, make, status, error):
    refused(wire.bearer(make(forge)), status, error)


HARMLESS = {
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
