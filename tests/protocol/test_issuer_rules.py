"""The rules that only some issuers have: clients in place of an audience, further scopes, claims that must be there."""

from dataclasses import replace
from functools import partial

import pytest

from mcp_oauth2_deps.errors import InvalidTokenError
from mcp_oauth2_deps.protocol.issuer_templates import IssuerTemplate, is_issuer, may_be_issuer
from mcp_oauth2_deps.protocol.jws import UnverifiedHeader
from mcp_oauth2_deps.protocol.keys import KeySet, KeySetBuilder
from mcp_oauth2_deps.protocol.policy import TokenPolicy, any_header_of
from mcp_oauth2_deps.protocol.scopes import ClaimedScopes, read_scopes
from mcp_oauth2_deps.protocol.tokens import client_of, verify_claims, verify_header
from mcp_oauth2_deps.testing import SigningKey

NOW = 1_800_000_000
ISSUER, AUDIENCE = "https://issuer.example.com", "https://api.example.com/mcp"
POLICY = TokenPolicy((ISSUER,), (AUDIENCE,), frozenset({"RS256", "ES256"}))
HEADER = UnverifiedHeader("RS256", "a", None)
AT_HEADER = replace(HEADER, typ="at+jwt")
CLAIMS = {"iss": ISSUER, "exp": NOW + 300, "sub": "someone", "aud": AUDIENCE}
CLIENTS = replace(POLICY, clients=frozenset({"ours", "other"}))
# A token of Cognito, which has no audience.
WITHOUT = {"iss": ISSUER, "exp": NOW + 300, "sub": "someone", "client_id": "ours", "token_use": "access"}


def judge(claims, policy, header=HEADER):
    return verify_claims(claims, header, policy, now=NOW)[0]


def refusal(claims, policy, header=HEADER):
    with pytest.raises(InvalidTokenError) as caught:
        judge(claims, policy, header)
    return str(caught.value)


def test_a_client_stands_for_an_audience_that_is_not_there():
    token = judge(WITHOUT, CLIENTS)
    assert (token.client_id, token.audience) == ("ours", ())


@pytest.mark.parametrize(
    ("changes", "header"),
    [
        ({"token_use": None}, AT_HEADER),
        ({"token_use": None, "typ": "Bearer"}, HEADER),
        ({"client_id": None, "azp": "ours"}, HEADER),
    ],
)
def test_control_each_mark_of_an_access_token_does(changes, header):
    claims = {name: value for name, value in (WITHOUT | changes).items() if value is not None}
    assert judge(claims, CLIENTS, header).client_id == "ours"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"client_id": "stranger"}, "audience_missing (aud)"),
        ({"client_id": "OURS"}, "audience_missing (aud)"),
        ({"client_id": ...}, "audience_missing (aud)"),
        ({"client_id": ""}, "audience_missing (aud)"),
        # The first claim that says a client counts, not the first that would do.
        ({"client_id": "stranger", "azp": "ours"}, "audience_missing (aud)"),
        ({"token_use": ...}, "type (typ)"),
        ({"token_use": "id"}, "type (typ)"),
        ({"token_use": ..., "scope": "a"}, "type (typ)"),
        ({"token_use": ..., "typ": "bearer"}, "type (typ)"),
        ({"nonce": "n", "at_hash": "h"}, "id_token (at_hash)"),
        ({"aud": "https://elsewhere.example"}, "audience (aud)"),
        ({"aud": "ours"}, "audience (aud)"),
        ({"aud": []}, "audience (aud)"),
        ({"aud": ""}, "audience (aud)"),
        ({"aud": None}, "claim (aud)"),
        ({"exp": NOW - 31}, "expired (exp)"),
    ],
)
def test_of_tokens_without_an_audience_no_other_passes(changes, reason):
    claims = {name: value for name, value in (WITHOUT | changes).items() if value is not ...}
    assert refusal(claims, CLIENTS) == reason


def test_without_named_clients_an_audience_is_required():
    assert refusal(WITHOUT, POLICY) == "audience_missing (aud)"
    assert judge(WITHOUT | {"aud": AUDIENCE}, CLIENTS).audience == (AUDIENCE,)


def test_the_first_client_claim_that_is_not_empty_counts():
    claims = {"appid": "", "azp": "b", "client_id": "c"}
    assert client_of(claims, replace(POLICY, client_claims=("appid", "azp", "client_id"))) == "b"
    assert client_of(claims, replace(POLICY, client_claims=("appid",))) is None


@pytest.mark.parametrize("odd", [7, None, ["a"], {}, False])
def test_a_client_claim_that_is_no_string_is_refused_also_where_another_counts(odd):
    assert refusal(CLAIMS | {"client_id": "c", "cid": odd}, replace(POLICY, client_claims=("client_id", "cid"))) == "claim (cid)"
    assert judge(CLAIMS | {"client_id": "c", "cid": odd}, POLICY).client_id == "c"


ROLES = ClaimedScopes(("realm_access", "roles"), "role:")
OBJECT = ClaimedScopes(("urn:x:roles",), "role:", keys=True)


