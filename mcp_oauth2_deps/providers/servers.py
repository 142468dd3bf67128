"""Authorization servers that people run themselves: Keycloak, authentik, Zitadel, Hydra, Duende, Spring and libraries of Node."""

from mcp_oauth2_deps.issuer_policy import IssuerPolicy, ScopeSource
from mcp_oauth2_deps.providers.words import Ask, Words

_ISSUER = "https://auth.example.com"
_AUDIENCE_IS_THE_CLIENT = (
    "the audience is a client, not this server: any access token of this client passes here, whatever it was asked for"
)


def keycloak(*, base: str, realm: str, audience: Words = (), clients: Words = ()) -> IssuerPolicy:
    """Keycloak, one realm. Realm roles count as `role:...`.

    Args:
        base: the server's URL, as it names itself in tokens (`hostname`); older ones end with `/auth`.
        realm: the realm.
        audience: accepted audiences. Default: the resource, which an *audience mapper* has to put into tokens.
        clients: clients whose tokens count although they have no `aud`. Default: none.

    Raises:
        ProviderError: a word is malformed.

    Example:
        >>> keycloak(base="https://sso.example.com", realm="acme").issuer
        'https://sso.example.com/realms/acme'
    """
    ask = Ask("keycloak")
    base = ask.url("base", base, "https://sso.example.com").removesuffix("/")
    audiences = ask.audiences(audience)
    return IssuerPolicy(
        provider=ask.provider,
        issuer=f"{base}/realms/{ask.segment('realm', realm, 'acme')}",
        audience=audiences,
        clients=ask.identifiers("clients", clients, "inspector"),
        client_claims=("azp", "client_id"),
        scope_claims=("scope",),
        scope_sources=(ScopeSource(claim="realm_access.roles", prefix="role:"),),
        warnings=("the audience `account` does not name this server: a token of nearly any client of this realm passes here",)
        if "account" in audiences
        else (),
    )


def authentik(*, base: str, application: str, client: str) -> IssuerPolicy:
    """authentik, one application. Groups count as `group:...`; there are no scopes in tokens.

    Args:
        base: the server's URL.
        application: the application's slug.
        client: the provider's client id, which is the audience of all its tokens.

    Raises:
        ProviderError: a word is malformed.

    Example:
        >>> authentik(base="https://auth.example.com", application="files", client="aBcD1234").issuer
        'https://auth.example.com/application/o/files/'
    """
    ask = Ask("authentik")
    base = ask.url("base", base, _ISSUER).removesuffix("/")
    client = ask.identifier("client", client, "aBcD1234")
    return IssuerPolicy(
        provider=ask.provider,
        issuer=f"{base}/application/o/{ask.segment('application', application, 'files')}/",
        audience=(client,),
        client_claims=("azp",),
        scope_sources=(ScopeSource(claim="groups", prefix="group:"),),
        # Access tokens are ID tokens with these two claims added.
        access_token_marks=("uid", "azp"),
        required_claims={"azp": client},
        warnings=(_AUDIENCE_IS_THE_CLIENT,),
    )


def zitadel(*, domain: str, project: str) -> IssuerPolicy:
    """Zitadel, one project. Its roles count as `role:...`; there are no scopes in tokens.

    Args:
        domain: the instance's host name.
        project: the project's id, which clients put into `aud` by the scope `urn:zitadel:iam:org:project:id:PROJECT:aud`.

    Raises:
        ProviderError: a word is malformed.

    Example:
        >>> zitadel(domain="acme-x1y2z3.zitadel.cloud", project="69234237810729019").issuer
        'https://acme-x1y2z3.zitadel.cloud'
    """
    ask = Ask("zitadel")
    project = ask.segment("project", project, "69234237810729019")
    return IssuerPolicy(
        provider=ask.provider,
        issuer=f"https://{ask.host('domain', domain, 'acme-x1y2z3.zitadel.cloud')}",
        audience=(project,),
        # Not `...:project:roles`, which holds the roles of whatever project the client belongs to.
        scope_sources=(ScopeSource(claim=(f"urn:zitadel:iam:org:project:{project}:roles",), prefix="role:", keys=True),),
        # An ID token has the same audience; an id of its own only an access token has.
        required_claims={"jti": None},
        warnings=("the audience is the whole Zitadel project, not this server: any access token for this project passes here",),
    )


