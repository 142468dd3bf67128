"""How issuers are asked, as an operator writes it: what contradicts itself stops the start in one sentence."""

import json

import pytest
from pydantic import ValidationError

from mcp_oauth2_deps import Authenticator, IssuerPolicy, OAuth2Settings
from mcp_oauth2_deps.introspection_policy import IntrospectionPolicy

RESOURCE = "https://api.example.com/mcp"
A, B = "https://a.example", "https://b.example"
CLIENT = {"client_id": "us", "client_secret": "hunter2"}


def settings(*issuers, **more):
    return OAuth2Settings(issuers=list(issuers), resource=RESOURCE, **more)


def asking(issuer, **more):
    return IssuerPolicy(issuer=issuer, introspection=IntrospectionPolicy(**CLIENT | more))


WRONG = {
    "no proof of who we are": (lambda: IntrospectionPolicy(client_id="us"), "either client_secret or client_key_file"),
    "two proofs": (lambda: IntrospectionPolicy(**CLIENT, client_key_file="k"), "either client_secret or client_key_file"),
    "an empty secret": (lambda: IntrospectionPolicy(client_id="us", client_secret=""), "client_secret is empty"),
    "no name": (lambda: IntrospectionPolicy(client_id="", client_secret="s"), "client_id"),
    "a way to send a secret, and a key": (
        lambda: IntrospectionPolicy(client_id="us", client_key_file="k", client_auth="client_secret_post"),
        "means private_key_jwt",
    ),
    "a key file that is not there": (
        lambda: IntrospectionPolicy(client_id="us", client_key_file="/none"),
        r"cannot be read \(FileNotFoundError\)",
    ),
    "no time": (lambda: IntrospectionPolicy(**CLIENT, ttl=-1), "ttl"),
    "a misspelt member": (lambda: IntrospectionPolicy(**CLIENT, tll=1), "tll"),
    "an empty prefix": (lambda: IntrospectionPolicy(**CLIENT, prefixes=[""]), "prefixes"),
    "two issuers": (lambda: settings(asking(A), asking(B)), "needs 'prefixes' for each, as 'https://a.example' has none"),
    "two issuers, of which one has prefixes": (
        lambda: settings(asking(A, prefixes=["a_"]), asking(B)),
        "'https://b.example' has none",
    ),
    "two issuers whose tokens begin alike": (
        lambda: settings(asking(A, prefixes=["a_"]), asking(B, prefixes=["b_", "a_b_"])),
        "begin like those of another issuer",
    ),
    "many tenants": (
        lambda: IssuerPolicy(issuer=A + "/{tenant}", tenants=["x"], introspection=IntrospectionPolicy(**CLIENT)),
        "says nothing of its tenant",
    ),
    "http": (lambda: settings(asking(A, url="http://a.example/introspect")), r"\[0\].introspection.url: .* must use https"),
    "plain settings beside policies": (lambda: settings(asking(A), introspection="opaque"), "'introspection.mode'"),
}


@pytest.mark.parametrize(("make", "says"), WRONG.values(), ids=list(WRONG))
def test_what_contradicts_itself_is_refused(make, says):
    with pytest.raises(ValidationError, match=says) as refusal:
        make()
    assert "hunter2" not in str(refusal.value)


def test_two_issuers_may_be_asked_where_their_tokens_begin_differently():
    authenticator = Authenticator(settings(asking(A, prefixes=["a_"]), asking(B, prefixes=["b_"])))
    assert [one.issuer.name for one in authenticator._asked] == [A, B]


def test_one_issuer_may_be_asked_beside_others_that_are_not():
    authenticator = Authenticator(settings(asking(A), IssuerPolicy(issuer=B)))
    assert [one.issuer.name for one in authenticator._asked] == [A]


def test_plain_settings_are_the_policy_of_the_single_issuer():
    plain = {"introspection": "always", "introspection_ttl": 3, "introspection_url": A + "/i", **CLIENT}
    (policy,) = OAuth2Settings(issuer=A, resource=RESOURCE, **plain).policies
    assert policy.introspection == IntrospectionPolicy(mode="always", ttl=3, url=A + "/i", **CLIENT)
    assert OAuth2Settings(issuer=A, resource=RESOURCE).policies[0].introspection is None


def test_policies_are_read_from_the_environment(monkeypatch):
    asked = {"mode": "opaque", "prefixes": ["a_"], "audience_required": False, "signed": True, **CLIENT}
    monkeypatch.setenv("MCP_OAUTH2_RESOURCE", RESOURCE)
    monkeypatch.setenv("MCP_OAUTH2_ISSUERS", json.dumps([{"issuer": A, "introspection": asked}]))
    (policy,) = OAuth2Settings().policies
    assert policy.introspection == IntrospectionPolicy(**asked)


def test_no_secret_is_in_a_repr():
    shown = OAuth2Settings(issuer=A, resource=RESOURCE, introspection="opaque", **CLIENT)
    for thing in (shown, shown.policies, asking(A), Authenticator(shown)._asked):
        assert "hunter2" not in f"{thing!r} {thing}"
    assert "hunter2" not in shown.model_dump_json() + str(shown.model_dump())
