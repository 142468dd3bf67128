"""Clients that did not register: their identifier is the URL of a document about them, which is fetched when people log in.

draft-ietf-oauth-client-id-metadata-document-01. How the document travels does not belong here.
"""

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

from cachetools import TLRUCache

from mcp_oauth2_deps.errors import DocumentError
from mcp_oauth2_deps.protocol.urls import url_problem
from mcp_oauth2_deps.stores.documents import DocumentSource
from mcp_oauth2_deps.testing.authorization_server.clients import Client, ClientStore
from mcp_oauth2_deps.testing.authorization_server.parameters import RefusedError
from mcp_oauth2_deps.testing.authorization_server.registration import read_client

_MAX_REMEMBERED = 100
_MAX_SECONDS = 3600
# A page can open this issuer's address many times at once, each time with another URL.
_MAX_FETCHES = 8
_MAX_URL_CHARACTERS = 2000


def is_document_url(client_id: str) -> bool:
    """Whether the identifier is the URL of a document; those of registered clients have no scheme."""
    return client_id.lower().startswith(("https://", "http://"))


class ClientDocuments:
    """Reads the documents, one for each authorization request unless its `Cache-Control` lets it be used again.

    Nothing else in a document is fetched, and what went wrong is not remembered (sections 4.4 and 6.5).
    """

    def __init__(self, source: DocumentSource, clients: ClientStore, clock: Callable[[], float]) -> None:
        """Documents come from `source`; who was read is kept in `clients`, for the token endpoint, which fetches nothing."""
        self._source = source
        self._clients = clients
        self._fresh: TLRUCache[str, tuple[Client, int]] = TLRUCache(
            _MAX_REMEMBERED, ttu=lambda _, entry, now: now + entry[1], timer=clock
        )
        self._fetches = 0

    async def look_up(self, client_id: str) -> Client | None:
        """The client of this identifier, of whatever kind, for an authorization request.

        Raises:
            RefusedError: the identifier is a URL, and there is no document of this client there.
        """
        if not is_document_url(client_id) or self._clients.is_given(client_id):
            return self._clients.find(client_id)
        remembered = self._fresh.get(client_id)
        if remembered is not None:
            return remembered[0]
        problem = _problem(client_id)
        if problem is not None:
            raise RefusedError("invalid_client", problem)
        if self._fetches >= _MAX_FETCHES:
            raise RefusedError("temporarily_unavailable", "too many documents are being fetched; try again")
        self._fetches += 1
        try:
            document = await self._source.fetch(client_id)
        except DocumentError as error:
            raise RefusedError("invalid_client", str(error)) from None
        finally:
            self._fetches -= 1
        client = _read(client_id, document.content)
        self._clients.keep(client_id, client)
        self._fresh[client_id] = client, min(document.max_age or 0, _MAX_SECONDS)
        return client


def _problem(url: str) -> str | None:
    """What makes the URL unfit as an identifier (section 3), as a sentence without its end; None when it is fit."""
    problem = "is too long" if len(url) > _MAX_URL_CHARACTERS else url_problem(url, allow_insecure_http=True)
    if problem is not None:
        return f"its URL {problem}"
    segments = unquote(urlsplit(url).path).split("/")
    if len(segments) == 1:
        return "its URL has no path"
    return "its URL has a path with a segment of dots" if {".", ".."} & set(segments) else None


def _read(client_id: str, content: Mapping[str, Any]) -> Client:
    metadata = {name: value for name, value in content.items() if value is not None}
    if metadata.get("client_id") != client_id:
        raise RefusedError("invalid_client", "its client_id is not its URL, to the letter")
    # Whoever can read the document would know the secret (section 4.1).
    if not metadata.keys().isdisjoint({"client_secret", "client_secret_expires_at"}):
        raise RefusedError("invalid_client", "it has a client_secret, which nobody can keep there")
    if metadata.get("token_endpoint_auth_method", "none") != "none":
        raise RefusedError("invalid_client", "its token_endpoint_auth_method is not none, the only one taken from a document")
    client, _ = read_client(metadata | {"token_endpoint_auth_method": "none"})
    return client
