"""Canaille: its access tokens are ID tokens by another name, for the client, without scopes. They are refused."""

from contextlib import contextmanager
from pathlib import Path

from issuers.harness import Issuer, process, python_with
from processes import HOST, free_port

HERE = Path(__file__).parent


@contextmanager
def running(folder, _resource):
    port = free_port()
    url = f"http://{HOST}:{port}"
    ready = f"{url}/.well-known/oauth-authorization-server"
    with process([python_with(HERE), HERE / "server.py", port], log=folder / "canaille.log", ready=ready):
        # A client of this machine is not asked for consent; the page for it has the button that denies first.
        yield Issuer(url, subject="alice", registration={"client_uri": "http://127.0.0.1"})
