from dataclasses import replace

import pytest
from pydantic_core import to_json

from mcp_oauth2_deps.errors import InvalidTokenError
from mcp_oauth2_deps.models import TokenPolicy
from mcp_oauth2_deps.protocol.encoding import parse_claims
from mcp_oauth2_deps.protocol.jws import UnverifiedHeader
from mcp_oauth2_deps.protocol.tokens import comparable_audience, verify_claims, verify_header, verify_issuer

NOW = 1_800_000_000
ISSUER = "https://issuer.example.com"
AUDIENCE = "https://api.example.com/mcp"
POLICY = TokenPolicy((ISSUER,), (AUDIENCE,), frozenset({"RS256"}))
STRICT = replace(POLICY, strict_at_jwt=True)
HEADER = UnverifiedHeader("RS256", "a", "JWT")
AT_HEADER = replace(HEADER, typ="at+jwt")
CLAIMS = {"iss": ISSUER, "aud": AUDIENCE, "exp": NOW + 300, "sub": "someone"}
STRICT_CLAIMS = CLAIMS | {"client_id": "client", "iat": NOW, "jti": "1"}


def _without(*names):
    return {name: value for name, value in CLAIMS.items() if name not in names}


def _refusal(claims, header=HEADER, policy=POLICY, now=NOW):
    with pytest.raises(InvalidTokenError) as refusal:
        verify_claims(claims, header, policy, now=now)
    return refusal.value.reason, refusal.value.claim


def test_read_only_claims_are_kept_and_others_are_copied():
    claims = parse_claims(to_json(CLAIMS | {"roles": ["a"]}))
    assert verify_claims(claims, HEADER, POLICY, now=NOW).claims is claims
    plain = {**CLAIMS, "roles": ["a"], "aud": [AUDIENCE]}
    token = verify_claims(plain, HEADER, POLICY, now=NOW)
    plain["roles"].append("b")
    assert (token.claims["roles"], token.audience) == (("a",), (AUDIENCE,))


@pytest.mark.parametrize("typ", [None, "JWT", "jwt", "at+jwt", "AT+JWT", "application/at+jwt", "Application/AT+jwt"])
def test_the_types_of_an_access_token_pass(typ):
    verify_header(replace(HEADER, typ=typ), POLICY)


@pytest.mark.parametrize("typ", ["at+jwt", "AT+JWT", "application/at+jwt"])
def test_strictly_only_the_at_jwt_forms_pass(typ):
    verify_header(replace(HEADER, typ=typ), STRICT)


@pytest.mark.parametrize(
    ("change", "policy", "reason", "claim"),
    [
        pytest.param({"alg": "none"}, POLICY, "algorithm", "alg", id="alg none"),
        pytest.param({"alg": "HS256"}, POLICY, "algorithm", "alg", id="alg symmetric"),
        pytest.param({"alg": "ES256"}, POLICY, "algorithm", "alg", id="alg not allowed"),
        pytest.param({"alg": "rs256"}, POLICY, "algorithm", "alg", id="alg in lower case"),
        pytest.param({"alg": ""}, POLICY, "algorithm", "alg", id="alg empty"),
        pytest.param({"typ": "logout+jwt"}, POLICY, "type", "typ", id="logout token"),
        pytest.param({"typ": "dpop+jwt"}, POLICY, "type", "typ", id="DPoP proof"),
        pytest.param({"typ": "secevent+jwt"}, POLICY, "type", "typ", id="security event"),
        pytest.param({"typ": "application/jwt"}, POLICY, "type", "typ", id="type not listed"),
        pytest.param({"typ": ""}, POLICY, "type", "typ", id="type empty"),
        pytest.param({"typ": "at+jwt "}, POLICY, "type", "typ", id="type with a space"),
        pytest.param({"typ": None}, STRICT, "type", "typ", id="type absent, strictly"),
        pytest.param({"typ": "JWT"}, STRICT, "type", "typ", id="JWT, strictly"),
    ],
)
def test_a_header_with_one_fault_is_refused(change, policy, reason, claim):
    with pytest.raises(InvalidTokenError) as refusal:
        verify_header(replace(AT_HEADER, **change), policy)
    assert (refusal.value.reason, refusal.value.claim) == (reason, claim)


def test_a_trusted_issuer_is_returned():
    assert verify_issuer({"iss": ISSUER}, POLICY) == ISSUER


