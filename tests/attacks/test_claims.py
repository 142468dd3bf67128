"""RFC 7519 section 4.1, RFC 9068 section 4, RFC 8725 sections 3.8 to 3.12: what the claims of a signed token must say.

Most rows stand in `tests/support/bad_tokens.py`; here are those that need this server and its issuers, and the controls.
"""

import json
import time
from functools import partial

import pytest
from attack_support import RESOURCE, accepted, by, refused, rows

pytestmark = pytest.mark.parametrize("attacked", ["httptools"], indirect=True, scope="session")


def at(forge, **times):
    now = time.time()
    return forge.token(**{name: now + seconds for name, seconds in times.items()})


def exp_spelt(forge, text):
    """A token whose `exp` is written like this."""
    return forge.mint(payload=json.dumps(forge.claims()).replace('"exp": ', f'"exp": {text}, "x": '))


# No numbers of JSON as RFC 8259 section 6 has them, so they are no claims yet.
NO_NUMBERS = {
    "RFC 8259 6: exp with an exponent beyond doubles": partial(exp_spelt, text="1e999"),
    "RFC 8259 6: exp is Infinity": partial(exp_spelt, text="Infinity"),
}
LONG_NUMBERS = {
    "CVE-2020-10735: exp of 4000 digits": partial(exp_spelt, text="9" * 4000),
    "CVE-2020-10735: exp of 4000 digits below zero": partial(exp_spelt, text="-" + "9" * 4000),
}


def of(forge, change):
    return forge.token(iss=change(forge.issuer.url))


# Of an issuer at a loopback address; what may be changed in any issuer stands in the table.
LOOPBACK = {
    "https": lambda url: url.replace("http:", "https:"),
    "another name of loopback": lambda url: url.replace("127.0.0.1", "localhost"),
    "a short form of loopback": lambda url: url.replace("127.0.0.1", "127.1"),
    "loopback as one number": lambda url: url.replace("127.0.0.1", "2130706433"),
    "loopback of IPv6": lambda url: url.replace("127.0.0.1", "[::1]"),
    "percent-encoding": lambda url: url.replace("1", "%31", 1),
    "wide digits": lambda url: url.replace("1", "\uff11", 1),
}
NO_STRING = {"in a list": lambda url: [url], "in an object": lambda url: {"iss": url}}
ISSUERS = {
    f"RFC 9068 4, rule B5: iss with {name}": (partial(of, change=change), reason)
    for reason, changes in (("issuer (iss)", LOOPBACK), ("claim (iss)", NO_STRING))
    for name, change in changes.items()
}


@pytest.mark.parametrize(("make", "reason"), rows(by("malformed", NO_NUMBERS) | by("claim (exp)", LONG_NUMBERS) | ISSUERS))
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
