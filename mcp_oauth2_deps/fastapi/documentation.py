"""What OpenAPI and Swagger UI show of a scheme: where to log in, which scopes there are, how refusals look.

FastAPI caches its OpenAPI document forever. Here it is rebuilt when discovery learns an endpoint, and what FastAPI cannot know
is added.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from fastapi import FastAPI
from fastapi.openapi.models import OAuth2 as OAuth2Model
from fastapi.openapi.models import OAuthFlowAuthorizationCode, OAuthFlows
from pydantic import ValidationError

from mcp_oauth2_deps.errors import (
    InsufficientScopeError,
    InvalidRequestError,
    IssuerUnavailableError,
    MissingCredentialsError,
    OAuth2Error,
)
from mcp_oauth2_deps.fastapi.gate import Gate
from mcp_oauth2_deps.fastapi.refusals import refusal_detail
from mcp_oauth2_deps.issuer_policy import IssuerPolicy
from mcp_oauth2_deps.models import Challenge
from mcp_oauth2_deps.protocol.asked_scopes import AskedScopes
from mcp_oauth2_deps.protocol.challenges import challenge_for, header_fields
from mcp_oauth2_deps.protocol.issuer_metadata import IssuerMetadata
from mcp_oauth2_deps.protocol.resource_metadata import metadata_url
from mcp_oauth2_deps.protocol.urls import url_problem
from mcp_oauth2_deps.settings import OAuth2Settings

_METHODS = frozenset({"get", "put", "post", "delete", "options", "head", "patch", "trace"})
_UNFIT_FOR_A_NAME = re.compile(r"[^A-Za-z0-9._-]")


class SchemeDescription:
    """What OpenAPI and Swagger UI show of one scheme.

    Attributes:
        name: the name in OpenAPI.
    """

    def __init__(self, gate: Gate, name: str, *, with_responses: bool) -> None:
        """Nothing is read yet.

        Args:
            gate: the settings, the endpoints and the scopes.
            name: the name in OpenAPI.
            with_responses: describe how operations refuse.
        """
        self.name = name
        self._gate = gate
        self._with_responses = with_responses

    def models(self) -> dict[str, OAuth2Model]:
        """One security scheme for each issuer, by name. Needs no environment: what is not known yet has no flow."""
        try:
            settings = self._gate.settings
        except ValidationError:
            return {self.name: OAuth2Model(flows=OAuthFlows())}
        metadata = self._gate.authenticator.jwks_store.metadata
        return {name: self._model(settings, policy, metadata(policy.issuer)) for name, policy in self._policies(settings).items()}

    def _policies(self, settings: OAuth2Settings) -> dict[str, IssuerPolicy]:
        """The policy of each issuer, by the name of its security scheme."""
        if len(settings.policies) == 1:
            return {self.name: settings.policies[0]}
        parts = [(urlsplit(policy.issuer), policy) for policy in settings.policies]
        return {_UNFIT_FOR_A_NAME.sub("-", f"{self.name}-{url.netloc}{url.path}").rstrip("-"): policy for url, policy in parts}

    def _asked(self) -> dict[str, AskedScopes]:
        """How each issuer is asked for scopes, by the name of its security scheme."""
        try:
            settings = self._gate.settings
        except ValidationError:
            return {self.name: AskedScopes()}
        return {name: policy.asked_scopes for name, policy in self._policies(settings).items()}

    def _model(self, settings: OAuth2Settings, policy: IssuerPolicy, found: IssuerMetadata | None) -> OAuth2Model:
        authorization_url = settings.authorization_url or _fit(found.authorization_endpoint if found else None, settings)
        token_url = settings.token_url or _fit(found.token_endpoint if found else None, settings)
        flow = None
        if authorization_url and token_url:
            refresh_url = token_url if found is not None and found.refreshes else None
            known = dict.fromkeys(sorted(self._gate.scopes.known), "") | dict(settings.scopes)
            scopes = {name: text for scope, text in known.items() for name in policy.asked_scopes.names([scope])}
            flow = OAuthFlowAuthorizationCode(
                authorizationUrl=authorization_url, tokenUrl=token_url, refreshUrl=refresh_url, scopes=scopes
            )
        return OAuth2Model(
            flows=OAuthFlows(authorizationCode=flow), description=_description(policy.login or policy.issuer, flow is not None)
        )

    def swagger_ui_init_oauth(self, client_id: str | None, more: dict[str, Any]) -> dict[str, Any]:
        """What `FastAPI(swagger_ui_init_oauth=...)` takes; see the method of the scheme."""
        settings = self._gate.settings
        if "client_secret" in more or "clientSecret" in more:
            raise ValueError(
                "a client secret on a page that everybody can read is none; register a public client (PKCE), without a secret"
            )
        client_id = client_id or settings.swagger_client_id
        if client_id is None:
            raise ValueError("Swagger UI needs a client id: give client_id=..., or set MCP_OAUTH2_SWAGGER_CLIENT_ID")
        self._gate.scopes.announce(settings.scopes)
        self._gate.scopes.ask_as(policy.asked_scopes for policy in settings.policies)
        with_resource = all(policy.resource_parameter for policy in settings.policies)
        return {
            "clientId": client_id,
            "usePkceWithAuthorizationCodeGrant": True,
            # A live list: routes that are added later bring their scopes along.
            "scopes": self._gate.scopes.preselected,
            "additionalQueryStringParams": {"resource": settings.resource} if with_resource else {},
            **more,
        }

    def complete(self, document: dict[str, Any]) -> dict[str, OAuth2Model]:
        """Adds what FastAPI does not know: a scheme for each issuer, all scopes of all routes, the refusals.

        Returns:
            The security schemes as they now stand in the document.
        """
        operations = list(_operations_of(document, self.name))
        self._gate.scopes.announce(scope for _, scopes in operations for scope in scopes)
        models, asked = self.models(), self._asked()
        shortfalls: dict[tuple[str, ...], int] = {}
        for operation, scopes in operations:
            others = [entry for entry in operation["security"] if self.name not in entry]
            operation["security"] = [{name: list(asked[name].names(scopes))} for name in models] + others
            if self._with_responses:
                described = operation.setdefault("responses", {})
                names = {status: f"OAuth2Refusal{status}" for status in ("400", "401", "403", "503")}
                if scopes:
                    number = shortfalls.setdefault(tuple(scopes), len(shortfalls) + 1)
                    names["403"] += f"-{self.name}-{number}"
                for status, name in names.items():
                    described.setdefault(status, {"$ref": f"#/components/responses/{name}"})
        if operations:
            components = document.setdefault("components", {})
            schemes = components.setdefault("securitySchemes", {})
            schemes.pop(self.name, None)
            schemes |= {name: model.model_dump(mode="json", by_alias=True, exclude_none=True) for name, model in models.items()}
            if self._with_responses:
                components.setdefault("responses", {}).update(self._responses(shortfalls))
        return models

    def _responses(self, shortfalls: Mapping[tuple[str, ...], int]) -> dict[str, Any]:
        """How operations refuse; a 403 for each set of scopes, so that its example is what the operation answers."""
        asked = AskedScopes()
        try:
            settings = self._gate.settings
        except ValidationError:
            resource_metadata = "https://api.example.com/.well-known/oauth-protected-resource/mcp"
        else:
            resource_metadata, asked = metadata_url(settings.resource, settings.metadata_url), settings.asked_scopes()
        examples: dict[str, OAuth2Error] = {
            "400": InvalidRequestError("malformed_credentials"),
            "401": MissingCredentialsError(),
            "403": _shortfall(("files:write",)),
            "503": IssuerUnavailableError("", "", retry_after=30),
        }
        examples |= {f"403-{self.name}-{number}": _shortfall(scopes) for scopes, number in shortfalls.items()}
        return {
            f"OAuth2Refusal{key}": _response(
                key.partition("-")[0], challenge_for(error, resource_metadata=resource_metadata, asked=asked)
            )
            for key, error in examples.items()
        }


class OpenAPIDocument:
    """The `openapi` of an app, in place of FastAPI's own method; it knows the schemes of the app."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app
        self._original: Callable[[], dict[str, Any]] = app.openapi
        self._descriptions: list[SchemeDescription] = []
        self._completed: dict[str, Any] | None = None
        self._completed_with: object = None

    @classmethod
    def install(cls, app: FastAPI, description: SchemeDescription) -> None:
        """Makes the app's document tell of this scheme."""
        document = app.openapi if isinstance(app.openapi, cls) else cls(app)
        document.add(description)
        app.openapi = document  # type: ignore[method-assign]  # FastAPI's documented way to change the document

    def add(self, description: SchemeDescription) -> None:
        """Tells of one more scheme."""
        if description not in self._descriptions:
            self._descriptions.append(description)
            self._completed = None

    def __call__(self) -> dict[str, Any]:
        """The document, completed."""
        current = [description.models() for description in self._descriptions]
        if self._completed is None or current != self._completed_with:
            self._app.openapi_schema = None
        document = self._original()
        if document is not self._completed:
            self._completed_with = [description.complete(document) for description in self._descriptions]
            self._completed = document
        return document


