"""A client that is known by a document about it, published over https on loopback, for tests that need real sockets."""

import json
from contextlib import contextmanager
from typing import NamedTuple

from code_login import REDIRECT_URI
from raw_issuer import Certificate, raw_issuer


class ClientDocument(NamedTuple):
    """Where the document is, and the file of the certificate that an issuer must trust to read it there."""

    url: str
    certificate: str


@contextmanager
def client_document(folder):
    """A document of a public client with the tests' redirect URI, published until the end of the block."""

    def publish():
        client = {
            "client_id": f"{origin}/client.json",
            "client_name": "one with a document",
            "redirect_uris": [REDIRECT_URI],
            "application_type": "native",
            "grant_types": ["authorization_code", "refresh_token"],
            "token_endpoint_auth_method": "none",
        }
        body = json.dumps(client).encode()
        return [b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)]

    certificate = Certificate(folder)
    with raw_issuer(publish, tls=certificate) as origin:
        yield ClientDocument(f"{origin}/client.json", str(certificate.path))
