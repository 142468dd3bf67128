"""What a scope is, where a token holds its scopes, and which of them suffice."""

import pytest

from mcp_oauth2_deps.errors import InsufficientScopeError, InvalidTokenError
from mcp_oauth2_deps.models import AccessToken
from mcp_oauth2_deps.protocol.scopes import (
    ScopeRequirement,
    is_scope_token,
    missing_scopes,
    read_scopes,
    scope_requirement,
    transitive_hierarchy,
    with_implied,
)

NAMES = ("scope", "scp")


@pytest.mark.parametrize("text", ["a", "files:read", "https://a.example/x", "!", "#$%&'()*+,-./:;<=>?@[]^_`{|}~"])
def test_a_scope_token_is_printable_ascii_without_quote_and_backslash(text):
    assert is_scope_token(text)


@pytest.mark.parametrize("text", ["", "a b", 'a"b', "a\\b", "a\n", "\u00e9", "a\x7f", "\ta"])
def test_what_cannot_stand_in_a_challenge_is_no_scope_token(text):
    assert not is_scope_token(text)


@pytest.mark.parametrize(
    ("claims", "scopes"),
    [
        pytest.param({}, set(), id="no claim"),
        pytest.param({"scope": "a b"}, {"a", "b"}, id="scope string"),
        pytest.param({"scope": ""}, set(), id="scope empty"),
        pytest.param({"scope": " a  a "}, {"a"}, id="more spaces than needed"),
        pytest.param({"scope": "a", "scp": "b"}, {"a"}, id="the first claim counts"),
        pytest.param({"scope": "", "scp": "b"}, set(), id="the first claim counts though empty"),
        pytest.param({"scp": "a b"}, {"a", "b"}, id="scp string"),
        pytest.param({"scp": ["a", "b"]}, {"a", "b"}, id="scp list"),
        pytest.param({"scp": []}, set(), id="scp empty list"),
        pytest.param({"scope": ["a", "b", "a"]}, {"a", "b"}, id="scope list"),
        pytest.param({"scope": []}, set(), id="scope empty list"),
        pytest.param({"scope": [], "scp": ["b"]}, set(), id="the first claim counts though an empty list"),
        pytest.param({"scope": ["a"], "scp": "b"}, {"a"}, id="scope list before scp string"),
        pytest.param({"scope": ["a b", "c "]}, {"a b", "c "}, id="a string in a list is one scope"),
        pytest.param({"scope": ["", "a"]}, {"a"}, id="a scope has a character"),
        pytest.param({"scope": "a\tb"}, {"a\tb"}, id="only the space divides"),
        pytest.param({"scope": "A a"}, {"A", "a"}, id="case counts"),
    ],
)
def test_scopes_are_read_from_the_first_claim_present(claims, scopes):
    assert read_scopes(claims, NAMES) == scopes


@pytest.mark.parametrize(
    ("claims", "claim"),
    [
        pytest.param({"scope": ["a", None]}, "scope", id="scope list with null"),
        pytest.param({"scope": [["a"]]}, "scope", id="scope list of lists"),
        pytest.param({"scope": ("a",)}, "scope", id="scope of a type that JSON has not"),
        pytest.param({"scope": None}, "scope", id="scope null"),
        pytest.param({"scope": 1}, "scope", id="scope number"),
        pytest.param({"scope": {"a": True}}, "scope", id="scope object"),
        pytest.param({"scope": None, "scp": "a"}, "scope", id="scope null before a good scp"),
        pytest.param({"scope": "a", "scp": 1}, "scp", id="scp number after a good scope"),
        pytest.param({"scp": None}, "scp", id="scp null"),
        pytest.param({"scp": True}, "scp", id="scp boolean"),
        pytest.param({"scp": ["a", 1]}, "scp", id="scp list with a number"),
        pytest.param({"scp": [["a"]]}, "scp", id="scp list of lists"),
    ],
)
def test_scopes_of_an_odd_type_make_an_invalid_token(claims, claim):
    with pytest.raises(InvalidTokenError) as refusal:
        read_scopes(claims, NAMES)
    assert (refusal.value.reason, refusal.value.claim) == ("claim", claim)


def test_implication_is_transitive():
    hierarchy = transitive_hierarchy({"admin": ["write", "audit"], "write": ["read"], "none": []})
    assert hierarchy == {"admin": {"write", "audit", "read"}, "write": {"read"}}


def test_two_ways_to_one_scope_are_no_cycle():
    assert transitive_hierarchy({"a": ["b", "c"], "b": ["d"], "c": ["d"]})["a"] == {"b", "c", "d"}


@pytest.mark.parametrize(
    ("hierarchy", "cycle"),
    [({"a": ["a"]}, "a -> a"), ({"a": ["b"], "b": ["a"]}, "a -> b -> a"), ({"x": ["a"], "a": ["b"], "b": ["a"]}, "a -> b -> a")],
)
def test_a_cycle_is_named(hierarchy, cycle):
    with pytest.raises(ValueError) as refusal:
        transitive_hierarchy(hierarchy)
    assert str(refusal.value) == cycle


def test_implied_scopes_are_added_to_the_granted():
    assert with_implied({"write", "other"}, {"write": frozenset({"read"})}) == {"write", "read", "other"}
    assert with_implied((), {"write": frozenset({"read"})}) == frozenset()


