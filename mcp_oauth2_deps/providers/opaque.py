"""Providers whose access tokens nobody but they can read, and which name no server: refused, with what to do instead."""

from typing import Never

from mcp_oauth2_deps.providers.words import Ask

_CURE = (
    "Put an authorization server in front that logs people in there and issues tokens for this server "
    "(Keycloak, Auth0, WorkOS, or your own by oidc-provider or Authlib), and name that one"
)


def google(**_: object) -> Never:
    """Google, which cannot be used directly: always refused.

    Raises:
        ProviderError: always; it says why, and what to put in front.

    Example:
        >>> google()
        Traceback (most recent call last):
        mcp_oauth2_deps.providers.words.ProviderError: the provider google cannot work: ...
    """
    Ask("google").refuse(
        "cannot work: its access tokens are opaque and for Google's own APIs, so that a token which any other app was given "
        f"would pass. {_CURE}"
    )


def github(**_: object) -> Never:
    """GitHub, which cannot be used directly: always refused.

    Raises:
        ProviderError: always; it says why, and what to put in front.

    Example:
        >>> github()
        Traceback (most recent call last):
        mcp_oauth2_deps.providers.words.ProviderError: the provider github cannot work: ...
    """
    Ask("github").refuse(
        "cannot work: its access tokens are opaque, have no audience, and are for GitHub's own API, so that a token which any "
        f"other app was given would pass. {_CURE}"
    )
