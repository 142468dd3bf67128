"""RFC 7519 section 4.1, RFC 9068 section 4, RFC 8725 sections 3.8 to 3.12: what the claims of a signed token must say."""

import json
import time
from functools import partial

import pytest
from attack_support import RESOURCE, accepted, by, refused, rows

pytestmark = pytest.mark.parametrize("attacked", ["httptools"], indirect=True, scope="session")

NO_STRINGS = [None, True, False, 0, 1, -1, 1.5, [], {}, ["x"], [None], {"x": "y"}, [[]], 2**70]
NO_TEXT_DATES = ["", "x", "0", "4102444800", "2100-01-01T00:00:00Z"]
NO_DATES = [None, True, False, [], {}, [4102444800], {"$date": 1}, [[]], *NO_TEXT_DATES]
TOO_LATE = [253402300800, 4102444800000, 10**30, 2**63, 2**64, 1e18, 1e300, 1.7e308]
NO_AUDIENCES = [None, True, False, 0, 1, 1.5, {}, [None], [1], [True], [[RESOURCE]], [{}], {"x": RESOURCE}, {RESOURCE: 1}]
NO_AUDIENCES += [[RESOURCE, None], [RESOURCE, 1], [RESOURCE, [RESOURCE]]]
WRONG_TYPES = dict.fromkeys(("sub", "jti", "client_id", "azp", "iss"), NO_STRINGS)
WRONG_TYPES |= dict.fromkeys(("exp", "nbf", "iat"), NO_DATES + TOO_LATE) | {"aud": NO_AUDIENCES}


def claim(forge, name, value):
    return forge.token(**{name: value})


TYPED = {
    f"RFC 7519 2, rule B7: {name} is {json.dumps(value)}": (partial(claim, name=name, value=value), f"claim ({name})")
    for name, values in WRONG_TYPES.items()
    for value in values
}
REQUIRED = ("iss", "aud", "exp")
MISSING = {f"RFC 9068 4: no {name}": (partial(claim, name=name, value=...), f"claim ({name})") for name in REQUIRED}


def spelt(forge, name, other):
    return forge.token(**{name: ..., other: forge.claims()[name]})


SPELT = {
    f"RFC 7519 4: {other} in place of {name}": (partial(spelt, name=name, other=other), f"claim ({name})")
    for name in REQUIRED
    for other in (name.upper(), name.title(), name + " ", " " + name, name + "\0", name + "\u200b")
}


def at(forge, **times):
    now = time.time()
    return forge.token(**{name: now + seconds for name, seconds in times.items()})


def exp_spelt(forge, text):
    """A token whose `exp` is written like this."""
    return forge.mint(payload=json.dumps(forge.claims()).replace('"exp": ', f'"exp": {text}, "x": '))


