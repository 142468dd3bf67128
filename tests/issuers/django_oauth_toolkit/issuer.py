"""django-oauth-toolkit: at+jwt by the generator that its documentation suggests, or opaque tokens as it is installed."""

from contextlib import contextmanager
from pathlib import Path

from issuers.harness import Issuer, process, python_with
from processes import HOST, free_port

HERE = Path(__file__).parent


@contextmanager
def running(folder, _resource, kind="jwt"):
    port = free_port()
    url = f"http://{HOST}:{port}/o"
    ready = f"{url}/.well-known/openid-configuration"
    with process([python_with(HERE), HERE / "server.py", port, folder, kind], log=folder / "django.log", ready=ready):
        yield Issuer(url, subject="1", oidc_client={"client_id": "operators"})
