"""What a token must say. Bad ones stand in `tests/support/bad_tokens.py`; here are what passes, and the edges of each rule."""

import json
from dataclasses import replace

import pytest
from bad_tokens import BAD_TOKENS, RESOURCE, spoiled

from mcp_oauth2_deps.errors import InvalidTokenError
from mcp_oauth2_deps.protocol import token_kinds
from mcp_oauth2_deps.protocol.confirmations import verify_provable
from mcp_oauth2_deps.protocol.encoding import MAX_TOKEN_VALUES, parse_json_object
from mcp_oauth2_deps.protocol.jws import SUPPORTED_ALGORITHMS, UnverifiedHeader, read_header
from mcp_oauth2_deps.protocol.policy import TokenPolicy, comparable_audience
from mcp_oauth2_deps.protocol.tokens import unverified_issuer, verify_claims, verify_header, verify_issuer

NOW = 1_800_000_000
ISSUER = "https://issuer.example.com"
AUDIENCE = RESOURCE
POLICY = TokenPolicy((ISSUER,), (AUDIENCE,), frozenset(SUPPORTED_ALGORITHMS))
STRICT = replace(POLICY, strict_at_jwt=True)
HEADER = UnverifiedHeader("RS256", "a", "JWT")
AT_HEADER = replace(HEADER, typ="at+jwt")
CLAIMS = {"iss": ISSUER, "aud": AUDIENCE, "exp": NOW + 300, "sub": "someone"}
STRICT_CLAIMS = CLAIMS | {"client_id": "client", "iat": NOW, "jti": "1"}
# The good token from which the table of bad ones departs.
GOOD_HEADER = {"alg": "ES256", "kid": "a", "typ": "at+jwt"}
GOOD_CLAIMS = STRICT_CLAIMS | {"exp": NOW + 600, "scope": "a"}


def judge(claims, header=HEADER, policy=POLICY, now=NOW):
    """What becomes of a token with this payload, whose signature holds, and beside which nothing is proven."""
    name = unverified_issuer(claims)
    verify_issuer(name, {ISSUER: policy}.get(name))
    token, confirmation = verify_claims(claims, header, policy, now=now)
    if confirmation is not None:
        verify_provable(confirmation, ())
    return token


def judge_as_sent(base64url, header, claims, policy):
    """The same from the texts of header and payload."""
    read = read_header(base64url(json.dumps(header).encode()).encode())
    verify_header(read, policy)
    return judge(parse_json_object(json.dumps(claims).encode(), max_values=MAX_TOKEN_VALUES), read, policy)


def _refusal(claims, header=HEADER, policy=POLICY, now=NOW):
    with pytest.raises(InvalidTokenError) as refusal:
        judge(claims, header, policy, now)
    return refusal.value.reason, refusal.value.claim


def _rows():
    for name, bad in BAD_TOKENS.items():
        yield pytest.param(bad, POLICY, id=f"rule {bad.rule}, {name}")
        # What departs in the header too would be refused for that.
        if not (bad.header and bad.claims):
            yield pytest.param(bad, STRICT, id=f"strictly, rule {bad.rule}, {name}")


@pytest.mark.parametrize(("bad", "policy"), list(_rows()))
def test_a_token_with_one_fault_is_refused_by_the_rule_for_it(base64url, bad, policy):
    header, claims = spoiled(GOOD_HEADER, bad.header), spoiled(GOOD_CLAIMS, bad.claims)
    assert (header, claims) != (GOOD_HEADER, GOOD_CLAIMS)
    if bad.strict and policy is POLICY:
        assert judge_as_sent(base64url, header, claims, policy).issuer == ISSUER
        return
    with pytest.raises(InvalidTokenError) as refusal:
        judge_as_sent(base64url, header, claims, policy)
    assert str(refusal.value) == bad.reason