HIERARCHY = {"write": frozenset({"read"})}


@pytest.mark.parametrize(
    ("requirement", "granted", "hierarchy", "missing"),
    [
        pytest.param(ScopeRequirement(), set(), {}, (), id="nothing asked"),
        pytest.param(ScopeRequirement(("read",)), {"read"}, {}, (), id="held"),
        pytest.param(ScopeRequirement(("b", "a")), set(), {}, ("b", "a"), id="all missing, in the order declared"),
        pytest.param(ScopeRequirement(("a", "b")), {"a"}, {}, ("b",), id="one missing"),
        pytest.param(ScopeRequirement(("read",)), {"write"}, HIERARCHY, (), id="broader passes"),
        pytest.param(ScopeRequirement(("write",)), {"read"}, HIERARCHY, ("write",), id="narrower does not"),
        pytest.param(ScopeRequirement(("read",)), {"write"}, {}, ("read",), id="nothing implied unless configured"),
        pytest.param(ScopeRequirement(("read",)), {"READ"}, {}, ("read",), id="case counts"),
        pytest.param(ScopeRequirement(("read",)), {"read:all", "rea"}, {}, ("read",), id="compared whole"),
        pytest.param(ScopeRequirement((), (("a", "b"),)), {"b"}, {}, (), id="one alternative held"),
        pytest.param(ScopeRequirement((), (("a", "b"),)), {"c"}, {}, ("a", "b"), id="no alternative held"),
        pytest.param(ScopeRequirement((), (("read", "x"),)), {"write"}, HIERARCHY, (), id="an alternative implied"),
        pytest.param(ScopeRequirement(("a",), (("a", "b"), ("b", "c"))), set(), {}, ("a", "b", "c"), id="each once"),
    ],
)
def test_what_is_asked_and_not_held_is_missing(requirement, granted, hierarchy, missing):
    assert missing_scopes(requirement, frozenset(granted), hierarchy) == missing


def test_a_shortfall_names_required_granted_and_missing():
    error = ScopeRequirement(("b", "a"), (("c", "d"),)).shortfall(AccessToken(scopes={"a"}), {})
    assert isinstance(error, InsufficientScopeError)
    assert error.reason == "insufficient_scope"
    assert (error.required, error.granted, error.missing) == (("b", "a", "c", "d"), {"a"}, ("b", "c", "d"))


@pytest.mark.parametrize(
    ("requirement", "granted", "passes"),
    [
        pytest.param(ScopeRequirement(("read",)), {"write"}, True, id="by the hierarchy"),
        pytest.param(ScopeRequirement(("read",)), {"read", "other"}, True, id="itself"),
        pytest.param(ScopeRequirement(), set(), True, id="nothing is asked"),
        pytest.param(ScopeRequirement(("read",), (("c", "d"),)), {"read", "d"}, True, id="with an alternative"),
        pytest.param(ScopeRequirement(("read",), (("c", "d"),)), {"read"}, False, id="without an alternative"),
        pytest.param(ScopeRequirement(("write",)), {"read"}, False, id="the lesser"),
        pytest.param(ScopeRequirement(("read", "other")), {"read"}, False, id="one of two"),
    ],
)
def test_only_a_grant_that_covers_the_requirement_passes(requirement, granted, passes):
    assert (requirement.shortfall(AccessToken(scopes=granted), HIERARCHY) is None) == passes


def test_a_requirement_is_all_of_the_scopes_and_one_of_the_alternatives():
    assert scope_requirement("a", "b") == ScopeRequirement(("a", "b"))
    assert scope_requirement(any_of=["a", "b"]) == ScopeRequirement((), (("a", "b"),))


@pytest.mark.parametrize("wrong", [{"any_of": "a"}, {"any_of": ["a b"]}, {"any_of": ["offline_access"]}], ids=repr)
def test_a_requirement_of_something_else_is_refused(wrong):
    with pytest.raises(ValueError, match=r"any_of|scope|offline_access"):
        scope_requirement(**wrong)


@pytest.mark.parametrize("scopes", [[], ["a"], ["b", "a"], ["c"], ["a", "c", "d"], ["x"]], ids=repr)
def test_scopes_are_added_to_a_requirement_once(scopes):
    requirement = ScopeRequirement(("a", "b"), (("x", "y"),))
    more = requirement.with_all_of(scopes)
    assert more == requirement + ScopeRequirement(tuple(scopes))
    assert more.all_of == ("a", "b", *(scope for scope in scopes if scope not in {"a", "b"}))
    assert more.any_of == (("x", "y"),)


def test_the_names_of_a_requirement_are_every_scope_once_in_order():
    assert ScopeRequirement(("b", "a"), (("c", "a"), ("d",))).names() == ("b", "a", "c", "d")
    assert ScopeRequirement().names() == ()


def test_requirements_add_up_without_repetition():
    one, other = ScopeRequirement(("a", "b"), (("x", "y"),)), ScopeRequirement(("b", "c"), (("x", "y"), ("z",)))
    assert one + other == ScopeRequirement(("a", "b", "c"), (("x", "y"), ("z",)))
