"""The official SDK's own authorization server routes: opaque tokens, no published keys, no published place to ask about tokens."""

import sys
from contextlib import contextmanager
from pathlib import Path

from issuers.harness import INTROSPECTION, Issuer, process
from processes import HOST, free_port

HERE = Path(__file__).parent


@contextmanager
def running(folder, _resource):
    port = free_port()
    origin = f"http://{HOST}:{port}"
    ready = f"{origin}/.well-known/oauth-authorization-server"
    settings = INTROSPECTION | {"MCP_OAUTH2_INTROSPECTION_URL": f"{origin}/introspect"}
    with process([sys.executable, HERE / "server.py", port], log=folder / "server.log", ready=ready):
        # The SDK writes a slash at the end of an issuer without a path.
        yield Issuer(f"{origin}/", subject="alice", settings=settings)
