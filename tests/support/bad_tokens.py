"""Access tokens with one fault each: the name says which, the row what is changed in a good token and which rule refuses it.

One table for the pure tests (`tests/protocol`) and for those over the wire (`tests/attacks`), so that both ask the same. A good
token is an `at+jwt` that has been valid since its `iat`, for 600 seconds, with the claims `iss aud sub client_id iat exp jti
scope`; its `aud` is `RESOURCE`, and a leeway of 30 seconds is forgiven.
"""

import gzip
import json
import zlib
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

RESOURCE = "https://api.example.com/mcp"
_NOTHING: Mapping[str, Any] = MappingProxyType({})


class BadToken(NamedTuple):
    """What is wrong with a token.

    Attributes:
        rule: the rule that refuses it (`docs/rules.md`).
        reason: the refusal, as the error's text and the log write it: code, and in brackets the claim or parameter at fault.
        claims: claims to replace, or a function from the good claims to those; `...` leaves a claim out.
        header: the same for header parameters.
        strict: whether only the strict mode of RFC 9068 refuses it; otherwise both modes do.
    """

    rule: str
    reason: str
    claims: Mapping[str, Any] | Callable[[Mapping[str, Any]], Mapping[str, Any]] = _NOTHING
    header: Mapping[str, Any] = _NOTHING
    strict: bool = False


def spoiled(good, change):
    """The good members with the change of a row."""
    members = {**good, **(change(good) if callable(change) else change)}
    return {name: value for name, value in members.items() if value is not ...}


# Types (RFC 7519 sections 2 and 4.1) and presence.

NO_STRINGS = [None, True, False, 0, 1, -1, 1.5, [], {}, ["x"], [None], {"x": "y"}, [[]], 2**70]
NO_DATES = [None, True, False, [], {}, [4102444800], {"$date": 1}, [[]]]
NO_DATES += ["", "x", "0", "4102444800", "2100-01-01T00:00:00Z"]
TOO_LATE = [253402300800, 4102444800000, 10**30, 2**63, 2**64, 1e18, 1e300, 1.7e308]
NO_AUDIENCES = [None, True, False, 0, 1, 1.5, {}, [None], [1], [True], [[RESOURCE]], [{}], {"x": RESOURCE}, {RESOURCE: 1}]
NO_AUDIENCES += [[RESOURCE, None], [RESOURCE, 1], [RESOURCE, [RESOURCE]]]
NO_SCOPES = [None, True, 0, 1.5, {}, {"a": True}, ["a", 1], ["a", None], [["a"]], [{}]]
WRONG_TYPES = {
    "B5": {"iss": NO_STRINGS},
    "B6": {"aud": NO_AUDIENCES},
    "B7": dict.fromkeys(("exp", "nbf", "iat"), NO_DATES + TOO_LATE)
    | dict.fromkeys(("sub", "jti", "client_id", "azp"), NO_STRINGS),
    "B10": dict.fromkeys(("scope", "scp"), NO_SCOPES),
}
TYPED = {
    f"RFC 7519 2: {name} is {json.dumps(value)}": BadToken(rule, f"claim ({name})", {name: value})
    for rule, names in WRONG_TYPES.items()
    for name, values in names.items()
    for value in values
}
REQUIRED = {"iss": "B5", "aud": "B6", "exp": "B7"}


def reason_without(name):
    """The reason why a token without this claim is refused."""
    return f"audience_missing ({name})" if name == "aud" else f"claim ({name})"


MISSING = {f"RFC 9068 4: no {name}": BadToken(rule, reason_without(name), {name: ...}) for name, rule in REQUIRED.items()}


def _spelt(name, other):
    return lambda good: {name: ..., other: good[name]}


MISSING |= {
    f"RFC 7519 4: {other} in place of {name}": BadToken(rule, reason_without(name), _spelt(name, other))
    for name, rule in REQUIRED.items()
    for other in (name.upper(), name.title(), name + " ", " " + name, name + "\0", name + "\u200b")
}
STRICT = {
    f"RFC 9068 2.2: strictly, no {name}": BadToken("B4", f"claim ({name})", {name: ...}, strict=True)
    for name in ("sub", "client_id", "iat", "jti")
}
STRICT |= {
    f"RFC 9068 2.2: strictly, {name} is empty": BadToken("B4", f"claim ({name})", {name: ""}, strict=True)
    for name in ("sub", "client_id", "jti")
}


