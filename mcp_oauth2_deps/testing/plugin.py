"""pytest fixtures: `pytest_plugins = ["mcp_oauth2_deps.testing.plugin"]`."""

from collections.abc import Iterator

import pytest

from mcp_oauth2_deps.testing.issuer import DevelopmentIssuer

RESOURCE = "http://127.0.0.1:8000/mcp"


@pytest.fixture
def oauth2_issuer(monkeypatch: pytest.MonkeyPatch) -> Iterator[DevelopmentIssuer]:
    """An issuer on loopback, with the environment pointing at it and at the resource `http://127.0.0.1:8000/mcp`."""
    with DevelopmentIssuer(algorithm="ES256", audience=RESOURCE).serve() as issuer:
        monkeypatch.setenv("MCP_OAUTH2_ISSUER", issuer.url)
        monkeypatch.setenv("MCP_OAUTH2_RESOURCE", RESOURCE)
        monkeypatch.setenv("MCP_OAUTH2_ALLOW_INSECURE_HTTP", "true")
        yield issuer