EXPIRED = {
    "RFC 7519 4.1.4: expired beyond the leeway": lambda forge: at(forge, exp=-31),
    "RFC 7519 4.1.4: expired exactly by the leeway": lambda forge: at(forge, exp=-30),
    "RFC 7519 4.1.4: expired long ago": lambda forge: forge.token(exp=1),
    "RFC 7519 4.1.4: exp is zero": lambda forge: forge.token(exp=0),
    "RFC 7519 4.1.4: exp is minus zero": lambda forge: forge.token(exp=-0.0),
    "RFC 7519 4.1.4: exp is negative": lambda forge: forge.token(exp=-1),
    "RFC 7519 4.1.4: exp is far below zero": lambda forge: forge.token(exp=-(2**63)),
    "RFC 7519 4.1.4: exp is tiny": lambda forge: forge.token(exp=5e-324),
}
NOT_YET = {
    "RFC 7519 4.1.5: not yet valid beyond the leeway": lambda forge: at(forge, nbf=40),
    "RFC 7519 4.1.5: valid from the year 9999": lambda forge: forge.token(nbf=253402300799),
    "RFC 7519 4.1: nbf above exp": lambda forge: at(forge, nbf=600, exp=500),
}
FUTURE = {
    "RFC 7519 4.1.6: issued in the future": lambda forge: at(forge, iat=40),
    "RFC 7519 4.1.6: issued in a year": lambda forge: at(forge, iat=31536000),
}
# No numbers of JSON as RFC 8259 section 6 has them, so they are no claims yet.
NO_NUMBERS = {
    "RFC 8259 6: exp with an exponent beyond doubles": partial(exp_spelt, text="1e999"),
    "RFC 8259 6: exp is Infinity": partial(exp_spelt, text="Infinity"),
}
LONG_NUMBERS = {
    "CVE-2020-10735: exp of 4000 digits": partial(exp_spelt, text="9" * 4000),
    "CVE-2020-10735: exp of 4000 digits below zero": partial(exp_spelt, text="-" + "9" * 4000),
}
TIMES = by("expired (exp)", EXPIRED) | by("not_yet_valid (nbf)", NOT_YET) | by("issued_in_future (iat)", FUTURE)
TIMES |= by("malformed", NO_NUMBERS) | by("claim (exp)", LONG_NUMBERS)

URLS = """
https://other.example.com/mcp https://api.example.com https://api.example.com/ https://api.example.com/mc
https://api.example.com/mcp/more https://api.example.com/mcpp https://api.example.com/mcp// api.example.com/mcp
https://api.example.com/MCP https://api.example.com/mcp? https://api.example.com/mcp# https://api.example.com/mcp?x=1
https://api.example.com/mcp#x https://api.example.com:443/mcp https://api.example.com:/mcp http://api.example.com/mcp
https://api.example.com./mcp https://api.example.com//mcp https://api.example.com/./mcp https://api.example.com/x/../mcp
https://api.example.com/%6dcp https://api.example.com/mcp%2f https://api.example.com\\mcp https:/api.example.com/mcp
https://api.example.com.evil.example/mcp https://evil.example/https://api.example.com/mcp https:api.example.com/mcp
https://evil.example@api.example.com/mcp https://api.example.com@evil.example/mcp https://@api.example.com/mcp
https://API.example.com@evil.example/mcp https://a:b@api.example.com/mcp //api.example.com/mcp /mcp mcp
https://api.example.com/mcp,x * https://* https://*.example.com/mcp .* https://api.example.com/* client urn:x
"""
BLANKS = [" https://api.example.com/mcp", "https://api.example.com/mcp ", "https://api.example.com/mcp https://x", "", " "]
CONTROLS = ["https://api.example.com/mcp\n", "https://api.example.com/mcp\0", "https://api.example.com/mcp\0x"]
NAMESAKES = """
https://ap\u0456.example.com/mcp HTTPS\uff1a//api.example.com/mcp https://api\u3002example\u3002com/mcp
https://\u212api.example.com/mcp https://ap\u0131.example.com/mcp https://\uff41pi.example.com/mcp
https://api.exa\u00admple.com/mcp https://api.example.com/mcp\u200b
"""
STRANGERS = [
    [],
    [""],
    ["https://other.example.com"],
    ["https://other.example.com", "https://api.example.com/mcp/x"],
    ["https://api.example.com", "/mcp"],
    list("https://api.example.com/mcp"),
    ["x"] * 1000,
]
AUDIENCES = {
    f"RFC 8707 2, RFC 9068 4, rule B6: aud is {aud!r}": partial(claim, name="aud", value=aud)
    for aud in [*URLS.split(), *BLANKS, *CONTROLS, *NAMESAKES.split(), *STRANGERS]
}


def of(forge, change):
    return forge.token(iss=change(forge.issuer.url))


