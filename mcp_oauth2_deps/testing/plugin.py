"""pytest fixtures; a test suite takes them by `pytest_plugins = ["mcp_oauth2_deps.testing.plugin"]`."""

from collections.abc import Iterator

import pytest

from mcp_oauth2_deps.testing.issuer import DevelopmentIssuer

RESOURCE = "http://127.0.0.1:8000/mcp"


@pytest.fixture
def oauth2_issuer(monkeypatch: pytest.MonkeyPatch) -> Iterator[DevelopmentIssuer]:
    """An issuer on loopback; the environment names it as the trusted issuer, and `http://127.0.0.1:8000/mcp` as the resource.

    Example:
        ```python
        def test_who_lacks_the_scope_gets_403(client, oauth2_issuer):
            answer = client.post("/tools/call", headers=oauth2_issuer.bearer(scopes=[]))
            assert answer.status_code == 403
        ```
    """
    with DevelopmentIssuer(algorithm="ES256", audience=RESOURCE).serve() as issuer:
        monkeypatch.setenv("MCP_OAUTH2_ISSUER", issuer.url)
        monkeypatch.setenv("MCP_OAUTH2_RESOURCE", RESOURCE)
        monkeypatch.setenv("MCP_OAUTH2_ALLOW_INSECURE_HTTP", "true")
        yield issuer
