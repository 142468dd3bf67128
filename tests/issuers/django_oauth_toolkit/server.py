"""A Django site with django-oauth-toolkit: `server.py PORT FOLDER opaque|jwt`.

`opaque` is the toolkit as installed. `jwt` gives it a generator that writes RFC 9068 access tokens, as its documentation suggests.
"""

import sys
import time
import uuid
from pathlib import Path

import django
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from django.conf import settings
from django.core.management import call_command
from django.core.servers.basehttp import run
from django.core.wsgi import get_wsgi_application
from django.urls import include, path
from jwcrypto.jwt import JWT
from oauthlib.oauth2.rfc6749.tokens import random_token_generator

PORT, FOLDER, KIND = int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
ISSUER = f"http://127.0.0.1:{PORT}/o"
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PEM = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
SECONDS = 600
# The toolkit's own consent page, but with the button that agrees first: the browser of the tests takes the first one.
CONSENT = """
<form method="post">{% csrf_token %}
{% for field in form %}{% if field.is_hidden %}{{ field }}{% endif %}{% endfor %}
<ul>{% for scope in scopes_descriptions %}<li>{{ scope }}</li>{% endfor %}</ul>{{ form.errors }}
<button name="allow" value="Authorize">Authorize</button> <button>Cancel</button></form>
"""
LOGIN = '<form method="post">{% csrf_token %}{{ form }}<button>Log in</button></form>'


def access_token(request, refresh_token=False):
    """An RFC 9068 access token for what the token request names as `resource`."""
    from oauth2_provider.utils import jwk_from_pem

    key, now = jwk_from_pem(PEM), int(time.time())
    claims = {
        "iss": ISSUER,
        "sub": str(request.user.pk),
        "aud": [value for name, value in request.decoded_body if name == "resource"],
        "client_id": request.client.client_id,
        "scope": " ".join(request.scopes),
        "jti": str(uuid.uuid4()),
        "iat": now,
        "exp": now + SECONDS,
    }
    token = JWT(header={"alg": "RS256", "typ": "at+jwt", "kid": key.thumbprint()}, claims=claims)
    token.make_signed_token(key)
    return token.serialize()


# Without a generator of their own refresh tokens are made by that of the access tokens, and then open every door these open.
GENERATORS = {"ACCESS_TOKEN_GENERATOR": access_token, "REFRESH_TOKEN_GENERATOR": random_token_generator}
APPS = ["auth", "contenttypes", "sessions"]
settings.configure(
    ALLOWED_HOSTS=["127.0.0.1"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": FOLDER / "db.sqlite3"}},
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    INSTALLED_APPS=[*(f"django.contrib.{app}" for app in APPS), "oauth2_provider"],
    LOGIN_URL="/login/",
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
    ],
    # Tables as the models are, without the history of their changes: two seconds less.
    MIGRATION_MODULES=dict.fromkeys([*APPS, "oauth2_provider"]),
    OAUTH2_PROVIDER={
        "ACCESS_TOKEN_EXPIRE_SECONDS": SECONDS,
        "DCR_ENABLED": True,
        "DCR_REGISTRATION_PERMISSION_CLASSES": ("oauth2_provider.dcr.AllowAllDCRPermission",),
        "OIDC_ENABLED": True,
        "OIDC_ISS_ENDPOINT": ISSUER,
        "OIDC_RSA_PRIVATE_KEY": PEM,
        "SCOPES": {name: name for name in ("openid", "mcp:use", "files:read", "files:write")},
        **(GENERATORS if KIND == "jwt" else {}),
    },
    PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],  # the password is public, and this one takes no second
    ROOT_URLCONF="__main__",
    SECRET_KEY=uuid.uuid4().hex,
    TEMPLATES=[
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "OPTIONS": {
                "context_processors": ["django.template.context_processors.request"],
                "loaders": [
                    (
                        "django.template.loaders.locmem.Loader",
                        {"registration/login.html": LOGIN, "oauth2_provider/authorize.html": CONSENT},
                    )
                ],
            },
        }
    ],
    USE_TZ=True,
)
django.setup()

from django.contrib.auth.models import User  # noqa: E402  # models can be had only after the set-up
from django.contrib.auth.views import LoginView  # noqa: E402
from oauth2_provider import urls  # noqa: E402
from oauth2_provider.models import Application  # noqa: E402

# The issuer has a path, and metadata of such an issuer stands at the root (RFC 8414 section 3.1).
urlpatterns = [
    path("login/", LoginView.as_view()),
    path("", include((urls.metadata_urlpatterns, "root"))),
    path("o/", include("oauth2_provider.urls", namespace="oauth2_provider")),
]

if __name__ == "__main__":
    call_command("migrate", run_syncdb=True, verbosity=0)
    alice = User.objects.create_user("alice", password="alice")
    # A client that registered itself has no algorithm, and gets a server error for `openid`.
    Application.objects.create(
        name="with ID tokens",
        user=alice,
        client_id="operators",
        client_type=Application.CLIENT_PUBLIC,
        authorization_grant_type=Application.GRANT_AUTHORIZATION_CODE,
        redirect_uris="http://127.0.0.1:1/callback",
        algorithm=Application.RS256_ALGORITHM,
    )
    # What asks whether a token is valid.
    Application.objects.create(
        name="the guarded server",
        user=alice,
        client_id="guard",
        client_secret="guards-secret",
        client_type=Application.CLIENT_CONFIDENTIAL,
        authorization_grant_type=Application.GRANT_CLIENT_CREDENTIALS,
    )
    run("127.0.0.1", PORT, get_wsgi_application(), threading=True)
