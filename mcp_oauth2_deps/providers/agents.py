"""Authorization servers that are sold for MCP and for agents: WorkOS, Clerk, Stytch, Descope, Scalekit."""

from mcp_oauth2_deps.issuer_policy import IssuerPolicy
from mcp_oauth2_deps.providers.words import Ask, Words


def workos(*, domain: str, audience: Words = ()) -> IssuerPolicy:
    """WorkOS AuthKit.

    Args:
        domain: the AuthKit domain.
        audience: accepted audiences. Default: the resource, which has to be configured at WorkOS.

    Raises:
        ProviderError: a word is malformed.

    Example:
        >>> workos(domain="acme.authkit.app").issuer
        'https://acme.authkit.app'
    """
    ask = Ask("workos")
    return IssuerPolicy(
        provider=ask.provider,
        issuer=f"https://{ask.host('domain', domain, 'acme.authkit.app')}",
        audience=ask.audiences(audience),
        algorithms=("RS256",),
    )


def clerk(*, domain: str, clients: Words = (), audience: Words = ()) -> IssuerPolicy:
    """Clerk. A session token is refused: only OAuth access tokens say `at+jwt`.

    Args:
        domain: the host of the Frontend API URL.
        clients: OAuth applications whose tokens count although they have no `aud`, as before the endpoint is added under
            *MCP servers*. Default: none.
        audience: accepted audiences. Default: the resource.

    Raises:
        ProviderError: a word is malformed.

    Example:
        >>> clerk(domain="brave-hare-12.clerk.accounts.dev").issuer
        'https://brave-hare-12.clerk.accounts.dev'
    """
    ask = Ask("clerk")
    return IssuerPolicy(
        provider=ask.provider,
        issuer=f"https://{ask.host('domain', domain, 'brave-hare-12.clerk.accounts.dev')}",
        audience=ask.audiences(audience),
        algorithms=("RS256",),
        clients=ask.identifiers("clients", clients, "client_2xhFjEI5X2qWRvtV13BzSj8H6Dk"),
        client_claims=("client_id",),
        token_type="at+jwt",  # noqa: S106  # no secret
    )


def stytch(*, project: str, domain: str = "") -> IssuerPolicy:
    """Stytch Connected Apps. The audience is the project, never this server.

    Args:
        project: the project's id.
        domain: your own domain at Stytch. Without it `iss` is no URL, so that no client finds where to log in: tokens of
            machines (M2M) pass then, people cannot log in.

    Raises:
        ProviderError: a word is malformed.

    Example:
        >>> stytch(project="project-test-1a2b3c4d", domain="login.example.com").issuer
        'https://login.example.com'
    """
    ask = Ask("stytch")
    project = ask.segment("project", project, "project-test-1a2b3c4d")
    api = "test" if project.startswith("project-test-") else "api"
    notes = ["the audience is the whole Stytch project, not this server: any access token of this project passes here"]
    if not domain:
        notes.append("without a domain of your own at Stytch its issuer is no URL, and clients cannot find where to log in")
    return IssuerPolicy(
        provider=ask.provider,
        issuer=f"https://{ask.host('domain', domain, 'login.example.com')}" if domain else f"stytch.com/{project}",
        audience=(project,),
        algorithms=("RS256",),
        jwks_uri=None if domain else f"https://{api}.stytch.com/v1/sessions/jwks/{project}",
        # A session of the project's own app has the same audience and no scopes.
        required_claims={"scope": None},
        warnings=tuple(notes),
    )


def descope(*, project: str, server: str = "", audience: Words = ()) -> IssuerPolicy:
    """Descope inbound apps and MCP servers.

    Args:
        project: the project's id.
        server: the MCP server's id. Default: the issuer of the whole project.
        audience: the MCP server URL that is set at Descope. Default: the project's id.

    Raises:
        ProviderError: a word is malformed.

    Example:
        >>> descope(project="P2abc", server="MS1", audience="https://api.example.com/mcp").issuer
        'https://api.descope.com/v1/apps/agentic/P2abc/MS1'
    """
    ask = Ask("descope")
    project = ask.segment("project", project, "P2ExampleProjectId")
    path = f"agentic/{project}/{ask.segment('server', server, 'MS2Example')}" if server else project
    audiences = ask.audiences(audience)
    return IssuerPolicy(
        provider=ask.provider,
        issuer=f"https://api.descope.com/v1/apps/{path}",
        audience=audiences or (project,),
        algorithms=("RS256",),
        # A session of the project's own app has no scopes.
        required_claims={"scope": None},
        warnings=()
        if audiences
        else ("the audience is the whole Descope project, not this server: any access token of this issuer passes here",),
    )


def scalekit(*, environment: str, resource: str, audience: Words = ()) -> tuple[IssuerPolicy, ...]:
    """Scalekit. Tokens come from two issuers, the resource and the environment; clients log in at the first.

    Args:
        environment: the environment's host name.
        resource: the id of the resource (`res_...`).
        audience: the URL that is registered for the resource, as clients send it. Default: only the id counts.

    Raises:
        ProviderError: a word is malformed.

    Example:
        >>> scalekit(environment="acme.scalekit.com", resource="res_123")[0].issuer
        'https://acme.scalekit.com/resources/res_123'
    """
    ask = Ask("scalekit")
    root = f"https://{ask.host('environment', environment, 'acme.scalekit.com')}"
    resource = ask.segment("resource", resource, "res_123456789")
    audiences = (resource, *ask.audiences(audience))
    login = f"{root}/resources/{resource}"
    return tuple(
        IssuerPolicy(provider=ask.provider, issuer=issuer, authorization_server=login, audience=audiences, algorithms=("RS256",))
        for issuer in (login, root)
    )
