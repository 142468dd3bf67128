"""The token endpoint: access tokens for codes, refresh tokens and client credentials (RFC 6749 section 3.2, RFC 8707)."""

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response

from mcp_oauth2_deps.testing.authorization_server.authority import Authority, choose_resource
from mcp_oauth2_deps.testing.authorization_server.browsers import comes_from_a_page
from mcp_oauth2_deps.testing.authorization_server.clients import Client
from mcp_oauth2_deps.testing.authorization_server.grants import Grant
from mcp_oauth2_deps.testing.authorization_server.parameters import (
    RefusedError,
    not_stored,
    once_each,
    read_body,
    read_parameters,
)

GRANT_TYPES = ("authorization_code", "refresh_token", "client_credentials")


async def answer_token_request(authority: Authority, request: Request) -> Response:
    """Tokens, or the error of RFC 6749 section 5.2; parameters in the query are not read."""
    authorization = request.headers.get("authorization", "")
    try:
        form = once_each(read_parameters(await read_body(request)))
        if comes_from_a_page(request) and (authorization or {"client_secret", "client_assertion"} & form.keys()):
            raise RefusedError("unauthorized_client", "a web page can keep no secret; use a public client, with PKCE", 403)
        client_id, client = authority.authentication.authenticate(authority, authorization, form)
        return not_stored(_tokens(authority, client_id, client, form))
    except RefusedError as refused:
        return refused.answer_client(authorization)


def _tokens(authority: Authority, client_id: str, client: Client, form: Mapping[str, str]) -> dict[str, object]:
    match form.get("grant_type"):
        case "authorization_code":
            return _for_code(authority, client_id, client, form)
        case "refresh_token":
            return _for_refresh_token(authority, client_id, form)
        case "client_credentials":
            return _for_client(authority, client_id, client, form)
        case None:
            raise RefusedError("invalid_request", "the parameter grant_type is missing")
        case _:
            raise RefusedError("unsupported_grant_type", "the grant type is none of " + ", ".join(GRANT_TYPES))


def _for_code(authority: Authority, client_id: str, client: Client, form: Mapping[str, str]) -> dict[str, object]:
    code, verifier = (_required(form, name) for name in ("code", "code_verifier"))
    grant = authority.grants.redeem(code, client_id=client_id, redirect_uri=form.get("redirect_uri"), verifier=verifier)
    _refuse_other_resource(authority, grant, form)
    answer = _access_token(authority, grant.user, client_id, grant.scopes, grant.resource)
    # Only with offline_access, as certified servers do: some clients that hold a refresh token refresh again and again where
    # they should ask the person for more scopes.
    refreshes = client.refreshable and grant.may_refresh
    return answer | {"refresh_token": authority.grants.new_refresh_token(grant)} if refreshes else answer


def _for_refresh_token(authority: Authority, client_id: str, form: Mapping[str, str]) -> dict[str, object]:
    refresh_token = _required(form, "refresh_token")
    grant = authority.grants.find(refresh_token, client_id=client_id)
    _refuse_other_resource(authority, grant, form)
    # Asking for fewer scopes narrows this access token only; the grant keeps them all (RFC 6749 section 6).
    scopes = frozenset(form.get("scope", "").split()) or grant.scopes
    if not scopes <= grant.scopes:
        raise RefusedError("invalid_scope", "a refresh cannot add scopes; ask the person again")
    answer = _access_token(authority, grant.user, client_id, scopes, grant.resource)
    return answer | {"refresh_token": authority.grants.renew(refresh_token)}


def _for_client(authority: Authority, client_id: str, client: Client, form: Mapping[str, str]) -> dict[str, object]:
    if client.is_public:
        raise RefusedError("unauthorized_client", "a public client gets no tokens for itself")
    resource = choose_resource(authority, form.get("resource"))
    scopes = frozenset(form.get("scope", "").split()) or client.scopes
    if not scopes <= client.scopes:
        raise RefusedError("invalid_scope", "the client may not have one of the scopes")
    return _access_token(authority, client_id, client_id, scopes, resource)


def _required(form: Mapping[str, str], name: str) -> str:
    if name not in form:
        raise RefusedError("invalid_request", f"the parameter {name} is missing")
    return form[name]


def _refuse_other_resource(authority: Authority, grant: Grant, form: Mapping[str, str]) -> None:
    if "resource" in form and choose_resource(authority, form["resource"]) != grant.resource:
        raise RefusedError("invalid_target", "the resource is not the one that was granted")


def _access_token(authority: Authority, subject: str, client_id: str, scopes: frozenset[str], resource: str) -> dict[str, object]:
    token = authority.token(subject=subject, client_id=client_id, scopes=scopes, audience=resource, expires_in=authority.lifetime)
    answer: dict[str, object] = {"access_token": token, "token_type": "Bearer", "expires_in": authority.lifetime}
    return answer | {"scope": " ".join(sorted(scopes))} if scopes else answer
