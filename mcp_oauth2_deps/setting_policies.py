"""What each issuer is trusted for, whichever way an operator named it: by a preset, by a policy, or by its name alone.

How a token is compared with it does not belong here, nor where settings come from.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from mcp_oauth2_deps.introspection_policy import refuse_strangers
from mcp_oauth2_deps.issuer_policy import IssuerPolicy
from mcp_oauth2_deps.protocol.asked_scopes import AskedScopes, asked_alike
from mcp_oauth2_deps.providers.parsing import policies_of
from mcp_oauth2_deps.setting_errors import setting_problem
from mcp_oauth2_deps.setting_rules import trustworthy_url

# Settings that describe an issuer, and that a policy calls the same.
_SAME_NAME = ("audience", "algorithms", "jwks_uri", "clients", "client_claims", "scope_claims", "scope_prefix", "introspection")
DESCRIBE_ISSUERS = (*_SAME_NAME, "strict_at_jwt")
# What `strict_at_jwt` says, as a policy says it.
_RFC_9068: Mapping[str, Any] = {"token_type": "rfc9068"}


def presets(value: object) -> object:
    """The policies of the providers that a text names; any other value as it is.

    Raises:
        ProviderError: the text names no providers, or one of them wrongly.
    """
    return policies_of(value) if isinstance(value, str) else value


def trustworthy_policies(policies: tuple[IssuerPolicy, ...], *, allow_insecure_http: bool) -> tuple[IssuerPolicy, ...]:
    """The policies: their URLs are fit to be trusted, and each issuer has one.

    Raises:
        ValueError: an issuer has two, a URL is not, or opaque tokens would be shown to two issuers; the text says where.
    """
    for place, policy in enumerate(policies):
        for name, url in policy.urls():
            try:
                _ = url is None or trustworthy_url(url, allow_insecure_http=allow_insecure_http)
            except ValueError as error:
                raise ValueError(f"[{place}].{name}: {error}") from None
    _refuse_overlaps(policies)
    refuse_strangers([(policy.issuer, policy.introspection) for policy in policies if policy.introspection])
    return policies


def policies_by_name(issuers: Sequence[str], described: Mapping[str, Any]) -> tuple[IssuerPolicy, ...]:
    """The policies of issuers that are all described alike, by the settings that describe issuers."""
    alike = {name: described[name] for name in _SAME_NAME}
    kind: Mapping[str, Any] = _RFC_9068 if described["strict_at_jwt"] else {}
    return tuple(IssuerPolicy(**alike, **kind, issuer=issuer) for issuer in issuers)


def policies_of_presets(
    policies: Sequence[IssuerPolicy], described: Mapping[str, Any], given: Collection[str]
) -> tuple[IssuerPolicy, ...]:
    """The policies of presets, with what was set explicitly in place of what they say.

    Args:
        policies: the presets'.
        described: all settings that describe issuers.
        given: the settings that were set explicitly.

    Raises:
        PydanticCustomError: explicit settings that describe one issuer, where several providers are named; or a contradiction.
    """
    explicit = {name: described[name] for name in DESCRIBE_ISSUERS if name in given}
    if explicit and len({policy.provider for policy in policies}) > 1:
        text = "would count for each of the providers in the setting provider; say it in their words, or use the setting issuers"
        raise setting_problem(next(iter(explicit)), text)
    kind: Mapping[str, Any] = _RFC_9068 if explicit.pop("strict_at_jwt", False) else {}
    try:
        return tuple(IssuerPolicy(**(dict(policy) | explicit | dict(kind))) for policy in policies)
    except ValidationError as error:
        text = f"does not fit the preset: {error.errors(include_url=False)[0]['msg'].removeprefix('Value error, ')}"
        raise setting_problem(next(iter(explicit), "strict_at_jwt"), text) from None


def filled(policies: Sequence[IssuerPolicy], described: Mapping[str, Any], resource: str) -> tuple[IssuerPolicy, ...]:
    """The same, each with an audience and algorithms: its own, else those of the settings, else the resource."""
    audience, algorithms = described["audience"] or (resource,), described["algorithms"]
    return tuple(
        policy.model_copy(update={"audience": policy.audience or audience, "algorithms": policy.algorithms or algorithms})
        for policy in policies
    )


def asked_scopes(policies: Sequence[IssuerPolicy], issuer: str | None) -> AskedScopes:
    """How clients name scopes when they ask.

    Args:
        policies: all trusted issuers.
        issuer: the one that a client will ask; none where nobody knows yet.
    """
    known = [policy for policy in policies if issuer is not None and policy.issues_as(issuer)]
    return asked_alike(policy.asked_scopes for policy in known or policies)


def _refuse_overlaps(policies: Sequence[IssuerPolicy]) -> None:
    """One policy says all that an issuer is trusted for: of two nobody could say which one counts."""
    for place, policy in enumerate(policies):
        for other in policies[:place]:
            if policy.issuer == other.issuer:
                raise ValueError(f"names the issuer {policy.issuer!r} twice; one policy says all that one issuer is trusted for")
            if _could_be_one(policy, other):
                raise ValueError(
                    f"names issuers that {policy.issuer!r} and {other.issuer!r} could both be; one policy says all that one "
                    "issuer is trusted for, so write them apart, or list the tenants in one policy"
                )


def _could_be_one(policy: IssuerPolicy, other: IssuerPolicy) -> bool:
    if policy.template is not None and other.template is not None:
        return policy.template.overlaps(other.template)
    template, issuer = (policy.template, other.issuer) if policy.template else (other.template, policy.issuer)
    return template is not None and template.tenant_of(issuer) is not None
