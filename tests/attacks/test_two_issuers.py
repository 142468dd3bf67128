"""Two issuers on one server, each with a policy of its own: whatever one is trusted for is refused of the other."""

import logging
import re
from typing import Annotated

import pytest
from documents_by_issuer import Documents
from fastapi import FastAPI, Security
from fastapi.testclient import TestClient

from mcp_oauth2_deps import AccessToken, Authenticator, IssuerPolicy, OAuth2BearerScheme, OAuth2Settings, ScopeSource
from mcp_oauth2_deps.testing import DevelopmentIssuer, SigningKey

PEOPLE, MACHINES = "https://people.example", "https://machines.example"
RESOURCE = "https://api.example.com/mcp"
POLICIES = [
    IssuerPolicy(
        issuer=PEOPLE,
        audience="api://people",
        algorithms="ES256",
        scope_claims="scope",
        client_claims=("client_id", "azp"),
    ),
    IssuerPolicy(
        issuer=MACHINES,
        audience="urn:machines",
        algorithms=("RS256", "PS256"),
        scope_claims="scp",
        scope_sources=(ScopeSource(claim="permissions", prefix="may:"),),
        client_claims="cid",
        clients="robot",
        token_type="at+jwt",
        required_claims={"org": "acme"},
    ),
]


class Issuer(DevelopmentIssuer):
    """An issuer that publishes a key of each algorithm, all under one `kid`: what differs is the policy alone."""

    def __init__(self, url, audience):
        super().__init__(url, audience=audience)
        self.keys = {alg: SigningKey.generate(alg, "shared") for alg in ("ES256", "RS256", "PS256")}

    def jwks(self):
        return {"keys": [key.public_jwk() | {"alg": alg} for alg, key in self.keys.items()]}

    def sign(self, alg, typ, claims):
        merged = {"iss": self.url, "aud": self.audience, "sub": "someone", "iat": 1, "exp": 4_000_000_000} | claims
        merged = {name: value for name, value in merged.items() if value is not None}
        return self.keys[alg].mint(merged, {"typ": typ})


@pytest.fixture(scope="module")
def issuers():
    return {"people": Issuer(PEOPLE, "api://people"), "machines": Issuer(MACHINES, "urn:machines")}


@pytest.fixture
def client(issuers):
    settings = OAuth2Settings(issuers=POLICIES, resource=RESOURCE)
    auth = OAuth2BearerScheme(authenticator=Authenticator(settings, documents=Documents(*issuers.values())))
    app = FastAPI()

    @app.get("/who")
    def who(token: Annotated[AccessToken, Security(auth)]):
        return [token.issuer, token.client_id, sorted(token.scopes)]

    @app.get("/work")
    def work(token: Annotated[AccessToken, Security(auth.require_scopes("work"))]):
        return token.subject

    app.include_router(auth.router())
    with TestClient(app) as client:
        yield client


# What is good for each issuer. Each row below takes one thing of it and puts that of the other issuer in its place.
GOOD = {
    "people": ("ES256", None, {"client_id": "web", "scope": "work"}),
    "machines": ("RS256", "at+jwt", {"cid": "robot", "scp": "work", "org": "acme"}),
}
ROWS = {
    "people: the audience of machines": ("people", {"aud": "urn:machines"}, "audience (aud)"),
    "machines: the audience of people": ("machines", {"aud": "api://people"}, "audience (aud)"),
    "people: the resource, which no policy names": ("people", {"aud": RESOURCE}, "audience (aud)"),
    "people: the algorithm of machines": ("people", {"alg": "RS256"}, "algorithm (alg)"),
    "people: the other algorithm of machines": ("people", {"alg": "PS256"}, "algorithm (alg)"),
    "machines: the algorithm of people": ("machines", {"alg": "ES256"}, "algorithm (alg)"),
    "machines: the type of people": ("machines", {"typ": None}, "type (typ)"),
    "machines: the other type of people": ("machines", {"typ": "JWT"}, "type (typ)"),
    "machines: without the claim that only they need": ("machines", {"org": None}, "claim (org)"),
    "machines: that claim with another value": ("machines", {"org": "other"}, "claim (org)"),
    "people: a client of machines and no audience": (
        "people",
        {"aud": None, "client_id": "robot", "typ": "at+jwt"},
        "audience_missing (aud)",
    ),
    "machines: a client that is not named, no audience": ("machines", {"aud": None, "cid": "web"}, "audience_missing (aud)"),
    "machines: their client in the claim of people, no audience": (
        "machines",
        {"aud": None, "cid": None, "client_id": "robot"},
        "audience_missing (aud)",
    ),
    "people: the scope claim of machines": ("people", {"scope": None, "scp": "work"}, "insufficient_scope (work)"),
    "machines: the scope claim of people": ("machines", {"scp": None, "scope": "work"}, "insufficient_scope (work)"),
    "people: the permissions of machines": ("people", {"scope": "", "permissions": ["work"]}, "insufficient_scope (work)"),
    "machines: a permission without its prefix": ("machines", {"scp": "", "permissions": ["work"]}, "insufficient_scope (work)"),
    "people: an ID token": ("people", {"aud": "web", "azp": "web", "client_id": None, "nonce": "n"}, "audience (aud)"),
}


