"""oidc-provider, certified, on Node.js, with the settings of `tests/integration`: JWT access tokens for the resource asked for."""

import json
from contextlib import contextmanager

from code_login import REDIRECT_URI
from issuers.harness import Issuer
from processes import oidc_provider_process
from raw_issuer import Certificate, raw_issuer


@contextmanager
def running(folder, _resource):
    with oidc_provider_process("login.mjs", folder / "stderr.log") as url:
        yield Issuer(url, subject="alice")


@contextmanager
def with_client_documents(folder, _resource):
    """Nobody registers: a client's id is the URL of a document about it, here one of this process."""
    certificate = Certificate(folder)
    with raw_issuer(lambda: [_document(f"{origin}/client.json")], tls=certificate) as origin:
        variables = {"CIMD": "yes", "NODE_EXTRA_CA_CERTS": str(certificate.path)}
        client = f"{origin}/client.json"
        with oidc_provider_process("login.mjs", folder / "stderr.log", **variables) as url:
            yield Issuer(url, subject="alice", client_document=client, oidc_client={"client_id": client})


def _document(client_id):
    client = {
        "client_id": client_id,
        "client_name": "one with a document",
        "redirect_uris": [REDIRECT_URI],
        "application_type": "native",
        "grant_types": ["authorization_code", "refresh_token"],
        "token_endpoint_auth_method": "none",
    }
    body = json.dumps(client).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
