"""Presets: for each provider a function from its own words to what its tokens must be. Pure: nothing is fetched or read.

How a token is compared with that does not belong here, nor does the environment.
"""

from mcp_oauth2_deps.providers.agents import clerk, descope, scalekit, stytch, workos
from mcp_oauth2_deps.providers.clouds import auth0, cloudflare_access, cognito, logto, okta, pingone, supabase
from mcp_oauth2_deps.providers.microsoft import entra, entra_b2c, entra_external
from mcp_oauth2_deps.providers.opaque import github, google
from mcp_oauth2_deps.providers.servers import (
    authentik,
    better_auth,
    duende,
    hydra,
    keycloak,
    oidc_provider,
    spring,
    zitadel,
)
from mcp_oauth2_deps.providers.words import ProviderError

__all__ = [
    "ProviderError",
    "auth0",
    "authentik",
    "better_auth",
    "clerk",
    "cloudflare_access",
    "cognito",
    "descope",
    "duende",
    "entra",
    "entra_b2c",
    "entra_external",
    "github",
    "google",
    "hydra",
    "keycloak",
    "logto",
    "oidc_provider",
    "okta",
    "pingone",
    "scalekit",
    "spring",
    "stytch",
    "supabase",
    "workos",
    "zitadel",
]