@pytest.mark.parametrize("policy", [POLICY, STRICT], ids=["lenient", "strict"])
def test_the_token_from_which_the_bad_ones_depart_passes(base64url, policy):
    assert judge_as_sent(base64url, GOOD_HEADER, GOOD_CLAIMS, policy).subject == "someone"


def test_each_rule_about_the_kind_of_a_token_has_a_row():
    seen = set()
    for bad in BAD_TOKENS.values():
        seen |= spoiled(GOOD_CLAIMS, bad.claims).keys() & token_kinds.KIND_RULES.keys()
    assert seen == token_kinds.KIND_RULES.keys()


@pytest.mark.parametrize("typ", [None, "JWT", "jwt", "at+jwt", "AT+JWT", "application/at+jwt", "Application/AT+jwt"])
def test_the_types_of_an_access_token_pass(typ):
    verify_header(replace(HEADER, typ=typ), POLICY)


@pytest.mark.parametrize("typ", ["at+jwt", "AT+JWT", "application/at+jwt"])
def test_strictly_only_the_at_jwt_forms_pass(typ):
    verify_header(replace(HEADER, typ=typ), STRICT)


def test_an_algorithm_that_is_not_on_the_list_is_refused():
    with pytest.raises(InvalidTokenError) as refusal:
        verify_header(AT_HEADER, replace(POLICY, algorithms=frozenset({"ES256"})))
    assert (refusal.value.reason, refusal.value.claim) == ("algorithm", "alg")


@pytest.mark.parametrize("listed", ["EdDSA", "Ed25519"])
@pytest.mark.parametrize("sent", ["EdDSA", "Ed25519"])
def test_both_names_of_ed25519_stand_for_the_other_in_header_and_list(base64url, listed, sent):
    header = read_header(base64url(json.dumps({"alg": sent}).encode()).encode())
    policy = replace(POLICY, algorithms=frozenset({listed}))
    verify_header(header, policy)
    assert policy == replace(POLICY, algorithms=frozenset({"EdDSA"}))


def test_a_trusted_issuer_is_returned():
    assert verify_issuer(ISSUER, POLICY) is POLICY


@pytest.mark.parametrize("issuer", ["", ISSUER + "/", "https://evil.example.com"])
def test_the_refused_issuer_is_kept_for_the_log(issuer):
    with pytest.raises(InvalidTokenError) as refusal:
        verify_issuer(issuer, None)
    assert (refusal.value.reason, refusal.value.claim, refusal.value.found) == ("issuer", "iss", issuer)


def test_a_valid_token_says_what_its_claims_say():
    claims = STRICT_CLAIMS | {"aud": ["other", AUDIENCE], "scope": "a b", "roles": ["x", {"y": 1}]}
    token = judge(claims, AT_HEADER, STRICT)
    assert (token.subject, token.client_id, token.issuer, token.token_id) == ("someone", "client", ISSUER, "1")
    assert (token.audience, token.scopes) == (("other", AUDIENCE), {"a", "b"})
    assert (token.expires_at, token.issued_at) == (NOW + 300, NOW)
    assert token.claims["roles"] == ("x", {"y": 1})
    with pytest.raises(TypeError):
        token.claims["sub"] = "another"


def test_what_a_token_does_not_say_is_nothing():
    token = judge({name: CLAIMS[name] for name in ("iss", "aud", "exp")})
    assert (token.subject, token.client_id, token.issued_at, token.token_id) == (None, None, None, None)
    assert token.scopes == frozenset()


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
@pytest.mark.parametrize("name", ["exp", "nbf", "iat"])
def test_a_date_that_is_not_finite_is_refused_however_it_was_read(name, number):
    assert _refusal(CLAIMS | {name: float(number)}) == ("claim", name)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_date_beyond_every_float_is_refused_and_no_crash(sign):
    reason, claim = _refusal(CLAIMS | {"nbf": sign * 10**400})
    assert (reason, claim) == ("claim", "nbf")


