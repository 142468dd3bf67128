"""What one issuer is trusted for, as an operator writes it: in code, as JSON, or through a preset.

How a token is compared with it does not belong here; `protocol/policy.py` holds the form for that.
"""

from collections.abc import Awaitable, Callable
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

# A claim by its name; a path through objects is separated by dots, or given as its members where a name has dots itself.
ClaimPath = str | tuple[str, ...]
# Whether tokens of this tenant are accepted.
TenantCheck = Callable[[str], Awaitable[bool]]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, use_attribute_docstrings=True)


class ScopeSource(_Frozen):
    """A further claim whose values count as scopes.

    Example:
        >>> ScopeSource(claim="realm_access.roles", prefix="role:")
    """

    claim: ClaimPath
    """The claim: `permissions`, or a path like `realm_access.roles`."""
    prefix: str = ""
    """Put in front of each value, so that a role is never taken for a scope by accident."""
    keys: bool = False
    """Whether the claim is an object whose member names are the values."""


class IssuerPolicy(_Frozen):
    """What the tokens of one issuer must be. An audience or algorithm of one issuer never counts for another.

    Example:
        >>> IssuerPolicy(issuer="https://auth.example.com", audience=("https://api.example.com/mcp",))
    """

    issuer: str
    """The issuer, verbatim: compared byte for byte with `iss`. `{tenant}` stands for a tenant (see `tenants`)."""
    audience: tuple[str, ...] = ()
    """Accepted `aud` values. Default: the audience of the settings, else the resource."""
    algorithms: tuple[str, ...] = ()
    """JWS algorithms allowed. Default: those of the settings."""
    jwks_uri: str | None = None
    """Where the keys are. Default: discovered. An issuer that is no URL needs it."""
    clients: tuple[str, ...] = ()
    """Clients whose tokens count although they have no `aud`, if they bear a mark of an access token (rule B6)."""
    client_claims: tuple[str, ...] = ("client_id", "azp")
    """Claims that hold the client id; the first one present counts."""
    scope_claims: tuple[str, ...] = ("scope", "scp")
    """Claims that may hold the scopes; the first one present counts."""
    scope_sources: tuple[ScopeSource, ...] = ()
    """Further claims whose values count as scopes too."""
    scope_prefix: str = ""
    """What clients must put in front of a scope when they ask this issuer for it; never in what is checked."""
    resource_parameter: bool = True
    """Whether the issuer takes the parameter `resource` (RFC 8707); otherwise Swagger UI sends none."""
    authorization_server: str | None = None
    """Where clients are sent to log in (RFC 9728), where that is not `issuer`, for example with several tenants."""
    token_type: Literal["any", "at+jwt", "rfc9068"] = "any"  # noqa: S105  # no secret
    """`at+jwt`: the header must say so. `rfc9068`: also all claims of RFC 9068 must be there."""
    required_claims: dict[str, str | tuple[str, ...] | None] = Field(default_factory=dict)
    """Claims that must be there, each with the value, or the values, that it may have; null where any value will do."""
    access_token_marks: tuple[str, ...] = ()
    """Claims that each access token of this issuer has and its ID tokens have not.

    All of them must be there. Then the token is no ID token, also where its audience is merely its client (authentik).
    """
    tenants: tuple[str, ...] = ()
    """Tenants of which tokens are accepted, where `issuer` has `{tenant}`."""
    tenant_check: TenantCheck | None = None
    """Asked whether tokens of a tenant are accepted, in place of `tenants`; possible in code only."""
    tenant_claim: str = "tid"
    """The claim that names the tenant; `iss` must be the template filled with it."""
    warnings: tuple[str, ...] = ()
    """What a preset wants the operator to know; logged once at start, as warnings."""
    provider: Annotated[str, Field(pattern=r"^[a-z0-9_]*$")] = ""
    """The preset that made this policy."""
