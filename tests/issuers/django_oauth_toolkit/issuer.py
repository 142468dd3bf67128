"""django-oauth-toolkit: at+jwt by the generator that its documentation suggests, or opaque tokens as it is installed."""

from pathlib import Path

from issuers.harness import python_server

HERE = Path(__file__).parent


def running(folder, _resource, kind="jwt"):
    client = {"client_id": "operators"}
    return python_server(HERE, folder, folder, kind, path="/o", metadata="openid-configuration", subject="1", oidc_client=client)
