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
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

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
    """What this resource server trusts and serves; times are seconds.

    Who names the issuer in code names everything in code: `OAuth2Settings(issuer=..., resource=...)` reads nothing from the
    environment, so that an issuer is never verified with the keys or the audience that were configured for another one.
    Without `issuer` among the arguments the variables `MCP_OAUTH2_...` are read, and arguments win over them.

    A `.env` file is read only when asked for: by `MCP_OAUTH2_ENV_FILE=.env`, which belongs to the environment, or by
    `_env_file=".env"`, which is read also where the issuer is named in code. Variables win over the file.

    Args:
        _env_file: a file of variables.
        values: the fields by name. None stands for "not given".

    Raises:
        pydantic.ValidationError: something is missing, wrong or unknown; the text names each variable and what to do.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
        use_attribute_docstrings=True,
    )

    # The first field, because fields are checked in this order and every URL below is judged by it.
    allow_insecure_http: bool = False
    """Accept `http` URLs of loopback hosts, for development on one machine. `http` of other hosts is never accepted."""
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
    """Scope to description, for OpenAPI and `scopes_supported`, which by default names what every call to an MCP server needs."""
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
    fail_fast: bool = True
    """Refuse to start when an issuer or its keys cannot be had."""

    def __init__(self, *, _env_file: str | Path | None = None, **values: Any) -> None:
        values = {name: value for name, value in values.items() if value is not None}
        environment = {} if _issuer_in_code(values) else os.environ
        env_file = _env_file or environment.get(ENV_FILE) or None
        in_code = _issuer_in_code(values) and env_file is None
        try:
            _refuse_unknown(values, environment, env_file, in_code=in_code)
            super().__init__(_env_file=env_file, _env_file_encoding="utf-8", **values)
        except ValidationError as error:
            raise _readable(error, in_code=in_code) from None

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003  # pydantic-settings names all five
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Where values come from, the first wins; the environment only where no argument names the issuer."""
        if _issuer_in_code(init_settings()):
            return init_settings, dotenv_settings
        return init_settings, env_settings, dotenv_settings

    @property
    def soft_age(self) -> float:
        """Seconds after which keys are refreshed in the background."""
        return self.jwks_refresh_after or min(600, self.jwks_cache_ttl / 2)

    @field_validator("issuer", "resource", "jwks_uri", "authorization_url", "token_url", "metadata_url")
    @classmethod
    def _trustworthy_urls(cls, value: Any, info: ValidationInfo) -> Any:
        # Without an answer that is valid itself, no more is said than what is wrong in any case.
        http_allowed = info.data.get("allow_insecure_http", True)
        query_allowed = info.field_name != "issuer"
        for url in value if isinstance(value, tuple) else (value,):
            problem = url_problem(url, allow_insecure_http=http_allowed, query_allowed=query_allowed) if url else "is empty"
            if url is not None and problem:
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
        if self.metadata_url and not urlsplit(self.metadata_url).path.strip("/"):
            raise _problem("metadata_url", f"{self.metadata_url!r} has no path; the document needs a place of its own")
        if self.jwks_uri and len(self.issuer) > 1:
            raise _problem("jwks_uri", "is possible with a single issuer only; without it keys are discovered")
        if self.soft_age >= self.jwks_cache_ttl:
            raise _problem("jwks_refresh_after", f"must be below {PREFIX}JWKS_CACHE_TTL ({self.jwks_cache_ttl:g} s)")
        return self


def _issuer_in_code(values: Mapping[str, Any]) -> bool:
    """Whether the arguments name the issuer, and so everything: the environment is then not read."""
    return "issuer" in values


def _problem(field: str, text: str) -> PydanticCustomError:
    return PydanticCustomError("setting", "{text}", {"text": text, "field": field})


def _refuse_unknown(
    values: Mapping[str, Any], environment: Mapping[str, str], env_file: str | Path | None, *, in_code: bool
) -> None:
    """A misspelt name must not weaken security in silence; where the environment is not read, its names mean nothing."""
    known = set(OAuth2Settings.model_fields)
    names = {name.lower().removeprefix(PREFIX.lower()) for name in environment if name.upper().startswith(PREFIX)}
    if env_file is not None:
        if not Path(env_file).is_file():
            raise _failed({"env_file": f"{str(env_file)!r} is no file; correct the path or unset it"}, in_code=in_code)
        in_file = dotenv_values(env_file, encoding="utf-8")
        names |= {name.lower().removeprefix(PREFIX.lower()) for name in in_file if name.upper().startswith(PREFIX)}
    unknown = sorted((names - known - {"env_file"}) | (set(values) - known))
    if unknown:
        raise _failed({name: _did_you_mean(name, known, in_code=in_code) for name in unknown}, in_code=in_code)


def _did_you_mean(name: str, known: set[str], *, in_code: bool) -> str:
    close = get_close_matches(name, known, n=1)
    return "is no setting" + (f"; did you mean {_spelled(close[0], in_code=in_code)}?" if close else "; remove it")


def _spelled(name: str, *, in_code: bool) -> str:
    """A setting as the reader wrote it: as an argument, or as a variable."""
    return name if in_code else PREFIX + name.upper()


def _failed(problems: Mapping[str, str], *, in_code: bool) -> ValidationError:
    details: list[InitErrorDetails] = [
        {
            "type": PydanticCustomError("setting", "{text}", {"text": text}),
            "loc": (_spelled(name, in_code=in_code),),
            "input": None,
        }
        for name, text in problems.items()
    ]
    return ValidationError.from_exception_data("the OAuth2 settings", details, hide_input=True)


def _readable(error: ValidationError, *, in_code: bool) -> ValidationError:
    """The same failure with each setting as the reader spells it, a sentence each, and an example."""
    missing = "is missing" + ("; with the issuer named in code nothing is read from the environment" if in_code else "")
    problems: dict[str, str] = {}
    for detail in error.errors(include_url=False):
        context = detail.get("ctx", {})
        name = str(context.get("field") or (detail["loc"][0] if detail["loc"] else "")).removeprefix(PREFIX).lower()
        text = missing if detail["type"] == "missing" else detail["msg"].removeprefix("Value error, ")
        if name in _EXAMPLES:
            example = repr(_EXAMPLES[name]) if in_code else _EXAMPLES[name]
            text += f", for example {_spelled(name, in_code=in_code)}={example}"
        problems.setdefault(name, text)
    return _failed(problems, in_code=in_code)
