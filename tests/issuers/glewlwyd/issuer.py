"""Glewlwyd, Debian's: RFC 9068 access tokens, ES256. Its pages are one JavaScript program; `_Browser` asks what that program asks."""

import json
import sqlite3
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from issuers.harness import SCOPES, Issuer, installed, process
from processes import free_port

TABLES = Path("/usr/share/dbconfig-common/data/glewlwyd/install/sqlite3")
MODULES = "/usr/lib/glewlwyd"
CONFIGURATION = f"""
port={{port}}
bind_address="127.0.0.1"
external_url="http://localhost:{{port}}"
login_url="login.html"
api_prefix="api"
log_mode="console"
log_level="WARNING"
cookie_secure=0
session_expiration=3600
session_key="GLEWLWYD2_SESSION_ID"
admin_scope="g_admin"
profile_scope="g_profile"
user_module_path="{MODULES}/user"
client_module_path="{MODULES}/client"
user_auth_scheme_module_path="{MODULES}/scheme"
plugin_module_path="{MODULES}/plugin"
hash_algorithm="SHA512"
database={{{{ type="sqlite3"; path="{{database}}"; }}}};
"""


class _Browser:
    """One session with the API that the pages use."""

    def __init__(self, port):
        self._port, self._cookie = port, ""

    def ask(self, method, path, body=None):
        """Where the answer leads to; an error is one of the test."""
        content = None if body is None else json.dumps(body)
        with closing(HTTPConnection("localhost", self._port, timeout=10)) as connection:
            connection.request(method, path, content, {"Content-Type": "application/json", "Cookie": self._cookie})
            answer = connection.getresponse()
            text = answer.read()
        assert answer.status in {200, 302}, (method, path, answer.status, text)
        if cookie := answer.headers["Set-Cookie"]:
            self._cookie = cookie.partition(";")[0]
        return answer.headers["Location"]

    def log_in(self, username, password):
        """Later requests are this person's."""
        self.ask("POST", "/api/auth/", {"username": username, "password": password})


def _walk(port, authorization_url):
    url = urlsplit(authorization_url)
    asked = parse_qs(url.query)
    browser = _Browser(port)
    browser.log_in("alice", "alice-alice")
    browser.ask("PUT", f"/api/auth/grant/{asked['client_id'][0]}", {"scope": asked["scope"][0]})
    return browser.ask("GET", f"{url.path}?{url.query}&g_continue")


def _key():
    """It publishes a coordinate without its leading zeros, which RFC 7518 section 6.2.1.2 forbids: one key in 128 is of no use."""
    while True:
        key = ec.generate_private_key(ec.SECP256R1())
        numbers = key.public_key().public_numbers()
        if min(numbers.x, numbers.y).bit_length() > 248:
            return key


def _plugin(url, resources):
    key = _key()
    return {
        "iss": url,
        "jwt-type": "ecdsa",
        "jwt-key-size": "256",
        "key": key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
        "cert": key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode(),
        "jwks-show": True,
        "access-token-duration": 600,
        "refresh-token-duration": 3600,
        "code-duration": 60,
        "refresh-token-rolling": True,
        "allow-non-oidc": True,
        "allowed-scope": ["openid", *SCOPES],
        "auth-type-code-enabled": True,
        "auth-type-refresh-enabled": True,
        "subject-type": "public",
        "pkce-allowed": True,
        "pkce-required": True,
        "register-client-allowed": True,
        "register-client-auth-scope": [],
        "register-client-credentials-scope": [],
        "resource-allowed": True,
        "resource-client-property": "resource",
        "resource-scope": dict.fromkeys(SCOPES, resources),
        "oauth-as-iss-id": True,
    }


def _set_up(port, url, resources):
    """What an administrator does on the pages: the plugin, the scopes, alice."""
    admin = _Browser(port)
    admin.log_in("admin", "password")
    for scope in SCOPES:
        admin.ask("POST", "/api/scope/", {"name": scope, "display_name": scope, "password_required": False, "scheme": {}})
    alice = {"username": "alice", "password": "alice-alice", "enabled": True, "scope": ["g_profile", "openid", *SCOPES]}
    admin.ask("POST", "/api/user/", alice)
    plugin = {"module": "oidc", "name": "oidc", "display_name": "oidc", "parameters": _plugin(url, resources)}
    admin.ask("POST", "/api/mod/plugin/", plugin)


@contextmanager
def running(folder, resource):
    program = installed("glewlwyd", "glewlwyd", "2.7.")
    port, database = free_port(), folder / "glewlwyd.db"
    url = f"http://localhost:{port}/api/oidc"
    with closing(sqlite3.connect(database)) as connection:
        connection.executescript(TABLES.read_text("utf-8"))
    (folder / "glewlwyd.conf").write_text(CONFIGURATION.format(port=port, database=database), "utf-8")
    command = [program, f"--config-file={folder / 'glewlwyd.conf'}"]
    with process(command, log=folder / "glewlwyd.log", ready=f"http://localhost:{port}/config/"):
        _set_up(port, url, [resource, f"{resource.removesuffix('/mcp')}/other"])
        # A client that registers as a public one is stored as confidential, and then refused without its secret.
        confidential = {"token_endpoint_auth_method": "client_secret_basic"}
        yield Issuer(url, subject=None, walk=lambda asked: _walk(port, asked), registration=confidential)
