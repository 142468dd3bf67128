"""From environment variables to checked values; everything wrong is said at start-up, all at once.

What the values are used for does not belong here.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from dotenv import dotenv_values
from pydantic import BeforeValidator, Field, PrivateAttr, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from mcp_oauth2_deps.protocol.jws import SUPPORTED_ALGORITHMS
from mcp_oauth2_deps.protocol.scopes import is_scope_token, transitive_hierarchy
from mcp_oauth2_deps.protocol.urls import url_problem, without_user
from mcp_oauth2_deps.setting_errors import PREFIX, failed, readable, setting_problem, spelled_out, unknown_settings

ENV_FILE = PREFIX + "ENV_FILE"


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
    `_env_file=".env"`, which is read also where the issuer is named in code. Variables win over the file. A file that names
    another issuer than the arguments or the environment stops the start: the rest of it is for that other issuer.

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
    """Accept `http` URLs of loopback hosts, for development on one machine. `http` of any other host is never accepted."""
    issuer: _Identifiers
    """Trusted issuers, verbatim: compared byte for byte with `iss`, a slash at the end counts. Separated by commas."""
    resource: str
    """Canonical URI of this server (RFC 8707), verbatim: published in the metadata, and expected in `aud`."""
    audience: _Identifiers = ()
    """Accepted `aud` values where the issuer cannot put the resource into `aud`. Separated by commas. Default: the resource."""
    jwks_uri: str | None = None
    """Where the keys are; possible with a single issuer only. Default: discovered."""
    algorithms: _Names = SUPPORTED_ALGORITHMS
    """JWS algorithms allowed, separated by commas. `none` and `HS*` are refused."""
    scopes: Annotated[dict[str, str], NoDecode, BeforeValidator(_json)] = Field(default_factory=dict)
    """JSON, scope to description, for OpenAPI and `scopes_supported`.

    Default: none; `scopes_supported` then names what every call to an MCP server needs.
    """
    scope_hierarchy: Annotated[dict[str, tuple[str, ...]], NoDecode, BeforeValidator(_json)] = Field(default_factory=dict)
    """JSON, scope to the scopes that it implies, transitively. Default: none implies another."""
    scope_claims: _Names = ("scope", "scp")
    """Claims that may hold the scopes, separated by commas; the first one present counts."""
    leeway: float = Field(30, ge=0, le=300)
    """Clock difference between the issuer and this machine that is forgiven, 0 to 300 seconds."""
    strict_at_jwt: bool = False
    """Demand RFC 9068 to the letter: type `at+jwt`, and all its claims. Many issuers do not write such tokens."""
    jwks_refresh_after: _Seconds | None = None
    """Seconds after which keys are refreshed in the background. Default: half of `JWKS_CACHE_TTL`, at most 600."""
    jwks_cache_ttl: _Seconds = 3600
    """Seconds after which a key that could not be refreshed is no longer used; tokens are then answered with 503."""
    jwks_refresh_cooldown: float = Field(30, ge=0, allow_inf_nan=False)
    """Least seconds between two attempts to fetch one key set, failed ones included."""
    http_timeout: _Seconds = 5
    """Seconds that one whole fetch from an issuer may take."""
    token_cache_size: int = Field(1024, ge=0)
    """Verified tokens remembered, so that their signature is checked once. 0 remembers none."""
    authorization_url: str | None = None
    """The authorization endpoint for Swagger UI. Default: discovered."""
    token_url: str | None = None
    """The token endpoint for Swagger UI. Default: discovered."""
    swagger_client_id: str | None = None
    """The public client as which Swagger UI logs in. Default: none."""
    metadata_url: str | None = None
    """Public URL of the RFC 9728 document, where a proxy does not serve its standard place. Default: made of the resource."""
    cors_origins: _Identifiers = ()
    """Browser origins that may call MCP routes, separated by commas. Default: none."""
    allowed_hosts: _Names = ()
    """Further `Host` values at which MCP routes answer, separated by commas: names by which a proxy asks. Default: none."""
    max_body_size: int = Field(4 * 1024 * 1024, gt=0)
    """Bytes of the largest body that MCP routes read."""
    fail_fast: bool = True
    """Refuse to start when an issuer or its keys cannot be had. Without it requests get 503 until they can be had."""
    _in_code: bool = PrivateAttr(default=False)

    def __init__(self, *, _env_file: str | Path | None = None, **values: Any) -> None:
        values = {name: value for name, value in values.items() if value is not None}
        environment = {} if _issuer_in_code(values) else _ours(os.environ)
        env_file = _env_file or environment.get("env_file") or None
        in_code = _issuer_in_code(values) and env_file is None
        try:
            in_file = _read_file(env_file)
            unknown = (({*environment, *in_file} - {"env_file"}) | {*values}) - set(type(self).model_fields)
            if unknown:
                raise unknown_settings(unknown, type(self).model_fields, in_code=in_code)
            _refuse_two_issuers(values.get("issuer") or environment.get("issuer") or None, in_file.get("issuer") or None)
            super().__init__(_env_file=env_file, _env_file_encoding="utf-8", **values)
            self._in_code = in_code
        except ValidationError as error:
            raise readable(error, in_code=in_code) from None

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

    def spelled_out(self, text: str) -> str:
        """The text, which says "the setting x", with the name of the variable there, unless the settings come from code."""
        return text if self._in_code else spelled_out(text, in_code=False)

    @field_validator("issuer", "resource", "jwks_uri", "authorization_url", "token_url", "metadata_url")
    @classmethod
    def _trustworthy_urls(cls, value: Any, info: ValidationInfo) -> Any:
        # Where the flag itself is wrong, a URL is not called wrong because of it.
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
            raise setting_problem("metadata_url", f"{self.metadata_url!r} has no path; the document needs a place of its own")
        if self.jwks_uri and len(self.issuer) > 1:
            raise setting_problem("jwks_uri", "is possible with a single issuer only; without it keys are discovered")
        if self.soft_age >= self.jwks_cache_ttl:
            raise setting_problem("jwks_refresh_after", f"must be below JWKS_CACHE_TTL ({self.jwks_cache_ttl:g} s)")
        return self


def _issuer_in_code(values: Mapping[str, Any]) -> bool:
    """Whether the arguments name the issuer, and so everything: the environment is then not read."""
    return "issuer" in values


def _ours(variables: Mapping[str, str | None]) -> dict[str, str]:
    """The variables with our prefix, by the names of the settings that they stand for."""
    prefix = PREFIX.lower()
    lowered = {name.lower(): value or "" for name, value in variables.items()}
    return {name.removeprefix(prefix): value for name, value in lowered.items() if name.startswith(prefix)}


def _read_file(path: str | Path | None) -> dict[str, str]:
    if path is None:
        return {}
    if not Path(path).is_file():
        raise failed({"env_file": f"{str(path)!r} is no file; correct the path or unset it"}, in_code=False)
    return _ours(dotenv_values(path, encoding="utf-8"))


def _refuse_two_issuers(given: object, in_file: object) -> None:
    """Where a file is for another issuer than the arguments or the environment, its keys and audience are that one's too."""
    given, in_file = _comma_separated(given), _comma_separated(in_file)
    if isinstance(given, tuple | list) and isinstance(in_file, tuple) and set(map(str, given)) != set(in_file):
        texts = (without_user(",".join(map(str, issuers))) for issuers in (given, in_file))
        text = "is {!r}, but the file is for {!r}: name the same in both, or in one only".format(*texts)
        raise failed({"issuer": text}, in_code=False)
