"""django-oauth-toolkit: at+jwt by the generator that its documentation suggests, or opaque tokens as it is installed."""

from pathlib import Path

from issuers.harness import INTROSPECTION, python_server

HERE = Path(__file__).parent


def running(folder, _resource):
    """With a generator of RFC 9068 tokens."""
    return _site(folder, "jwt", subject="1")


def opaque(folder, _resource):
    """As it is installed. Its introspection names nobody but by `username`."""
    return _site(folder, "opaque", subject="alice", settings=INTROSPECTION)


def _site(folder, kind, **facts):
    client = {"client_id": "operators"}
    return python_server(HERE, folder, folder, kind, path="/o", metadata="openid-configuration", oidc_client=client, **facts)
