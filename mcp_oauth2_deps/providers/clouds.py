"""Identity providers that run in somebody's cloud: Auth0, Okta, Cognito, Logto, PingOne, Supabase, Cloudflare Access."""

import re

from mcp_oauth2_deps.issuer_policy import IssuerPolicy, ScopeSource
from mcp_oauth2_deps.providers.words import Ask, Words

_REGION = re.compile(r"[a-z]{2}(-[a-z]{2,12}){1,2}-\d{1,2}", re.ASCII)
_POOL = re.compile(r"[A-Za-z0-9]{1,55}", re.ASCII)
_CLOUDFLARE_FIELD = (
    "Cloudflare sends its token in the field Cf-Access-Jwt-Assertion, which is not read here: a proxy in front must send it on "
    "as `Authorization: Bearer`"
)


def auth0(*, domain: str, audience: Words = ()) -> IssuerPolicy:
    """Auth0. What is in `permissions`, all that the user may do and not what the client was granted, counts as `permission:...`.

    Args:
        domain: the tenant's domain, or your own.
        audience: the API's identifier. Default: the resource.

    Raises:
        ProviderError: a word is malformed.

    Example:
        >>> auth0(domain="acme.eu.auth0.com").issuer
        'https://acme.eu.auth0.com/'
    """
    ask = Ask("auth0")
    return IssuerPolicy(
        provider=ask.provider,
        issuer=f"https://{ask.host('domain', domain, 'acme.eu.auth0.com')}/",
        audience=ask.audiences(audience),
        algorithms=("RS256", "PS256"),
        scope_claims=("scope",),
        scope_sources=(ScopeSource(claim="permissions", prefix="permission:"),),
    )


def okta(*, org: str, server: str = "default", audience: Words = ()) -> IssuerPolicy:
    """Okta, a custom authorization server.

    Args:
        org: the organisation's host name.
        server: the authorization server's id. Okta's own one ("org") is refused: its tokens are for Okta alone.
        audience: the audience that is configured at the server. Default: the resource.

    Raises:
        ProviderError: a word is malformed, or the server is Okta's own.

    Example:
        >>> okta(org="acme.okta.com", audience="api://files").issuer
        'https://acme.okta.com/oauth2/default'
    """
    ask = Ask("okta")
    org = ask.host("org", org, "acme.okta.com")
    if server == "org":
        ask.refuse(
            "cannot work with the org authorization server: Okta promises neither the form nor the keys of its tokens to others. "
            "Make a custom authorization server (Security > API > Authorization Servers) and name it, for example server=default"
        )
    audiences = ask.audiences(audience, "api://files")
    return IssuerPolicy(
        provider=ask.provider,
        issuer=f"https://{org}/oauth2/{ask.segment('server', server, 'aus1a2b3c4')}",
        audience=audiences,
        algorithms=("RS256",),
        client_claims=("cid",),
        scope_claims=("scp",),
        required_claims={"cid": None},
        warnings=("the audience api://default names no server: a token for any API behind this Okta server passes here",)
        if "api://default" in audiences
        else (),
    )


def cognito(*, region: str, pool: str, clients: Words = (), audience: Words = ()) -> IssuerPolicy:
    """Amazon Cognito, a user pool.

    A token has an `aud` only where the client sent a `resource` that is a resource server of the pool.
    Groups count as `group:...`.

    Args:
        region: the AWS region.
        pool: the user pool's id.
        clients: app clients whose tokens count although they have no `aud`. Default: none.
        audience: the resource server's identifier. Default: the resource.

    Raises:
        ProviderError: a word is malformed.

    Example:
        >>> cognito(region="eu-west-1", pool="eu-west-1_ZLiEFD4b6", clients="1h57kf5cpq17m0eml12EXAMPLE").issuer
        'https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_ZLiEFD4b6'
    """
    ask = Ask("cognito")
    if not isinstance(region, str) or not _REGION.fullmatch(region):
        ask.wrong("region", region, "an AWS region", "eu-west-1")
    if not isinstance(pool, str) or not pool.startswith(f"{region}_") or not _POOL.fullmatch(pool.removeprefix(f"{region}_")):
        ask.wrong("pool", pool, "the id of a user pool of that region", f"{region}_ZLiEFD4b6")
    return IssuerPolicy(
        provider=ask.provider,
        issuer=f"https://cognito-idp.{region}.amazonaws.com/{pool}",
        audience=ask.audiences(audience),
        algorithms=("RS256",),
        clients=ask.identifiers("clients", clients, "1h57kf5cpq17m0eml12EXAMPLE"),
        client_claims=("client_id",),
        scope_claims=("scope",),
        scope_sources=(ScopeSource(claim="cognito:groups", prefix="group:"),),
        required_claims={"token_use": "access"},
    )


