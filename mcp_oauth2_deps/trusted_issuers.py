"""The issuers of the settings, as the verifier and the store of keys ask for them: by name, to the byte.

What a token must say does not belong here, nor how keys are fetched.
"""

from collections.abc import Callable, Sequence
from functools import partial

from cachetools import LRUCache

from mcp_oauth2_deps.issuer_policy import IssuerPolicy
from mcp_oauth2_deps.jwt_verifier import Issuer
from mcp_oauth2_deps.protocol.issuer_templates import TENANT, IssuerTemplate, is_issuer, may_be_issuer
from mcp_oauth2_deps.protocol.policy import TokenPolicy
from mcp_oauth2_deps.stores.issuer_keys import IssuerKeys
from mcp_oauth2_deps.stores.jwks import JWKSStore, KeySource
from mcp_oauth2_deps.stores.tenants import MOST_TENANTS, TenantDecisions

Trusted = Sequence[tuple[IssuerPolicy, TokenPolicy]]
"""What each issuer is trusted for, and the same in the form in which a token is compared with it."""


class KeySources:
    """Where the keys of each trusted issuer are, and for which algorithms."""

    def __init__(self, trusted: Trusted) -> None:
        self._fixed = {
            issuer.issuer: KeySource(issuer.jwks_uri, token.algorithms, partial(may_be_issuer, issuer.issuer))
            for issuer, token in trusted
            if issuer.template is None
        }
        self._templates = [(issuer.template, issuer.jwks_uri, token) for issuer, token in trusted if issuer.template is not None]

    def find(self, issuer: str) -> KeySource | None:
        """The source of this issuer's keys; none when it cannot be a trusted one."""
        source = self._fixed.get(issuer)
        if source is not None:
            return source
        for template, uri, token in self._templates:
            tenant = template.tenant_of(issuer)
            if tenant is not None:
                filled = None if uri is None else uri.replace(TENANT, tenant)
                return KeySource(filled, token.algorithms, partial(is_issuer, issuer, tenant))
        return None


class Tenants:
    """The tenants of one template: those of a list, or those that the user's own code allows."""

    def __init__(self, issuer: IssuerPolicy, policy: TokenPolicy, keys: JWKSStore, clock: Callable[[], float]) -> None:
        """Nothing is asked yet.

        Args:
            issuer: what each tenant is trusted for; its issuer is a template.
            policy: the same, as what a token must be.
            keys: the keys of all issuers.
            clock: seconds, never going back.
        """
        self._template = IssuerTemplate(issuer.issuer)
        self._listed = frozenset(issuer.tenants)
        self._policy, self._keys = policy, keys
        self._decisions = None if issuer.tenant_check is None else TenantDecisions(issuer.tenant_check, clock)
        self._issuers: LRUCache[str, Issuer] = LRUCache(max(MOST_TENANTS, len(self._listed)))

    def find(self, issuer: str) -> Issuer | None:
        """The tenant's issuer, to the byte; none when it is not known to be allowed."""
        tenant = self._template.tenant_of(issuer)
        if tenant is None:
            return None
        return self._issuer(issuer, tenant) if self._is_allowed(tenant) else None

    async def look_up(self, issuer: str) -> Issuer | None:
        """The same, after the user's own code was asked.

        Raises:
            StoreUnavailableError: nobody can say at the moment.
        """
        tenant = self._template.tenant_of(issuer)
        if tenant is None or self._decisions is None or not await self._decisions.ask(tenant):
            return None
        return self._issuer(issuer, tenant)

    def _is_allowed(self, tenant: str) -> bool:
        return tenant in self._listed if self._decisions is None else self._decisions.is_allowed(tenant)

    def _issuer(self, name: str, tenant: str) -> Issuer:
        issuer = self._issuers.get(name)
        if issuer is None:
            is_trusted = None if self._decisions is None else partial(self._decisions.is_allowed, tenant)
            issuer = self._issuers[name] = Issuer(name, self._policy, IssuerKeys(self._keys, name), is_trusted)
        return issuer


class TrustedIssuers:
    """The issuers that the settings name, and those of the tenants that they let in, each with its own policy.

    Attributes:
        fixed: the names of those that are known from the start.
    """

    def __init__(self, trusted: Trusted, keys: JWKSStore, clock: Callable[[], float]) -> None:
        """Nothing is asked yet.

        Args:
            trusted: the issuers.
            keys: the keys of all of them.
            clock: seconds, never going back.
        """
        self._fixed = {
            issuer.issuer: Issuer(issuer.issuer, policy, IssuerKeys(keys, issuer.issuer))
            for issuer, policy in trusted
            if issuer.template is None
        }
        self._tenants = [Tenants(issuer, policy, keys, clock) for issuer, policy in trusted if issuer.template is not None]
        self.fixed = tuple(self._fixed)

    def find(self, issuer: str) -> Issuer | None:
        """The trusted issuer of this name, to the byte; none when it is not known to be trusted."""
        found = self._fixed.get(issuer)
        if found is None:
            for tenants in self._tenants:
                found = found or tenants.find(issuer)
        return found

    async def look_up(self, issuer: str) -> Issuer | None:
        """The same, where it is not known and somebody must be asked.

        Raises:
            StoreUnavailableError: nobody can say at the moment.
        """
        for tenants in self._tenants:
            found = await tenants.look_up(issuer)
            if found is not None:
                return found
        return None


def most_issuers(trusted: Trusted) -> int:
    """How many issuers can be trusted at once, so that none of them pushes out the keys of another."""
    return sum(1 if issuer.template is None else len(issuer.tenants) or MOST_TENANTS for issuer, _ in trusted)
