"""An issuer, and a server of several workers that trusts it."""

import os
import sys
from contextlib import ExitStack

import pytest
from load_server import RESOURCE, LoadedServer

from mcp_oauth2_deps.testing import DevelopmentIssuer


def pytest_collection_modifyitems(items):
    if sys.platform != "linux":
        for item in items:
            if "/load/" in item.path.as_posix():
                item.add_marker(pytest.mark.skip(reason="what a process holds is read from /proc"))


@pytest.fixture(scope="session")
def seconds():
    """How long the load lasts; LOAD_SECONDS makes it shorter, and the tokens fewer. (A name of our prefix would be an unknown setting.)"""
    return float(os.environ.get("LOAD_SECONDS", "60"))


@pytest.fixture(scope="session")
def issuer():
    with DevelopmentIssuer(algorithm="ES256", audience=RESOURCE).serve() as issuer:
        yield issuer


@pytest.fixture(scope="session")
def make_server(issuer, tmp_path_factory):
    with ExitStack() as stack:

        def make(**environment):
            server = LoadedServer(issuer, tmp_path_factory.mktemp("load"), **environment)
            stack.callback(server.close)
            server.wait_until_ready()
            return server

        yield make