def test_azp_is_the_client_where_client_id_is_absent():
    assert judge(CLAIMS | {"azp": "app"}).client_id == "app"
    assert judge(CLAIMS | {"azp": "app", "client_id": "b"}).client_id == "b"


@pytest.mark.parametrize(
    ("accepted", "audience"),
    [
        pytest.param(AUDIENCE, AUDIENCE, id="the same"),
        pytest.param(AUDIENCE, AUDIENCE + "/", id="slash in the token"),
        pytest.param(AUDIENCE + "/", AUDIENCE, id="slash in the settings"),
        pytest.param("https://api.example.com", "https://api.example.com/", id="slash after the host"),
        pytest.param(AUDIENCE, "HTTPS://API.Example.COM/mcp", id="case of scheme and host"),
        pytest.param("https://API.example.com/mcp", AUDIENCE, id="case in the settings"),
        pytest.param(AUDIENCE, ["x", AUDIENCE], id="one of a list"),
        pytest.param("api://Some-Id", "api://some-id", id="another scheme with a host"),
        pytest.param("my-api", "my-api", id="no URL"),
        pytest.param("https://\u00e9.example", "https://\u00e9.example", id="the same beyond ASCII"),
    ],
)
def test_an_audience_is_accepted_but_for_one_slash_and_the_case_of_scheme_and_host(accepted, audience):
    policy = replace(POLICY, audiences=(accepted,))
    judge(CLAIMS | {"aud": audience}, policy=policy)


@pytest.mark.parametrize(
    ("accepted", "audience"),
    [
        pytest.param("https://api.example.com", AUDIENCE, id="accepted one is a prefix"),
        pytest.param("https://api.example.com", "https://api.example.com.evil.example", id="longer host"),
        pytest.param("https://api.example.com", "https://api.example.com@evil.example", id="host as a user name"),
        pytest.param(AUDIENCE + "?a=b", AUDIENCE + "?A=B", id="case of the query"),
        pytest.param("https://api.example.com?a", "https://api.example.com?A", id="case of a query after the host"),
        pytest.param("https://u@api.example.com", "https://U@api.example.com", id="case of a user name"),
        pytest.param("https://k.example", "https://\u212a.example", id="Kelvin sign"),
        pytest.param("https://i.example", "https://\u0130.example", id="capital I with dot"),
        pytest.param("https://\u00e9.example", "https://\u00c9.example", id="case beyond ASCII"),
        pytest.param("https://\u00e9.example", "https://\u00e9.example/", id="slash beyond ASCII"),
        pytest.param("my-api", "MY-API", id="case of what is no URL"),
        pytest.param("my-api", "my-api/", id="slash after what is no URL"),
    ],
)
def test_an_audience_with_any_other_difference_is_refused(accepted, audience):
    assert _refusal(CLAIMS | {"aud": audience}, policy=replace(POLICY, audiences=(accepted,))) == ("audience", "aud")


def test_the_refused_audience_is_kept_for_the_log():
    with pytest.raises(InvalidTokenError) as refusal:
        judge(CLAIMS | {"aud": ["a", "b"]})
    assert refusal.value.found == "a b"


def test_comparing_keeps_user_name_port_path_and_query():
    assert comparable_audience("HTTPS://User@API.Example:8443/Path?Q#F") == "https://User@api.example:8443/Path?Q#F"


@pytest.mark.parametrize("leeway", [0, 30])
def test_a_token_expires_on_its_exp_and_not_before(leeway):
    policy = replace(POLICY, leeway=leeway)
    judge(CLAIMS | {"exp": NOW - leeway + 0.001}, policy=policy)
    assert _refusal(CLAIMS | {"exp": NOW - leeway}, policy=policy) == ("expired", "exp")


