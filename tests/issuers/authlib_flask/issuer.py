"""Authlib in Flask: ES256 without `kid`, one key."""

from pathlib import Path

from issuers.harness import python_server

HERE = Path(__file__).parent


def running(folder, _resource):
    return python_server(HERE, folder, subject="alice")
