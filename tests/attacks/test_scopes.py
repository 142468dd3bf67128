"""RFC 6749 section 3.3, RFC 8693 section 4.2, rules B10, B11 and C4: scopes that look like the one that is needed."""

import json
from functools import partial

import pytest
from attack_support import accepted, by, refused, rows

pytestmark = pytest.mark.parametrize("attacked", ["httptools"], indirect=True, scope="session")

LACKS = "insufficient_scope (a)"


def scoped(forge, **claims):
    return forge.token(**({"scope": ...} | claims))


WORDS = """
A aa ab b a,b a;b a|b a+b a:b a/* a.b * .* %61 a%20 \\u0061 'a' "a" [a] ["a"] {a} (a) a= =a -a +a !a ~a admi admin:a ADMIN Admin
administrator all root openid offline_access mcp:use \u0430 \uff41 \u00aa a\u0301 \u1d43 \U0001d41a
"""
BLANKS = ["", " ", "a\tb", "\ta", "a\n", "\na", "a\r\n", "a\x0b", "a\x0c", "a\u00a0b", "a\u2003", "\u3000a", "a\u200b", "\ufeffa"]
ZEROS = ["a\0", "\0a", "admin\0"]
TEXTS = {
    f"RFC 6749 3.3: scope is {scope[:40]!r}": partial(scoped, scope=scope)
    for scope in [*WORDS.split(), *BLANKS, *ZEROS, "x" * 8000]
}
LISTS = [[], [""], ["a b"], ["a,b"], ["A"], ["aa"], [" a"], ["a "], ["a\n"], ["*"], ["b"] * 900, ["\uff41"]]
SCP = {f"rule B10: scp is {str(scp)[:40]}": partial(scoped, scp=scp) for scp in [*LISTS, "", "A", "a,b", "a\tb", "\u00a0a"]}
ELSEWHERE = {
    f"rule B10: in the claim {name}": partial(scoped, **{name: value})
    for name, value in {
        "scopes": "a",
        "Scope": "a",
        "SCOPE": "a",
        "SCP": ["a"],
        "scope ": "a",
        "roles": ["a"],
        "permissions": ["a"],
        "groups": ["a"],
        "realm_access": {"roles": ["a"]},
        "authorities": ["a"],
        "entitlements": ["a"],
        "act": {"sub": "x", "scope": "a"},
        "may_act": {"scope": "a"},
        "authorization_details": [{"type": "x", "scope": "a"}],
        "claims": {"scope": "a"},
    }.items()
}
FIRST = {
    "rule B10: an empty list of scopes counts, not the scp beside it": partial(scoped, scope=[], scp=["a"]),
    "rule B10: a string in a list is one scope": partial(scoped, scope=["a b"]),
    "rule B10: an empty scope counts, not the scp beside it": partial(scoped, scope="", scp=["a"]),
    "rule B10: another scope counts, not the scp beside it": partial(scoped, scope="b", scp=["a"]),
    "RFC 6750 3.1: no scope at all": scoped,
}
# Other types of each claim stand in `tests/support/bad_tokens.py`.
TYPES = {
    f"rule B10: a good scope beside scp that is {json.dumps(value)}": (partial(scoped, scope="a", scp=value), "claim (scp)")
    for value in [None, 1, True, {}, [1], ["a", None]]
}


@pytest.mark.parametrize(("make", "reason"), rows(by(LACKS, TEXTS | SCP | ELSEWHERE | FIRST) | TYPES))
def test_what_is_not_the_scope_does_not_count_as_it(wire, forge, make, reason):
    refused(wire.bearer(make(forge)), reason=reason)


IN_SCOPE = [["a"], ["b", "a"], "a", "a b", "b a", "  a  ", "x a y", "admin"]
IN_SCP = [["a"], ["b", "a"], "a", "b a", ["admin"]]


@pytest.mark.parametrize(
    "claims",
    [*({"scope": scope} for scope in IN_SCOPE), *({"scp": scp} for scp in IN_SCP), {"scope": "a", "scp": ["x"]}],
    ids=str,
)
def test_control_the_scope_in_its_places(wire, forge, claims):
    accepted(wire.bearer(scoped(forge, **claims)))


def forged(forge, **claims):
    token = forge.token(**claims)
    return token[: token.rindex(".")] + "." + forge.token().rpartition(".")[2]


@pytest.mark.parametrize("scope", ["", "b", "a", "admin", "a b mcp:use"])
def test_rule_b11_a_forged_token_sees_401_whatever_its_scopes(wire, forge, scope):
    answer = wire.bearer(forged(forge, scope=scope))
    refused(answer, reason="signature")


def test_rule_c4_a_shortfall_repeats_only_scopes_that_are_known_here(wire, forge):
    answer = wire.bearer(forge.token(scope='b evil" x=\\"y\\ offline_access mcp:use'))
    refused(answer, reason=LACKS, scope="a b mcp:use")
    assert b"evil" not in answer.raw
    assert b"offline_access" not in answer.raw