def test_a_scope_that_a_client_asked_for_by_the_name_of_a_role_is_no_role():
    policy = replace(POLICY, scope_sources=(ROLES,))
    claims = CLAIMS | {"scope": "s role:admin roles:x", "realm_access": {"roles": ["a"]}}
    assert judge(claims, policy).scopes == {"s", "roles:x", "role:a"}
    assert judge(CLAIMS | {"scope": "s role:admin"}, policy).scopes == {"s"}
    assert judge(CLAIMS | {"scope": "s role:admin"}, POLICY).scopes == {"s", "role:admin"}


@pytest.mark.parametrize(
    ("claims", "source", "scopes"),
    [
        ({"permissions": ["a", "b"]}, ClaimedScopes(("permissions",)), {"s", "a", "b"}),
        ({"permissions": "a  b"}, ClaimedScopes(("permissions",)), {"s", "a", "b"}),
        ({"realm_access": {"roles": ["a"]}}, ROLES, {"s", "role:a"}),
        ({"realm_access": {"roles": []}}, ROLES, {"s"}),
        ({"realm_access": {}}, ROLES, {"s"}),
        ({}, ROLES, {"s"}),
        # The name of a path is no path in itself, and a string with a space in a list is one scope that nobody demands.
        ({"realm_access.roles": ["a"]}, ROLES, {"s"}),
        ({"realm_access": {"roles": ["a b", ""]}}, ROLES, {"s", "role:a b"}),
        ({"urn:x:roles": {"a": {"7": "org"}, "": {}}}, OBJECT, {"s", "role:a"}),
        ({"urn:x:roles": {}}, OBJECT, {"s"}),
    ],
)
def test_further_claims_add_to_the_scopes(claims, source, scopes):
    assert read_scopes({"scope": "s"} | claims, ("scope",), (source,)) == scopes
    assert judge(CLAIMS | {"scope": "s"} | claims, replace(POLICY, scope_sources=(source,))).scopes == scopes
    assert judge(CLAIMS | {"scope": "s"} | claims, POLICY).scopes == {"s"}


@pytest.mark.parametrize(
    ("claims", "source", "name"),
    [
        ({"permissions": 7}, ClaimedScopes(("permissions",)), "permissions"),
        ({"permissions": None}, ClaimedScopes(("permissions",)), "permissions"),
        ({"permissions": ["a", 7]}, ClaimedScopes(("permissions",)), "permissions"),
        ({"permissions": {"a": 1}}, ClaimedScopes(("permissions",)), "permissions"),
        ({"realm_access": ["roles"]}, ROLES, "realm_access.roles"),
        ({"realm_access": "roles"}, ROLES, "realm_access.roles"),
        ({"realm_access": {"roles": {"a": 1}}}, ROLES, "realm_access.roles"),
        ({"urn:x:roles": ["a"]}, OBJECT, "urn:x:roles"),
        ({"urn:x:roles": "a"}, OBJECT, "urn:x:roles"),
    ],
)
def test_a_further_claim_of_another_kind_is_no_claim_without_scopes(claims, source, name):
    assert refusal(CLAIMS | claims, replace(POLICY, scope_sources=(source,))) == f"claim ({name})"


DEMANDING = replace(POLICY, required_claims={"org": frozenset({"a", "b"}), "grant": None})
HELD = CLAIMS | {"org": "b", "grant": {"x": 1}}


def test_control_a_token_with_the_claims_that_must_be_there_passes():
    assert judge(HELD, DEMANDING).subject == "someone"
    assert judge(HELD | {"grant": 0}, DEMANDING).subject == "someone"


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"org": ...}, "org"),
        ({"org": "c"}, "org"),
        ({"org": "B"}, "org"),
        ({"org": ["b"]}, "org"),
        ({"org": True}, "org"),
        ({"grant": ...}, "grant"),
        ({"grant": None}, "grant"),
        ({"grant": ""}, "grant"),
        ({"grant": []}, "grant"),
        ({"grant": {}}, "grant"),
    ],
)
def test_a_claim_that_must_be_there_is_there_and_has_its_value(changes, name):
    claims = {key: value for key, value in (HELD | changes).items() if value is not ...}
    assert refusal(claims, DEMANDING) == f"claim ({name})"


# The access token of authentik: an ID token with `uid`.
AUTHENTIK = replace(POLICY, audiences=("client",), access_token_marks=("uid", "azp"))
ACCESS = CLAIMS | {"aud": "client", "azp": "client", "nonce": "n", "uid": "7"}


def test_what_marks_an_access_token_tells_it_from_an_id_token():
    assert judge(ACCESS, AUTHENTIK).client_id == "client"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"uid": ...}, "id_token (uid)"),
        ({"uid": ""}, "id_token (uid)"),
        ({"uid": None}, "id_token (uid)"),
        ({"azp": ...}, "id_token (azp)"),
        ({"at_hash": "h"}, "id_token (at_hash)"),
        ({"aud": "another", "azp": "another"}, "audience (aud)"),
    ],
)
def test_without_all_marks_it_is_an_id_token(changes, reason):
    claims = {key: value for key, value in (ACCESS | changes).items() if value is not ...}
    assert refusal(claims, AUTHENTIK) == reason