def _fit(url: str | None, settings: OAuth2Settings) -> str | None:
    """The discovered endpoint, if a person may be sent there."""
    if url is None or url_problem(url, allow_insecure_http=settings.allow_insecure_http) is not None:
        return None
    return url


def _description(issuer: str, endpoints_known: bool) -> str:
    if endpoints_known:
        return (
            f"Choose the scopes you need, leave any client_secret empty, press Authorize, and log in at {issuer}. "
            "The WWW-Authenticate header of a 403 names the scopes that are needed."
        )
    return f"Where to log in at {issuer} is not known yet: the issuer was not reached. Load this page again later."


def _operations_of(document: dict[str, Any], scheme_name: str) -> Iterator[tuple[dict[str, Any], list[str]]]:
    for path, item in (document.get("paths") or {}).items():
        # A document of the user's own may hold extensions, "x-...", whose values may be anything.
        for method in _METHODS.intersection(item if path.startswith("/") else ()):
            operation = item[method]
            found = [entry[scheme_name] for entry in operation.get("security") or () if scheme_name in entry]
            if found:
                yield operation, list(dict.fromkeys(scope for scopes in found for scope in scopes))


_REFUSAL = {
    "title": "OAuth2Refusal",
    "type": "object",
    "required": ["detail"],
    "properties": {
        "detail": {
            "type": "object",
            "required": ["error", "error_description"],
            "properties": {
                "error": {
                    "anyOf": [{"enum": ["invalid_request", "invalid_token", "insufficient_scope"]}, {"type": "null"}],
                    "description": "The error code of RFC 6750; null where no token was sent, or none can be checked.",
                },
                "error_description": {"type": "string"},
                "missing_scopes": {"type": "array", "items": {"type": "string"}, "description": "Only with a 403."},
            },
        }
    },
}
# FastAPI 0.165 answers 400 by itself, before any dependency is asked.
_UNREADABLE_BODY = {
    "title": "UnreadableBody",
    "type": "object",
    "required": ["detail"],
    "properties": {"detail": {"type": "string", "description": "The body of the request cannot be read."}},
}
_CHALLENGE = "Where and with which scopes to get a token (RFC 6750 section 3, RFC 9728 section 5.1)."
_MEANINGS = {
    "400": "The request does not hold exactly one well-formed Bearer token, or its body cannot be read.",
    "401": "A token is missing, or is not valid.",
    "403": "The token does not hold the scopes that this operation needs.",
    "503": "The issuer's keys cannot be had at the moment.",
}


def _shortfall(scopes: tuple[str, ...]) -> InsufficientScopeError:
    return InsufficientScopeError(required=scopes, granted=frozenset(), missing=scopes)


def _response(status: str, challenge: Challenge) -> dict[str, Any]:
    name = "Retry-After" if status == "503" else "WWW-Authenticate"
    header = {"description": "Seconds." if status == "503" else _CHALLENGE, "schema": {"type": "string"}}
    example = {"detail": refusal_detail(challenge)}
    # Written out: the name of a schema could be that of a model of the user's.
    schema: dict[str, Any] = {"anyOf": [_REFUSAL, _UNREADABLE_BODY]} if status == "400" else _REFUSAL
    return {
        "description": _MEANINGS[status],
        "headers": {name: header | {"example": header_fields(challenge)[name]}},
        "content": {"application/json": {"schema": schema, "example": example}},
    }
