"""What this resource accepts of a token, brought once into the form in which each token is compared with it.

The rules that compare do not belong here; neither do settings.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from mcp_oauth2_deps.protocol.issuer_templates import IssuerTemplate
from mcp_oauth2_deps.protocol.jws import canonical_algorithm
from mcp_oauth2_deps.protocol.scopes import ClaimedScopes


@dataclass(frozen=True, slots=True)
class TokenPolicy:
    """What a token of one issuer, or of several that are trusted for the same, must be; every field was checked by the settings.

    Attributes:
        issuers: trusted issuers, verbatim.
        audiences: accepted audiences, verbatim.
        algorithms: JWS algorithms allowed. `Ed25519` is kept as `EdDSA`, the older name of the same algorithm.
        leeway: seconds of clock difference forgiven, in both directions.
        strict_at_jwt: demand RFC 9068 to the letter.
        scope_claims: claims that may hold scopes, the first one present counts.
        scope_hierarchy: scope to all scopes it implies, already transitive.
        typ_required: demand the type `at+jwt` in the header; the strict mode demands it too.
        scope_sources: further claims whose values count as scopes too.
        clients: clients whose tokens pass without `aud`, if they bear a mark of an access token.
        client_claims: claims that may hold the client id, the first one that is not empty counts.
        required_claims: claims that must be there, each with the values it may have, or none where any value will do.
        access_token_marks: claims that access tokens have and ID tokens have not. All of them must be there.
        issuer_template: the form of the issuers of all tenants, where the policy is for tenants.
        tenant_claim: the claim that names the tenant there; none where `iss` alone does.
        demands_more: whether there are claims or a tenant to look at, which most issuers do not need; computed.
        exact_audiences: the accepted audiences as a set; computed.
        comparable_audiences: the same in the form of `comparable_audience`; computed.

    Example:
        >>> TokenPolicy(
        ...     issuers=("https://auth.example.com",),
        ...     audiences=("https://api.example.com/mcp",),
        ...     algorithms=frozenset({"RS256", "Ed25519"}),
        ... ).algorithms == {"RS256", "EdDSA"}
        True
    """

    issuers: tuple[str, ...]
    audiences: tuple[str, ...]
    algorithms: frozenset[str]
    leeway: float = 30
    strict_at_jwt: bool = False
    scope_claims: tuple[str, ...] = ("scope", "scp")
    scope_hierarchy: Mapping[str, frozenset[str]] = field(default_factory=dict)
    typ_required: bool = False
    scope_sources: tuple[ClaimedScopes, ...] = ()
    clients: frozenset[str] = frozenset()
    client_claims: tuple[str, ...] = ("client_id", "azp")
    required_claims: Mapping[str, frozenset[str] | None] = field(default_factory=dict)
    access_token_marks: tuple[str, ...] = ()
    issuer_template: IssuerTemplate | None = None
    tenant_claim: str | None = None
    demands_more: bool = field(init=False, repr=False, compare=False)
    exact_audiences: frozenset[str] = field(init=False, repr=False, compare=False)
    comparable_audiences: frozenset[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        computed = {
            "algorithms": frozenset(map(canonical_algorithm, self.algorithms)),
            "typ_required": self.typ_required or self.strict_at_jwt,
            "demands_more": bool(self.required_claims or self.access_token_marks or self.issuer_template),
            "exact_audiences": frozenset(self.audiences),
            "comparable_audiences": frozenset(map(comparable_audience, self.audiences)),
        }
        for name, value in computed.items():
            object.__setattr__(self, name, value)


def any_header_of(policies: Sequence[TokenPolicy]) -> TokenPolicy:
    """A policy for headers of tokens whose issuer is not known yet: what it refuses, each of these policies refuses.

    Does not stand for any of them: a header that passes must be verified once more, with the policy of the token's issuer.
    """
    first, *others = policies
    if not others:
        return first
    return replace(
        first,
        algorithms=frozenset().union(*(policy.algorithms for policy in policies)),
        strict_at_jwt=False,
        typ_required=all(policy.typ_required for policy in policies),
    )


def comparable_audience(audience: str) -> str:
    """The audience with the two differences removed that are forgiven: one trailing slash, and the case of scheme and host.

    Written by hand: a URL parser drops some characters, and lower-casing beyond ASCII turns other characters into ASCII
    letters (the Kelvin sign into k), so that a stranger's audience would equal ours.
    """
    scheme, separator, rest = audience.partition("://")
    if not separator or not audience.isascii():
        return audience
    end = min((place for place in map(rest.find, "/?#") if place >= 0), default=len(rest))
    userinfo, at, host = rest[:end].rpartition("@")
    path = rest[end:] if "?" in rest or "#" in rest else rest[end:].removesuffix("/")
    return f"{scheme.lower()}://{userinfo}{at}{host.lower()}{path}"
