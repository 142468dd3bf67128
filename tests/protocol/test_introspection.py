"""What an answer about a token must say: each fault with the rule that refuses it, beside an answer that passes."""

from dataclasses import replace

import pytest
from bad_tokens import RESOURCE
from hypothesis import given
from hypothesis import strategies as st

from mcp_oauth2_deps.errors import DocumentError, InvalidTokenError
from mcp_oauth2_deps.models import AccessToken
from mcp_oauth2_deps.protocol.introspection import (
    read_answer,
    read_signed_answer,
    verify_agreement,
    verify_answer,
    verify_answer_header,
)
from mcp_oauth2_deps.protocol.jws import SUPPORTED_ALGORITHMS, UnverifiedHeader
from mcp_oauth2_deps.protocol.policy import TokenPolicy
from mcp_oauth2_deps.protocol.scopes import ClaimedScopes

NOW = 1_800_000_000
TTL = 10
ISSUER = "https://issuer.example.com"
POLICY = TokenPolicy((ISSUER,), (RESOURCE,), frozenset(SUPPORTED_ALGORITHMS))
GOOD = {
    "active": True,
    "iss": ISSUER,
    "aud": RESOURCE,
    "exp": NOW + 300,
    "sub": "alice",
    "client_id": "client",
    "scope": "a b",
    "token_type": "Bearer",
}


def without(*names, **changes):
    return {name: value for name, value in (GOOD | changes).items() if name not in names}


def judged(answer, *, audience_required=True, policy=POLICY):
    token, _ = verify_answer(
        read_answer(answer), ISSUER, policy, audience_required=audience_required, now=NOW, good_until=NOW + TTL
    )
    return token


def test_an_answer_is_what_a_jwt_with_its_members_would_be():
    assert judged(GOOD) == AccessToken("alice", "client", ISSUER, (RESOURCE,), {"a", "b"}, NOW + 300, None, None, GOOD)


@pytest.mark.parametrize("active", ["true", 1, 1.0, None, [], {}, "false", 0], ids=repr)
def test_active_that_is_no_boolean_says_nothing(active):
    with pytest.raises(DocumentError, match="does not say whether"):
        read_answer(GOOD | {"active": active})


def test_an_answer_without_active_says_nothing():
    with pytest.raises(DocumentError, match="does not say whether"):
        read_answer(without("active"))


def test_a_token_that_is_not_active_is_refused_whatever_else_is_said():
    with pytest.raises(InvalidTokenError) as refusal:
        read_answer(GOOD | {"active": False})
    assert refusal.value.reason == "inactive"


REFUSED = {
    "another issuer": ({"iss": ISSUER + "/"}, "issuer (iss)"),
    "iss is null": ({"iss": None}, "issuer (iss)"),
    "iss is a list": ({"iss": [ISSUER]}, "issuer (iss)"),
    "another audience": ({"aud": "https://other.example.com"}, "audience (aud)"),
    "no audience in the list": ({"aud": []}, "audience (aud)"),
    "aud is a list with a number": ({"aud": [RESOURCE, 1]}, "claim (aud)"),
    "aud is null": ({"aud": None}, "claim (aud)"),
    "expired": ({"exp": NOW - 30}, "expired (exp)"),
    "exp is a string": ({"exp": str(NOW + 300)}, "claim (exp)"),
    "exp is NaN": ({"exp": float("nan")}, "claim (exp)"),
    "exp is true": ({"exp": True}, "claim (exp)"),
    "exp is null": ({"exp": None}, "claim (exp)"),
    "not yet valid": ({"nbf": NOW + 60}, "not_yet_valid (nbf)"),
    "issued in the future": ({"iat": NOW + 60}, "issued_in_future (iat)"),
    "scope is a number": ({"scope": 1}, "claim (scope)"),
    "sub is a number": ({"sub": 1}, "claim (sub)"),
    "token_type is a number": ({"token_type": 1}, "claim (token_type)"),
    "token_type is null": ({"token_type": None}, "claim (token_type)"),
    "a refresh token by its type": ({"token_type": "refresh_token"}, "type (token_type)"),
    "a refresh token of Keycloak": ({"typ": "Refresh"}, "type (typ)"),
    "a refresh token of Hydra": ({"token_use": "refresh_token"}, "type (token_use)"),
    "an ID token": ({"at_hash": "x"}, "id_token (at_hash)"),
    "a key-bound token called Bearer": ({"cnf": {"jkt": "x"}}, "binding (token_type)"),
}


@pytest.mark.parametrize(("change", "reason"), REFUSED.values(), ids=list(REFUSED))
def test_an_answer_with_one_fault_is_refused_by_the_rule_for_it(change, reason):
    with pytest.raises(InvalidTokenError) as refusal:
        judged(GOOD | change)
    assert str(refusal.value) == reason