# Times (RFC 7519 sections 4.1.4 to 4.1.6).


def _at(**times):
    """Claims so many seconds after the token was issued."""
    return lambda good: {name: good["iat"] + seconds for name, seconds in times.items()}


EXPIRED = {
    "RFC 7519 4.1.4: expired beyond the leeway": _at(exp=-31),
    "RFC 7519 4.1.4: expired exactly by the leeway": _at(exp=-30),
    "RFC 7519 4.1.4: expired long ago": {"exp": 1},
    "RFC 7519 4.1.4: exp is zero": {"exp": 0},
    "RFC 7519 4.1.4: exp is minus zero": {"exp": -0.0},
    "RFC 7519 4.1.4: exp is negative": {"exp": -1},
    "RFC 7519 4.1.4: exp is far below zero": {"exp": -(2**63)},
    "RFC 7519 4.1.4: exp is further below zero": {"exp": -1e300},
    "RFC 7519 4.1.4: exp is tiny": {"exp": 5e-324},
}
NOT_YET = {
    "RFC 7519 4.1.5: not yet valid beyond the leeway": _at(nbf=40),
    "RFC 7519 4.1.5: valid from the year 9999": {"nbf": 253402300799},
    "RFC 7519 4.1: nbf above exp": _at(nbf=600, exp=500),
}
FUTURE = {
    "RFC 7519 4.1.6: issued in the future": _at(iat=40),
    "RFC 7519 4.1.6: issued in a year": _at(iat=31536000),
}
TIMES = {name: BadToken("B7", "expired (exp)", change) for name, change in EXPIRED.items()}
TIMES |= {name: BadToken("B7", "not_yet_valid (nbf)", change) for name, change in NOT_YET.items()}
TIMES |= {name: BadToken("B7", "issued_in_future (iat)", change) for name, change in FUTURE.items()}


# Audiences (RFC 8707 section 2, RFC 9068 section 4).

URLS = """
https://other.example.com/mcp https://api.example.com https://api.example.com/ https://api.example.com/mc
https://api.example.com/mcp/more https://api.example.com/mcpp https://api.example.com/mcp2 https://api.example.com/mcp//
https://api.example.com/MCP https://api.example.com/mcp? https://api.example.com/mcp# https://api.example.com/mcp?x=1
https://api.example.com/mcp#x https://api.example.com:443/mcp https://api.example.com:/mcp http://api.example.com/mcp
https://api.example.com./mcp https://api.example.com//mcp https://api.example.com/./mcp https://api.example.com/x/../mcp
https://api.example.com/%6dcp https://api.example.com/mcp%2f https://api.example.com\\mcp https:/api.example.com/mcp
https://api.example.com.evil.example/mcp https://evil.example/https://api.example.com/mcp https:api.example.com/mcp
https://evil.example@api.example.com/mcp https://api.example.com@evil.example/mcp https://@api.example.com/mcp
https://API.example.com@evil.example/mcp https://a:b@api.example.com/mcp //api.example.com/mcp /mcp mcp api.example.com/mcp
https://api.example.com/mcp,x * https://* https://*.example.com/mcp .* https://api.example.com/* client urn:x
"""
BLANKS = [" https://api.example.com/mcp", "https://api.example.com/mcp ", "https://api.example.com/mcp https://x", "", " "]
CONTROLS = ["https://api.example.com/mcp\n", "https://api.example.com/mcp\0", "https://api.exa\tmple.com/mcp"]
CONTROLS += ["https://api.example.com/mcp\0x"]
NAMESAKES = """
https://ap\u0456.example.com/mcp HTTPS\uff1a//api.example.com/mcp https://api\u3002example\u3002com/mcp
https://\u212api.example.com/mcp https://ap\u0131.example.com/mcp https://\uff41pi.example.com/mcp
https://api.exa\u00admple.com/mcp https://api.example.com/mcp\u200b
"""
STRANGERS = [[], [""], ["https://other.example.com"], ["https://other.example.com", "https://api.example.com/mcp/x"]]
STRANGERS += [["https://api.example.com", "/mcp"], list("https://api.example.com/mcp"), ["x"] * 900]
AUDIENCES = {
    f"RFC 8707 2, RFC 9068 4: aud is {str(aud)[:80]!r}": BadToken("B6", "audience (aud)", {"aud": aud})
    for aud in [*URLS.split(), *BLANKS, *CONTROLS, *NAMESAKES.split(), *STRANGERS]
}


