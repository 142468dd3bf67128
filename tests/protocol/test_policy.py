"""What a policy computes once, and that the examples in docstrings of the pure files are right."""

import doctest
from dataclasses import FrozenInstanceError, replace

import pytest

from mcp_oauth2_deps import TokenPolicy
from mcp_oauth2_deps.protocol import encoding, policy
from mcp_oauth2_deps.protocol.policy import comparable_audience

POLICY = TokenPolicy(
    ("https://issuer.example.com",), ("https://API.example.com/mcp/", "my-api"), frozenset({"Ed25519", "EdDSA", "RS256"})
)


def test_a_policy_computes_once_what_tokens_are_compared_with():
    assert POLICY.audiences == ("https://API.example.com/mcp/", "my-api")
    assert POLICY.exact_audiences == {"https://API.example.com/mcp/", "my-api"}
    assert POLICY.comparable_audiences == {"https://api.example.com/mcp", "my-api"}
    assert POLICY.algorithms == {"EdDSA", "RS256"}


def test_a_changed_policy_computes_again():
    changed = replace(POLICY, audiences=("https://other.example.com/",), algorithms=frozenset({"Ed25519"}))
    assert changed.exact_audiences == {"https://other.example.com/"}
    assert changed.comparable_audiences == {"https://other.example.com"}
    assert changed.algorithms == {"EdDSA"}
    assert changed != POLICY


def test_policies_that_accept_the_same_are_equal():
    assert replace(POLICY, algorithms=frozenset({"EdDSA", "RS256"})) == POLICY
    assert "comparable" not in repr(POLICY)


def test_a_policy_cannot_be_changed():
    with pytest.raises(FrozenInstanceError):
        POLICY.audiences = ("https://evil.example.com",)
    with pytest.raises(TypeError):
        TokenPolicy((), (), frozenset(), comparable_audiences=frozenset({"x"}))


@pytest.mark.parametrize(
    ("audience", "comparable"),
    [
        ("HTTPS://API.Example.COM/MCP", "https://api.example.com/MCP"),
        ("https://Host", "https://host"),
        ("https://Host/", "https://host"),
        ("https://Host//", "https://host/"),
        ("https://Host:8443/P/", "https://host:8443/P"),
        ("https://User:Pw@Host/P", "https://User:Pw@host/P"),
        ("https://A@B@Host", "https://A@B@host"),
        ("https:///P/", "https:///P"),
        ("https://?Q", "https://?Q"),
        ("https://Host?Q/", "https://host?Q/"),
        ("https://Host#F/", "https://host#F/"),
        ("https://Host/P?Q/", "https://host/P?Q/"),
        ("https://Host/P#F/", "https://host/P#F/"),
        ("https://Host/A://B/", "https://host/A://B"),
        ("Urn:Example:A/", "Urn:Example:A/"),
        ("https://\u00c9/", "https://\u00c9/"),
    ],
)
def test_an_audience_is_compared_without_one_slash_and_the_case_of_scheme_and_host(audience, comparable):
    assert comparable_audience(audience) == comparable


@pytest.mark.parametrize("module", [encoding, policy], ids=lambda module: module.__name__.rpartition(".")[2])
def test_examples_in_docstrings_are_right(module):
    outcome = doctest.testmod(module)
    assert outcome.failed == 0
    assert outcome.attempted > 0
