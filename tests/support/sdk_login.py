"""The login of the official Python SDK's client, with a browser without a screen, for tests that need real sockets."""

import asyncio
from urllib.parse import parse_qs, urlsplit

from mcp.client.auth import OAuthClientProvider
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientMetadata

REDIRECT_URI = "http://127.0.0.1:1/callback"  # nobody listens there: the address is read, not asked for


class Memory:
    """Tokens and registration, for as long as the program runs."""

    def __init__(self, client=None):
        self.tokens, self.client = None, client

    async def get_tokens(self):
        return self.tokens

    async def set_tokens(self, tokens):
        self.tokens = tokens

    async def get_client_info(self):
        return self.client

    async def set_client_info(self, client_info):
        self.client = client_info


def provider_for(mcp_url, walk, memory=None, document=None, **metadata):
    """What logs in at the server.

    Args:
        mcp_url: the server.
        walk: goes from an authorization URL to the redirect with the code.
        memory: holds a client that is already registered.
        document: the URL of a Client ID Metadata Document, for issuers that take one.
        metadata: what the client says at its registration.
    """
    addresses = []

    async def redirect(authorization_url):
        addresses.append(await asyncio.to_thread(walk, authorization_url))

    async def callback():
        answer = {name: values[0] for name, values in parse_qs(urlsplit(addresses.pop()).query).items()}
        assert "code" in answer, answer
        return AuthorizationCodeResult(code=answer["code"], state=answer.get("state"), iss=answer.get("iss"))

    named = {"client_name": "Python SDK", "redirect_uris": [REDIRECT_URI], "token_endpoint_auth_method": "none"}
    return OAuthClientProvider(
        mcp_url, OAuthClientMetadata.model_validate(named | metadata), memory or Memory(), redirect, callback, document
    )