@pytest.mark.parametrize(
    ("claims", "reason", "found"),
    [
        pytest.param({}, "claim", None, id="missing"),
        pytest.param({"iss": None}, "claim", None, id="null"),
        pytest.param({"iss": [ISSUER]}, "claim", None, id="list"),
        pytest.param({"iss": ""}, "issuer", "", id="empty"),
        pytest.param({"iss": ISSUER + "/"}, "issuer", ISSUER + "/", id="slash at the end"),
        pytest.param({"iss": "https://ISSUER.example.com"}, "issuer", "https://ISSUER.example.com", id="case of the host"),
        pytest.param({"iss": "https://evil.example.com"}, "issuer", "https://evil.example.com", id="a stranger"),
    ],
)
def test_an_issuer_is_trusted_only_byte_for_byte(claims, reason, found):
    with pytest.raises(InvalidTokenError) as refusal:
        verify_issuer(claims, POLICY)
    assert (refusal.value.reason, refusal.value.claim, refusal.value.found) == (reason, "iss", found)


def test_a_valid_token_says_what_its_claims_say():
    claims = STRICT_CLAIMS | {"aud": ["other", AUDIENCE], "scope": "a b", "roles": ["x", {"y": 1}]}
    token = verify_claims(claims, AT_HEADER, STRICT, now=NOW)
    assert (token.subject, token.client_id, token.issuer, token.token_id) == ("someone", "client", ISSUER, "1")
    assert (token.audience, token.scopes) == (("other", AUDIENCE), {"a", "b"})
    assert (token.expires_at, token.issued_at) == (NOW + 300, NOW)
    assert token.claims["roles"] == ("x", {"y": 1})
    with pytest.raises(TypeError):
        token.claims["sub"] = "another"


def test_what_a_token_does_not_say_is_nothing():
    token = verify_claims(_without("sub"), HEADER, POLICY, now=NOW)
    assert (token.subject, token.client_id, token.issued_at, token.token_id) == (None, None, None, None)
    assert token.scopes == frozenset()


def test_azp_is_the_client_where_client_id_is_absent():
    assert verify_claims(CLAIMS | {"azp": "app"}, HEADER, POLICY, now=NOW).client_id == "app"
    assert verify_claims(CLAIMS | {"azp": "app", "client_id": "b"}, HEADER, POLICY, now=NOW).client_id == "b"


@pytest.mark.parametrize(
    ("change", "claim"),
    [
        pytest.param({"iss": 1}, "iss", id="iss number"),
        pytest.param({"aud": None}, "aud", id="aud null"),
        pytest.param({"aud": 1}, "aud", id="aud number"),
        pytest.param({"aud": {AUDIENCE: 1}}, "aud", id="aud object"),
        pytest.param({"aud": [AUDIENCE, 1]}, "aud", id="aud list with a number"),
        pytest.param({"aud": [[AUDIENCE]]}, "aud", id="aud list of lists"),
        pytest.param({"exp": None}, "exp", id="exp null"),
        pytest.param({"exp": str(NOW + 300)}, "exp", id="exp string"),
        pytest.param({"exp": True}, "exp", id="exp boolean"),
        pytest.param({"exp": float("nan")}, "exp", id="exp NaN"),
        pytest.param({"exp": float("inf")}, "exp", id="exp infinite"),
        pytest.param({"exp": 253_402_300_800}, "exp", id="exp after the year 9999"),
        pytest.param({"exp": (NOW + 300) * 1000}, "exp", id="exp in milliseconds"),
        pytest.param({"exp": 1e300}, "exp", id="exp huge"),
        pytest.param({"exp": 10**400}, "exp", id="exp beyond every float"),
        pytest.param({"nbf": None}, "nbf", id="nbf null"),
        pytest.param({"nbf": "0"}, "nbf", id="nbf string"),
        pytest.param({"nbf": False}, "nbf", id="nbf boolean"),
        pytest.param({"nbf": float("-inf")}, "nbf", id="nbf infinite"),
        pytest.param({"iat": None}, "iat", id="iat null"),
        pytest.param({"iat": "0"}, "iat", id="iat string"),
        pytest.param({"iat": False}, "iat", id="iat boolean"),
        pytest.param({"sub": None}, "sub", id="sub null"),
        pytest.param({"sub": 1}, "sub", id="sub number"),
        pytest.param({"jti": 1}, "jti", id="jti number"),
        pytest.param({"client_id": ["a"]}, "client_id", id="client_id list"),
        pytest.param({"azp": 1}, "azp", id="azp number"),
        pytest.param({"scope": ["a"]}, "scope", id="scope list"),
        pytest.param({"scp": 1}, "scp", id="scp number"),
    ],
)
def test_a_claim_of_another_type_is_refused(change, claim):
    assert _refusal(CLAIMS | change) == ("claim", claim)


