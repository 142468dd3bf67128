"""One connection in; its verified token, or a refusal, out. What all dependencies of a scheme share.

What users write at a route does not belong here, nor what a token must be.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from fastapi import HTTPException, WebSocketException
from pydantic import ValidationError
from starlette.requests import HTTPConnection
from starlette.status import WS_1008_POLICY_VIOLATION

from mcp_oauth2_deps.authenticator import Authenticator
from mcp_oauth2_deps.errors import MissingCredentialsError, OAuth2Error
from mcp_oauth2_deps.events import Admitted, Refused
from mcp_oauth2_deps.fastapi.demands import Requirement, collect_requirement, matched_dependant
from mcp_oauth2_deps.fastapi.presenting import Sent, read_presented, what_was_sent
from mcp_oauth2_deps.fastapi.reach import warn_of_missing_metadata
from mcp_oauth2_deps.fastapi.refusals import refusal_detail
from mcp_oauth2_deps.fastapi.scope_book import ScopeBook
from mcp_oauth2_deps.models import AccessToken
from mcp_oauth2_deps.protocol.challenges import challenge_for, header_fields
from mcp_oauth2_deps.protocol.resource_metadata import metadata_url
from mcp_oauth2_deps.protocol.scopes import ScopeRequirement
from mcp_oauth2_deps.settings import OAuth2Settings
from mcp_oauth2_deps.verifiers import Verifier

Outcome = tuple[Sent, AccessToken, bool]
"""What was sent, the verified token, and whether the issuer was asked about it for this request."""
# Key in the ASGI scope. Maps each gate to its `Outcome`, so that a request is verified once.
MEMORY_KEY = "mcp_oauth2_deps"
# Demands of so many routes are remembered. FastAPI makes all routes of an included router again whenever one is added to it.
_MOST_ROUTES = 10_000


class Gate:
    """Decides about connections for one scheme: with its authenticator, its settings, and the scopes it has heard of.

    Attributes:
        scopes: the scopes that were demanded or announced so far.
        verifiers: the dependencies that ask this gate for a token; their scheme names them.
    """

    def __init__(
        self, settings: OAuth2Settings | None, authenticator: Authenticator | None, verifiers: Sequence[Verifier] = ()
    ) -> None:
        """Nothing is read or fetched yet; without arguments settings are read from the environment on first use."""
        self._foreign = tuple(verifiers)
        self._configured = authenticator or (None if settings is None else Authenticator(settings, verifiers=self._foreign))
        self._authenticator = self._configured
        self._requirements: dict[int, tuple[Any, ScopeRequirement]] = {}
        self._has_challenged = False
        self.scopes = ScopeBook()
        self.verifiers: tuple[object, ...] = ()

    @property
    def authenticator(self) -> Authenticator:
        """The authenticator; made from the environment on first use when no settings were given."""
        if self._authenticator is None:
            self._authenticator = Authenticator(OAuth2Settings(), verifiers=self._foreign)
        return self._authenticator

    @property
    def settings(self) -> OAuth2Settings:
        """The settings in force."""
        return self.authenticator.settings

    @property
    def is_configured(self) -> bool:
        """Whether the settings were given, rather than left to the environment at first use."""
        return self._configured is not None

    @property
    def scope_hierarchy(self) -> Mapping[str, frozenset[str]]:
        """What scopes imply; nothing without settings, which a test that overrides the scheme need not have."""
        authenticator = self._authenticator_if_configured()
        return {} if authenticator is None else authenticator.scope_hierarchy

    def _authenticator_if_configured(self) -> Authenticator | None:
        """The authenticator; none where settings are missing, which nobody needs as long as no token is sent."""
        try:
            return self.authenticator
        except ValidationError:
            return None

    async def start(self) -> None:
        """Reads the settings and fetches the keys.

        Raises:
            IssuerUnavailableError: `fail_fast` is set and an issuer or its keys cannot be had.
        """
        await self.authenticator.start()

    async def aclose(self) -> None:
        """Ends fetches in flight; settings from the environment are read again at the next use."""
        if self._authenticator is not None:
            await self._authenticator.aclose()
        self._authenticator = self._configured

    async def admit(self, connection: HTTPConnection, scopes: Sequence[str]) -> AccessToken | None:
        """The verified token, holding these scopes and all that the matched route demands anywhere; none when none was sent.

        The whole route's scopes are decided here already, so that one challenge names all of them. Guards decide about their own
        once more, for tests that put another token in place of ours, and for routes that FastAPI does not tell about.

        Raises:
            HTTPException: 400, 401, 403 or 503 with the challenge; on a WebSocket before it is accepted.
        """
        needed = self._demanded_by_route(connection).with_all_of(scopes)
        outcomes: dict[Gate, Outcome] = connection.scope.setdefault(MEMORY_KEY, {})
        sent = what_was_sent(connection.scope)
        # An app that hands a request on with other headers may copy the scope, and this memory with it.
        known = outcomes.get(self)
        token = known[1] if known is not None and known[0] == sent and (known[2] or not needed.live) else None
        try:
            if token is not None:
                self.verify(needed, token)
                return token
            authenticator = self._authenticator or self._authenticator_if_configured()
            presented = read_presented(sent, "" if authenticator is None else authenticator.public_origin)
            if presented is None:
                return None
            if authenticator is None:
                # Raises what is wrong with the settings.
                authenticator = self.authenticator
            token = await authenticator.authenticate(presented, live=needed.live)
            outcomes[self] = sent, token, needed.live
            shortfall = needed.shortfall(token, authenticator.scope_hierarchy)
            if shortfall is not None:
                raise shortfall
            if Admitted in authenticator.events.heard:
                authenticator.events.emit(Admitted(token))
        except OAuth2Error as error:
            self.refuse(error, connection, ScopeRequirement(tuple(scopes)), token)
        return token

    async def confirmed(self, connection: HTTPConnection, token: AccessToken) -> AccessToken:
        """The token, about which its issuer was asked for this request.

        `admit` has done that where FastAPI tells what the route demands. A token that a test put in place of ours is nobody's.

        Raises:
            OAuth2Error: it is not good now, or nobody can say.
        """
        outcomes: dict[Gate, Outcome] = connection.scope.get(MEMORY_KEY, {})
        known = outcomes.get(self)
        if known is None or known[2] or known[1] is not token:
            return token
        presented = read_presented(known[0], self.authenticator.public_origin)
        if presented is None:
            raise MissingCredentialsError
        confirmed = await self.authenticator.authenticate(presented, live=True)
        outcomes[self] = known[0], confirmed, True
        return confirmed

    def verify(self, requirement: Requirement, token: AccessToken) -> None:
        """Guarantees that the token meets the requirement.

        Does not check: that the token is good.

        Raises:
            OAuth2Error: it does not.
        """
        shortfall = requirement.shortfall(token, self.scope_hierarchy)
        if shortfall is not None:
            raise shortfall

    def refuse(
        self,
        error: OAuth2Error,
        connection: HTTPConnection,
        demanded: ScopeRequirement,
        token: AccessToken | None = None,
        message: str = "",
    ) -> NoReturn:
        """Ends the request with the challenge for this error.

        Args:
            error: why.
            connection: the request.
            demanded: what is demanded here. What the matched route demands elsewhere is added to the challenge.
            token: what the caller holds, where it was verified.
            message: what an MCP message asked for, for the log.
        """
        settings = self.settings
        challenge = challenge_for(
            error,
            resource_metadata=metadata_url(settings.resource, settings.metadata_url),
            scopes=(self._demanded_by_route(connection) + demanded).names(),
            known_scopes=self.scopes.known.union(settings.scopes),
            asked=settings.asked_scopes(None if token is None else token.issuer),
        )
        if challenge.challenges and not self._has_challenged:
            self._has_challenged = True
            warn_of_missing_metadata(connection.scope, settings)
        request = f"{connection.scope.get('method', 'WebSocket')} {connection.scope.get('path', '')}"
        explanation = self.authenticator.explain(error, token)
        self.authenticator.events.emit(Refused(challenge.status, error, token, f"{message} {request}".strip(), explanation))
        can_answer = "websocket.http.response" in (connection.scope.get("extensions") or {})
        if connection.scope["type"] == "websocket" and not can_answer:
            raise WebSocketException(WS_1008_POLICY_VIOLATION, challenge.error or "unauthorized") from None
        raise HTTPException(challenge.status, refusal_detail(challenge), header_fields(challenge)) from None

    def _demanded_by_route(self, connection: HTTPConnection) -> ScopeRequirement:
        dependant = matched_dependant(connection.scope)
        if dependant is None:
            return ScopeRequirement()
        overrides: Mapping[Any, Any] = getattr(connection.scope.get("app"), "dependency_overrides", {})
        if overrides:
            return collect_requirement(dependant, self, self.verifiers, overrides)
        known = self._requirements.get(id(dependant))
        if known is None or known[0] is not dependant:
            if len(self._requirements) >= _MOST_ROUTES:
                self._requirements.clear()
            known = self._requirements[id(dependant)] = dependant, collect_requirement(dependant, self, self.verifiers, {})
            self.scopes.announce(known[1].names())
        return known[1]
