"""RFC 8725 sections 3.10 to 3.12, RFC 7515 section 4.1: parameters that bring a key, a place, an extension or a wrapping.

Wrong values of single parameters stand in `tests/support/bad_tokens.py`.
"""

import json
import socket
from base64 import b64encode
from functools import partial

import pytest
from attack_support import accepted, by, refused, rows

from mcp_oauth2_deps.testing.keys import base64url

pytestmark = pytest.mark.parametrize("attacked", ["httptools"], indirect=True, scope="session")


@pytest.fixture(scope="module")
def canary():
    """A place that nobody should ever ask."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.setblocking(False)
        yield listener
        with pytest.raises(BlockingIOError):
            listener.accept()


def brings(forge, kind, name, place, *, keep_kid):
    """A stranger's token that brings what would verify it."""
    key = forge.strangers[kind]
    url = f"http://127.0.0.1:{place}/key"
    jwk = key.public_jwk()
    value = {
        "jwk": jwk,
        "jwks": {"keys": [jwk]},
        "jku": url,
        "x5u": url,
        "x5c": [b64encode(b"0" * 300).decode()],
        "x5t": base64url(b"0" * 20),
        "x5t#S256": base64url(b"0" * 32),
        "epk": jwk,
        "iss": forge.issuer.url,
        "key": jwk,
    }[name]
    return forge.mint(forge.header(key, **{name: value}, kid=forge.keys[kind].kid if keep_kid else key.kid), key=key)


BROUGHT = {
    f"CVE-2018-0114, RFC 8725 3.10: {name} with the {kind} key of a stranger, {'our' if keep_kid else 'its'} kid": (
        partial(lambda forge, place, **row: brings(forge, place=place, **row), kind=kind, name=name, keep_kid=keep_kid),
        "signature" if keep_kid else "unknown_key (kid)",
    )
    for kind in ("RS256", "ES256", "EdDSA")
    for name in ("jwk", "jwks", "jku", "x5u", "x5c", "x5t", "x5t#S256", "epk", "iss", "key")
    for keep_kid in (True, False)
}


@pytest.mark.parametrize(("make", "reason"), rows(BROUGHT))
def test_what_a_header_brings_is_not_used(wire, forge, canary, make, reason):
    refused(wire.bearer(make(forge, canary.getsockname()[1])), reason=reason)


JKU = """
http://127.0.0.1:{}/ http://localhost:{}/ //127.0.0.1:{}/ http://[::1]:{}/ HTTP://127.0.0.1:{}/ file:///etc/passwd
data:application/json,{{}} gopher://127.0.0.1:{}/_ http://user@127.0.0.1:{}/ http://169.254.169.254/latest/meta-data/
https://evil.example#@127.0.0.1:{}
"""


@pytest.mark.parametrize("name", ["jku", "x5u"])
@pytest.mark.parametrize("url", [*JKU.split(), "\r\nHost: evil.example"])
def test_rfc8725_3_10_no_place_in_a_header_is_asked_though_the_token_is_good(wire, forge, canary, name, url):
    """Server-side request forgery: the token is let in by the key of its issuer, and the place is not even looked at."""
    accepted(wire.bearer(forge.headed(**{name: url.format(canary.getsockname()[1])})))


CRIT = {
    f"RFC 7515 4.1.11: crit names {name}, which is there": partial(
        lambda forge, name: forge.headed(crit=[name], **{name: 1}), name=name
    )
    for name in ("b64", "exp", "iat", "kid2", "zip")
} | {
    f"RFC 7797 3: b64 is {value!r} and critical": partial(lambda forge, value: forge.headed(b64=value, crit=["b64"]), value=value)
    for value in (True, False, None, "true", 0, 1, [])
}
ENCRYPTED = {
    "RFC 7516 4.1: enc and zip": lambda forge: forge.headed(enc="A256GCM", zip="DEF"),
    "CVE-2023-51774: RSA-OAEP": lambda forge: forge.headed(alg="RSA-OAEP", enc="A128CBC-HS256", epk={}),
}
# RFC 7519 section 5.2: `cty` says so, and the payload is no JSON object.
NESTED = {
    "RFC 7519 5.2: a token within a token": lambda forge: forge.mint(forge.header(cty="JWT"), forge.token()),
    "RFC 7519 5.2: a token within a token, quoted": lambda forge: forge.mint(forge.header(cty="JWT"), json.dumps(forge.token())),
}
NO_ALG = {
    "RFC 7515 4: an empty header": lambda forge: forge.mint({}),
    "RFC 7515 4: a header of 8 KiB without alg": lambda forge: forge.headed(alg=..., pad="x" * 8000),
    "RFC 7515 4.1.1: Alg in place of alg": lambda forge: forge.headed(alg=..., Alg="ES256"),
    "RFC 7515 4.1.1: ALG in place of alg": lambda forge: forge.headed(alg=..., ALG="ES256"),
    "RFC 7518 4.8, CVE-2022-36083: PBES2 with a billion rounds": lambda forge: forge.headed(
        alg="PBES2-HS256+A128KW", p2c=2**31 - 1, p2s="AAAA"
    ),
}
ROWS = rows(
    by("critical_header (crit)", CRIT)
    | by("malformed (enc)", ENCRYPTED)
    | by("malformed", NESTED)
    | by("algorithm (alg)", NO_ALG)
)


@pytest.mark.parametrize(("make", "reason"), ROWS)
def test_a_header_that_asks_for_something_else_is_refused(wire, forge, make, reason):
    refused(wire.bearer(make(forge)), reason=reason)


HARMLESS = [
    {"pad": "x" * 8000},
    {"cty": "JWT"},
    {"cty": 1},
    {"zip": "DEF"},
    {"x5t": "x"},
    {"jwk": None},
    {"unknown": {"deep": [1, 2]}},
    {"Alg": "none"},
    {"exp": 1},
    {"iss": "https://evil.example"},
    {"": ""},
    {"alg ": "none"},
    {"\u0000alg": "none"},
    {"nonce": "x"},
    {"__proto__": {"alg": "none"}},
]


@pytest.mark.parametrize("more", HARMLESS, ids=lambda more: str(more)[:40])
def test_control_rfc7515_4_what_is_not_understood_is_ignored(wire, forge, more):
    accepted(wire.bearer(forge.headed(**more)))


@pytest.mark.parametrize("typ", ["at+jwt", "AT+JWT", "application/at+jwt", "Application/AT+jwt", "JWT", "jwt", ...], ids=str)
def test_control_the_types_of_an_access_token(wire, forge, typ):
    accepted(wire.bearer(forge.headed(typ=typ)))