# Issuers (RFC 9068 section 4): every change of the trusted one.

_ISSUER_CHANGES = {
    "a slash at the end": lambda url: url + "/",
    "two slashes at the end": lambda url: url + "//",
    "capitals": str.upper,
    "one capital": lambda url: url.replace("h", "H", 1),
    "a space behind": lambda url: url + " ",
    "a space in front": lambda url: " " + url,
    "a line feed behind": lambda url: url + "\n",
    "a zero byte behind": lambda url: url + "\0",
    "a query": lambda url: url + "?x=1",
    "an empty query": lambda url: url + "?",
    "a fragment": lambda url: url + "#x",
    "an empty fragment": lambda url: url + "#",
    "a path": lambda url: url + "/tenant",
    "dots": lambda url: url + "/.",
    "a user": lambda url: url.replace("//", "//user@"),
    "another host before an at sign": lambda url: url.replace("//", "//127.0.0.1:80@"),
    "as user of another host": lambda url: url + "@evil.example",
    "another host behind": lambda url: url + ".evil.example",
    "another scheme": lambda url: url.replace("http", "ftp", 1),
    "no scheme": lambda url: url.partition(":")[2],
    "a character that cannot be seen": lambda url: url + "\u200b",
    "cut short": lambda url: url[:-1],
    "one digit more": lambda url: url + "0",
    "twice": lambda url: url * 2,
    "quoted": json.dumps,
    "comma-separated": lambda url: url + "," + url,
    "nothing": lambda url: "",
    "a star": lambda url: "*",
    "a pattern": lambda url: "http.*",
    "another host": lambda url: "https://stranger.example.com",
    "a place that could be fetched": lambda url: "http://127.0.0.1:1",
    "a file": lambda url: "file:///etc/passwd",
    "very long": lambda url: url + "/" + "x" * 8000,
    "control characters for the log": lambda url: url + "\r\nINFO:forged line\x1b[31m",
}


def _issuer(change):
    return lambda good: {"iss": change(good["iss"])}


ISSUERS = {
    f"RFC 9068 4: iss with {name}": BadToken("B5", "issuer (iss)", _issuer(change)) for name, change in _ISSUER_CHANGES.items()
}


# Tokens of another kind (RFC 8725 section 3.12).

_UNMARKED = {"scope": ..., "client_id": ..., "jti": ...}


def _unmarked(**claims):
    """Without what marks an access token."""
    return {"claims": _UNMARKED | claims, "header": {"typ": "JWT"}}


