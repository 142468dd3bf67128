"""What stands at a route: the optional token, and the demands of one place.

Deciding about a connection does not belong here; all of these ask the scheme's gate.
"""

from dataclasses import dataclass
from inspect import Parameter, Signature
from typing import Any, Protocol

from fastapi import Security
from fastapi.openapi.models import OAuth2 as OAuth2Model
from fastapi.security import SecurityScopes
from fastapi.security.base import SecurityBase
from starlette.requests import HTTPConnection

from mcp_oauth2_deps.errors import MissingCredentialsError, OAuth2Error
from mcp_oauth2_deps.fastapi.documentation import SchemeDescription
from mcp_oauth2_deps.fastapi.gate import Gate
from mcp_oauth2_deps.models import AccessToken
from mcp_oauth2_deps.protocol.scopes import ScopeRequirement


class OptionalToken(SecurityBase):
    """A dependency: the verified token, or nothing when nothing was sent. A bad token is refused here too."""

    def __init__(self, gate: Gate, description: SchemeDescription) -> None:
        self.gate = gate
        self._description = description

    @property
    def scheme_name(self) -> str:  # type: ignore[override]  # an attribute there; that of the scheme here
        """The name of the scheme in OpenAPI."""
        return self._description.name

    @property
    def model(self) -> OAuth2Model:  # type: ignore[override]  # an attribute there; that of the scheme here
        """The scheme for OpenAPI."""
        return next(iter(self._description.models().values()))

    async def __call__(self, connection: HTTPConnection, security_scopes: SecurityScopes) -> AccessToken | None:
        """The verified token, or nothing."""
        return await self.gate.admit(connection, security_scopes.scopes)


class _Alternatives(OptionalToken):
    """Shows alternative scopes in OpenAPI. It lets everything pass; the guard decides."""

    async def __call__(self) -> None:  # type: ignore[override]  # nothing to ask, nothing to say
        return None


class Scheme(Protocol):
    """What a guard needs of its scheme, which is a dependency too: the one that verifies the token."""

    @property
    def gate(self) -> Gate:
        """What decides."""

    @property
    def optional_token(self) -> OptionalToken:
        """The dependency that lets in who sends nothing."""

    async def __call__(self, connection: HTTPConnection, security_scopes: SecurityScopes) -> AccessToken:
        """The verified token."""


@dataclass(frozen=True)
class ScopeGuard:
    """What `require_scopes` returns: a dependency, equal to every other with the same demand of the same scheme.

    An `optional` one lets in who sends no token, as none: MCP routes use it, where something is public.
    """

    scheme: Scheme
    requirement: ScopeRequirement
    optional: bool = False

    @property
    def gate(self) -> Gate:
        """The gate that the guard refuses by; routes recognize by it whose demand this is."""
        return self.scheme.gate

    # FastAPI learns what a dependency depends on from its signature. This one differs from guard to guard: it depends on the
    # scheme with the scopes of this guard, which FastAPI then collects and shows in OpenAPI.
    @property
    def __signature__(self) -> Signature:
        verifier = self.scheme.optional_token if self.optional else self.scheme
        parameters: list[tuple[str, Any, Any]] = [
            ("connection", HTTPConnection, Parameter.empty),
            ("security_scopes", SecurityScopes, Parameter.empty),
            ("token", AccessToken, Security(verifier, scopes=list(self.requirement.all_of))),
        ]
        alternatives = [scope for group in self.requirement.any_of for scope in group]
        if alternatives:
            shown = _Alternatives(self.gate, self.scheme.optional_token._description)  # noqa: SLF001  # of the scheme
            parameters.append(("shown", None, Security(shown, scopes=alternatives)))
        return Signature(
            [
                Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
                for name, annotation, default in parameters
            ]
        )

    async def __call__(
        self,
        connection: HTTPConnection,
        security_scopes: SecurityScopes,
        token: AccessToken | None,
        shown: None = None,  # noqa: ARG002  # asked for to be seen in OpenAPI
    ) -> AccessToken | None:
        """The token, if it holds what is demanded here; also when a test put another in the scheme's place."""
        requirement = self.requirement.with_all_of(security_scopes.scopes)
        if token is None:
            return None if self.optional else self.gate.refuse(MissingCredentialsError(), connection, requirement)
        try:
            if requirement.live:
                token = await self.gate.confirmed(connection, token)
            self.gate.verify(requirement, token)
        except OAuth2Error as error:
            self.gate.refuse(error, connection, requirement, token)
        return token