@pytest.mark.parametrize("required", [{}, {"uid": None, "azp": None}, {"nonce": None}])
def test_a_claim_that_is_only_required_marks_nothing(required):
    policy = replace(POLICY, audiences=("client",), required_claims=required)
    assert refusal(ACCESS, policy) == "id_token (nonce)"


def test_a_type_can_be_demanded_without_the_other_claims_of_rfc_9068():
    policy = replace(POLICY, typ_required=True)
    for typ in (None, "JWT"):
        with pytest.raises(InvalidTokenError) as caught:
            verify_header(replace(HEADER, typ=typ), policy)
        assert str(caught.value) == "type (typ)"
    verify_header(AT_HEADER, policy)
    assert judge(CLAIMS, policy, AT_HEADER).token_id is None
    assert replace(POLICY, strict_at_jwt=True).typ_required


def test_a_header_is_refused_before_the_issuer_is_known_only_where_every_issuer_refuses_it():
    es256 = replace(POLICY, algorithms=frozenset({"ES256"}), strict_at_jwt=True)
    rs256 = replace(POLICY, algorithms=frozenset({"RS256"}), typ_required=True)
    any_of = any_header_of((es256, rs256))
    for alg in ("ES256", "RS256"):
        verify_header(replace(AT_HEADER, alg=alg), any_of)
    for header, reason in ((replace(AT_HEADER, alg="PS256"), "algorithm (alg)"), (HEADER, "type (typ)")):
        with pytest.raises(InvalidTokenError) as caught:
            verify_header(header, any_of)
        assert str(caught.value) == reason
    verify_header(HEADER, any_header_of((es256, rs256, POLICY)))
    assert any_header_of((es256,)) is es256


TEMPLATE = IssuerTemplate("https://login.example.com/{tenant}/v2.0")
OF_TENANTS = replace(POLICY, issuer_template=TEMPLATE, tenant_claim="tid")
OF_ACME = CLAIMS | {"iss": "https://login.example.com/acme/v2.0", "tid": "acme"}


def test_the_tenant_claim_and_the_issuer_name_one_tenant():
    assert judge(OF_ACME, OF_TENANTS).issuer == OF_ACME["iss"]
    assert judge(OF_ACME | {"tid": 7}, replace(OF_TENANTS, tenant_claim=None)).issuer == OF_ACME["iss"]


@pytest.mark.parametrize(
    ("tenant", "reason"),
    [
        ("globex", "issuer (tid)"),
        ("ACME", "issuer (tid)"),
        ("", "issuer (tid)"),
        ("{tenant}", "issuer (tid)"),
        ("acme/v2.0", "issuer (tid)"),
        (None, "claim (tid)"),
        (["acme"], "claim (tid)"),
    ],
)
def test_a_token_whose_tenant_is_not_that_of_its_issuer_is_refused(tenant, reason):
    assert refusal(OF_ACME | {"tid": tenant}, OF_TENANTS) == reason


def test_a_token_that_names_no_tenant_is_refused():
    assert refusal({name: value for name, value in OF_ACME.items() if name != "tid"}, OF_TENANTS) == "claim (tid)"


@pytest.mark.parametrize(
    ("owner", "usable"),
    [
        ("https://login.example.com/acme/v2.0", True),
        ("https://login.example.com/{tenantid}/v2.0", True),
        ("https://login.example.com/{tenant}/v2.0", True),
        ("https://login.example.com/globex/v2.0", False),
        ("https://login.example.com/{tenantid}/v2.0/", False),
        ("https://evil.example/{tenantid}/v2.0", False),
        ("", False),
        (None, False),
        (7, False),
        (["https://login.example.com/acme/v2.0"], False),
    ],
)
def test_a_key_that_says_for_whom_it_is_counts_for_nobody_else(owner, usable):
    jwk = SigningKey.generate("ES256", "a").public_jwk()
    builder = KeySetBuilder({"ES256"}, partial(is_issuer, OF_ACME["iss"], "acme"))
    builder.add(jwk | {"kid": "b"})
    builder.add(jwk | {"issuer": owner})
    found = builder.finish()
    assert (found.key_ids, found.skipped) == (({"a", "b"}, ()) if usable else ({"b"}, ("it is for another issuer",)))
    # Where an issuer has no tenants, the member means nothing.
    assert KeySet.from_document({"keys": [jwk | {"issuer": owner}]}, {"ES256"}).key_ids == {"a"}


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("https://login.example/a", True),
        ("https://login.example/{tenantid}", True),
        ("https://login.example/b", False),
        ("", False),
    ],
)
def test_a_key_of_one_issuer_names_that_issuer_or_a_form_of_many(text, fits):
    assert may_be_issuer("https://login.example/a", text) is fits
