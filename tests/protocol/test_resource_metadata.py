"""What the metadata of a protected resource says, and where it is served."""

import pytest

from mcp_oauth2_deps.protocol.resource_metadata import metadata_path, metadata_url, protected_resource_metadata

ROOT = "/.well-known/oauth-protected-resource"


@pytest.mark.parametrize(
    ("resource", "path"),
    [
        ("https://api.example.com", ROOT),
        ("https://api.example.com/", ROOT),
        ("https://api.example.com/mcp", ROOT + "/mcp"),
        ("https://api.example.com/mcp/", ROOT + "/mcp/"),
        ("https://api.example.com/a/b?x=1", ROOT + "/a/b"),
    ],
)
def test_the_well_known_path_is_inserted_before_the_path_of_the_resource(resource, path):
    assert metadata_path(resource) == path


@pytest.mark.parametrize(
    ("resource", "url"),
    [
        ("https://api.example.com", "https://api.example.com" + ROOT),
        ("https://api.example.com:8443/mcp", "https://api.example.com:8443" + ROOT + "/mcp"),
        ("https://api.example.com/mcp?tenant=a", "https://api.example.com" + ROOT + "/mcp?tenant=a"),
        ("http://[::1]:8000/mcp", "http://[::1]:8000" + ROOT + "/mcp"),
    ],
)
def test_the_metadata_url_is_that_path_at_the_host_of_the_resource(resource, url):
    assert metadata_url(resource) == url


def test_an_override_is_taken_verbatim():
    assert metadata_url("https://api.example.com/mcp", "https://edge.example.com/x/") == "https://edge.example.com/x/"


def test_resource_and_issuers_are_published_verbatim():
    document = protected_resource_metadata(
        resource="https://API.example.com/mcp/", issuers=("https://b.example.com/", "https://a.example.com")
    )
    assert document == {
        "resource": "https://API.example.com/mcp/",
        "authorization_servers": ["https://b.example.com/", "https://a.example.com"],
        "bearer_methods_supported": ["header"],
    }


def test_what_clients_show_is_published_where_it_is_given():
    document = protected_resource_metadata(
        resource="https://a.example", issuers=(), name="Files of Acme", documentation="https://a.example/docs"
    )
    shown = {name: document[name] for name in document if name.startswith("resource_")}
    assert shown == {"resource_name": "Files of Acme", "resource_documentation": "https://a.example/docs"}
    document = protected_resource_metadata(resource="https://a.example", issuers=(), name="Files of Acme")
    assert "resource_documentation" not in document


@pytest.mark.parametrize(
    ("scopes", "published"),
    [(("b", "a"), ["b", "a"]), (("offline_access", "a"), ["a"]), (("offline_access",), None), ((), None)],
)
def test_scopes_are_published_in_order_and_never_offline_access(scopes, published):
    document = protected_resource_metadata(resource="https://a.example", issuers=(), scopes=scopes)
    assert document.get("scopes_supported") == published
