"""Fixtures for tests that need an app and an issuer, in process."""

import os
from pathlib import Path

import pytest

from mcp_oauth2_deps import Authenticator, OAuth2BearerScheme, OAuth2Settings
from mcp_oauth2_deps.fastapi.scheme import default_scheme
from mcp_oauth2_deps.testing import DevelopmentIssuer

RESOURCE = "https://api.example.com/mcp"


def pytest_ignore_collect(collection_path, config):
    # Minutes of load are for those who ask for them by name.
    asked = any("load" in Path(argument).parts for argument in config.args)
    return True if collection_path.name == "load" and not asked else None


@pytest.fixture(autouse=True)
def _no_settings_in_the_environment(monkeypatch):
    for name in list(os.environ):
        if name.startswith("MCP_OAUTH2_"):
            monkeypatch.delenv(name)
    yield
    # Settings of the environment are read once, at first use.
    default_scheme.gate._authenticator = None


@pytest.fixture
def issuer():
    return DevelopmentIssuer("https://auth.example.com", algorithm="ES256", audience=RESOURCE)


@pytest.fixture
def make_scheme(issuer):
    def make(**settings):
        settings = {"issuer": issuer.url, "resource": RESOURCE, **settings}
        return OAuth2BearerScheme(authenticator=Authenticator(OAuth2Settings(**settings), documents=issuer))

    return make


@pytest.fixture
def auth(make_scheme):
    return make_scheme()