KINDS = {
    "OIDC Core 2: at_hash": BadToken("B8", "id_token (at_hash)", **_unmarked(at_hash="x")),
    "OIDC Core 3.3.2.11: c_hash": BadToken("B8", "id_token (c_hash)", **_unmarked(c_hash="x")),
    "OIDC Core 2: at_hash with scopes": BadToken("B8", "id_token (at_hash)", {"at_hash": "x"}),
    "OIDC Core 3.3.2.11: c_hash with scopes": BadToken("B8", "id_token (c_hash)", {"c_hash": "x"}),
    "OIDC Core 2: at_hash is null": BadToken("B8", "id_token (at_hash)", {"at_hash": None}),
    "OIDC Core 2: at_hash is empty": BadToken("B8", "id_token (at_hash)", {"at_hash": ""}),
    "OIDC Core 2: nonce": BadToken("B8", "id_token (nonce)", **_unmarked(nonce="x")),
    "OIDC Core 2: nonce is null": BadToken("B8", "id_token (nonce)", **_unmarked(nonce=None)),
    "OIDC Core 2: nonce, no typ": BadToken("B8", "id_token (nonce)", _UNMARKED | {"nonce": "x"}, {"typ": ...}),
    "OIDC Core 2: nonce, and Bearer in another case": BadToken("B8", "id_token (nonce)", **_unmarked(nonce="x", typ="bearer")),
    "OIDC Core 2: for the client that asked": BadToken("B8", "id_token (aud)", **_unmarked(azp=RESOURCE)),
    "OIDC Core 2: twice for the client that asked": BadToken(
        "B8", "id_token (aud)", **_unmarked(azp=RESOURCE, aud=[RESOURCE] * 2)
    ),
    "OIDC Core 2: nonce, typ ID in the payload": BadToken("B4", "type (typ)", {"nonce": "x", "typ": "ID"}),
}
KINDS |= {
    f"RFC 8725 3.12: events is {json.dumps(events)}": BadToken("B4", "type (events)", {"events": events})
    for events in ({"http://schemas.openid.net/event/backchannel-logout": {}}, {}, None, "x")
}
KINDS |= {
    f"RFC 8725 3.12: Keycloak, typ is {typ} in the payload": BadToken("B4", "type (typ)", {"typ": typ})
    for typ in ("ID", "Refresh", "Offline", "Logout", "REFRESH")
}
KINDS |= {
    f"RFC 8725 3.12: Cognito, token_use is {json.dumps(use)}": BadToken("B4", "type (token_use)", {"token_use": use})
    for use in ("id", "refresh", "ACCESS", "", None, ["access"])
}


# Tokens bound to a key (RFC 7800 section 3, RFC 9449 section 7.2, RFC 8705 section 3).

