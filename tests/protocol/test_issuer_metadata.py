"""Where the metadata of an issuer is looked for, and when it speaks for that issuer."""

import pytest

from mcp_oauth2_deps.errors import DocumentError
from mcp_oauth2_deps.protocol.issuer_metadata import IssuerMetadata, read_metadata, well_known_urls

ISSUER, KEYS = "https://a.example/t", "https://a.example/jwks"
GOOD = {"issuer": ISSUER, "jwks_uri": KEYS}


def test_an_issuer_without_path_has_two_places():
    assert well_known_urls("https://a.example/") == (
        "https://a.example/.well-known/oauth-authorization-server",
        "https://a.example/.well-known/openid-configuration",
    )


def test_an_issuer_with_a_path_has_three_places():
    assert well_known_urls(ISSUER) == (
        "https://a.example/.well-known/oauth-authorization-server/t",
        "https://a.example/.well-known/openid-configuration/t",
        "https://a.example/t/.well-known/openid-configuration",
    )


@pytest.mark.parametrize(
    ("members", "read"),
    [
        ({}, IssuerMetadata(KEYS, None, None, refreshes=False)),
        ({"authorization_endpoint": "a", "token_endpoint": "t"}, IssuerMetadata(KEYS, "a", "t", refreshes=False)),
        ({"authorization_endpoint": 1, "token_endpoint": ["t"]}, IssuerMetadata(KEYS, None, None, refreshes=False)),
        ({"grant_types_supported": ["implicit", "refresh_token"]}, IssuerMetadata(KEYS, None, None, refreshes=True)),
        ({"grant_types_supported": "refresh_token"}, IssuerMetadata(KEYS, None, None, refreshes=False)),
        ({"jwks_uri": None}, IssuerMetadata(None, None, None)),
        ({"jwks_uri": 1, "introspection_endpoint": "i"}, IssuerMetadata(None, None, None, introspection_endpoint="i")),
        ({"introspection_endpoint": 1}, IssuerMetadata(KEYS, None, None)),
        (
            {"introspection_endpoint_auth_methods_supported": ["a", 1, "b"]},
            IssuerMetadata(KEYS, None, None, introspection_methods=frozenset({"a", "b"})),
        ),
        ({"introspection_endpoint_auth_methods_supported": "a"}, IssuerMetadata(KEYS, None, None)),
    ],
)
def test_only_members_of_the_right_type_are_read(members, read):
    assert read_metadata(ISSUER, GOOD | members) == read


@pytest.mark.parametrize(
    ("change", "says"),
    [({"issuer": ISSUER + "/"}, "another issuer"), ({"issuer": None}, "another issuer")],
)
def test_a_document_that_does_not_speak_for_the_issuer_is_not_read(change, says):
    with pytest.raises(DocumentError, match=says):
        read_metadata(ISSUER, GOOD | change)
