"""Each issuer with a guarded server that trusts it. All that a run asks for start at once, in threads, at the first test."""

import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest
from code_login import log_in, register, server_metadata
from issuers.harness import GuardedServer, Issuer, guarded, listening
from processes import HOST

# File descriptors are handed to the server, and two of the issuers are Debian's.
collect_ignore_glob = [] if sys.platform == "linux" else ["test_*.py"]


class Place(NamedTuple):
    """An issuer and the server that trusts it."""

    issuer: Issuer
    server: GuardedServer


def _start(row, folder, stack) -> Place:
    folder.mkdir()
    sock = stack.enter_context(listening())
    resource = f"http://{row.host or HOST}:{sock.getsockname()[1]}/mcp"
    issuer = stack.enter_context(row.running(folder, resource))
    return Place(issuer, stack.enter_context(guarded(sock, issuer, resource, folder / "uvicorn.log")))


@pytest.fixture(scope="session")
def _starting(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("issuers")
    asked = {item.callspec.params["row"].name: item.callspec.params["row"] for item in request.session.items if _has_row(item)}
    stacks = {name: ExitStack() for name in asked}
    with ThreadPoolExecutor(2) as pool:
        yield {name: pool.submit(_start, row, folder / name, stacks[name]) for name, row in asked.items()}
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(ExitStack.close, stacks.values()))


def _has_row(item):
    # In a run of everything other folders have parameters of this name too.
    return item.path.is_relative_to(Path(__file__).parent) and hasattr(item, "callspec")


@pytest.fixture
def place(row, _starting) -> Place:
    """The running issuer of this row, and its server."""
    return _starting[row.name].result()


@pytest.fixture
def alice(place):
    """Logs alice in and gives the answer of the token endpoint: `alice(resource, scope, ...)`."""
    issuer = place.issuer
    metadata = server_metadata(issuer.url)
    client = issuer.oidc_client or issuer.client
    if client is None:
        client = register(metadata, **{"grant_types": ["authorization_code", "refresh_token"]} | issuer.registration)

    def log_alice_in(resource, *scopes, client=client):
        known = [scope for scope in scopes if scope == "mcp:use" or scope in metadata.get("scopes_supported", ())]
        # OpenID Connect gives a refresh token only to who asks for consent.
        prompt = {"prompt": "consent"} if "offline_access" in known else {}
        return log_in(metadata, client, resource, " ".join(known), walk=issuer.walk, **prompt)

    return log_alice_in