PASSES = {
    "a list of audiences": {"aud": ["x", RESOURCE]},
    "scopes in a list": {"scope": ["a", "b"]},
    "token_type in small letters": {"token_type": "bearer"},
    "the kind that Hydra writes": {"token_use": "access_token"},
    "the kind that Keycloak writes": {"typ": "Bearer"},
    "within the leeway": {"exp": NOW - 29},
    "members nobody knows": {"ext": {"x": [1]}},
}


@pytest.mark.parametrize("change", PASSES.values(), ids=list(PASSES))
def test_control_what_authorization_servers_say_of_good_tokens(change):
    assert judged(GOOD | change).scopes == {"a", "b"}


def test_what_a_token_is_bound_to_is_returned():
    answer = GOOD | {"token_type": "DPoP", "cnf": {"jkt": "x"}}
    _, confirmation = verify_answer(answer, ISSUER, POLICY, audience_required=True, now=NOW, good_until=NOW + TTL)
    assert confirmation.members == {"jkt": "x"}


@pytest.mark.parametrize("cnf", [{"x5t#S256": "x"}, None, "jkt"], ids=repr)
def test_a_binding_to_something_else_may_be_called_bearer(cnf):
    _, confirmation = verify_answer(GOOD | {"cnf": cnf}, ISSUER, POLICY, audience_required=True, now=NOW, good_until=NOW + TTL)
    assert confirmation is not None


def test_an_answer_that_names_no_issuer_is_of_the_one_that_was_asked():
    token = judged(without("iss"))
    assert (token.issuer, "iss" in token.claims) == (ISSUER, False)


def test_a_token_without_an_end_lives_as_long_as_its_answer():
    token = judged(without("exp"))
    assert (token.expires_at, "exp" in token.claims) == (NOW + TTL, False)


def test_users_without_a_sub_are_told_apart_by_their_names():
    assert judged(without("sub", username="bob")).subject == "bob"
    assert judged(GOOD | {"username": "bob"}).subject == "alice"
    assert judged(without("sub")).subject is None
    with pytest.raises(InvalidTokenError, match="sub"):
        judged(without("sub", username=1))


def test_no_audience_is_refused():
    with pytest.raises(InvalidTokenError) as refusal:
        judged(without("aud"))
    assert str(refusal.value) == "audience_missing (aud)"


@pytest.mark.parametrize("answer", [without("aud"), GOOD | {"aud": []}], ids=["none", "an empty list"])
def test_no_audience_passes_where_it_is_not_required_and_the_type_is_said(answer):
    assert judged(answer, audience_required=False).audience == ()


def test_where_no_audience_is_required_the_type_is():
    with pytest.raises(InvalidTokenError) as refusal:
        judged(without("aud", "token_type"), audience_required=False)
    assert str(refusal.value) == "claim (token_type)"


def test_another_audience_is_refused_also_where_none_is_required():
    with pytest.raises(InvalidTokenError, match="audience"):
        judged(GOOD | {"aud": "https://other.example.com"}, audience_required=False)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


@given(st.sampled_from([*GOOD, "cnf", "nbf", "iat", "username", "typ", "azp"]), JSON, st.booleans())
def test_whatever_one_member_is_the_answer_passes_by_all_rules_or_is_refused_with_a_reason(name, value, required):
    answer = GOOD | {name: value}
    try:
        token = judged(answer, audience_required=required)
    except (InvalidTokenError, DocumentError):
        return
    assert answer["active"] is True
    assert answer["iss"] == token.issuer == ISSUER
    assert answer["aud"] == [] or RESOURCE.rstrip("/") in "".join(answer["aud"])
    assert token.expires_at > NOW - POLICY.leeway


TOKEN = judged(GOOD)
SAYS = ("iss", "sub", "client_id", "aud")


def test_an_answer_about_a_jwt_may_say_less():
    assert verify_agreement({"active": True}, TOKEN, POLICY, now=NOW) == TOKEN
    assert verify_agreement(GOOD, TOKEN, POLICY, now=NOW) == TOKEN
    assert verify_agreement({"active": True, "client_id": "c"}, replace(TOKEN, client_id=None), POLICY, now=NOW).client_id is None
    assert verify_agreement({"active": True, "aud": ["x", RESOURCE]}, TOKEN, POLICY, now=NOW) == TOKEN


@pytest.mark.parametrize("value", ["another", None, 1, ["another"], [1]], ids=repr)
@pytest.mark.parametrize("name", SAYS)
def test_an_answer_about_a_jwt_may_not_say_anything_else(name, value):
    with pytest.raises(InvalidTokenError) as refusal:
        verify_agreement({"active": True, name: value}, TOKEN, POLICY, now=NOW)
    assert str(refusal.value) == f"contradiction ({name})"


