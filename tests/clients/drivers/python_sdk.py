"""The official Python SDK: `python_sdk.py MCP_URL MODE`, where the mode is `legacy` (2025-11-25) or `auto` (2026-07-28)."""

import asyncio
import json
import sys
from urllib.parse import parse_qs, urlsplit

import httpx2
from headless import walk
from mcp import Client
from mcp.client.auth import OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientMetadata
from tour import tour


class Memory:
    """Tokens and registration, for as long as the program runs."""

    tokens = client = None

    async def get_tokens(self):
        return self.tokens

    async def set_tokens(self, tokens):
        self.tokens = tokens

    async def get_client_info(self):
        return self.client

    async def set_client_info(self, client_info):
        self.client = client_info


def provider_for(mcp_url):
    addresses = []

    async def redirect(authorization_url):
        addresses.append(await asyncio.to_thread(walk, authorization_url))

    async def callback():
        answer = {name: values[0] for name, values in parse_qs(urlsplit(addresses.pop()).query).items()}
        return AuthorizationCodeResult(code=answer["code"], state=answer.get("state"), iss=answer.get("iss"))

    metadata = OAuthClientMetadata(
        client_name="Python SDK",
        redirect_uris=["http://127.0.0.1:1/callback"],  # nobody listens there: the address is read, not asked for
        token_endpoint_auth_method="none",
    )
    return OAuthClientProvider(mcp_url, metadata, Memory(), redirect, callback)


async def main(mcp_url, mode):
    async with (
        httpx2.AsyncClient(auth=provider_for(mcp_url), timeout=30) as http,
        Client(streamable_http_client(mcp_url, http_client=http), mode=mode) as client,
    ):
        return await tour(client)


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(*sys.argv[1:]))))  # noqa: T201  # its output
