"""Authlib in Flask: ES256 without `kid`, one key."""

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
    with process([python_with(HERE), HERE / "server.py", port], log=folder / "flask.log", ready=ready):
        yield Issuer(url, subject="alice")
