"""A browser and a client for the development issuer, in process."""

import base64
import hashlib
import json
import re
from html import unescape
from urllib.parse import parse_qsl, urlsplit

import pytest
from starlette.testclient import TestClient

from mcp_oauth2_deps.testing import Client, DevelopmentIssuer

RESOURCE = "https://api.example.com/mcp"
CALLBACK = "http://127.0.0.1:3000/callback"
VERIFIER = "v" * 64
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


class Browser(TestClient):
    """One browser in front of the issuer; `None` as the value of a parameter leaves it out."""

    RESOURCE, CALLBACK, VERIFIER, CHALLENGE = RESOURCE, CALLBACK, VERIFIER, CHALLENGE

    def __init__(self, issuer, user="alice"):
        super().__init__(issuer.app, base_url="http://127.0.0.1:9000", client=("127.0.0.1", 1), follow_redirects=False)
        self.issuer = issuer
        self.user = user

    def authorize(self, **changes):
        request = {
            "response_type": "code",
            "client_id": "public",
            "redirect_uri": CALLBACK,
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
            "resource": RESOURCE,
            "scope": "files:read files:write offline_access",
            "state": "xyz",
        }
        return self.get("/authorize", params=without_none(request | changes))

    def log_in(self, page, **changes):
        """The answer to the login form; follows the redirect to the consent page."""
        form = self.hidden(page) | {"user": self.user, "password": self.user}
        answer = self.post("/authorize/login", data=without_none(form | changes))
        return self.get(answer.headers["location"]) if answer.status_code == 303 else answer

    def decide(self, page, decision="allow", scopes=None, headers=None, **changes):
        ticked = re.findall(r'name="scope" value="([^"]*)"', page.text) if scopes is None else scopes
        form = self.hidden(page) | {"scope": [unescape(scope) for scope in ticked], "decision": decision}
        return self.post("/authorize/consent", data=without_none(form | changes), headers=headers)

    def code(self, **changes):
        """A code, by way of whatever pages come."""
        page = self.authorize(**changes)
        if 'type="password"' in page.text:
            page = self.log_in(page)
        return self.answered(self.decide(page))["code"]

    @staticmethod
    def hidden(page):
        return dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page.text))

    @staticmethod
    def answered(response):
        """What the client is told in the redirect."""
        assert response.status_code == 303
        location = urlsplit(response.headers["location"])
        assert location._replace(query="").geturl() == CALLBACK
        return dict(parse_qsl(location.query))

    @staticmethod
    def claims(answer):
        payload = answer.json()["access_token"].split(".")[1]
        return json.loads(base64.urlsafe_b64decode(payload + "=="))

    def token(self, **form):
        return self.post("/token", data=without_none(form))

    def redeem(self, code, /, **changes):
        form = {
            "grant_type": "authorization_code",
            "client_id": "public",
            "code": code,
            "code_verifier": VERIFIER,
            "redirect_uri": CALLBACK,
            "resource": RESOURCE,
        }
        return self.token(**form | changes)

    def refresh(self, refresh_token, /, **changes):
        return self.token(**{"grant_type": "refresh_token", "client_id": "public", "refresh_token": refresh_token} | changes)


def without_none(parameters):
    return {name: value for name, value in parameters.items() if value is not None}


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def make_issuer(clock):
    def make(**changes):
        clients = {
            "public": Client(redirect_uris=(CALLBACK,), name='Files <b>&</b> "Folders"'),
            "other": Client(redirect_uris=(CALLBACK,)),
            "confidential": Client("secret", redirect_uris=(CALLBACK,)),
            "machine": Client("secret", frozenset({"files:read"})),
            "native": Client(redirect_uris=("http://127.0.0.1:1/cb", "cursor://app/cb", "https://a.example/cb?x=1"), native=True),
        }
        settings = {"algorithm": "ES256", "clients": clients, "clock": clock}
        return DevelopmentIssuer("http://127.0.0.1:9000", **settings | changes)

    return make


@pytest.fixture
def issuer(make_issuer):
    return make_issuer()


@pytest.fixture
def make_browser(make_issuer, issuer):
    def make(user="alice", **settings):
        return Browser(make_issuer(**settings) if settings else issuer, user)

    return make


@pytest.fixture
def browser(make_browser):
    return make_browser()
