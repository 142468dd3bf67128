"""From environment variables to checked values; everything wrong is said at start-up, all at once.

What the values are used for does not belong here.
"""

import os
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PrivateAttr,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from mcp_oauth2_deps.introspection_policy import DEFAULT_TTL, plain_policy, plain_problem
from mcp_oauth2_deps.issuer_policy import IssuerPolicy
from mcp_oauth2_deps.protocol.asked_scopes import AskedScopes
from mcp_oauth2_deps.protocol.jws import SUPPORTED_ALGORITHMS
from mcp_oauth2_deps.setting_errors import PREFIX, readable, setting_problem, spelled_out, unknown_settings
from mcp_oauth2_deps.setting_policies import (
    DESCRIBE_ISSUERS,
    asked_scopes,
    filled,
    policies_by_name,
    policies_of_presets,
    presets,
    trustworthy_policies,
)
from mcp_oauth2_deps.setting_rules import (
    asymmetric_algorithms,
    claim_names,
    clean_identifier,
    clean_identifiers,
    fit_prefix,
    http_allowed,
    refuse_more_than_policies,
    refuse_placeless_metadata,
    refuse_strict_without_audience,
    refuse_two_names,
    scope_names,
    trusted,
)
from mcp_oauth2_deps.setting_sources import (
    comma_separated,
    from_json,
    issuer_in_code,
    issuers_given,
    named_issuers,
    named_otherwise,
    our_variables,
    read_file,
    refuse_two_issuers,
    trimmed,
)

ENV_FILE = PREFIX + "ENV_FILE"


