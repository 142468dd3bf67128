"""The dependencies that a scheme hands out: the optional token, and the scopes demanded at one place.

Verifying tokens does not belong here.
"""

from dataclasses import dataclass
from inspect import Parameter, Signature
from typing import TYPE_CHECKING, Any

from fastapi import Security
from fastapi.openapi.models import OAuth2 as OAuth2Model
from fastapi.security import SecurityScopes
from fastapi.security.base import SecurityBase
from starlette.requests import HTTPConnection

from mcp_oauth2_deps.errors import InsufficientScopeError
from mcp_oauth2_deps.models import AccessToken, ScopeRequirement
from mcp_oauth2_deps.protocol.scopes import verify_scopes

if TYPE_CHECKING:
    from mcp_oauth2_deps.security import OAuth2BearerScheme


class OptionalToken(SecurityBase):
    """A dependency: the verified token, or nothing when nothing was sent. A bad token is refused all the same."""

    def __init__(self, scheme: "OAuth2BearerScheme") -> None:
        self.scheme = scheme

    @property
    def scheme_name(self) -> str:  # type: ignore[override]  # an attribute there; follows the scheme
        """The name of the scheme in OpenAPI."""
        return self.scheme.scheme_name

    @property
    def model(self) -> OAuth2Model:  # type: ignore[override]  # an attribute there; follows the scheme
        """The scheme for OpenAPI."""
        return self.scheme.model

    async def __call__(self, connection: HTTPConnection, security_scopes: SecurityScopes) -> AccessToken | None:
        """The verified token, or nothing."""
        return await self.scheme.find_token(connection, security_scopes)


class _Alternatives(OptionalToken):
    """Shows alternative scopes in OpenAPI. It lets everything pass; the guard decides."""

    async def __call__(self) -> None:  # type: ignore[override]  # nothing to ask, nothing to say
        return None


@dataclass(frozen=True)
class ScopeGuard:
    """What `require_scopes` returns: a dependency, equal to every other with the same demand of the same scheme."""

    scheme: "OAuth2BearerScheme"
    requirement: ScopeRequirement

    @property
    def __signature__(self) -> Signature:
        parameters: list[tuple[str, Any, Any]] = [
            ("connection", HTTPConnection, Parameter.empty),
            ("security_scopes", SecurityScopes, Parameter.empty),
            ("token", AccessToken, Security(self.scheme, scopes=list(self.requirement.all_of))),
        ]
        alternatives = [scope for group in self.requirement.any_of for scope in group]
        if alternatives:
            parameters.append(("shown", None, Security(_Alternatives(self.scheme), scopes=alternatives)))
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
        token: AccessToken,
        shown: None = None,  # noqa: ARG002  # asked for to be seen in OpenAPI
    ) -> AccessToken:
        """The token, if it holds what is demanded here; also when a test put another in the scheme's place."""
        requirement = self.requirement.with_all_of(security_scopes.scopes)
        try:
            verify_scopes(requirement, token.scopes, self.scheme.scope_hierarchy)
        except InsufficientScopeError as error:
            self.scheme.refuse(error, connection, requirement, token)
        return token
