"""A provider without a network: what it publishes, and tokens that are signed by keys which only the tests know."""

from functools import cache
from urllib.parse import urlsplit

from providers.shapes import ABSENT

from mcp_oauth2_deps import Document
from mcp_oauth2_deps.errors import DocumentError
from mcp_oauth2_deps.testing import SigningKey

NOW = 1_790_000_000


@cache
def key_of(alg, kid="key-1", owner="provider"):  # each owner has keys of its own
    return SigningKey.generate(alg, kid)


class Provider:
    """Publishes metadata of these issuers and keys, as a document source; says which URLs were asked for."""

    def __init__(self, keys, issuers=(), places=()):
        self.keys = {"keys": [key if isinstance(key, dict) else key.public_jwk() for key in keys]}
        self.documents = dict.fromkeys(places, self.keys)
        for issuer in issuers:
            self.publish(issuer)
        self.asked = []

    def publish(self, issuer, metadata=None):
        """As OpenID Connect Discovery has it, which all of these providers serve."""
        place = f"{issuer.removesuffix('/')}/.well-known/openid-configuration"
        document = metadata or {"issuer": issuer, "jwks_uri": f"https://{urlsplit(issuer).netloc}/test-keys"}
        self.documents[place] = document
        self.documents[document["jwks_uri"]] = self.keys

    async def fetch(self, url):
        self.asked.append(url)
        if url not in self.documents:
            raise DocumentError("answers with 404")
        return Document(self.documents[url])


def token_of(shape, changes=(), key=None):
    """The shape's token, with these changes: of claims, and of header parameters under names that begin with `^`."""
    changes = dict(changes)
    header = {"typ": None} | shape.header | {name[1:]: value for name, value in changes.items() if name.startswith("^")}
    claims = {"iat": NOW - 10, "nbf": NOW - 10, "exp": NOW + 3600} | shape.claims
    claims |= {name: value for name, value in changes.items() if not name.startswith("^")}
    return (key or key_of(shape.alg)).mint(
        {name: value for name, value in claims.items() if value is not ABSENT},
        {name: None if value is ABSENT else value for name, value in header.items()},
    )


def wall_clock():
    return float(NOW)
