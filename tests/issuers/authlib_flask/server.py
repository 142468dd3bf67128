"""A Flask site with Authlib as its authorization server: `server.py PORT`. Access tokens by Authlib's RFC 9068 generator.

Authlib reads no `resource`: `get_audiences` returns what the token request names. Its tokens are ES256 and have no `kid`.
"""

import sys
import time
from dataclasses import dataclass, field
from types import SimpleNamespace

from authlib.common.security import generate_token
from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749 import AuthorizationCodeMixin, ClientMixin
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant
from authlib.oauth2.rfc7591 import ClientRegistrationEndpoint
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oauth2.rfc9068 import JWTBearerTokenGenerator
from authlib.oidc.core.grants import OpenIDCode
from flask import Flask, jsonify, redirect, request, session
from joserfc.jwk import ECKey, KeySet
from werkzeug.serving import make_server

PORT = int(sys.argv[1])
ISSUER = f"http://127.0.0.1:{PORT}"
KEY = ECKey.generate_key("P-256", {"alg": "ES256", "use": "sig"})
SECONDS = 600
METADATA = {
    "issuer": ISSUER,
    "authorization_endpoint": f"{ISSUER}/authorize",
    "token_endpoint": f"{ISSUER}/token",
    "registration_endpoint": f"{ISSUER}/register",
    "jwks_uri": f"{ISSUER}/jwks",
    "scopes_supported": ["openid", "mcp:use", "files:read", "files:write"],
    "response_types_supported": ["code"],
    "grant_types_supported": ["authorization_code", "refresh_token"],
    "code_challenge_methods_supported": ["S256"],
    "token_endpoint_auth_methods_supported": ["none"],
}
ALICE = SimpleNamespace(get_user_id=lambda: "alice")
CLIENTS, CODES = {}, {}


@dataclass
class Client(ClientMixin):
    """A public client that registered itself."""

    client_id: str
    redirect_uris: list[str]
    id_token_signed_response_alg: str = "ES256"

    def get_client_id(self):
        return self.client_id

    def get_default_redirect_uri(self):
        return self.redirect_uris[0]

    def get_allowed_scope(self, scope):
        return " ".join(name for name in scope.split() if name in METADATA["scopes_supported"])

    def check_redirect_uri(self, redirect_uri):
        return redirect_uri in self.redirect_uris

    def check_endpoint_auth_method(self, method, endpoint):
        return method == "none"

    def check_response_type(self, response_type):
        return response_type == "code"

    def check_grant_type(self, grant_type):
        return grant_type in METADATA["grant_types_supported"]


@dataclass
class Code(AuthorizationCodeMixin):
    """What alice agreed to."""

    client_id: str
    redirect_uri: str
    scope: str
    resources: list[str]
    code_challenge: str
    code_challenge_method: str
    auth_time: int = field(default_factory=lambda: int(time.time()))

    def get_redirect_uri(self):
        return self.redirect_uri

    def get_scope(self):
        return self.scope

    def get_nonce(self):
        return None

    def get_auth_time(self):
        return self.auth_time

    def get_acr(self):
        return None

    def get_amr(self):
        return None


class CodeGrant(AuthorizationCodeGrant):
    """Codes for public clients, kept in memory."""

    TOKEN_ENDPOINT_AUTH_METHODS = ("none",)

    def save_authorization_code(self, code, request):
        data = request.payload.data
        names = "redirect_uri", "code_challenge", "code_challenge_method"
        resources = request.payload.datalist["resource"]
        CODES[code] = Code(
            request.client.client_id, scope=request.scope, resources=resources, **{name: data[name] for name in names}
        )

    def query_authorization_code(self, code, client):
        found = CODES.get(code)
        # For no other resource than those of the authorization request (RFC 8707 section 2.2).
        known = found is not None and found.client_id == client.client_id and request.form.get("resource") in found.resources
        return found if known else None

    def delete_authorization_code(self, authorization_code):
        CODES.pop(next(code for code, known in CODES.items() if known is authorization_code))

    def authenticate_user(self, authorization_code):
        return ALICE


class IDTokens(OpenIDCode):
    """ID tokens for who asks for `openid`."""

    def get_client_claims(self, client):
        return {"iss": ISSUER, "aud": [client.client_id]}

    def get_encode_header(self, client):
        return {"alg": "ES256"}

    def resolve_client_private_key(self, client):
        return KEY

    def exists_nonce(self, nonce, request):
        return False

    def generate_user_info(self, user, scope):
        return {"sub": user.get_user_id()}


class AccessTokens(JWTBearerTokenGenerator):
    """RFC 9068 access tokens for the resource that the token request names."""

    def get_jwks(self):
        return KEY

    def get_audiences(self, client, user, scope):
        return request.form["resource"]


class Registration(ClientRegistrationEndpoint):
    """Open to everybody, for public clients."""

    def authenticate_token(self, request):
        return True

    def get_server_metadata(self):
        return METADATA

    def generate_client_info(self, request):
        return {"client_id": generate_token(24), "token_endpoint_auth_method": "none"}

    def save_client(self, client_info, client_metadata, request):
        client = Client(client_info["client_id"], client_metadata["redirect_uris"])
        CLIENTS[client.client_id] = client
        return client


app = Flask(__name__)
app.secret_key = generate_token(32)
server = AuthorizationServer(app, query_client=CLIENTS.get, save_token=lambda token, request: None)
server.register_grant(CodeGrant, [CodeChallenge(required=True), IDTokens()])
server.register_token_generator(
    "default",
    AccessTokens(
        ISSUER, alg="ES256", refresh_token_generator=lambda **_: generate_token(48), expires_generator=lambda *_: SECONDS
    ),
)
server.register_endpoint(Registration)


@app.get("/.well-known/oauth-authorization-server")
def metadata():
    return jsonify(METADATA)


@app.get("/jwks")
def jwks():
    # Without the `kid` that the set would add: as the tokens name no key, the set has one without a name.
    return jsonify(
        {"keys": [{name: value for name, value in KeySet([KEY]).as_dict()["keys"][0].items() if name not in {"kid", "d"}}]}
    )


@app.route("/login", methods=["GET", "POST"])
def login():
    if request.form.get("name") == request.form.get("password") == "alice":
        session["user"] = "alice"
        return redirect(session.pop("next"))
    return '<form method="post"><input name="name"><input name="password" type="password"><button>Log in</button></form>'


@app.route("/authorize", methods=["GET", "POST"])
def authorize():
    if "user" not in session:
        session["next"] = request.url
        return redirect("/login")
    try:
        grant = server.get_consent_grant(end_user=ALICE)
    except OAuth2Error as error:
        return server.handle_error_response(request, error)
    if request.method == "GET":
        return f'<p>{grant.request.payload.scope}</p><form method="post"><button name="agreed" value="yes">Agree</button></form>'
    return server.create_authorization_response(grant_user=ALICE, grant=grant)


@app.post("/token")
def token():
    return server.create_token_response()


@app.post("/register")
def register():
    return server.create_endpoint_response("client_registration")


if __name__ == "__main__":
    make_server("127.0.0.1", PORT, app, threaded=True).serve_forever()
