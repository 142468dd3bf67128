"""Canaille: its access tokens are ID tokens by another name, for the client, without scopes. They are refused."""

from pathlib import Path

from issuers.harness import python_server

HERE = Path(__file__).parent


def running(folder, _resource):
    # A client of this machine is not asked for consent; the page for it has the button that denies first.
    return python_server(HERE, folder, subject="alice", registration={"client_uri": "http://127.0.0.1"})
