"""All presets, by the name that stands in a setting.

What a preset makes of its words does not belong here.
"""

from collections.abc import Callable, Mapping

from mcp_oauth2_deps.issuer_policy import IssuerPolicy
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

PRESETS: Mapping[str, Callable[..., IssuerPolicy | tuple[IssuerPolicy, ...]]] = {
    preset.__name__: preset
    for preset in (
        auth0,
        authentik,
        better_auth,
        clerk,
        cloudflare_access,
        cognito,
        descope,
        duende,
        entra,
        entra_b2c,
        entra_external,
        github,
        google,
        hydra,
        keycloak,
        logto,
        oidc_provider,
        okta,
        pingone,
        scalekit,
        spring,
        stytch,
        supabase,
        workos,
        zitadel,
    )
}