def token_of(issuer, name, changes):
    alg, typ, claims = GOOD[name]
    header = {"alg": alg, "typ": typ} | {part: changes[part] for part in ("alg", "typ") if part in changes}
    return issuer.sign(header["alg"], header["typ"], claims | {k: v for k, v in changes.items() if k not in header})


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


@pytest.mark.parametrize("good_ones_before", [False, True], ids=["first", "after good tokens of both"])
@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_what_one_issuer_may_is_refused_of_the_other(client, issuers, caplog, row, good_ones_before):
    if good_ones_before:
        for name, issuer in issuers.items():
            assert client.get("/work", headers=bearer(token_of(issuer, name, {}))).status_code == 200
        # A machine may sign by PS256: its header is known by now, and people have a key under the same name.
        assert client.get("/work", headers=bearer(token_of(issuers["machines"], "machines", {"alg": "PS256"}))).status_code == 200
    caplog.set_level(logging.INFO, "mcp_oauth2_deps")
    name, changes, reason = row
    answer = client.get("/work", headers=bearer(token_of(issuers[name], name, changes)))
    assert answer.status_code == (403 if reason.startswith("insufficient") else 401)
    assert [f"{code} ({claim})" for code, claim in re.findall(r"reason=(\w+) (?:claim|missing)=(\S+)", caplog.text)] == [reason]


@pytest.mark.parametrize(("signs", "names"), [("people", "machines"), ("machines", "people")])
@pytest.mark.parametrize("good_ones_before", [False, True], ids=["first", "after good tokens of both"])
def test_a_key_of_one_issuer_signs_nothing_for_the_other(  # noqa: PLR0917  # pytest gives them by name
    client, issuers, caplog, signs, names, good_ones_before
):
    """Everything but the key is as the named issuer writes it, the name of the key too."""
    if good_ones_before:
        for name, issuer in issuers.items():
            assert client.get("/work", headers=bearer(token_of(issuer, name, {}))).status_code == 200
    caplog.set_level(logging.INFO, "mcp_oauth2_deps")
    forged = token_of(issuers[signs], names, {"iss": issuers[names].url, "aud": issuers[names].audience})
    assert client.get("/work", headers=bearer(forged)).status_code == 401
    assert re.findall(r"reason=(\w+)", caplog.text) == ["signature"]


@pytest.mark.parametrize(
    ("name", "changes", "answer"),
    [
        ("people", {}, [PEOPLE, "web", ["work"]]),
        ("people", {"client_id": None, "azp": "web"}, [PEOPLE, "web", ["work"]]),
        ("people", {"client_id": None, "cid": "robot"}, [PEOPLE, None, ["work"]]),
        ("machines", {}, [MACHINES, "robot", ["work"]]),
        ("machines", {"aud": None}, [MACHINES, "robot", ["work"]]),
        ("machines", {"client_id": "web", "permissions": ["x"]}, [MACHINES, "robot", ["may:x", "work"]]),
    ],
)
def test_control_each_issuers_own_tokens_are_read_by_its_own_policy(client, issuers, name, changes, answer):
    assert client.get("/who", headers=bearer(token_of(issuers[name], name, changes))).json() == answer


def test_the_keys_of_each_issuer_are_those_of_its_own_algorithms(issuers):
    settings = OAuth2Settings(issuers=POLICIES, resource=RESOURCE)
    authenticator = Authenticator(settings, documents=Documents(*issuers.values()))
    found = {policy.issuers[0]: policy.algorithms for policy in authenticator.policies}
    assert found == {PEOPLE: {"ES256"}, MACHINES: {"RS256", "PS256"}}


def test_both_issuers_are_published(client):
    document = client.get("/.well-known/oauth-protected-resource/mcp").json()
    assert document["authorization_servers"] == [PEOPLE, MACHINES]
