"""The introspection endpoint (RFC 7662): what a token says, for a server that cannot read it; signed where asked (RFC 9701)."""

import time

from starlette.requests import Request
from starlette.responses import Response

from mcp_oauth2_deps.testing.authorization_server.authority import Authority
from mcp_oauth2_deps.testing.authorization_server.browsers import comes_from_a_page
from mcp_oauth2_deps.testing.authorization_server.parameters import (
    RefusedError,
    not_stored,
    once_each,
    read_body,
    read_parameters,
)

_SIGNED = "token-introspection+jwt"


async def answer_introspection(authority: Authority, request: Request) -> Response:
    """What the token in the form says, to a client that proves who it is; JSON, or a JWT for who accepts that type."""
    authorization = request.headers.get("authorization", "")
    try:
        if comes_from_a_page(request):
            raise RefusedError("unauthorized_client", "a web page can keep no secret, and so may not ask about tokens", 403)
        form = once_each(read_parameters(await read_body(request)))
        client_id, client = authority.authentication.authenticate(authority, authorization, form)
        # Else anybody could try out tokens here (RFC 7662 section 2.1).
        if client.is_public:
            raise RefusedError("invalid_client", "a public client may not ask about tokens", 401)
        if "token" not in form:
            raise RefusedError("invalid_request", "the parameter token is missing")
    except RefusedError as refused:
        return refused.answer_client(authorization)
    answer = authority.issued.answer(form["token"])
    if f"application/{_SIGNED}" not in request.headers.get("accept", ""):
        return not_stored(answer)
    claims = {"iss": authority.url, "aud": client_id, "iat": int(time.time()), "token_introspection": answer}
    headers = {"Cache-Control": "no-store"}
    return Response(authority.key.mint(claims, {"typ": _SIGNED}), media_type=f"application/{_SIGNED}", headers=headers)
