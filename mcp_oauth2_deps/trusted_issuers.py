"""The issuers of the settings, as the verifier and the store of keys ask for them: by name, to the byte.

What a token must say does not belong here, nor how keys are fetched.
"""

from collections.abc import Sequence

from mcp_oauth2_deps.issuer_policy import IssuerPolicy
from mcp_oauth2_deps.jwt_verifier import Issuer
from mcp_oauth2_deps.protocol.policy import TokenPolicy
from mcp_oauth2_deps.stores.issuer_keys import IssuerKeys
from mcp_oauth2_deps.stores.jwks import JWKSStore, KeySource


class KeySources:
    """Where the keys of each trusted issuer are, and for which algorithms."""

    def __init__(self, trusted: Sequence[tuple[IssuerPolicy, TokenPolicy]]) -> None:
        self._sources = {issuer.issuer: KeySource(issuer.jwks_uri, token.algorithms) for issuer, token in trusted}

    def find(self, issuer: str) -> KeySource | None:
        """The source of this issuer's keys; none when it is not trusted."""
        return self._sources.get(issuer)


class FixedIssuers:
    """The issuers that the settings name, each with its own policy."""

    def __init__(self, policies: Sequence[TokenPolicy], keys: JWKSStore) -> None:
        self._issuers = {name: Issuer(name, policy, IssuerKeys(keys, name)) for policy in policies for name in policy.issuers}

    def find(self, issuer: str) -> Issuer | None:
        """The trusted issuer of this name, to the byte; none when it is not trusted."""
        return self._issuers.get(issuer)
