"""The table: what the tokens of each provider look like, and what is like one of them but for one thing.

Taken from the providers' documentation and source (docs/providers.md names what is not confirmed). `exp` and `iat` are added to each.
"""

from dataclasses import dataclass, field

from mcp_oauth2_deps.issuer_policy import IssuerPolicy

RESOURCE = "https://api.example.com/mcp"
TENANT, OTHER_TENANT = "72f988bf-86f1-41af-91ab-2d7cd011db47", "9188040d-6c67-4c5b-b112-36a304b66dad"
THIRD_TENANT = "aaaabbbb-0000-cccc-1111-dddd2222eeee"
APP, CLIENT = "11112222-bbbb-3333-cccc-4444dddd5555", "00001111-aaaa-2222-bbbb-3333cccc4444"
ENTRA = f"https://login.microsoftonline.com/{TENANT}/v2.0"
JWT, AT_JWT = {"typ": "JWT"}, {"typ": "at+jwt"}
ABSENT = object()
OTHER_SERVER = {"aud": "https://other.example.com/mcp"}


@dataclass(frozen=True)
class Shape:
    """An access token of a provider, the line of settings that lets it in, and what it then says."""

    line: str
    header: dict
    claims: dict
    client: str | None
    scopes: str
    subject: str = "user-1"
    alg: str = "RS256"
    # In place of a line, for a provider without a preset.
    policy: IssuerPolicy | None = None
    # What is not let in: by name, what differs of claims (a header's parameter begins with `^`), and the reason.
    wrong: dict = field(default_factory=dict)


def entra_claims(**more):
    return {
        "iss": ENTRA,
        "aud": APP,
        "azp": CLIENT,
        "azpacr": "0",
        "tid": TENANT,
        "sub": "user-1",
        "ver": "2.0",
        "scp": "files.read",
    } | more


ENTRA_ID_TOKEN = {"azp": ABSENT, "azpacr": ABSENT, "scp": ABSENT, "name": "Alice", "preferred_username": "alice@example.com"}
KEYCLOAK = "https://sso.example.com/realms/acme"
KEYCLOAK_CLAIMS = {
    "iss": KEYCLOAK,
    "sub": "user-1",
    "typ": "Bearer",
    "azp": "inspector",
    "sid": "session-1",
    "acr": "1",
    "jti": "onrtac:1",
    "realm_access": {"roles": ["editor"]},
    "scope": "files:read profile",
}
COGNITO = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_ZLiEFD4b6"
COGNITO_CLAIMS = {
    "iss": COGNITO,
    "sub": "user-1",
    "client_id": "app-client-1",
    "token_use": "access",
    "scope": "https://api.example.com/mcp/files.read",
    "version": 2,
    "cognito:groups": ["editors"],
    "username": "alice",
    "jti": "1",
}
COGNITO_ID_TOKEN = {"token_use": "id", "client_id": ABSENT, "scope": ABSENT, "aud": "app-client-1", "cognito:username": "alice"}
STYTCH_CLAIMS = {
    "iss": "https://login.example.com",
    "sub": "user-1",
    "aud": ["project-test-1"],
    "client_id": "connected-app-test-1",
    "scope": "openid files:read",
    "jti": "1",
}
ZITADEL_ROLES = "urn:zitadel:iam:org:project:{}:roles"

