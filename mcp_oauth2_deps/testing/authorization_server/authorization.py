"""Reads and checks an authorization request, before any page is shown.

RFC 6749 section 4.1.1, RFC 7636 section 4.3, RFC 8707 section 2.1, RFC 9207 section 2.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlencode, urlsplit

from starlette.responses import Response

from mcp_oauth2_deps.protocol.scopes import OFFLINE_ACCESS
from mcp_oauth2_deps.testing.authorization_server.authority import Authority, choose_resource, choose_scopes
from mcp_oauth2_deps.testing.authorization_server.client_documents import is_document_url
from mcp_oauth2_deps.testing.authorization_server.clients import Client
from mcp_oauth2_deps.testing.authorization_server.parameters import MAX_QUERY_BYTES, RefusedError, once_each, read_parameters

_S256 = re.compile(r"[A-Za-z0-9_-]{43}")


class NoReturnAddressError(Exception):
    """The client or its redirect URI is not known, so the person must see the error and must not be redirected.

    RFC 6749 section 4.1.2.1: a redirect to an unknown address would make the issuer an open redirector.
    """


@dataclass(frozen=True)
class ReturnAddress:
    """Where the answer goes: a known client, and a redirect URI that it has registered."""

    client_id: str
    client: Client
    uri: str
    state: str | None
    issuer: str

    @property
    def publisher(self) -> str | None:
        """The host where the document about the client is, for a client that did not register."""
        return urlsplit(self.client_id).netloc if is_document_url(self.client_id) else None

    def redirect(self, **answer: str) -> Response:
        """The redirect to the client; always with `iss` (RFC 9207 section 2)."""
        state = {} if self.state is None else {"state": self.state}
        # quote, not quote_plus: Swagger UI does not read a plus as a space, and would show it in error messages.
        query = urlencode(answer | state | {"iss": self.issuer}, quote_via=quote)
        location = f"{self.uri}{'&' if '?' in self.uri else '?'}{query}"
        headers = {"Location": location, "Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
        return Response(status_code=303, headers=headers)

    def refuse(self, refused: RefusedError) -> Response:
        """The redirect that tells the client what is wrong."""
        return self.redirect(error=refused.error, error_description=refused.description)


@dataclass(frozen=True)
class AuthorizationRequest:
    """What a client asks a person for."""

    return_address: ReturnAddress
    named_redirect_uri: str | None
    challenge: str
    resource: str
    scopes: frozenset[str]
    may_refresh: bool
    prompts: frozenset[str]


async def read_return_address(authority: Authority, query: bytes) -> tuple[Mapping[str, list[str]], ReturnAddress]:
    """The parameters, and where to answer; later errors are reported to the client, by redirect.

    Raises:
        NoReturnAddressError: no known client may be given an answer.
    """
    if len(query) > MAX_QUERY_BYTES:
        raise NoReturnAddressError("The request is too long.")
    try:
        parameters = read_parameters(query)
        names = once_each({name: parameters[name] for name in ("client_id", "redirect_uri") if name in parameters})
    except RefusedError as refused:
        raise NoReturnAddressError(f"The request cannot be read: {refused.description}.") from None
    client_id = names.get("client_id", "")
    try:
        client = await authority.client_documents.look_up(client_id)
    except RefusedError as refused:
        raise NoReturnAddressError(
            f"The program that sent you here is described by {client_id}. That document cannot be used: {refused.description}."
        ) from None
    if client is None:
        raise NoReturnAddressError(
            "The program that sent you here is not registered. This issuer forgets programs when it restarts: "
            "let the program register again, or clear what it has stored."
        )
    only = client.redirect_uris[0] if len(client.redirect_uris) == 1 else ""
    uri = names.get("redirect_uri", only)
    if not client.may_redirect_to(uri):
        raise NoReturnAddressError(
            "The program that sent you here wants the answer at an address (redirect_uri) that it has not registered."
        )
    states = parameters.get("state", [])
    return parameters, ReturnAddress(client_id, client, uri, states[0] if len(states) == 1 else None, authority.url)


def read_request(authority: Authority, parameters: Mapping[str, list[str]], address: ReturnAddress) -> AuthorizationRequest:
    """The request as a person is asked to grant it.

    Raises:
        RefusedError: the request is wrong; the client learns why, by redirect.
    """
    single = once_each(parameters, several=("resource",))
    if "response_type" not in single:
        raise RefusedError("invalid_request", "the parameter response_type is missing")
    if single["response_type"] != "code":
        raise RefusedError("unsupported_response_type", "the response type is not code")
    if single.get("response_mode", "query") != "query":
        raise RefusedError("invalid_request", "the response mode is not query")
    # Without a method it is `plain` (RFC 7636 section 4.3): then whoever sees the request knows the verifier.
    if "code_challenge" not in single or single.get("code_challenge_method") != "S256":
        raise RefusedError("invalid_request", "PKCE is needed: code_challenge, and code_challenge_method=S256")
    if not _S256.fullmatch(single["code_challenge"]):
        raise RefusedError("invalid_request", "the code_challenge is no SHA-256 value in base64url")
    resources = parameters.get("resource", [])
    if len(resources) > 1:
        raise RefusedError("invalid_target", "one resource at a time")
    return AuthorizationRequest(
        return_address=address,
        named_redirect_uri=single.get("redirect_uri"),
        challenge=single["code_challenge"],
        resource=choose_resource(authority, next(iter(resources), None)),
        scopes=choose_scopes(authority, single.get("scope")),
        may_refresh=OFFLINE_ACCESS in single.get("scope", "").split(" "),
        prompts=frozenset(single.get("prompt", "").split()),
    )
