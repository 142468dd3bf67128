"""What to do at a provider when its tokens are refused, by the reason of the refusal; for the log, in place of a general cure.

When a token is refused does not belong here.
"""

from collections.abc import Mapping

_NO_API = "The client named no API: switch on the Resource Parameter Compatibility Profile at Auth0, or set a default audience"
_MAPPER = "Add an audience mapper with the resource to a client scope that the client has by default, or "
_SCOPES_OF_THIS_API = "it must ask for a scope of this API, api://APP/name, and send the access token"
_ENTRA = {
    "audience": "The client asked for another API: it must ask for scopes as api://APP/name, with the application id of this API",
    "id_token": f"The client sent its ID token: {_SCOPES_OF_THIS_API}",
}
_ENTRA_VERSION = (
    "Tokens of version 1 come from https://sts.windows.net/, with a slash at the end: set requestedAccessTokenVersion to 2 in "
    "the manifest of the API's registration, or write v=1 in the setting provider"
)
_COGNITO_RESOURCE = (
    "Make the resource the identifier of a resource server of the pool, which clients name as `resource`, or name the app "
    "clients as clients=... in the setting provider"
)

HINTS: Mapping[str, Mapping[str, str]] = {
    "auth0": {
        "opaque": _NO_API,
        "encrypted": _NO_API,
        "audience": "Make the resource the API's identifier at Auth0, or write that as audience=... in the setting provider",
    },
    "authentik": {"insufficient_scope": "Tokens of authentik have no scopes: demand group:NAME, which its groups count as"},
    "better_auth": {"opaque": "The client asked for no resource: list this one, also in the defaults of clients that register"},
    "clerk": {
        "audience_missing": "Add this endpoint at Clerk under MCP servers, or name clients=... in the setting provider",
        "opaque": "Clerk gave an opaque token: choose JWT for access tokens of OAuth applications",
        "type": "The client sent a session token of Clerk: an access token of an OAuth application is wanted",
    },
    "cognito": {
        "audience_missing": _COGNITO_RESOURCE,
        "type": "The client sent its ID token: the access token is wanted",
    },
    "entra": _ENTRA | {"issuer": _ENTRA_VERSION},
    "entra_external": _ENTRA,
    "entra_b2c": {
        "issuer": "Set the issuer claim of the user flow to the form with tfp, under Properties > Token compatibility settings",
        "claim": f"The client sent its ID token, or asked for no scope of this API: {_SCOPES_OF_THIS_API}",
    },
    "hydra": {
        "opaque": "Set strategies.access_token to jwt at Hydra",
        "audience": "Allow this audience at the client, and grant it in the consent app: Hydra does not read `resource`",
    },
    "keycloak": {
        "audience": f"{_MAPPER}switch on resource-indicators",
        "audience_missing": f"{_MAPPER}name the clients as clients=... in the setting provider",
    },
    "logto": {"opaque": "The client asked for no resource: make this API the default API at Logto"},
    "oidc_provider": {"opaque": "The client asked for no resource, or resourceIndicators has no accessTokenFormat: 'jwt'"},
    "spring": {
        "audience": "Spring writes the client as aud: add an OAuth2TokenCustomizer, or name client=... in the setting provider",
    },
    "supabase": {"insufficient_scope": "Tokens of Supabase have no scopes: demand none there"},
    "workos": {"audience": "Set this resource as MCP resource at WorkOS: without it, aud is the client of the environment"},
    "zitadel": {
        "opaque": "Set the application's access tokens to JWT at Zitadel",
        "audience": "The client must ask for the scope urn:zitadel:iam:org:project:id:PROJECT:aud",
        "insufficient_scope": (
            "Tokens of Zitadel have no scopes: demand role:NAME; the client must ask for urn:zitadel:iam:org:projects:roles"
        ),
    },
}