# Identifiers are kept verbatim, so white space around a comma is an error there; names are forgiven it.
_Identifiers = Annotated[tuple[str, ...], NoDecode, BeforeValidator(comma_separated)]
_Policies = Annotated[tuple[IssuerPolicy, ...], NoDecode, BeforeValidator(from_json)]
_Presets = Annotated[tuple[IssuerPolicy, ...], NoDecode, BeforeValidator(presets)]
_Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(trimmed)]
_SCOPES = AfterValidator(scope_names)
_Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class OAuth2Settings(BaseSettings):
    """What this resource server trusts and serves; times are seconds.

    Who names the issuer in code names everything in code: `OAuth2Settings(issuer=..., resource=...)` reads nothing from the
    environment, so that an issuer is never verified with the keys or the audience that were configured for another one.
    Without `provider`, `issuer` and `issuers` among them the variables `MCP_OAUTH2_...` are read, and arguments win over them.

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
    provider: _Presets = ()
    """A preset and its words, for example `auth0 domain=acme.eu.auth0.com`; several are separated by `;`.

    Default: none; `ISSUER` or `ISSUERS` names the issuers.
    """
    issuers: _Policies = ()
    """JSON, a list of issuers with what each is trusted for, where they differ; in code a list of `IssuerPolicy`.

    Default: none; `ISSUER` names them.
    """
    issuer: Annotated[_Identifiers, BeforeValidator(issuers_given)] = None  # type: ignore[assignment]  # see `issuers_given`
    """Trusted issuers, verbatim: compared byte for byte with `iss`, a slash at the end counts. Separated by commas.

    Default: required, unless `PROVIDER` or `ISSUERS` is given.
    """
    resource: str
    """Canonical URI of this server (RFC 8707), verbatim: published in the metadata, and expected in `aud`."""
    audience: _Identifiers = ()
    """Accepted `aud` values where the issuer cannot put the resource into `aud`. Separated by commas. Default: the resource."""
    jwks_uri: str | None = None
    """Where the keys are; possible with a single issuer only. Default: discovered."""
    algorithms: Annotated[_Names, AfterValidator(asymmetric_algorithms)] = SUPPORTED_ALGORITHMS
    """JWS algorithms allowed, separated by commas. `none` and `HS*` are refused."""
    scopes: Annotated[dict[str, str], NoDecode, BeforeValidator(from_json), _SCOPES] = Field(default_factory=dict)
    """JSON, scope to description, for OpenAPI and `scopes_supported`.

    Default: none; `scopes_supported` then names what every call to an MCP server needs.
    """
    scope_hierarchy: Annotated[dict[str, tuple[str, ...]], NoDecode, BeforeValidator(from_json), _SCOPES] = Field({})
    """JSON, scope to the scopes that it implies, transitively. Default: none implies another."""
    scope_claims: Annotated[_Names, AfterValidator(claim_names)] = ("scope", "scp")
    """Claims that may hold the scopes, separated by commas; the first one present counts."""
    scope_prefix: Annotated[str, AfterValidator(fit_prefix)] = ""
    """What clients must put in front of a scope when they ask for it (`api://app-id/`); never in what is checked.

    Default: none.
    """
    clients: _Identifiers = ()
    """Clients whose tokens count although they have no `aud`, if they say that they are access tokens. Separated by commas.

    Default: none; a token without `aud` is refused.
    """
    client_claims: Annotated[_Names, AfterValidator(claim_names)] = ("client_id", "azp")
    """Claims that may hold the client id, separated by commas; the first one that is not empty counts."""
    leeway: float = Field(30, ge=0, le=300)
    """Clock difference between the issuer and this machine that is forgiven, 0 to 300 seconds."""
    strict_at_jwt: bool = False
    """Demand RFC 9068 to the letter: type `at+jwt`, and all its claims. Many issuers do not write such tokens."""
    jwks_refresh_after: _Seconds | None = None
    """Soft age of keys: seconds until they are refreshed in the background. Default: half of `JWKS_CACHE_TTL`, at most 600."""
    jwks_cache_ttl: _Seconds = 3600
    """Hard age of keys: seconds after which those that could not be refreshed are no longer used; their tokens then get 503."""
    jwks_refresh_cooldown: float = Field(30, ge=0, allow_inf_nan=False)
    """Least seconds between two attempts to fetch one key set, failed ones included."""
    http_timeout: _Seconds = 5
    """Seconds that one whole fetch from an issuer may take."""
    token_cache_size: int = Field(1024, ge=0)
    """Verified tokens remembered, so that their signature is checked once. 0 remembers none."""
    introspection: Literal["off", "opaque", "always"] = "off"
    """Whether the issuer is asked about tokens (RFC 7662): not at all, about opaque ones, or about JWTs too."""
    introspection_ttl: float = Field(DEFAULT_TTL, ge=0, le=3600)
    """Seconds that a good answer is remembered, at most until the token expires: so long a revoked token lives on."""
    introspection_url: str | None = None
    """Where to ask. With it the issuer needs no keys. Default: discovered."""
    client_id: str | None = None
    """Who this server is at the issuer, when it asks about tokens. Default: none."""
    client_secret: SecretStr | None = None
    """The secret of that client. Default: none."""
    client_key_file: Path | None = None
    """A file with the private key of that client (PEM or JWK), instead of a secret. Default: none."""
    authorization_url: str | None = None
    """The authorization endpoint for Swagger UI. Default: discovered."""
    token_url: str | None = None
    """The token endpoint for Swagger UI. Default: discovered."""
    swagger_client_id: str | None = None
    """The public client as which Swagger UI logs in. Default: none."""
    metadata_url: str | None = None
    """Public URL of the RFC 9728 document, where a proxy does not serve its standard place. Default: made of the resource."""
    resource_name: Annotated[str, AfterValidator(clean_identifier)] | None = None
    """What clients call this server when they ask a person to log in. Default: none."""
    resource_documentation: str | None = None
    """URL of a page for developers of clients. Default: none."""
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
        environment = {} if issuer_in_code(values) else our_variables(os.environ)
        env_file = _env_file or environment.get("env_file") or None
        in_code = issuer_in_code(values) and env_file is None
        try:
            in_file = read_file(env_file)
            unknown = (({*environment, *in_file} - {"env_file"}) | {*values}) - set(type(self).model_fields)
            if unknown:
                raise unknown_settings(unknown, type(self).model_fields, in_code=in_code)
            refuse_two_issuers(named_issuers(values) or named_issuers(environment), named_issuers(in_file))
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
        if issuer_in_code(init_settings()):
            return init_settings, dotenv_settings
        return init_settings, env_settings, dotenv_settings

    @property
    def soft_age(self) -> float:
        """Seconds after which keys are refreshed in the background. Their hard age is `jwks_cache_ttl`."""
        return self.jwks_refresh_after or min(600, self.jwks_cache_ttl / 2)

    def spelled_out(self, text: str) -> str:
        """The text, which says "the setting x", with the name of the variable there, unless the settings come from code."""
        return text if self._in_code else spelled_out(text, in_code=False)

    @cached_property
    def policies(self) -> tuple[IssuerPolicy, ...]:
        """What each trusted issuer is trusted for, whichever way it was named; audience and algorithms are filled in."""
        described = {name: getattr(self, name) for name in DESCRIBE_ISSUERS} | {"introspection": plain_policy(self)}
        explicit = policies_of_presets(self.provider, described, self.model_fields_set)
        return filled(explicit or self.issuers or policies_by_name(self.issuer, described), described, self.resource)

    @property
    def authorization_servers(self) -> tuple[str, ...]:
        """Where clients are sent to log in (RFC 9728 section 2), each once, in the order of the issuers."""
        return tuple(dict.fromkeys(policy.login for policy in self.policies if policy.login))

    def asked_scopes(self, issuer: str | None = None) -> AskedScopes:
        """How clients name scopes when they ask this issuer for them; without one, what holds for all."""
        return asked_scopes(self.policies, issuer)

    @field_validator("provider", "issuers")
    @classmethod
    def _trustworthy_issuers(cls, value: tuple[IssuerPolicy, ...], info: ValidationInfo) -> tuple[IssuerPolicy, ...]:
        return trustworthy_policies(value, allow_insecure_http=http_allowed(info))

    @field_validator("issuer")
    @classmethod
    def _trustworthy_names(cls, value: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        for url in value:
            trusted(url, info, query_allowed=False)
        if len(set(value)) != len(value) or not (value or named_otherwise(info)):
            raise ValueError("is empty or names an issuer twice")
        return value

    @field_validator(
        "resource", "jwks_uri", "introspection_url", "authorization_url", "token_url", "metadata_url", "resource_documentation"
    )
    @classmethod
    def _trustworthy_urls(cls, value: str | None, info: ValidationInfo) -> str | None:
        return trusted(value, info)

    @field_validator("audience", "clients", "cors_origins", "allowed_hosts")
    @classmethod
    def _clean_identifiers(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return clean_identifiers(value)

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        refuse_placeless_metadata(self.metadata_url)
        refuse_two_names(self.model_fields_set, self.provider)
        refuse_more_than_policies(self.model_fields_set, self.issuers)
        refuse_strict_without_audience(self.clients, strict=self.strict_at_jwt)
        if self.jwks_uri and len(self.provider or self.issuer) > 1:
            raise setting_problem("jwks_uri", "is possible with a single issuer only; without it keys are discovered")
        if self.soft_age >= self.jwks_cache_ttl:
            raise setting_problem("jwks_refresh_after", f"must be below JWKS_CACHE_TTL ({self.jwks_cache_ttl:g} s)")
        if problem := plain_problem(self, len(self.provider or self.issuer)):
            raise setting_problem(*problem)
        # Says now what would contradict, rather than at the first request.
        _ = self.policies
        return self