@pytest.mark.parametrize("leeway", [0, 30])
@pytest.mark.parametrize(("name", "reason"), [("nbf", "not_yet_valid"), ("iat", "issued_in_future")])
def test_a_token_of_the_future_is_refused_beyond_the_leeway(name, reason, leeway):
    policy = replace(POLICY, leeway=leeway)
    judge(CLAIMS | {name: NOW + leeway}, policy=policy)
    assert _refusal(CLAIMS | {name: NOW + leeway + 0.001}, policy=policy) == (reason, name)


@pytest.mark.parametrize("leeway", [30, 30.0], ids=["whole leeway", "fractional leeway"])
def test_an_exp_below_every_float_is_refused_and_no_crash(leeway):
    reason, claim = _refusal(CLAIMS | {"exp": -(10**400)}, policy=replace(POLICY, leeway=leeway), now=float(NOW))
    assert (reason in {"claim", "expired"}, claim) == (True, "exp")


def test_the_last_instant_of_the_year_9999_is_a_date():
    assert judge(CLAIMS | {"exp": 253_402_300_799}).expires_at == 253_402_300_799


def test_strictly_a_token_with_every_required_claim_passes():
    judge(STRICT_CLAIMS, AT_HEADER, STRICT)


@pytest.mark.parametrize(
    ("change", "header"),
    [
        pytest.param({"nonce": "x", "client_id": "a"}, HEADER, id="nonce with client_id"),
        pytest.param({"nonce": "x", "scope": ""}, HEADER, id="nonce with scope"),
        pytest.param({"nonce": "x", "scp": ["a"]}, HEADER, id="nonce with scp"),
        pytest.param({"nonce": "x"}, AT_HEADER, id="nonce in an at+jwt"),
        pytest.param({"nonce": "x", "typ": "Bearer"}, HEADER, id="nonce of older Keycloak"),
        pytest.param({"azp": AUDIENCE, "scope": "a"}, HEADER, id="audience the client, with scope"),
        pytest.param({"azp": AUDIENCE, "aud": [AUDIENCE, "x"]}, HEADER, id="audience more than the client"),
        pytest.param({"azp": "app"}, HEADER, id="another client"),
        pytest.param({"typ": 1}, HEADER, id="typ of no meaning"),
        pytest.param({"typ": "Bearer"}, HEADER, id="typ Bearer"),
        pytest.param({"token_use": "access"}, HEADER, id="Cognito access token"),
    ],
)
def test_an_access_token_that_resembles_another_passes(change, header):
    judge(CLAIMS | change, header)


def test_a_mark_without_a_header_type_is_looked_for_elsewhere():
    assert _refusal(CLAIMS | {"nonce": "x"}, replace(HEADER, typ=None)) == ("id_token", "nonce")
    judge(CLAIMS | {"nonce": "x", "scope": "a"}, replace(HEADER, typ=None))


def test_scope_claims_of_the_policy_are_read():
    policy = replace(POLICY, scope_claims=("permissions",))
    claims = CLAIMS | {"permissions": ["a"], "scope": "b"}
    assert judge(claims, policy=policy).scopes == {"a"}


@pytest.mark.parametrize("cnf", [{"jkt": "x"}, {}, None, False, "jkt", ["jkt"]], ids=repr)
def test_what_a_token_is_bound_to_is_returned_so_that_it_is_asked_for(cnf):
    _, confirmation = verify_claims(CLAIMS | {"cnf": cnf}, HEADER, POLICY, now=NOW)
    assert confirmation is not None
    assert confirmation.members == (cnf if isinstance(cnf, dict) else {})


def test_what_a_token_is_bound_to_cannot_be_altered():
    _, confirmation = verify_claims(CLAIMS | {"cnf": {"jkt": "x"}}, HEADER, POLICY, now=NOW)
    with pytest.raises(TypeError):
        confirmation.members["jkt"] = "y"


def test_a_token_without_cnf_is_bound_to_nothing():
    assert verify_claims(CLAIMS, HEADER, POLICY, now=NOW)[1] is None