def hydra(*, issuer: str, audience: Words = ()) -> IssuerPolicy:
    """Ory Hydra with the JWT strategy for access tokens.

    Args:
        issuer: the issuer as it is configured, with the slash that it has.
        audience: accepted audiences. Default: the resource. Clients ask for it by `audience`.

    Raises:
        ProviderError: a word is malformed.

    Example:
        >>> hydra(issuer="https://auth.example.com/").scope_claims
        ('scp', 'scope')
    """
    ask = Ask("hydra")
    return IssuerPolicy(
        provider=ask.provider,
        issuer=ask.url("issuer", issuer, f"{_ISSUER}/"),
        audience=ask.audiences(audience),
        client_claims=("client_id",),
        scope_claims=("scp", "scope"),
        required_claims={"client_id": None},
    )


def duende(*, issuer: str, audience: Words = ()) -> IssuerPolicy:
    """Duende IdentityServer.

    Args:
        issuer: the issuer: the host in lower case, without a slash.
        audience: names of the API resource. Default: the resource.

    Raises:
        ProviderError: a word is malformed.

    Example:
        >>> duende(issuer="https://auth.example.com", audience="files").audience
        ('files',)
    """
    ask = Ask("duende")
    return IssuerPolicy(
        provider=ask.provider,
        issuer=ask.url("issuer", issuer, _ISSUER),
        audience=ask.audiences(audience),
        client_claims=("client_id",),
        scope_claims=("scope",),
        required_claims={"client_id": None},
    )


def spring(*, issuer: str, client: Words = (), audience: Words = ()) -> IssuerPolicy:
    """Spring Authorization Server. It writes the client as audience, unless an `OAuth2TokenCustomizer` writes another.

    Args:
        issuer: the issuer as it is configured.
        client: clients whose tokens pass, where there is no customizer.
        audience: audiences that a customizer writes. Default: the resource, unless clients are named.

    Raises:
        ProviderError: a word is malformed.

    Example:
        >>> spring(issuer="https://auth.example.com", client="inspector").audience
        ('inspector',)
    """
    ask = Ask("spring")
    clients = ask.identifiers("client", client, "inspector")
    return IssuerPolicy(
        provider=ask.provider,
        issuer=ask.url("issuer", issuer, _ISSUER),
        audience=(*ask.audiences(audience), *clients),
        scope_claims=("scope",),
        # An ID token has the same audience and no scopes.
        required_claims={"scope": None},
        warnings=(_AUDIENCE_IS_THE_CLIENT,) if clients else (),
    )


def oidc_provider(*, issuer: str, audience: Words = ()) -> IssuerPolicy:
    """oidc-provider (Node) with resource indicators and access tokens as JWT.

    Args:
        issuer: the issuer as it is configured.
        audience: accepted audiences. Default: the resource.

    Raises:
        ProviderError: a word is malformed.

    Example:
        >>> oidc_provider(issuer="https://auth.example.com").token_type
        'at+jwt'
    """
    return _marked_as_access_token(Ask("oidc_provider"), issuer, audience)


def better_auth(*, issuer: str, audience: Words = ()) -> IssuerPolicy:
    """better-auth with its OAuth provider. A client that asks for no `resource` gets an opaque token.

    Args:
        issuer: the base URL of better-auth, with its path.
        audience: accepted audiences. Default: the resource.

    Raises:
        ProviderError: a word is malformed.

    Example:
        >>> better_auth(issuer="https://app.example.com/api/auth").issuer
        'https://app.example.com/api/auth'
    """
    return _marked_as_access_token(Ask("better_auth"), issuer, audience)


def _marked_as_access_token(ask: Ask, issuer: str, audience: Words) -> IssuerPolicy:
    return IssuerPolicy(
        provider=ask.provider,
        issuer=ask.url("issuer", issuer, _ISSUER),
        audience=ask.audiences(audience),
        token_type="at+jwt",  # noqa: S106  # no secret
    )
