"""What one issuer is trusted for, as an operator writes it: in code, as JSON, or through a preset.

How a token is compared with it does not belong here; `protocol/policy.py` holds the form for that.
"""

import inspect
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from mcp_oauth2_deps.introspection_policy import IntrospectionPolicy
from mcp_oauth2_deps.protocol.asked_scopes import AskedScopes
from mcp_oauth2_deps.protocol.issuer_templates import TENANT, IssuerTemplate
from mcp_oauth2_deps.protocol.policy import TokenPolicy
from mcp_oauth2_deps.protocol.scopes import ClaimedScopes
from mcp_oauth2_deps.setting_rules import (
    asymmetric_algorithms,
    claim_names,
    clean_identifiers,
    fit_issuer,
    fit_prefix,
    trustworthy_url,
    unknown_member,
)

# Claims that an ID token may have (OpenID Connect Core sections 2 and 5.1), so that none of them tells an access token from it.
_OF_ID_TOKENS = frozenset(
    (
        *("iss", "sub", "aud", "exp", "iat", "nbf", "auth_time", "nonce", "acr", "amr", "at_hash", "c_hash", "sid"),
        *("name", "given_name", "family_name", "middle_name", "nickname", "preferred_username", "profile", "picture", "website"),
        *("email", "email_verified", "gender", "birthdate", "zoneinfo", "locale", "phone_number", "address", "updated_at"),
    )
)
# Claims that no access token has, and the one value of a claim that an access token has (`protocol/tokens.py`).
_NEVER = frozenset({"at_hash", "c_hash", "events"})
_ONLY = {"token_use": "access"}
_EXAMPLE = "for example issuer 'https://sso.example.com/realms/{tenant}', tenants ['acme', 'globex']"


def _several(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


_Texts = Annotated[tuple[str, ...], BeforeValidator(_several)]
_Names = Annotated[_Texts, AfterValidator(claim_names)]
_Identifiers = Annotated[_Texts, AfterValidator(clean_identifiers)]
_Prefix = Annotated[str, AfterValidator(fit_prefix)]
# A claim by its name; a path through objects is separated by dots, or given as its members where a name has dots itself.
ClaimPath = str | tuple[str, ...]
# Whether tokens of this tenant are accepted.
TenantCheck = Callable[[str], Awaitable[bool]]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, use_attribute_docstrings=True)

    @model_validator(mode="before")
    @classmethod
    def _known(cls, data: Any) -> Any:
        unknown = sorted(map(str, set(data) - set(cls.model_fields))) if isinstance(data, Mapping) else []
        if unknown:
            raise ValueError(unknown_member(unknown[0], cls.model_fields))
        return data


class ScopeSource(_Frozen):
    """A further claim whose values count as scopes.

    Example:
        >>> ScopeSource(claim="realm_access.roles", prefix="role:")
    """

    claim: ClaimPath
    """The claim: `permissions`, or a path like `realm_access.roles`. A name with dots in it is written as a list of one."""
    prefix: _Prefix = ""
    """Put in front of each value, so that a role is never taken for a scope by accident."""
    keys: bool = False
    """Whether the claim is an object whose member names are the values."""

    @property
    def path(self) -> tuple[str, ...]:
        """The claim, and in it the members that lead to the values."""
        return tuple(self.claim.split(".")) if isinstance(self.claim, str) else self.claim

    @model_validator(mode="after")
    def _leads_somewhere(self) -> Self:
        if isinstance(self.claim, str) and "://" in self.claim:
            raise ValueError(f"{self.claim!r} would be read as a path, for its dots; write it as a list of one: [{self.claim!r}]")
        if not self.path or not all(self.path):
            raise ValueError(f"{self.claim!r} names no claim, or an empty member")
        return self