SHAPES = {
    "keycloak with an audience mapper": Shape(
        "keycloak base=https://sso.example.com realm=acme",
        JWT,
        KEYCLOAK_CLAIMS | {"aud": [RESOURCE, "account"]},
        "inspector",
        "files:read profile role:editor",
        wrong={
            "default audience": ({"aud": "account"}, "audience (aud)"),
            "no audience": ({"aud": ABSENT}, "audience_missing (aud)"),
            "ID token": ({"typ": "ID"}, "type (typ)"),
            "refresh token": ({"typ": "Refresh"}, "type (typ)"),
            "another realm": ({"iss": "https://sso.example.com/realms/other"}, "issuer (iss)"),
            "bound by DPoP": ({"cnf": {"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}}, "binding (cnf)"),
        },
    ),
    "keycloak with at+jwt": Shape(
        "keycloak base=https://sso.example.com realm=acme",
        AT_JWT,
        KEYCLOAK_CLAIMS | {"aud": RESOURCE},
        "inspector",
        "files:read profile role:editor",
        alg="ES256",
        wrong={"another server": (OTHER_SERVER, "audience (aud)")},
    ),
    "keycloak by clients": Shape(
        "keycloak base=https://sso.example.com realm=acme clients=inspector",
        JWT,
        KEYCLOAK_CLAIMS,
        "inspector",
        "files:read profile role:editor",
        wrong={
            "another client": ({"azp": "other"}, "audience_missing (aud)"),
            "no mark of an access token": ({"typ": ABSENT}, "type (typ)"),
            "ID token": ({"typ": "ID"}, "type (typ)"),
            "a foreign audience": (OTHER_SERVER, "audience (aud)"),
        },
    ),
    "entra v2": Shape(
        f"entra tenant={TENANT} app={APP}",
        JWT,
        entra_claims(roles=["Editor"]),
        CLIENT,
        "files.read role:Editor",
        wrong={
            "another tenant": ({"iss": ENTRA.replace(TENANT, OTHER_TENANT), "tid": OTHER_TENANT}, "issuer (iss)"),
            "another API": ({"aud": CLIENT}, "audience (aud)"),
            "Graph": ({"aud": "00000003-0000-0000-c000-000000000000"}, "audience (aud)"),
            "ID token of the same registration": (ENTRA_ID_TOKEN, "id_token (azp)"),
            "ID token with a nonce": (ENTRA_ID_TOKEN | {"nonce": "n"}, "id_token (azp)"),
            "version 1": ({"iss": f"https://sts.windows.net/{TENANT}/"}, "issuer (iss)"),
            "another algorithm": ({"^alg": "PS256"}, "algorithm (alg)"),
        },
    ),
    "entra v2, an application calling itself": Shape(
        f"entra tenant={TENANT} app={APP}",
        JWT,
        entra_claims(azp=APP, scp=ABSENT, roles=["Files.Read.All"], idtyp="app"),
        APP,
        "role:Files.Read.All",
        wrong={"without a client": ({"azp": ABSENT}, "id_token (azp)")},
    ),
    "entra v2, with an Application ID URI": Shape(
        f"entra tenant={TENANT} app={APP} uri=https://api.example.com/mcp",
        JWT,
        entra_claims(aud=RESOURCE),
        CLIENT,
        "files.read",
        wrong={"another URI": ({"aud": "https://api.example.com/other"}, "audience (aud)")},
    ),
    "entra v1": Shape(
        f"entra v=1 tenant={TENANT} app={APP}",
        JWT,
        entra_claims(
            iss=f"https://sts.windows.net/{TENANT}/", aud=f"api://{APP}", azp=ABSENT, azpacr=ABSENT, appid=CLIENT, ver="1.0"
        ),
        CLIENT,
        "files.read",
        wrong={
            "no slash": ({"iss": f"https://sts.windows.net/{TENANT}"}, "issuer (iss)"),
            "another tenant": ({"iss": f"https://sts.windows.net/{OTHER_TENANT}/", "tid": OTHER_TENANT}, "issuer (iss)"),
            "ID token": ({"appid": ABSENT, "scp": ABSENT, "aud": APP}, "id_token (appid)"),
            "another API": ({"aud": f"api://{CLIENT}"}, "audience (aud)"),
        },
    ),
    "entra, several tenants": Shape(
        f"entra tenant={TENANT},{OTHER_TENANT} app={APP}",
        JWT,
        entra_claims(iss=ENTRA.replace(TENANT, OTHER_TENANT), tid=OTHER_TENANT),
        CLIENT,
        "files.read",
        wrong={
            "a third tenant": ({"iss": ENTRA.replace(TENANT, THIRD_TENANT), "tid": THIRD_TENANT}, "issuer (iss)"),
            "a tenant that does not fit its issuer": ({"tid": TENANT}, "issuer (tid)"),
            "no tenant": ({"tid": ABSENT}, "claim (tid)"),
            "the template itself": (
                {"iss": "https://login.microsoftonline.com/{tenant}/v2.0", "tid": "{tenant}"},
                "issuer (iss)",
            ),
            "ID token": (ENTRA_ID_TOKEN, "id_token (azp)"),
        },
    ),
    "entra v1, several tenants": Shape(
        f"entra v=1 tenant={TENANT},{OTHER_TENANT} app={APP}",
        JWT,
        entra_claims(
            iss=f"https://sts.windows.net/{TENANT}/", aud=f"api://{APP}", azp=ABSENT, azpacr=ABSENT, appid=CLIENT, ver="1.0"
        ),
        CLIENT,
        "files.read",
        wrong={"a third tenant": ({"iss": f"https://sts.windows.net/{THIRD_TENANT}/", "tid": THIRD_TENANT}, "issuer (iss)")},
    ),
    "entra external": Shape(
        f"entra_external tenant={TENANT} app={APP}",
        JWT,
        entra_claims(iss=f"https://{TENANT}.ciamlogin.com/{TENANT}/v2.0"),
        CLIENT,
        "files.read",
        wrong={
            "the name that is in the URL": ({"iss": f"https://acme.ciamlogin.com/{TENANT}/v2.0"}, "issuer (iss)"),
            "the tenant of employees": ({"iss": ENTRA}, "issuer (iss)"),
            "ID token": (ENTRA_ID_TOKEN, "id_token (azp)"),
        },
    ),
    "entra b2c": Shape(
        f"entra_b2c name=acme tenant={TENANT} policy=B2C_1_susi app={APP}",
        JWT,
        {
            "iss": f"https://acme.b2clogin.com/tfp/{TENANT}/b2c_1_susi/v2.0/",
            "aud": APP,
            "azp": CLIENT,
            "sub": "user-1",
            "tfp": "B2C_1_susi",
            "scp": "files.read",
            "ver": "1.0",
        },
        CLIENT,
        "files.read",
        wrong={
            "another policy": ({"iss": f"https://acme.b2clogin.com/tfp/{TENANT}/b2c_1_reset/v2.0/"}, "issuer (iss)"),
            "the other form of the issuer": ({"iss": f"https://acme.b2clogin.com/{TENANT}/v2.0/"}, "issuer (iss)"),
            "ID token": ({"scp": ABSENT, "azp": ABSENT}, "claim (scp)"),
            "another API": ({"aud": CLIENT}, "audience (aud)"),
        },
    ),
    "auth0": Shape(
        "auth0 domain=acme.eu.auth0.com",
        JWT,
        {
            "iss": "https://acme.eu.auth0.com/",
            "sub": "user-1",
            "aud": [RESOURCE, "https://acme.eu.auth0.com/userinfo"],
            "azp": "client-1",
            "scope": "openid files:read",
            "permissions": ["files:read", "files:write"],
        },
        "client-1",
        "openid files:read permission:files:read permission:files:write",
        wrong={
            "no slash": ({"iss": "https://acme.eu.auth0.com"}, "issuer (iss)"),
            "another tenant": ({"iss": "https://other.eu.auth0.com/"}, "issuer (iss)"),
            "for userinfo alone": ({"aud": "https://acme.eu.auth0.com/userinfo"}, "audience (aud)"),
            "ID token": ({"aud": "client-1", "nonce": "n", "scope": ABSENT, "permissions": ABSENT}, "audience (aud)"),
            "HS256": ({"^alg": "HS256"}, "algorithm (alg)"),
        },
    ),
    "auth0 with the RFC 9068 profile": Shape(
        "auth0 domain=acme.eu.auth0.com audience=urn:files",
        AT_JWT,
        {
            "iss": "https://acme.eu.auth0.com/",
            "sub": "user-1",
            "aud": "urn:files",
            "client_id": "client-1",
            "scope": "files:read",
            "jti": "1",
        },
        "client-1",
        "files:read",
        wrong={"the resource where the identifier is another": ({"aud": RESOURCE}, "audience (aud)")},
    ),
    "okta": Shape(
        "okta org=acme.okta.com audience=api://files",
        {},
        {
            "iss": "https://acme.okta.com/oauth2/default",
            "ver": 1,
            "jti": "AT.1",
            "aud": "api://files",
            "cid": "0oa1client",
            "uid": "00u1",
            "scp": ["openid", "files.read"],
            "sub": "user-1",
        },
        "0oa1client",
        "openid files.read",
        wrong={
            "the org server": ({"iss": "https://acme.okta.com", "aud": "https://acme.okta.com"}, "issuer (iss)"),
            "another server": ({"iss": "https://acme.okta.com/oauth2/aus2"}, "issuer (iss)"),
            "another API": ({"aud": "api://default"}, "audience (aud)"),
            "ID token": ({"aud": "0oa1client", "cid": ABSENT, "scp": ABSENT, "idp": "00o1", "amr": ["pwd"]}, "audience (aud)"),
            "no client": ({"cid": ABSENT}, "claim (cid)"),
        },
    ),
    "cognito by clients": Shape(
        "cognito region=eu-west-1 pool=eu-west-1_ZLiEFD4b6 clients=app-client-1,app-client-2",
        {},
        COGNITO_CLAIMS,
        "app-client-1",
        "https://api.example.com/mcp/files.read group:editors",
        wrong={
            "another client": ({"client_id": "app-client-3"}, "audience_missing (aud)"),
            "no client": ({"client_id": ABSENT}, "audience_missing (aud)"),
            "ID token": (COGNITO_ID_TOKEN, "audience (aud)"),
            "ID token without an audience": (COGNITO_ID_TOKEN | {"aud": ABSENT, "client_id": "app-client-1"}, "type (typ)"),
            "a foreign audience": (OTHER_SERVER, "audience (aud)"),
            "another pool": ({"iss": COGNITO[:-1]}, "issuer (iss)"),
            "refresh": ({"token_use": "refresh"}, "type (typ)"),
        },
    ),
    "cognito with a resource": Shape(
        "cognito region=eu-west-1 pool=eu-west-1_ZLiEFD4b6",
        {},
        COGNITO_CLAIMS | {"aud": RESOURCE},
        "app-client-1",
        "https://api.example.com/mcp/files.read group:editors",
        wrong={
            "no audience": ({"aud": ABSENT}, "audience_missing (aud)"),
            "another resource": (OTHER_SERVER, "audience (aud)"),
            "ID token": ({"token_use": "id"}, "claim (token_use)"),
        },
    ),
    "workos": Shape(
        "workos domain=acme.authkit.app",
        {},
        {
            "iss": "https://acme.authkit.app",
            "aud": RESOURCE,
            "sub": "user-1",
            "client_id": "client_01",
            "org_id": "org_01",
            "sid": "app_consent_01",
            "jti": "1",
            "scope": "openid files:read",
        },
        "client_01",
        "openid files:read",
        wrong={
            "the environment's client": ({"aud": "client_01"}, "audience (aud)"),
            "another environment": ({"iss": "https://other.authkit.app"}, "issuer (iss)"),
            "a session of AuthKit": ({"iss": "https://api.workos.com/user_management/client_01", "aud": ABSENT}, "issuer (iss)"),
        },
    ),
    "clerk with a resource": Shape(
        "clerk domain=brave-hare-12.clerk.accounts.dev",
        AT_JWT,
        {
            "iss": "https://brave-hare-12.clerk.accounts.dev",
            "aud": RESOURCE,
            "sub": "user-1",
            "client_id": "client_1",
            "scope": "email files:read",
            "jti": "1",
        },
        "client_1",
        "email files:read",
        wrong={
            "no audience": ({"aud": ABSENT}, "audience_missing (aud)"),
            "session token": ({"^typ": "JWT"}, "type (typ)"),
            "another instance": ({"iss": "https://sad-hare-13.clerk.accounts.dev"}, "issuer (iss)"),
        },
    ),
    "clerk by clients": Shape(
        "clerk domain=brave-hare-12.clerk.accounts.dev clients=client_1",
        AT_JWT,
        {
            "iss": "https://brave-hare-12.clerk.accounts.dev",
            "sub": "user-1",
            "client_id": "client_1",
            "scope": "files:read",
            "jti": "1",
        },
        "client_1",
        "files:read",
        wrong={
            "another client": ({"client_id": "client_2"}, "audience_missing (aud)"),
            "session token": ({"^typ": "JWT", "client_id": ABSENT, "azp": "client_1", "sid": "sess_1"}, "type (typ)"),
        },
    ),
    "stytch": Shape(
        "stytch project=project-test-1 domain=login.example.com",
        JWT,
        STYTCH_CLAIMS,
        "connected-app-test-1",
        "openid files:read",
        wrong={
            "another project": ({"aud": ["project-test-2"]}, "audience (aud)"),
            "ID token": ({"aud": ["connected-app-test-1"], "client_id": ABSENT, "scope": ABSENT}, "audience (aud)"),
            "session": ({"scope": ABSENT, "client_id": ABSENT, "https://stytch.com/session": {"id": "1"}}, "claim (scope)"),
            "the shared domain": ({"iss": "stytch.com/project-test-1"}, "issuer (iss)"),
        },
    ),
    "stytch on the shared domain, a machine": Shape(
        "stytch project=project-test-1",
        JWT,
        STYTCH_CLAIMS
        | {"iss": "stytch.com/project-test-1", "sub": "m2m-client-test-1", "client_id": ABSENT, "scope": "files:read"},
        None,
        "files:read",
        subject="m2m-client-test-1",
        wrong={
            "session": ({"scope": ABSENT}, "claim (scope)"),
            "another project": ({"iss": "stytch.com/project-test-2"}, "issuer (iss)"),
        },
    ),
    "descope with an MCP server": Shape(
        f"descope project=P2abc server=MS1 audience={RESOURCE}",
        JWT,
        {
            "iss": "https://api.descope.com/v1/apps/agentic/P2abc/MS1",
            "aud": [RESOURCE, "P2abc"],
            "sub": "user-1",
            "azp": "UPABC",
            "scope": "openid files:read",
        },
        "UPABC",
        "openid files:read",
        wrong={
            "the project alone": ({"aud": "P2abc"}, "audience (aud)"),
            "another MCP server": ({"iss": "https://api.descope.com/v1/apps/agentic/P2abc/MS2"}, "issuer (iss)"),
            "session": ({"scope": ABSENT, "drn": "DS"}, "claim (scope)"),
            "session with the bare project": ({"iss": "P2abc"}, "issuer (iss)"),
        },
    ),
    "descope with the whole project": Shape(
        "descope project=P2abc",
        JWT,
        {"iss": "https://api.descope.com/v1/apps/P2abc", "aud": "P2abc", "sub": "user-1", "azp": "UPABC", "scope": "files:read"},
        "UPABC",
        "files:read",
        wrong={
            "another project": ({"iss": "https://api.descope.com/v1/apps/P2xyz"}, "issuer (iss)"),
            "session": ({"scope": ABSENT, "drn": "DS"}, "claim (scope)"),
        },
    ),
    "scalekit, the environment": Shape(
        "scalekit environment=acme.scalekit.com resource=res_1",
        JWT,
        {
            "iss": "https://acme.scalekit.com",
            "aud": ["res_1"],
            "sub": "user-1",
            "client_id": "skc_1",
            "scope": "files:read",
            "scopes": ["files:read"],
        },
        "skc_1",
        "files:read",
        wrong={
            "another resource": ({"aud": ["res_2"]}, "audience (aud)"),
            "another resource's issuer": ({"iss": "https://acme.scalekit.com/resources/res_2"}, "issuer (iss)"),
        },
    ),
    "scalekit, the resource": Shape(
        f"scalekit environment=acme.scalekit.com resource=res_1 audience={RESOURCE}",
        JWT,
        {
            "iss": "https://acme.scalekit.com/resources/res_1",
            "aud": [RESOURCE],
            "sub": "user-1",
            "client_id": "skc_1",
            "scope": "files:read",
        },
        "skc_1",
        "files:read",
        wrong={"another server": (OTHER_SERVER, "audience (aud)")},
    ),
    "logto": Shape(
        "logto domain=acme.logto.app",
        AT_JWT,
        {
            "iss": "https://acme.logto.app/oidc",
            "aud": RESOURCE,
            "sub": "user-1",
            "client_id": "app-1",
            "scope": "files:read",
            "jti": "1",
        },
        "app-1",
        "files:read",
        alg="ES384",
        wrong={
            "ID token": ({"^typ": "JWT", "aud": "app-1", "scope": ABSENT, "client_id": ABSENT}, "type (typ)"),
            "another API": (OTHER_SERVER, "audience (aud)"),
        },
    ),
    "pingone": Shape(
        f"pingone region=eu environment={TENANT}",
        {},
        {
            "iss": f"https://auth.pingone.eu/{TENANT}/as",
            "aud": [RESOURCE],
            "sub": "user-1",
            "client_id": CLIENT,
            "scope": "files:read",
            "p1.permissions": ["files:write:any"],
            "env": TENANT,
        },
        CLIENT,
        "files:read permission:files:write:any",
        wrong={
            "another environment": ({"iss": f"https://auth.pingone.eu/{OTHER_TENANT}/as"}, "issuer (iss)"),
            "another region": ({"iss": f"https://auth.pingone.com/{TENANT}/as"}, "issuer (iss)"),
            "the platform's own API": ({"aud": ["https://api.pingone.eu"]}, "audience (aud)"),
        },
    ),
    "pingone from March 2027": Shape(
        f"pingone region=eu environment={TENANT}",
        AT_JWT,
        {
            "iss": f"https://auth.pingone.eu/{TENANT}/as",
            "aud": [RESOURCE],
            "sub": "user-1",
            "client_id": CLIENT,
            "scope": "files:read",
        },
        CLIENT,
        "files:read",
    ),
    "supabase, one client": Shape(
        f"supabase project=abcdefghijklmnop client={CLIENT}",
        JWT,
        {
            "iss": "https://abcdefghijklmnop.supabase.co/auth/v1",
            "aud": "authenticated",
            "role": "authenticated",
            "sub": "user-1",
            "client_id": CLIENT,
            "session_id": "1",
            "aal": "aal1",
        },
        CLIENT,
        "",
        alg="ES256",
        wrong={
            "another client": ({"client_id": APP}, "claim (client_id)"),
            "a session of the project's own app": ({"client_id": ABSENT}, "claim (client_id)"),
            "another project": ({"iss": "https://ponmlkjihgfedcba.supabase.co/auth/v1"}, "issuer (iss)"),
            "anonymous": ({"aud": "anon"}, "audience (aud)"),
        },
    ),
    "supabase, every client": Shape(
        "supabase project=abcdefghijklmnop",
        JWT,
        {"iss": "https://abcdefghijklmnop.supabase.co/auth/v1", "aud": "authenticated", "sub": "user-1", "client_id": CLIENT},
        CLIENT,
        "",
        wrong={"a session of the project's own app": ({"client_id": ABSENT}, "claim (client_id)")},
    ),
    "cloudflare access": Shape(
        "cloudflare_access team=acme application=4714c1358e65fe4b",
        {},
        {
            "iss": "https://acme.cloudflareaccess.com",
            "aud": ["4714c1358e65fe4b"],
            "sub": "user-1",
            "type": "app",
            "email": "alice@example.com",
            "identity_nonce": "1",
        },
        None,
        "",
        wrong={
            "another application": ({"aud": ["6b2f4714c1358e65"]}, "audience (aud)"),
            "another team": ({"iss": "https://other.cloudflareaccess.com"}, "issuer (iss)"),
            "the token of the team's own domain": ({"type": "org"}, "claim (type)"),
        },
    ),
    "authentik": Shape(
        "authentik base=https://auth.example.com application=files client=aBcD1234",
        JWT,
        {
            "iss": "https://auth.example.com/application/o/files/",
            "sub": "user-1",
            "aud": "aBcD1234",
            "acr": "goauthentik.io/providers/oauth2/default",
            "azp": "aBcD1234",
            "uid": "1",
            "groups": ["editors"],
            "nonce": "n",
        },
        "aBcD1234",
        "group:editors",
        alg="ES256",
        wrong={
            "ID token": ({"azp": ABSENT, "uid": ABSENT}, "id_token (uid)"),
            "ID token with azp": ({"uid": ABSENT}, "id_token (uid)"),
            "ID token with at_hash": ({"at_hash": "MTIzNDU2Nzg5MDEyMzQ1Ng"}, "id_token (at_hash)"),
            "another client's": ({"azp": "eFgH5678"}, "claim (azp)"),
            "another application": ({"iss": "https://auth.example.com/application/o/other/"}, "issuer (iss)"),
            "no slash": ({"iss": "https://auth.example.com/application/o/files"}, "issuer (iss)"),
            "another audience": ({"aud": "eFgH5678"}, "audience (aud)"),
        },
    ),
    "zitadel": Shape(
        "zitadel domain=acme.zitadel.cloud project=69234237810729019",
        {},
        {
            "iss": "https://acme.zitadel.cloud",
            "sub": "user-1",
            "aud": ["69234237810729234@files", "69234237810729019"],
            "client_id": "69234237810729234@files",
            "jti": "1",
            ZITADEL_ROLES.format("69234237810729019"): {"editor": {"1": "acme.example"}},
        },
        "69234237810729234@files",
        "role:editor",
        wrong={
            "another project": ({"aud": ["69234237810729234@files"]}, "audience (aud)"),
            "ID token": ({"jti": ABSENT, "azp": "69234237810729234@files"}, "claim (jti)"),
            "another instance": ({"iss": "https://other.zitadel.cloud"}, "issuer (iss)"),
        },
    ),
    "zitadel, roles of another project": Shape(
        "zitadel domain=acme.zitadel.cloud project=69234237810729019",
        {},
        {
            "iss": "https://acme.zitadel.cloud",
            "sub": "user-1",
            "aud": ["69234237810729019"],
            "jti": "1",
            "urn:zitadel:iam:org:project:roles": {"admin": {"1": "acme.example"}},
            ZITADEL_ROLES.format("5"): {"admin": {"1": "acme.example"}},
        },
        None,
        "",
    ),
    "hydra": Shape(
        "hydra issuer=https://auth.example.com/",
        JWT,
        {
            "iss": "https://auth.example.com/",
            "aud": [RESOURCE],
            "sub": "user-1",
            "client_id": "client-1",
            "scp": ["files:read", "offline"],
            "ext": {},
            "jti": "1",
        },
        "client-1",
        "files:read offline",
        wrong={
            "no audience was asked for": ({"aud": []}, "audience (aud)"),
            "ID token": ({"aud": ["client-1"], "client_id": ABSENT, "scp": ABSENT, "sid": "1"}, "audience (aud)"),
            "no client": ({"client_id": ABSENT}, "claim (client_id)"),
            "no slash": ({"iss": "https://auth.example.com"}, "issuer (iss)"),
        },
    ),
    "hydra with scope as a string": Shape(
        "hydra issuer=https://auth.example.com/",
        JWT,
        {"iss": "https://auth.example.com/", "aud": [RESOURCE], "sub": "user-1", "client_id": "client-1", "scope": "files:read"},
        "client-1",
        "files:read",
    ),
    "duende": Shape(
        "duende issuer=https://auth.example.com audience=files",
        AT_JWT,
        {
            "iss": "https://auth.example.com",
            "aud": "files",
            "sub": "user-1",
            "client_id": "client-1",
            "scope": ["files.read", "openid"],
            "jti": "1",
            "amr": ["pwd"],
        },
        "client-1",
        "files.read openid",
        wrong={
            "another API": ({"aud": "mails"}, "audience (aud)"),
            "ID token": (
                {"^typ": "JWT", "aud": "client-1", "client_id": ABSENT, "scope": ABSENT, "nonce": "n"},
                "audience (aud)",
            ),
            "a slash": ({"iss": "https://auth.example.com/"}, "issuer (iss)"),
            "a scope that is no string": ({"scope": ["files.read", 7]}, "claim (scope)"),
        },
    ),
    "spring without a customizer": Shape(
        "spring issuer=https://auth.example.com client=inspector",
        {},
        {"iss": "https://auth.example.com", "sub": "user-1", "aud": "inspector", "scope": ["files.read"], "jti": "1"},
        None,
        "files.read",
        wrong={
            "another client": ({"aud": "other"}, "audience (aud)"),
            "ID token": ({"scope": ABSENT, "azp": "inspector", "auth_time": 1, "sid": "1"}, "claim (scope)"),
        },
    ),
    "spring with a customizer": Shape(
        "spring issuer=https://auth.example.com",
        {},
        {
            "iss": "https://auth.example.com",
            "sub": "user-1",
            "aud": [RESOURCE],
            "scope": ["files.read"],
            "client_id": "inspector",
        },
        "inspector",
        "files.read",
        wrong={"the client alone": ({"aud": "inspector"}, "audience (aud)")},
    ),
    "oidc-provider": Shape(
        "oidc_provider issuer=https://auth.example.com",
        AT_JWT,
        {
            "iss": "https://auth.example.com",
            "aud": RESOURCE,
            "sub": "user-1",
            "client_id": "client-1",
            "scope": "files:read",
            "jti": "1",
        },
        "client-1",
        "files:read",
        wrong={
            "ID token": ({"^typ": ABSENT, "aud": "client-1", "client_id": ABSENT, "scope": ABSENT}, "type (typ)"),
            "another server": (OTHER_SERVER, "audience (aud)"),
        },
    ),
    "better-auth": Shape(
        "better_auth issuer=https://app.example.com/api/auth",
        AT_JWT,
        {
            "iss": "https://app.example.com/api/auth",
            "aud": [RESOURCE, "https://app.example.com/api/auth/oauth2/userinfo"],
            "sub": "user-1",
            "client_id": "client-1",
            "azp": "client-1",
            "scope": "openid files:read",
        },
        "client-1",
        "openid files:read",
        alg="EdDSA",
        wrong={
            "ID token": ({"^typ": "JWT", "aud": "client-1", "client_id": ABSENT, "scope": ABSENT, "azp": ABSENT}, "type (typ)"),
            "userinfo alone": ({"aud": ["https://app.example.com/api/auth/oauth2/userinfo"]}, "audience (aud)"),
            "the host alone": ({"iss": "https://app.example.com"}, "issuer (iss)"),
        },
    ),
    "better-auth, the newer name of the algorithm": Shape(
        "better_auth issuer=https://app.example.com/api/auth",
        AT_JWT,
        {
            "iss": "https://app.example.com/api/auth",
            "aud": RESOURCE,
            "sub": "user-1",
            "client_id": "client-1",
            "scope": "files:read",
        },
        "client-1",
        "files:read",
        alg="Ed25519",
    ),
    "PingAM, without a preset": Shape(
        "",
        JWT,
        {
            "iss": "https://am.example.com/am/oauth2/alpha",
            "aud": "files",
            "sub": "user-1",
            "client_id": "client-1",
            "tokenName": "access_token",
            "scope": ["files.read"],
        },
        "client-1",
        "files.read",
        policy=IssuerPolicy(
            issuer="https://am.example.com/am/oauth2/alpha",
            audience=("files",),
            required_claims={"tokenName": "access_token"},
        ),
        wrong={
            "ID token": ({"tokenName": "id_token", "nonce": "n"}, "claim (tokenName)"),
            "another realm": ({"iss": "https://am.example.com/am/oauth2/bravo"}, "issuer (iss)"),
        },
    ),
}
