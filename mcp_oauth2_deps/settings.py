"""From environment variables to checked values; everything wrong is said at start-up, all at once.

What the values are used for does not belong here.
"""

import json
import os
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from dotenv import dotenv_values
from pydantic import BeforeValidator, Field, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from mcp_oauth2_deps.protocol.jws import SUPPORTED_ALGORITHMS
from mcp_oauth2_deps.protocol.scopes import is_scope_token, transitive_hierarchy
from mcp_oauth2_deps.protocol.urls import url_problem, without_user

PREFIX = "MCP_OAUTH2_"
ENV_FILE = PREFIX + "ENV_FILE"

_EXAMPLES = {
    "issuer": "https://auth.example.com",
    "resource": "https://api.example.com/mcp",
    "scopes": '{"tools:call": "Call tools"}',
    "scope_hierarchy": '{"files:write": ["files:read"]}',
    "algorithms": "RS256,ES256",
}


def _comma_separated(value: object) -> object:
    return tuple(value.split(",")) if isinstance(value, str) else value


def _trimmed(value: object) -> object:
    return tuple(part.strip() for part in value.split(",")) if isinstance(value, str) else value


def _json(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"is not valid JSON ({error})") from None


# Identifiers are kept verbatim, so white space around a comma is an error there; names are forgiven it.
_Identifiers = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_comma_separated)]
_Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_trimmed)]
_Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class OAuth2Settings(BaseSettings):
    """What this resource server trusts and serves. Read from `MCP_OAUTH2_...`; arguments win over the environment.

    Times are seconds. A `.env` file is read only when asked for: `_env_file=".env"` or `MCP_OAUTH2_ENV_FILE=.env`.

    Raises:
        pydantic.ValidationError: something is missing, wrong or unknown; the text names each variable and what to do.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, extra="ignore", frozen=True, hide_input_in_errors=True
    )

    issuer: _Identifiers
    """Trusted issuers, verbatim; in the environment separated by commas."""
    resource: str
    """Canonical URI of this server (RFC 8707), verbatim: published, and expected in `aud`."""
    audience: _Identifiers = ()
    """Accepted `aud` values where the provider cannot issue the resource. Default: the resource."""
    jwks_uri: str | None = None
    """Where the only issuer's keys are. Default: discovered."""
    algorithms: _Names = SUPPORTED_ALGORITHMS
    """JWS algorithms allowed. `none` and `HS*` are refused."""
    scopes: Annotated[dict[str, str], NoDecode, BeforeValidator(_json)] = Field(default_factory=dict)
    """Scope to description, for OpenAPI and `scopes_supported`."""
    scope_hierarchy: Annotated[dict[str, tuple[str, ...]], NoDecode, BeforeValidator(_json)] = Field(default_factory=dict)
    """Scope to the scopes it implies, transitively."""
    scope_claims: _Names = ("scope", "scp")
    """Claims that may hold the scopes; the first one present counts."""
    leeway: float = Field(30, ge=0, le=300)
    """Clock difference forgiven."""
    strict_at_jwt: bool = False
    """Demand RFC 9068 to the letter: type `at+jwt` and all its claims."""
    jwks_refresh_after: _Seconds | None = None
    """Soft age: from here keys are refreshed in the background. Default: half the hard age, at most 600."""
    jwks_cache_ttl: _Seconds = 3600
    """Hard age: no older key is ever used."""
    jwks_refresh_cooldown: float = Field(30, ge=0, allow_inf_nan=False)
    """Least time between two attempts to fetch one key set, failures counted."""
    http_timeout: _Seconds = 5
    """Deadline of one whole fetch."""
    token_cache_size: int = Field(1024, ge=0)
    """Verified tokens remembered; 0 turns it off."""
    authorization_url: str | None = None
    """The authorization endpoint for Swagger UI. Default: discovered."""
    token_url: str | None = None
    """The token endpoint for Swagger UI. Default: discovered."""
    swagger_client_id: str | None = None
    """The public client as which Swagger UI logs in."""
    metadata_url: str | None = None
    """Public URL of the RFC 9728 document. Default: derived from the resource."""
    cors_origins: _Identifiers = ()
    """Browser origins that may call MCP routes."""
    allowed_hosts: _Names = ()
    """`Host` values at which MCP routes answer besides the resource's own, where a proxy asks under another name."""
    max_body_size: int = Field(4 * 1024 * 1024, gt=0)
    """Bytes of the largest body that MCP routes read."""
    allow_insecure_http: bool = False
    """http for loopback hosts, in development."""
    fail_fast: bool = True
    """Refuse to start when an issuer or its keys cannot be had."""

    def __init__(self, *, _env_file: str | Path | None = None, **values: Any) -> None:
        env_file = _env_file or os.environ.get(ENV_FILE) or None
        values = {name: value for name, value in values.items() if value is not None}
        try:
            _refuse_unknown(values, env_file)
            super().__init__(_env_file=env_file, _env_file_encoding="utf-8", **values)
        except ValidationError as error:
            raise _readable(error) from None

    @property
    def soft_age(self) -> float:
        """Seconds after which keys are refreshed in the background."""
        return self.jwks_refresh_after or min(600, self.jwks_cache_ttl / 2)

    @field_validator("issuer", "resource", "jwks_uri", "authorization_url", "token_url", "metadata_url")
    @classmethod
    def _trustworthy_urls(cls, value: Any, info: ValidationInfo) -> Any:
        urls = value if isinstance(value, tuple) else (value,)
        query_allowed = info.field_name != "issuer"
        for url in filter(lambda url: url is not None, urls):
            # Whether http is allowed is known only when all fields are read.
            problem = "is empty" if not url else url_problem(url, allow_insecure_http=True, query_allowed=query_allowed)
            if problem:
                raise ValueError(f"{without_user(url)!r} {problem}")
        if isinstance(value, tuple) and (not value or len(set(value)) != len(value)):
            raise ValueError("is empty or names an issuer twice")
        return value

    @field_validator("audience", "cors_origins", "allowed_hosts")
    @classmethod
    def _clean_identifiers(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for text in value:
            if not text or text != text.strip() or not text.isprintable():
                raise ValueError(f"{text!r} is empty or has white space at an end; remove it")
        return value

    @field_validator("algorithms")
    @classmethod
    def _asymmetric(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for alg in value or ("",):
            if alg.lower() == "none" or alg.upper().startswith("HS"):
                raise ValueError(f"{alg!r} is refused: with it anybody who knows the public key can make tokens")
            if alg not in SUPPORTED_ALGORITHMS:
                raise ValueError(f"{alg!r} is not supported; possible are {', '.join(SUPPORTED_ALGORITHMS)}")
        return value

    @field_validator("scopes", "scope_hierarchy")
    @classmethod
    def _scope_names(cls, value: dict[str, Any]) -> dict[str, Any]:
        for scope, rest in value.items():
            for name in (scope, *(rest if isinstance(rest, tuple) else ())):
                if not is_scope_token(name):
                    raise ValueError(f"{name!r} is no scope: it is empty or has spaces, quotes or a backslash")
        if any(isinstance(rest, tuple) for rest in value.values()):
            try:
                transitive_hierarchy(value)
            except ValueError as error:
                raise ValueError(f"has a cycle: {error}") from None
            except RecursionError:
                raise ValueError("has a chain that is too long") from None
        return value

    @field_validator("scope_claims")
    @classmethod
    def _named(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value or not all(value):
            raise ValueError("names no claim, or an empty one")
        return value

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        for name in ("issuer", "resource", "jwks_uri", "authorization_url", "token_url", "metadata_url"):
            value = getattr(self, name)
            for url in value if isinstance(value, tuple) else filter(None, (value,)):
                problem = url_problem(url, allow_insecure_http=self.allow_insecure_http)
                if problem:
                    raise _problem(name, f"{without_user(url)!r} {problem}")
        if self.metadata_url and not urlsplit(self.metadata_url).path.strip("/"):
            raise _problem("metadata_url", f"{self.metadata_url!r} has no path; the document needs a place of its own")
        if self.jwks_uri and len(self.issuer) > 1:
            raise _problem("jwks_uri", "is possible with a single issuer only; without it keys are discovered")
        if self.soft_age >= self.jwks_cache_ttl:
            raise _problem("jwks_refresh_after", f"must be below {PREFIX}JWKS_CACHE_TTL ({self.jwks_cache_ttl:g} s)")
        return self


def _problem(field: str, text: str) -> PydanticCustomError:
    return PydanticCustomError("setting", "{text}", {"text": text, "field": field})


def _refuse_unknown(values: Mapping[str, Any], env_file: str | Path | None) -> None:
    """A misspelt variable must not weaken security in silence."""
    known = set(OAuth2Settings.model_fields)
    names = {name.lower().removeprefix(PREFIX.lower()) for name in os.environ if name.upper().startswith(PREFIX)}
    if env_file is not None:
        if not Path(env_file).is_file():
            raise _failed({"env_file": f"{str(env_file)!r} is no file; correct the path or unset it"})
        in_file = dotenv_values(env_file, encoding="utf-8")
        names |= {name.lower().removeprefix(PREFIX.lower()) for name in in_file if name.upper().startswith(PREFIX)}
    unknown = sorted((names - known - {"env_file"}) | (set(values) - known))
    if unknown:
        raise _failed({name: _did_you_mean(name, known) for name in unknown})


def _did_you_mean(name: str, known: set[str]) -> str:
    close = get_close_matches(name, known, n=1)
    return "is no setting" + (f"; did you mean {PREFIX}{close[0].upper()}?" if close else "; remove it")


def _failed(problems: Mapping[str, str]) -> ValidationError:
    details: list[InitErrorDetails] = [
        {
            "type": PydanticCustomError("setting", "{text}", {"text": text}),
            "loc": (PREFIX + name.upper(),),
            "input": None,
        }
        for name, text in problems.items()
    ]
    return ValidationError.from_exception_data("the OAuth2 settings", details, hide_input=True)


def _readable(error: ValidationError) -> ValidationError:
    """The same failure with the names of variables, a sentence each, and an example."""
    problems: dict[str, str] = {}
    for detail in error.errors(include_url=False):
        context = detail.get("ctx", {})
        name = str(context.get("field") or (detail["loc"][0] if detail["loc"] else "")).removeprefix(PREFIX).lower()
        text = "is missing" if detail["type"] == "missing" else detail["msg"].removeprefix("Value error, ")
        example = f", for example {PREFIX}{name.upper()}={_EXAMPLES[name]}" if name in _EXAMPLES else ""
        problems.setdefault(name, text + example)
    return _failed(problems)
