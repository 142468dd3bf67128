"""Microsoft Entra ID, its External ID, and Azure AD B2C."""

from mcp_oauth2_deps.issuer_policy import IssuerPolicy, ScopeSource
from mcp_oauth2_deps.providers.words import Ask, Words

_LOGIN = "https://login.microsoftonline.com/{tenant}/v2.0"
_NOT_TENANTS = ("common", "organizations", "consumers")
# What a user was assigned, whatever the client may do; under a prefix it never stands for a scope that the client was granted.
_ROLES = (ScopeSource(claim="roles", prefix="role:"),)


def entra(*, tenant: Words, app: str, v: int | str = 2, uri: Words = ()) -> IssuerPolicy:
    """Microsoft Entra ID, for one tenant or several.

    Scopes are asked for as `api://APP/files.read` and written into tokens as `files.read`. What is in `roles`, permissions of
    applications included, counts as `role:...`.

    Args:
        tenant: the directory (tenant) id, a GUID, or several. A domain name does not do: `iss` holds the id.
        app: the application (client) id of the API's registration, a GUID.
        v: the version of its access tokens, 2 or 1: `requestedAccessTokenVersion` in the manifest (absent means 1).
        uri: Application ID URIs of the API, where they are not `api://APP`; clients ask with the first.

    Raises:
        ProviderError: a word is malformed.

    Example:
        >>> entra(tenant="72f988bf-86f1-41af-91ab-2d7cd011db47", app="11112222-bbbb-3333-cccc-4444dddd5555").issuer
        'https://login.microsoftonline.com/72f988bf-86f1-41af-91ab-2d7cd011db47/v2.0'
    """
    ask = Ask("entra")
    if isinstance(tenant, str) and tenant.lower() in _NOT_TENANTS:
        ask.refuse(
            f"needs the tenants that you trust, by their ids, and not {tenant!r}, which is everybody; for example "
            "tenant=72f988bf-86f1-41af-91ab-2d7cd011db47,9188040d-6c67-4c5b-b112-36a304b66dad"
        )
    tenants = ask.guids("tenant", tenant)
    version_2 = ask.one_of("v", v, ("2", "1")) == "2"
    form = _LOGIN if version_2 else "https://sts.windows.net/{tenant}/"
    client = "azp" if version_2 else "appid"
    # Clients log in at the second version of the endpoints, also where the API's manifest asks for tokens of the first.
    if len(tenants) > 1:
        login = _LOGIN.format(tenant="organizations")
        return _entra(ask, issuer=form, login=login, tenants=tenants, app=app, uri=uri, client=client)
    login = _LOGIN.format(tenant=tenants[0])
    return _entra(ask, issuer=form.format(tenant=tenants[0]), login=login, app=app, uri=uri, client=client)


def entra_external(*, tenant: str, app: str, uri: Words = ()) -> IssuerPolicy:
    """Microsoft Entra External ID. Its tokens name the tenant's id as host, not the name that is in the URL people copy.

    Args:
        tenant: the directory (tenant) id, a GUID.
        app: the application (client) id of the API's registration, a GUID.
        uri: Application ID URIs of the API, where they are not `api://APP`.

    Raises:
        ProviderError: a word is malformed.

    Example:
        >>> entra_external(tenant="72f988bf-86f1-41af-91ab-2d7cd011db47", app="11112222-bbbb-3333-cccc-4444dddd5555").issuer
        'https://72f988bf-86f1-41af-91ab-2d7cd011db47.ciamlogin.com/72f988bf-86f1-41af-91ab-2d7cd011db47/v2.0'
    """
    ask = Ask("entra_external")
    tenant = ask.guid("tenant", tenant)
    issuer = f"https://{tenant}.ciamlogin.com/{tenant}/v2.0"
    return _entra(ask, issuer=issuer, login=issuer, app=app, uri=uri, client="azp")


def entra_b2c(*, name: str, tenant: str, policy: str, app: str, uri: str = "") -> IssuerPolicy:
    """Azure AD B2C, one user flow. Set the flow's *Issuer (iss) claim* to the form with `tfp`.

    In the other form the issuer has no metadata of its own, so no client could find where to log in.

    Args:
        name: the tenant's name, as in `NAME.b2clogin.com`.
        tenant: the directory (tenant) id, a GUID.
        policy: the user flow, as in `b2c_1_signupsignin`.
        app: the application (client) id of the API's registration, a GUID.
        uri: the API's Application ID URI. Default: `https://NAME.onmicrosoft.com/APP`.

    Raises:
        ProviderError: a word is malformed.

    Example:
        >>> app = "11112222-bbbb-3333-cccc-4444dddd5555"
        >>> entra_b2c(name="acme", tenant="775527ff-9a37-4307-8b3d-cc311f58d925", policy="B2C_1_susi", app=app).issuer
        'https://acme.b2clogin.com/tfp/775527ff-9a37-4307-8b3d-cc311f58d925/b2c_1_susi/v2.0/'
    """
    ask = Ask("entra_b2c")
    name = ask.label("name", name, "acme")
    tenant, app = ask.guid("tenant", tenant), ask.guid("app", app)
    policy = ask.segment("policy", policy, "b2c_1_signupsignin").lower()
    uri = ask.identifier("uri", uri or f"https://{name}.onmicrosoft.com/{app}", f"https://acme.onmicrosoft.com/{app}")
    return IssuerPolicy(
        provider=ask.provider,
        issuer=f"https://{name}.b2clogin.com/tfp/{tenant}/{policy}/v2.0/",
        audience=(app,),
        algorithms=("RS256",),
        client_claims=("azp",),
        scope_claims=("scp",),
        scope_prefix=f"{uri.removesuffix('/')}/",
        # An ID token of the API's own registration has the same audience; granted permissions only an access token has.
        required_claims={"scp": None},
        resource_parameter=False,
    )


def _entra(
    ask: Ask, *, issuer: str, login: str, app: str, uri: Words, client: str, tenants: tuple[str, ...] = ()
) -> IssuerPolicy:
    app = ask.guid("app", app)
    uris = ask.identifiers("uri", uri, "api://files.example.com")
    return IssuerPolicy(
        provider=ask.provider,
        issuer=issuer,
        tenants=tenants,
        authorization_server=None if login == issuer else login,
        audience=(app, f"api://{app}", *uris),
        algorithms=("RS256",),
        client_claims=(client,),
        scope_claims=("scp",),
        scope_sources=_ROLES,
        scope_prefix=f"{(uris or (f'api://{app}',))[0].removesuffix('/')}/",
        # An ID token of the API's own registration has the same audience; the client's id only an access token has.
        access_token_marks=(client,),
        # Entra refuses `resource` next to scopes that name the API in their own way (AADSTS9010010).
        resource_parameter=False,
    )
