"""Is a scope asked for under the name that its issuer knows, and never one that no client can ask for?"""

import pytest

from mcp_oauth2_deps.errors import InsufficientScopeError, MissingCredentialsError
from mcp_oauth2_deps.protocol.asked_scopes import AskedScopes, asked_alike
from mcp_oauth2_deps.protocol.challenges import challenge_for

ENTRA = AskedScopes("api://app/", ("role:",))


@pytest.mark.parametrize(
    ("form", "scopes", "asked"),
    [
        (AskedScopes(), "a b openid", "a b openid"),
        (ENTRA, "files.read openid offline_access", "api://app/files.read openid offline_access"),
        (ENTRA, "role:editor files.read", "api://app/files.read"),
        (ENTRA, "https://graph.microsoft.com/User.Read", "https://graph.microsoft.com/User.Read"),
        (AskedScopes("", ("group:", "role:")), "role:a group:b roles:c", "roles:c"),
        (ENTRA, "", ""),
    ],
)
def test_names(form, scopes, asked):
    assert form.names(scopes.split()) == tuple(asked.split())


@pytest.mark.parametrize(
    ("forms", "common"),
    [
        ([], AskedScopes()),
        ([ENTRA], ENTRA),
        ([ENTRA, ENTRA], ENTRA),
        ([ENTRA, AskedScopes()], AskedScopes()),
        ([ENTRA, AskedScopes("x/", ("role:", "group:"))], AskedScopes("", ("role:",))),
    ],
)
def test_what_holds_at_each_of_several_issuers(forms, common):
    assert asked_alike(forms) == common


def test_a_challenge_names_scopes_as_they_are_asked_for():
    missing = MissingCredentialsError()
    challenge = challenge_for(missing, resource_metadata="https://a/", scopes=("files.read", "role:editor"), asked=ENTRA)
    assert challenge.challenges[0].parameters["scope"] == "api://app/files.read"


def test_what_is_missing_has_the_name_that_tokens_have():
    shortfall = InsufficientScopeError(required=("files.read", "role:x"), granted=frozenset(), missing=("files.read", "role:x"))
    challenge = challenge_for(shortfall, resource_metadata="https://a/", asked=ENTRA)
    assert challenge.challenges[0].parameters["scope"] == "api://app/files.read"
    assert challenge.missing_scopes == ("files.read", "role:x")


def test_a_challenge_that_no_scope_would_meet_names_none():
    shortfall = InsufficientScopeError(required=("role:x",), granted=frozenset(), missing=("role:x",))
    challenge = challenge_for(shortfall, resource_metadata="https://a/", asked=ENTRA)
    assert "scope" not in challenge.challenges[0].parameters