@pytest.mark.parametrize("name", ["iss", "aud", "exp"])
def test_issuer_audience_and_expiry_are_required(name):
    assert _refusal(_without(name)) == ("claim", name)


def test_a_foreign_issuer_is_refused_here_too():
    assert _refusal(CLAIMS | {"iss": ISSUER + "/"}) == ("issuer", "iss")


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
    verify_claims(CLAIMS | {"aud": audience}, HEADER, policy, now=NOW)


@pytest.mark.parametrize(
    ("accepted", "audience"),
    [
        pytest.param(AUDIENCE, "", id="empty"),
        pytest.param(AUDIENCE, [], id="empty list"),
        pytest.param(AUDIENCE, [""], id="list with nothing"),
        pytest.param(AUDIENCE, "https://api.example.com", id="accepted one is longer"),
        pytest.param("https://api.example.com", AUDIENCE, id="accepted one is a prefix"),
        pytest.param(AUDIENCE, AUDIENCE + "2", id="accepted one is a prefix of the segment"),
        pytest.param("https://api.example.com", "https://api.example.com.evil.example", id="longer host"),
        pytest.param("https://api.example.com", "https://api.example.com@evil.example", id="host as a user name"),
        pytest.param(AUDIENCE, AUDIENCE + "//", id="two slashes"),
        pytest.param(AUDIENCE, "https://api.example.com/MCP", id="case of the path"),
        pytest.param(AUDIENCE + "?a=b", AUDIENCE + "?A=B", id="case of the query"),
        pytest.param("https://api.example.com?a", "https://api.example.com?A", id="case of a query after the host"),
        pytest.param("https://u@api.example.com", "https://U@api.example.com", id="case of a user name"),
        pytest.param(AUDIENCE, "http://api.example.com/mcp", id="another scheme"),
        pytest.param(AUDIENCE, "https://api.example.com:443/mcp", id="the port written out"),
        pytest.param(AUDIENCE, "https://api.example.com./mcp", id="dot after the host"),
        pytest.param(AUDIENCE, "https://api.example.com/%6dcp", id="escape"),
        pytest.param(AUDIENCE, "https://api.example.com/x/../mcp", id="dot segments"),
        pytest.param(AUDIENCE, AUDIENCE + "#", id="empty fragment"),
        pytest.param(AUDIENCE, " " + AUDIENCE, id="space before"),
        pytest.param(AUDIENCE, "https://api.exa\tmple.com/mcp", id="tab that URL parsers drop"),
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
        verify_claims(CLAIMS | {"aud": ["a", "b"]}, HEADER, POLICY, now=NOW)
    assert refusal.value.found == "a b"


def test_comparing_keeps_user_name_port_path_and_query():
    assert comparable_audience("HTTPS://User@API.Example:8443/Path?Q#F") == "https://User@api.example:8443/Path?Q#F"


@pytest.mark.parametrize("leeway", [0, 30])
def test_a_token_expires_on_its_exp_and_not_before(leeway):
    policy = replace(POLICY, leeway=leeway)
    verify_claims(CLAIMS | {"exp": NOW - leeway + 0.001}, HEADER, policy, now=NOW)
    assert _refusal(CLAIMS | {"exp": NOW - leeway}, policy=policy) == ("expired", "exp")


@pytest.mark.parametrize("leeway", [0, 30])
@pytest.mark.parametrize(("name", "reason"), [("nbf", "not_yet_valid"), ("iat", "issued_in_future")])
def test_a_token_of_the_future_is_refused_beyond_the_leeway(name, reason, leeway):
    policy = replace(POLICY, leeway=leeway)
    verify_claims(CLAIMS | {name: NOW + leeway}, HEADER, policy, now=NOW)
    assert _refusal(CLAIMS | {name: NOW + leeway + 0.001}, policy=policy) == (reason, name)


@pytest.mark.parametrize("exp", [-1, 0, -1e300])
def test_a_date_long_ago_is_expired(exp):
    assert _refusal(CLAIMS | {"exp": exp}) == ("expired", "exp")


@pytest.mark.parametrize("leeway", [30, 30.0], ids=["whole leeway", "fractional leeway"])
def test_an_exp_below_every_float_is_refused_and_no_crash(leeway):
    reason, claim = _refusal(CLAIMS | {"exp": -(10**400)}, policy=replace(POLICY, leeway=leeway), now=float(NOW))
    assert (reason in {"claim", "expired"}, claim) == (True, "exp")


def test_the_last_instant_of_the_year_9999_is_a_date():
    assert verify_claims(CLAIMS | {"exp": 253_402_300_799}, HEADER, POLICY, now=NOW).expires_at == 253_402_300_799


def test_strictly_a_token_with_every_required_claim_passes():
    verify_claims(STRICT_CLAIMS, AT_HEADER, STRICT, now=NOW)


@pytest.mark.parametrize("name", ["iss", "exp", "aud", "sub", "client_id", "iat", "jti"])
def test_strictly_every_claim_of_rfc_9068_is_required(name):
    claims = {key: value for key, value in STRICT_CLAIMS.items() if key != name}
    assert _refusal(claims, AT_HEADER, STRICT) == ("claim", name)


@pytest.mark.parametrize("name", ["sub", "client_id", "jti"])
def test_strictly_an_empty_claim_is_a_missing_one(name):
    assert _refusal(STRICT_CLAIMS | {name: ""}, AT_HEADER, STRICT) == ("claim", name)


@pytest.mark.parametrize(
    ("change", "reason", "claim"),
    [
        pytest.param({"at_hash": "x", "scope": "a"}, "id_token", "at_hash", id="at_hash though marked"),
        pytest.param({"c_hash": "x"}, "id_token", "c_hash", id="c_hash"),
        pytest.param({"at_hash": None}, "id_token", "at_hash", id="at_hash null"),
        pytest.param({"nonce": "x"}, "id_token", "nonce", id="nonce without a mark"),
        pytest.param({"nonce": None}, "id_token", "nonce", id="nonce null"),
        pytest.param({"nonce": "x", "typ": "bearer"}, "id_token", "nonce", id="nonce with a mark in another case"),
        pytest.param({"azp": AUDIENCE}, "id_token", "aud", id="the audience is the client"),
        pytest.param({"azp": AUDIENCE, "aud": [AUDIENCE] * 2}, "id_token", "aud", id="the client twice"),
        pytest.param({"events": {}}, "type", "events", id="security event"),
        pytest.param({"typ": "ID"}, "type", "typ", id="Keycloak ID token"),
        pytest.param({"typ": "Refresh"}, "type", "typ", id="Keycloak refresh token"),
        pytest.param({"typ": "Offline"}, "type", "typ", id="Keycloak offline token"),
        pytest.param({"typ": "Logout"}, "type", "typ", id="Keycloak logout token"),
        pytest.param({"token_use": "id"}, "type", "token_use", id="Cognito ID token"),
        pytest.param({"token_use": None}, "type", "token_use", id="token_use null"),
        pytest.param({"cnf": {"jkt": "x"}}, "binding", "cnf", id="bound by DPoP"),
        pytest.param({"cnf": {"x5t#S256": "x"}}, "binding", "cnf", id="bound by mTLS"),
        pytest.param({"cnf": {"new": "x"}}, "binding", "cnf", id="bound by an unknown method"),
        pytest.param({"cnf": {}}, "binding", "cnf", id="bound by nothing"),
        pytest.param({"cnf": None}, "binding", "cnf", id="cnf null"),
    ],
)
def test_what_is_not_a_bearer_access_token_is_refused(change, reason, claim):
    assert _refusal(CLAIMS | change) == (reason, claim)


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
    verify_claims(CLAIMS | change, header, POLICY, now=NOW)


def test_a_mark_without_a_header_type_is_looked_for_elsewhere():
    assert _refusal(CLAIMS | {"nonce": "x"}, replace(HEADER, typ=None)) == ("id_token", "nonce")
    verify_claims(CLAIMS | {"nonce": "x", "scope": "a"}, replace(HEADER, typ=None), POLICY, now=NOW)


def test_scope_claims_of_the_policy_are_read():
    policy = replace(POLICY, scope_claims=("permissions",))
    claims = CLAIMS | {"permissions": ["a"], "scope": "b"}
    assert verify_claims(claims, HEADER, policy, now=NOW).scopes == {"a"}
