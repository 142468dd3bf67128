"""The routes for people: `/authorize`, the login page, the consent page, and the redirect to the client.

They use Starlette, which comes with FastAPI: the official SDK's `mcp.server.auth.routes` would need the extra `mcp`, and has no
pages. How the pages look, and what a code is good for, does not belong here.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from secrets import token_hex, token_urlsafe
from urllib.parse import urlencode, urlsplit

from cachetools import TTLCache
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mcp_oauth2_deps.protocol.urls import is_loopback_host
from mcp_oauth2_deps.testing.authorization_server.authority import Authority
from mcp_oauth2_deps.testing.authorization_server.authorization import (
    AuthorizationRequest,
    NoReturnAddressError,
    read_request,
    read_return_address,
)
from mcp_oauth2_deps.testing.authorization_server.grants import Grant
from mcp_oauth2_deps.testing.authorization_server.pages import consent_page, error_page, login_page
from mcp_oauth2_deps.testing.authorization_server.parameters import RefusedError, once_each, read_body, read_parameters

_MAX_ENTRIES = 1000
_SESSION_SECONDS = 12 * 3600
_TRANSACTION_SECONDS = 600
_MAX_NAME_CHARACTERS = 200
_STALE = (
    "This form was not opened in this browser, was answered before, or is too old. "
    "Go back to the program that sent you here and start again."
)


@dataclass
class _Session:
    """One browser; `user` is who is logged in."""

    user: str | None = None


@dataclass
class _Transaction:
    """One authorization request under way in one browser."""

    session: _Session
    request: AuthorizationRequest
    user: str | None
    identifier: str = field(default_factory=lambda: token_urlsafe(16))
    csrf: str = field(default_factory=lambda: token_urlsafe(32))

    @property
    def hidden(self) -> dict[str, str]:
        """The hidden fields of its forms; a form without them is refused."""
        return {"transaction": self.identifier, "csrf": self.csrf}


class LoginRoutes:
    """The routes for people; sessions and authorization requests are in memory, bounded, and forgotten after a time."""

    def __init__(self, authority: Authority) -> None:
        self._authority = authority
        # Browsers send a cookie to every port of a host. With a fixed name, two issuers on loopback would overwrite each other's.
        self._cookie = f"development-issuer-{token_hex(4)}"
        self._sessions: TTLCache[str, _Session] = TTLCache(_MAX_ENTRIES, _SESSION_SECONDS, authority.clock)
        self._transactions: TTLCache[str, _Transaction] = TTLCache(_MAX_ENTRIES, _TRANSACTION_SECONDS, authority.clock)

    def routes(self) -> list[Route]:
        """The routes, for the issuer's app."""
        return [
            Route("/authorize", self._begin),
            Route("/authorize/login", self._log_in, methods=["POST"]),
            Route("/authorize/consent", self._show),
            Route("/authorize/consent", self._decide, methods=["POST"]),
        ]

    async def _begin(self, http: Request) -> Response:
        # Another page could load this as an image or a frame a thousand times, until the bounded stores forget a real login.
        if http.headers.get("sec-fetch-dest", "document") != "document":
            return error_page("This page is for people, in a window of its own.", 403)
        try:
            parameters, address = await read_return_address(self._authority, http.scope["query_string"])
        except NoReturnAddressError as error:
            return error_page(str(error), 400)
        session = self._session(http)
        user = session.user if session is not None else None
        try:
            request = read_request(self._authority, parameters, address)
            if "none" in request.prompts:
                raise RefusedError("consent_required" if user else "login_required", "the person must be asked")
        except RefusedError as refused:
            return address.refuse(refused)
        new = session is None
        session = session or _Session()
        transaction = _Transaction(session, request, None if "login" in request.prompts else user)
        self._transactions[transaction.identifier] = transaction
        page = self._page(transaction)
        if new:
            self._remember(session, page)
        return page

    async def _log_in(self, http: Request) -> Response:
        try:
            form = once_each(read_parameters(await read_body(http)))
        except RefusedError as refused:
            return error_page(f"The form cannot be read: {refused.description}.", refused.status)
        transaction = self._transaction(http, form, posted=True)
        if transaction is None:
            return error_page(_STALE, 403)
        user = form.get("user", "")[:_MAX_NAME_CHARACTERS]
        expected = self._authority.users.get(user)
        right = hmac.compare_digest((expected or "").encode(), form.get("password", "").encode())
        if expected is None or not right:
            return self._page(transaction, user=user, error="Name or password is wrong.")
        transaction.user = transaction.session.user = user
        query = urlencode({"transaction": transaction.identifier})
        answer = Response(status_code=303, headers={"Location": f"/authorize/consent?{query}", "Cache-Control": "no-store"})
        # A new session identifier at login: an attacker who planted the old one is not logged in with it (session fixation).
        self._sessions.pop(http.cookies.get(self._cookie, ""), None)
        self._remember(transaction.session, answer)
        return answer

    async def _show(self, http: Request) -> Response:
        try:
            parameters = once_each(read_parameters(http.scope["query_string"]))
        except RefusedError as refused:
            return error_page(f"The request cannot be read: {refused.description}.", refused.status)
        transaction = self._transaction(http, parameters, posted=False)
        return error_page(_STALE, 403) if transaction is None else self._page(transaction)

    async def _decide(self, http: Request) -> Response:
        try:
            form = read_parameters(await read_body(http))
            single = once_each(form, several=("scope",))
        except RefusedError as refused:
            return error_page(f"The form cannot be read: {refused.description}.", refused.status)
        transaction = self._transaction(http, single, posted=True)
        if transaction is None:
            return error_page(_STALE, 403)
        # Another person has logged in in another tab meanwhile, and has not seen what this page asks.
        if transaction.user is None or transaction.user != transaction.session.user:
            transaction.user = None
            return self._page(transaction)
        match single.get("decision"):
            case "allow":
                return self._allow(transaction, transaction.user, frozenset(form.get("scope", [])))
            case "deny":
                return self._end(transaction, error="access_denied", error_description="the person denied access")
            case "switch":
                transaction.user = transaction.session.user = None
                return self._page(transaction)
            case _:
                return error_page("The form came without a decision.", 400)

    def _allow(self, transaction: _Transaction, user: str, ticked: frozenset[str]) -> Response:
        request = transaction.request
        grant = Grant(
            user, request.return_address.client_id, request.resource, request.scopes & ticked, may_refresh=request.may_refresh
        )
        if request.scopes and not grant.scopes:
            return self._end(transaction, error="access_denied", error_description="the person left out every scope")
        self._authority.grants.remember(grant, request.scopes)
        code = self._authority.grants.new_code(grant, redirect_uri=request.named_redirect_uri, challenge=request.challenge)
        return self._end(transaction, code=code)

    def _end(self, transaction: _Transaction, **answer: str) -> Response:
        del self._transactions[transaction.identifier]
        return transaction.request.return_address.redirect(**answer)

    def _page(self, transaction: _Transaction, *, user: str = "", error: str = "") -> Response:
        request, authority = transaction.request, self._authority
        if transaction.user is None:
            return login_page(request, transaction.hidden, user=user, error=error, hint=authority.hint)
        granted = authority.grants.allowed(transaction.user, request.return_address.client_id, request.resource)
        return consent_page(request, transaction.hidden, user=transaction.user, granted=granted, descriptions=authority.scopes)

    def _session(self, http: Request) -> _Session | None:
        return self._sessions.get(http.cookies.get(self._cookie, ""))

    def _remember(self, session: _Session, answer: Response) -> None:
        identifier = token_urlsafe(32)
        self._sessions[identifier] = session
        answer.set_cookie(self._cookie, identifier, path="/authorize", httponly=True, samesite="lax")

    def _transaction(self, http: Request, form: Mapping[str, str], *, posted: bool) -> _Transaction | None:
        """The authorization request that a form belongs to: begun in this browser and, when posted, sent from our own page."""
        transaction = self._transactions.get(form.get("transaction", ""))
        if transaction is None or transaction.session is not self._session(http):
            return None
        if not posted:
            return transaction
        right = hmac.compare_digest(transaction.csrf.encode(), form.get("csrf", "").encode())
        return transaction if right and self._is_ours(http) else None

    def _is_ours(self, http: Request) -> bool:
        """Whether our own page sent the form, by the browser's word; programs that are no browser say nothing."""
        origin, site = http.headers.get("origin"), http.headers.get("sec-fetch-site")
        if site not in (None, "same-origin"):
            return False
        if origin is None:
            return True
        try:
            mine, sender = urlsplit(self._authority.url), urlsplit(origin)
        except ValueError:
            return False
        here = is_loopback_host(sender.hostname or "") and sender.netloc == http.headers.get("host")
        return here or (sender.scheme, sender.netloc) == (mine.scheme, mine.netloc)