def logto(*, domain: str, audience: Words = ()) -> IssuerPolicy:
    """Logto. A client that asks for no `resource` gets an opaque token, unless a default API is set.

    Args:
        domain: the tenant's host name.
        audience: the API's identifier. Default: the resource.

    Raises:
        ProviderError: a word is malformed.

    Example:
        >>> logto(domain="acme.logto.app").issuer
        'https://acme.logto.app/oidc'
    """
    ask = Ask("logto")
    return IssuerPolicy(
        provider=ask.provider,
        issuer=f"https://{ask.host('domain', domain, 'acme.logto.app')}/oidc",
        audience=ask.audiences(audience),
        token_type="at+jwt",  # noqa: S106  # no secret
    )


def pingone(*, environment: str, region: str = "com", audience: Words = ()) -> IssuerPolicy:
    """PingOne. Permissions count as `permission:...`.

    Args:
        environment: the environment's id, a GUID.
        region: what the host ends with: `com`, `eu`, `ca`, `asia`, `com.au` or `sg`.
        audience: the custom resource's audience. Default: the resource.

    Raises:
        ProviderError: a word is malformed.

    Example:
        >>> pingone(environment="72f988bf-86f1-41af-91ab-2d7cd011db47", region="eu").issuer
        'https://auth.pingone.eu/72f988bf-86f1-41af-91ab-2d7cd011db47/as'
    """
    ask = Ask("pingone")
    region = ask.one_of("region", region, ("com", "eu", "ca", "asia", "com.au", "sg"))
    return IssuerPolicy(
        provider=ask.provider,
        issuer=f"https://auth.pingone.{region}/{ask.guid('environment', environment)}/as",
        audience=ask.audiences(audience),
        algorithms=("RS256",),
        client_claims=("client_id",),
        scope_claims=("scope",),
        # One name with a dot, not a path.
        scope_sources=(ScopeSource(claim=("p1.permissions",), prefix="permission:"),),
    )


def supabase(*, project: str, client: str = "") -> IssuerPolicy:
    """Supabase Auth as an OAuth 2.1 server. Its tokens name neither this server nor any scope.

    Args:
        project: the project's reference.
        client: the OAuth client whose tokens pass. Default: those of every OAuth client of the project.

    Raises:
        ProviderError: a word is malformed.

    Example:
        >>> supabase(project="abcdefghijklmnop", client="9a8b7c6d-5e4f-3a2b-1c0d-9e8f7a6b5c4d").issuer
        'https://abcdefghijklmnop.supabase.co/auth/v1'
    """
    ask = Ask("supabase")
    given = ask.identifier("client", client, "9a8b7c6d-5e4f-3a2b-1c0d-9e8f7a6b5c4d") if client else None
    return IssuerPolicy(
        provider=ask.provider,
        issuer=f"https://{ask.label('project', project, 'abcdefghijklmnop')}.supabase.co/auth/v1",
        audience=("authenticated",),
        client_claims=("client_id",),
        # A session of the project's own app has the same audience and no client.
        required_claims={"client_id": given},
        warnings=()
        if given
        else ("the audience `authenticated` does not name this server: a token of any OAuth client of this project passes here",),
    )


def cloudflare_access(*, team: str, application: str) -> IssuerPolicy:
    """Cloudflare Access, tokens of one application. They name people, and no scopes.

    Args:
        team: the team's name, as in `TEAM.cloudflareaccess.com`.
        application: the application's AUD tag.

    Raises:
        ProviderError: a word is malformed.

    Example:
        >>> cloudflare_access(team="acme", application="4714c1358e65fe4b408ad6d432a5f878f08194bdb4752441fd56faefa9b2b6f2").issuer
        'https://acme.cloudflareaccess.com'
    """
    ask = Ask("cloudflare_access")
    issuer = f"https://{ask.label('team', team, 'acme')}.cloudflareaccess.com"
    return IssuerPolicy(
        provider=ask.provider,
        issuer=issuer,
        audience=(ask.segment("application", application, "4714c1358e65fe4b408ad6d432a5f878f08194bdb4752441fd56faefa9b2b6f2"),),
        algorithms=("RS256",),
        jwks_uri=f"{issuer}/cdn-cgi/access/certs",
        required_claims={"type": "app"},
        warnings=(_CLOUDFLARE_FIELD,),
    )