def test_the_scopes_that_the_issuer_names_now_count():
    assert verify_agreement({"active": True, "scope": "a"}, TOKEN, POLICY, now=NOW).scopes == {"a"}
    assert verify_agreement({"active": True, "scope": ""}, TOKEN, POLICY, now=NOW).scopes == set()
    with pytest.raises(InvalidTokenError, match="scope"):
        verify_agreement({"active": True, "scope": 1}, TOKEN, POLICY, now=NOW)


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"token_type": "refresh_token"}, "type (token_type)"),
        ({"token_use": "refresh_token"}, "type (token_use)"),
        ({"typ": "Refresh"}, "type (typ)"),
        ({"at_hash": "x"}, "id_token (at_hash)"),
        ({"aud": ["https://userinfo.example.com"]}, "audience (aud)"),
        ({"exp": NOW - 31}, "expired (exp)"),
        ({"nbf": NOW + 31}, "not_yet_valid (nbf)"),
        ({"cnf": {"jkt": "x"}}, "contradiction (cnf)"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_the_issuer_says_of_a_jwt_now_is_judged_as_the_jwt_was(members, reason):
    token = judged(GOOD | {"aud": [RESOURCE, "https://userinfo.example.com"]})
    assert verify_agreement({"active": True, "aud": [RESOURCE]}, token, POLICY, now=NOW) == token
    with pytest.raises(InvalidTokenError) as refusal:
        verify_agreement({"active": True} | members, token, POLICY, now=NOW)
    assert str(refusal.value) == reason


def test_an_earlier_end_counts():
    assert verify_agreement({"active": True, "exp": NOW + 5}, TOKEN, POLICY, now=NOW).expires_at == NOW + 5


def test_roles_are_those_that_the_issuer_names_now():
    policy = replace(POLICY, scope_sources=(ClaimedScopes(("access", "roles"), "role:"),))
    token = judged(GOOD | {"access": {"roles": ["a", "b"]}}, policy=policy)
    assert verify_agreement({"active": True, "scope": "a"}, token, policy, now=NOW).scopes == {"a", "role:a", "role:b"}
    assert verify_agreement({"active": True, "access": {"roles": ["b"]}}, token, policy, now=NOW).scopes == {"a", "b", "role:b"}


def test_a_jwt_of_a_named_client_needs_no_audience_here_either():
    policy = replace(POLICY, clients=frozenset({"client"}))
    token = judged(without("aud"), policy=policy)
    assert verify_agreement({"active": True}, token, policy, now=NOW) == token
    with pytest.raises(InvalidTokenError, match="audience"):
        verify_agreement({"active": True, "aud": "https://other.example.com"}, token, policy, now=NOW)


@pytest.mark.parametrize("typ", ["token-introspection+jwt", "Application/Token-Introspection+JWT"])
def test_the_type_of_a_signed_answer(typ):
    verify_answer_header(UnverifiedHeader("RS256", None, typ), POLICY)


@pytest.mark.parametrize(
    ("header", "says"),
    [
        (UnverifiedHeader("RS256", None, None), "another type"),
        (UnverifiedHeader("RS256", None, "at+jwt"), "another type"),
        (UnverifiedHeader("none", None, "token-introspection+jwt"), "algorithm"),
        (UnverifiedHeader("HS256", None, "token-introspection+jwt"), "algorithm"),
    ],
)
def test_another_header_is_no_signed_answer(header, says):
    with pytest.raises(DocumentError, match=says):
        verify_answer_header(header, POLICY)


SIGNED = {"iss": ISSUER, "aud": "us", "iat": NOW, "token_introspection": GOOD}


def signed(claims, leeway=30):
    return read_signed_answer(claims, ISSUER, "us", asked_at=NOW - 1, now=NOW, leeway=leeway)


@pytest.mark.parametrize("change", [{}, {"aud": ["x", "us"]}, {"iat": NOW + 30}, {"iat": NOW - 32}, {"iat": NOW - 0.5}], ids=repr)
def test_control_a_signed_answer_for_us(change):
    assert signed(SIGNED | change) == GOOD


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"iss": ISSUER + "/"}, "another issuer"),
        ({"iss": None}, "another issuer"),
        ({"aud": "them"}, "another client"),
        ({"aud": ["them"]}, "another client"),
        ({"aud": None}, "another client"),
        ({"aud": [1, "us"]}, "another client"),
        ({"iat": NOW + 31}, "just now"),
        ({"iat": NOW - 33}, "just now"),
        ({"iat": None}, "just now"),
        ({"iat": True}, "just now"),
        ({"iat": str(NOW)}, "just now"),
        ({"token_introspection": None}, "no token_introspection"),
        ({"token_introspection": [GOOD]}, "no token_introspection"),
    ],
    ids=repr,
)
def test_any_other_signed_answer_is_none(change, says):
    with pytest.raises(DocumentError, match=says):
        signed(SIGNED | change)


def test_what_the_issuer_says_now_shortens_the_life_of_a_jwt_and_does_not_stretch_it():
    end = TOKEN.expires_at
    assert verify_agreement({"active": True, "exp": end - 5}, TOKEN, POLICY, now=NOW).expires_at == end - 5
    assert verify_agreement({"active": True, "exp": end + 5}, TOKEN, POLICY, now=NOW).expires_at == end
