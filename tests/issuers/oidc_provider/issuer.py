"""oidc-provider, certified, on Node.js, with the settings of `tests/integration`: JWT access tokens for the resource asked for."""

from contextlib import contextmanager

from client_document import client_document
from issuers.harness import INTROSPECTION, Issuer
from processes import oidc_provider_process


@contextmanager
def running(folder, _resource):
    with oidc_provider_process("login.mjs", folder / "stderr.log") as url:
        yield Issuer(url, subject="alice")


@contextmanager
def opaque(folder, _resource):
    with oidc_provider_process("login.mjs", folder / "stderr.log", OPAQUE="yes") as url:
        yield Issuer(url, subject="alice", settings=INTROSPECTION)


@contextmanager
def with_client_documents(folder, _resource):
    """Nobody registers: a client's id is the URL of a document about it, here one of this process."""
    with client_document(folder) as document:
        variables = {"CIMD": "yes", "NODE_EXTRA_CA_CERTS": document.certificate}
        with oidc_provider_process("login.mjs", folder / "stderr.log", **variables) as url:
            yield Issuer(url, subject="alice", client_document=document.url, oidc_client={"client_id": document.url})
