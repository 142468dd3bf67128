"""A line for each provider that works but for the names in it; shown where a line of the operator does not work.

What the words mean does not belong here.
"""

from collections.abc import Mapping

_GUID = "72f988bf-86f1-41af-91ab-2d7cd011db47"
_APP = "11112222-bbbb-3333-cccc-4444dddd5555"
_TAG = "4714c1358e65fe4b408ad6d432a5f878f08194bdb4752441fd56faefa9b2b6f2"

EXAMPLES: Mapping[str, str] = {
    "auth0": "auth0 domain=acme.eu.auth0.com",
    "authentik": "authentik base=https://auth.example.com application=files client=aBcD1234",
    "better_auth": "better_auth issuer=https://app.example.com/api/auth",
    "clerk": "clerk domain=brave-hare-12.clerk.accounts.dev",
    "cloudflare_access": f"cloudflare_access team=acme application={_TAG}",
    "cognito": "cognito region=eu-west-1 pool=eu-west-1_ZLiEFD4b6",
    "descope": "descope project=P2ExampleProjectId server=MS2Example audience=https://api.example.com/mcp",
    "duende": "duende issuer=https://auth.example.com audience=files",
    "entra": f"entra tenant={_GUID} app={_APP}",
    "entra_b2c": f"entra_b2c name=acme tenant={_GUID} policy=b2c_1_susi app={_APP}",
    "entra_external": f"entra_external tenant={_GUID} app={_APP}",
    "github": "keycloak base=https://sso.example.com realm=acme",
    "google": "keycloak base=https://sso.example.com realm=acme",
    "hydra": "hydra issuer=https://auth.example.com/",
    "keycloak": "keycloak base=https://sso.example.com realm=acme",
    "logto": "logto domain=acme.logto.app",
    "oidc_provider": "oidc_provider issuer=https://auth.example.com",
    "okta": "okta org=acme.okta.com server=aus1a2b3c4 audience=https://api.example.com/mcp",
    "pingone": f"pingone region=eu environment={_GUID}",
    "scalekit": "scalekit environment=acme.scalekit.com resource=res_123456789 audience=https://api.example.com/mcp",
    "spring": "spring issuer=https://auth.example.com client=inspector",
    "stytch": "stytch project=project-test-1a2b3c4d domain=login.example.com",
    "supabase": "supabase project=abcdefghijklmnop client=9a8b7c6d-5e4f-3a2b-1c0d-9e8f7a6b5c4d",
    "workos": "workos domain=acme.authkit.app",
    "zitadel": "zitadel domain=acme-x1y2z3.zitadel.cloud project=69234237810729019",
}