CHANGES = {
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
    "https": lambda url: url.replace("http:", "https:"),
    "no scheme": lambda url: url.removeprefix("http:"),
    "another name of loopback": lambda url: url.replace("127.0.0.1", "localhost"),
    "a short form of loopback": lambda url: url.replace("127.0.0.1", "127.1"),
    "loopback as one number": lambda url: url.replace("127.0.0.1", "2130706433"),
    "loopback of IPv6": lambda url: url.replace("127.0.0.1", "[::1]"),
    "percent-encoding": lambda url: url.replace("1", "%31", 1),
    "wide digits": lambda url: url.replace("1", "\uff11", 1),
    "a character that cannot be seen": lambda url: url + "\u200b",
    "cut short": lambda url: url[:-1],
    "one digit more": lambda url: url + "0",
    "twice": lambda url: url * 2,
    "quoted": json.dumps,
    "comma-separated": lambda url: url + "," + url,
    "nothing": lambda url: "",
    "a star": lambda url: "*",
    "a pattern": lambda url: "http://.*",
    "another host": lambda url: "https://auth.example.com",
    "a place that could be fetched": lambda url: "http://127.0.0.1:1",
    "a file": lambda url: "file:///etc/passwd",
    "very long": lambda url: url + "/" + "x" * 8000,
    "control characters for the log": lambda url: url + "\r\nINFO:forged line\x1b[31m",
}
NO_STRING = {"in a list": lambda url: [url], "in an object": lambda url: {"iss": url}}
ISSUERS = {
    f"RFC 9068 4, rule B5: iss with {name}": (partial(of, change=change), reason)
    for reason, changes in (("issuer (iss)", CHANGES), ("claim (iss)", NO_STRING))
    for name, change in changes.items()
}
ROWS = rows(TYPED | MISSING | SPELT | TIMES | by("audience (aud)", AUDIENCES) | ISSUERS)


@pytest.mark.parametrize(("make", "reason"), ROWS)
def test_claims_that_are_not_for_us_are_refused(wire, forge, make, reason):
    refused(wire.bearer(make(forge)), reason=reason)


GOOD_URLS = [RESOURCE + "/", "HTTPS://api.example.com/mcp", "https://API.EXAMPLE.COM/mcp"]
GOOD_LISTS = [[RESOURCE], ["https://other.example.com", RESOURCE], [RESOURCE, RESOURCE], ["", RESOURCE]]


@pytest.mark.parametrize("aud", GOOD_URLS + GOOD_LISTS, ids=str)
def test_control_rule_b6_the_two_differences_that_are_forgiven(wire, forge, aud):
    accepted(wire.bearer(forge.token(aud=aud)))


@pytest.mark.parametrize(
    "times", [{"exp": -20}, {"exp": 0.5}, {"nbf": 20}, {"iat": 20}, {"nbf": -1e9, "iat": -1e9}, {"exp": 1e9}], ids=str
)
def test_control_times_within_the_leeway(wire, forge, times):
    accepted(wire.bearer(at(forge, **times)))


@pytest.mark.parametrize("name", ["sub", "client_id", "iat", "jti"])
def test_rfc9068_2_2_strictly_each_claim_is_required(wire, forge, name):
    refused(wire.bearer(forge.token(**{name: ...}), target=b"/strict"), reason=f"claim ({name})")
    accepted(wire.bearer(forge.token(), target=b"/strict"))


@pytest.mark.parametrize("name", ["client_id", "iat", "jti"])
def test_control_otherwise_it_may_be_missing(wire, forge, name):
    accepted(wire.bearer(forge.token(**{name: ...})))


def test_control_a_token_is_refused_the_second_time_as_the_first(wire, forge):
    """What was remembered of good tokens lends nothing to one that differs in a byte, and a bad one is never remembered."""
    good, bad = forge.token(), forge.token(aud="https://other.example.com")
    for _ in range(3):
        accepted(wire.bearer(good))
        refused(wire.bearer(bad), reason="audience (aud)")
        refused(wire.bearer(good[:-4] + ("AAAA" if good[-4:] != "AAAA" else "BBBB")), reason="signature")