BINDINGS = [{"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}, {"x5t#S256": "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2"}]
BINDINGS += [{"jwk": {"kty": "EC"}}, {"jku": "https://evil.example"}, {"kid": "x"}, {"osc": "x"}, {"unknown": 1}, {"jkt": None}]
BINDINGS += [{"jkt": ""}, {}, None, True, False, 0, "", "x", [], ["jkt"], {"JKT": "x"}]
BOUND = {f"RFC 7800 3: cnf is {json.dumps(cnf)}": BadToken("B9", "binding (cnf)", {"cnf": cnf}) for cnf in BINDINGS}


# Header parameters (RFC 7515 section 4.1, RFC 8725 sections 3.1 and 3.11).

ALGORITHMS = """
none None NONE nOnE null plain HS256 HS384 HS512 RS1 RS128 RSA1_5 RSA-OAEP dir A128KW A256GCM ES256K Ed448 ML-DSA-44 HS1 es256 Es256
ed25519 eddsa ES256,none ES-256 SHA256withECDSA PBES2-HS256+A128KW
"""
ODD_ALGORITHMS = [
    "",
    " none",
    "none ",
    "none\0",
    "ES256 ",
    " ES256",
    "ES256\0",
    "\uff25\uff33256",
    "ES\u0662\u0665\u0666",
    "x" * 4000,
]
NO_ALGORITHMS = [["ES256"], {"ES256": 1}, 256, 0, -1, 1.5, True, False, None, ...]
TYPES = """
logout+jwt dpop+jwt secevent+jwt id_token+jwt oauth-authz-req+jwt token-introspection+jwt kb+jwt sd-jwt dc+sd-jwt vc+jwt
entity-statement+jwt oauth-client-attestation+jwt wit+jwt client-authentication+jwt rt+jwt JOSE JOSE+JSON JWS JWE jwt+at
at+jwt; at%2Bjwt application/jwt application/at APPLICATION/LOGOUT+JWT text/at+jwt application/at+jwt;a=b application//at+jwt
application/application/at+jwt x/at+jwt
"""
ODD_TYPES = ["at+jwt ", " at+jwt", "at jwt", "at+jwt\0", "at+jwt, JWT", "", " "]
ODD_TYPES += ["\uff2a\uff37\uff34", "j\u200bwt", "a\u0074\u030a+jwt", "x" * 3000]
NO_TYPES = [None, 1, True, False, [], ["at+jwt"], {}, {"typ": "JWT"}]
NAMED = [[], ["b64"], ["exp"], ["kid"], ["alg"], ["crit"], ["unknown"], ["b64", "b64"], ["http://openbanking.org.uk/iat"]]
NOT_NAMED = [[""], [1], [None], [[]], {}, {"b64": 1}, "b64", "", None, True, False, 0, 1, ["x"] * 50]
HEADERS = {
    f"RFC 7515 4.1.1: alg is {str(alg)[:40]!r}": BadToken("B2", "algorithm (alg)", header={"alg": alg})
    for alg in [*ALGORITHMS.split(), *ODD_ALGORITHMS, *NO_ALGORITHMS]
}
HEADERS |= {
    f"RFC 8725 3.11: typ is {str(typ)[:40]!r}": BadToken("B4", "type (typ)", header={"typ": typ})
    for typ in [*TYPES.split(), *ODD_TYPES]
}
HEADERS |= {
    f"RFC 7515 4.1.9: typ is {json.dumps(typ)}": BadToken("B4", "malformed (typ)", header={"typ": typ}) for typ in NO_TYPES
}
HEADERS |= {
    f"RFC 7515 4.1.11: crit is {str(crit)[:40]}": BadToken("B3", "critical_header (crit)", header={"crit": crit})
    for crit in NAMED + NOT_NAMED
}
HEADERS |= {
    f"RFC 7797 3: b64 is {json.dumps(value)}": BadToken("B3", "critical_header (b64)", header={"b64": value})
    for value in (True, False, None, "true", 0, 1, [])
}
HEADERS |= {
    "RFC 7516 4.1: enc": BadToken("B1", "malformed (enc)", header={"enc": "A256GCM"}),
    "RFC 7516 4.1: enc is null": BadToken("B1", "malformed (enc)", header={"enc": None}),
    "CVE-2024-33664: alg dir, enc, zip": BadToken("B1", "malformed (enc)", header={"alg": "dir", "enc": "A256GCM", "zip": "DEF"}),
}
HEADERS |= {
    f"RFC 9068 2.1: strictly, typ is {typ if typ is not ... else 'absent'}": BadToken(
        "B4", "type (typ)", header={"typ": typ}, strict=True
    )
    for typ in ("JWT", "jwt", ...)
}

BAD_TOKENS = TYPED | MISSING | STRICT | TIMES | AUDIENCES | ISSUERS | KINDS | BOUND | HEADERS
"""Every row: the name of a fault, and what makes it."""


# Texts of a header or a payload that have no reading or two (rule B1, reason `malformed`).


def _more(text):
    """With a text before the last brace."""
    return lambda data: data[:-1] + text.encode("utf-8", "surrogatepass") + b"}"


_ADDED = {
    "RFC 8725 3.7: a name twice": ', "x": 1, "x": 2',
    "RFC 8725 3.7: a name twice, the same value": ', "x": 1, "x": 1',
    "RFC 8725 3.7: a name twice, once escaped": ', "x": 1, "\\u0078": 2',
    "RFC 8725 3.7: a name twice, both escaped": ', "\\u0078": 1, "\\u0078": 2',
    "RFC 8725 3.7: a name twice, the escapes in two cases": ', "\\u004a": 1, "\\u004A": 2',
    "RFC 8725 3.7: a name with a quotation mark twice": ', "\\"": 1, "\\u0022": 2',
    "RFC 8725 3.7: a name with a backslash twice": ', "\\\\": 1, "\\u005c": 2',
    "RFC 8725 3.7: a name with a colon twice": ', ":": 1, ":": 2',
    "RFC 8725 3.7: an empty name twice": ', "": 1, "": 2',
    "RFC 8725 3.7: a name three times": ', "x": 1, "x": 1, "x": 1',
    "RFC 8725 3.7: twice, colons in a string make up for it": ', "x": ":", "x": "::"',
    "RFC 8725 3.7: twice, and a lost object with more members": ', "x": {"y": 1, "z": 2}, "x": 1',
    "RFC 8725 3.7: twice in a nested object": ', "x": {"y": 1, "y": 2}',
    "RFC 8725 3.7: twice in an object in a list": ', "x": [{"y": 1, "y": 2}]',
    "RFC 8725 3.7: twice, with fractions": ', "x": 1.5, "x": 2.5',
    "RFC 8725 3.7: twice, and a fraction": ', "y": 1.5, "x": "a", "x": "b"',
    "RFC 8259 6: NaN": ', "x": NaN',
    "RFC 8259 6: Infinity": ', "x": Infinity',
    "RFC 8259 6: minus Infinity": ', "x": -Infinity',
    "RFC 8259 6: a number beyond doubles": ', "x": 1e999',
    "RFC 8259 6: a number beyond doubles, nested": ', "x": [[-1e999]]',
    "RFC 8259 6: a number beyond doubles, and the word as a name": ', "x": 1e999, "Infinity": 1',
    "RFC 8259 6: hexadecimal": ', "x": 0x10',
    "RFC 8259 6: a leading zero": ', "x": 01',
    "RFC 8259 6: a plus sign": ', "x": +1',
    "RFC 8259 6: a dot at the end": ', "x": 1.',
    "RFC 8259 6: an underscore in a number": ', "x": 1_000',
    "CVE-2020-10735: an integer of 5000 digits": ', "x": ' + "9" * 5000,
    "RFC 8259 4: a comma at the end": ', "x": 1,',
    "RFC 8259 2: a comment": ', "x": 1 /* comment */',
    "RFC 8259 2: a line comment": ', "x": 1 // comment\n',
    "RFC 8259 7: single quotes": ", 'x': 1",
    "RFC 8259 7: a bare name": ", x: 1",
    "RFC 8259 7: a raw line feed in a string": ', "x": "\n"',
    "RFC 8259 7: a raw zero byte in a string": ', "x": "\0"',
    "RFC 8259 7: an unknown escape": ', "x": "\\q"',
    "RFC 8259 7: a short escape": ', "x": "\\u12"',
    "RFC 8259 8.2: an unpaired surrogate": ', "x": "\\ud800"',
    "RFC 8259 8.2: surrogates in the wrong order": ', "x": "\\udc00\\ud800"',
    "RFC 8259 3: True": ', "x": True',
    "RFC 8259 3: undefined": ', "x": undefined',
    "RFC 8259 2: a second object": "}{",
    "RFC 8259 2: a closing brace more": "}",
    "CWE-674: lists 300 deep": ', "x": ' + "[" * 300 + "]" * 300,
    "CWE-674: lists 4000 deep": ', "x": ' + "[" * 4000 + "]" * 4000,
    "CWE-674: objects 300 deep": ', "x": ' + '{"":' * 300 + "1" + "}" * 300,
    "CWE-674: objects 1200 deep": ', "x": ' + '{"":' * 1200 + "1" + "}" * 1200,
    "CWE-770: 2,500 lists": ', "x": [' + ",".join(["[]"] * 2500) + "]",
    "CWE-770: 2,500 objects": ', "x": [' + ",".join(["{}"] * 2500) + "]",
    "CWE-770: 2,800 numbers": ', "x": [' + ",".join(["1e9"] * 2800) + "]",
    "CWE-770: 3,000 strings": ', "x": [' + ",".join(['""'] * 3000) + "]",
    "CWE-770: 500 integers beyond 64 bits": ', "x": [' + ",".join(["9" * 20] * 500) + "]",
}
BAD_JSON = {name: _more(text) for name, text in _ADDED.items()} | {
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
    "RFC 2152: UTF-7": lambda data: data.decode().encode("utf-7").replace(b"{", b"+AHs-"),
    "RFC 1952: gzip": gzip.compress,
    "RFC 1951: deflate": zlib.compress,
    "RFC 1952: a bomb": lambda data: gzip.compress(b"[" * 4_000_000),
    "in a list": lambda data: b"[" + data + b"]",
    "in a string": lambda data: json.dumps(data.decode()).encode(),
    "null": lambda data: b"null",
    "a number": lambda data: b"1",
    "a list": lambda data: b"[]",
    "white space": lambda data: b" ",
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
"""The name of a fault, and what makes it of the text of a JSON object."""