class IssuerPolicy(_Frozen):
    """What the tokens of one issuer must be. An audience or algorithm of one issuer never counts for another.

    Example:
        >>> IssuerPolicy(issuer="https://auth.example.com", audience=("https://api.example.com/mcp",))
    """

    issuer: str
    """The issuer, verbatim: compared byte for byte with `iss`. `{tenant}` stands for a tenant (see `tenants`)."""
    audience: _Identifiers = ()
    """Accepted `aud` values. Default: the audience of the settings, else the resource."""
    algorithms: _Texts = ()
    """JWS algorithms allowed. Default: those of the settings."""
    jwks_uri: str | None = None
    """Where the keys are. Default: discovered. An issuer that is no URL needs it."""
    clients: _Identifiers = ()
    """Clients whose tokens count although they have no `aud`, if they bear a mark of an access token (rule B6)."""
    client_claims: _Names = ("client_id", "azp")
    """Claims that hold the client id; the first one that is not empty counts."""
    scope_claims: _Names = ("scope", "scp")
    """Claims that may hold the scopes; the first one present counts."""
    scope_sources: tuple[ScopeSource, ...] = ()
    """Further claims whose values count as scopes too."""
    scope_prefix: _Prefix = ""
    """What clients must put in front of a scope when they ask this issuer for it; never in what is checked."""
    resource_parameter: bool = True
    """Whether the issuer takes the parameter `resource` (RFC 8707); otherwise Swagger UI sends none."""
    authorization_server: str | None = None
    """Where clients are sent to log in (RFC 9728), where that is not `issuer`, for example with several tenants."""
    token_type: Literal["any", "at+jwt", "rfc9068"] = "any"  # noqa: S105  # no secret
    """`at+jwt`: the header must say so. `rfc9068`: also all claims of RFC 9068 must be there."""
    required_claims: dict[str, str | tuple[str, ...] | None] = Field(default_factory=dict)
    """Claims that must be there, each with the value, or the values, that it may have; null where any value will do."""
    access_token_marks: _Texts = ()
    """Claims that each access token of this issuer has and its ID tokens have not.

    All of them must be there. Then the token is no ID token, also where its audience is merely its client (authentik).
    """
    tenants: _Identifiers = ()
    """Tenants of which tokens are accepted, where `issuer` has `{tenant}`."""
    tenant_check: TenantCheck | None = None
    """Asked whether tokens of a tenant are accepted, in place of `tenants`; possible in code only."""
    tenant_claim: str | None = "tid"
    """The claim that names the tenant; `iss` must be the template filled with it. None where `iss` alone names it."""
    introspection: IntrospectionPolicy | None = None
    """How the issuer is asked about its tokens. Default: it is not, and only JWTs pass."""
    warnings: tuple[str, ...] = ()
    """What a preset wants the operator to know; logged once at start, as warnings."""
    provider: Annotated[str, Field(pattern=r"^[a-z0-9_]*$")] = ""
    """The preset that made this policy."""

    @property
    def template(self) -> IssuerTemplate | None:
        """The form of the issuers of all tenants; none where there is one issuer only."""
        return IssuerTemplate(self.issuer) if TENANT in self.issuer else None

    @property
    def is_url(self) -> bool:
        """Whether the issuer is a URL. Metadata can be found of no other, and no client can be sent there to log in."""
        return "://" in self.issuer

    @property
    def all_warnings(self) -> tuple[str, ...]:
        """What the operator should know, of the preset and of how tokens are asked about."""
        return (*self.warnings, *(() if self.introspection is None else self.introspection.warnings))

    def urls(self) -> Iterator[tuple[str, str | None]]:
        """Every URL that it names, each with the name of its member, and with some tenant where one stands for all."""
        yield "issuer", self.issuer.replace(TENANT, "tenant") if self.is_url else None
        yield "jwks_uri", self.jwks_uri and self.jwks_uri.replace(TENANT, "tenant")
        yield "authorization_server", self.authorization_server
        yield "introspection.url", None if self.introspection is None else self.introspection.url

    @property
    def login(self) -> str | None:
        """Where clients are sent to log in; none where that is not known."""
        if self.authorization_server or not self.is_url:
            return self.authorization_server
        return self.issuer.replace(TENANT, self.tenants[0]) if self.tenants else self.issuer

    @property
    def asked_scopes(self) -> AskedScopes:
        """How clients name scopes when they ask this issuer for them."""
        return AskedScopes(self.scope_prefix, tuple(source.prefix for source in self.scope_sources if source.prefix))

    def issues_as(self, name: str) -> bool:
        """Whether a verified token that names this issuer was judged by this policy."""
        template = self.template
        return name == self.issuer if template is None else template.tenant_of(name) is not None

    def token_policy(self, leeway: float, scope_hierarchy: Mapping[str, frozenset[str]]) -> TokenPolicy:
        """The same in the form in which a token is compared with it. Audience and algorithms must have been filled in.

        Args:
            leeway: seconds of clock difference forgiven.
            scope_hierarchy: scope to all scopes it implies.
        """
        return TokenPolicy(
            issuers=(self.issuer,),
            audiences=self.audience,
            algorithms=frozenset(self.algorithms),
            leeway=leeway,
            strict_at_jwt=self.token_type == "rfc9068",  # noqa: S105  # no secret
            typ_required=self.token_type != "any",  # noqa: S105
            scope_claims=self.scope_claims,
            scope_sources=tuple(ClaimedScopes(source.path, source.prefix, source.keys) for source in self.scope_sources),
            scope_hierarchy=scope_hierarchy,
            clients=frozenset(self.clients),
            client_claims=self.client_claims,
            required_claims={
                name: None if values is None else frozenset(_several(values)) for name, values in self.required_claims.items()
            },
            access_token_marks=self.access_token_marks,
            issuer_template=self.template,
            tenant_claim=self.tenant_claim if self.template else None,
        )

    @field_validator("algorithms")
    @classmethod
    def _asymmetric(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return asymmetric_algorithms(value) if value else value

    @field_validator("jwks_uri", "authorization_server")
    @classmethod
    def _url(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is not None:
            filled = value.replace(TENANT, "tenant") if info.field_name == "jwks_uri" else value
            # Whether http is allowed at all, the settings know.
            trustworthy_url(filled, allow_insecure_http=True)
        return value

    @field_validator("required_claims")
    @classmethod
    def _possible(cls, value: dict[str, str | tuple[str, ...] | None]) -> dict[str, str | tuple[str, ...] | None]:
        for name, values in value.items():
            only = _ONLY.get(name)
            if name in _NEVER or values in {"", ()} or (values and only and only not in _several(values)):
                raise ValueError(f"no access token has the claim {name!r} with such a value, so every token would be refused")
        return value

    @field_validator("access_token_marks")
    @classmethod
    def _telling(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if value and _OF_ID_TOKENS.issuperset(claim_names(value)):
            raise ValueError(f"ID tokens may have {' and '.join(value)} too, so this tells no access token from them")
        return value

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        self._verify_tenants()
        fit_issuer(self.issuer.replace(TENANT, "tenant"), self.jwks_uri)
        if self.clients and (self.token_type == "rfc9068" or "aud" in self.required_claims):  # noqa: S105
            raise ValueError(
                "'clients' names clients whose tokens have no 'aud', but 'token_type' or 'required_claims' demands it; "
                "leave out one of them"
            )
        return self

    def _verify_tenants(self) -> None:
        template, named = self.template, bool(self.tenants) or self.tenant_check is not None
        if template is not None and self.introspection is not None:
            raise ValueError("'introspection' asks one issuer: an opaque token says nothing of its tenant")
        if template is None:
            if named or TENANT in (self.jwks_uri or ""):
                raise ValueError(f"'tenants', 'tenant_check' and {TENANT} in 'jwks_uri' need {TENANT} in 'issuer', {_EXAMPLE}")
            return
        if not named or (self.tenants and self.tenant_check):
            raise ValueError(f"{TENANT} in 'issuer' needs either 'tenants' or 'tenant_check', {_EXAMPLE}")
        if template.problem():
            raise ValueError(f"the issuer {self.issuer!r} {template.problem()}, {_EXAMPLE}")
        self._verify_list(template)
        if self.tenant_check is not None and not inspect.iscoroutinefunction(self.tenant_check):
            raise ValueError("'tenant_check' is no async function; it would block every request while it is asked")
        if self.authorization_server is None and len(self.tenants) != 1:
            raise ValueError(
                "'authorization_server' is missing: it says where clients of all these tenants log in, for example "
                "'https://login.microsoftonline.com/organizations/v2.0'"
            )

    def _verify_list(self, template: IssuerTemplate) -> None:
        for tenant in self.tenants:
            if template.tenant_of(template.issuer_of(tenant)) != tenant:
                raise ValueError(f"'tenants' has {tenant!r}, which cannot stand in the issuer: letters, digits, '_' and '-' can")
        if self.tenants and len(set(self.tenants)) != len(self.tenants):
            raise ValueError("'tenants' names one twice")
