"""One guarded route, and a way to send one token to it, so that each test below is one sentence of a standard."""

import json
import logging
from base64 import urlsafe_b64decode

import pytest
from fastapi import FastAPI, Security
from fastapi.testclient import TestClient
from reasons import detail, outcome, reasons_in
from rfc9110 import challenge_of

from mcp_oauth2_deps.testing.keys import base64url


class Caller:
    """Sends requests to a route that needs the scope `a`."""

    def __init__(self, auth, issuer):
        self.issuer = issuer
        app = FastAPI()
        app.include_router(auth.router())
        app.get("/", dependencies=[Security(auth.require_scopes("a"))])(lambda: "in")
        self.client = TestClient(app)

    def send(self, *authorization, url="/", **more):
        return self.client.request("GET", url, headers=[("Authorization", value) for value in authorization], **more)

    def token(self, header=None, **claims):
        """The answer to a token that is good but for what is given."""
        return self.send(f"Bearer {self.issuer.token(scopes=['a'], header=header, **claims)}")

    def text(self, header, payload):
        """The answer to a token with this text for its header and payload, rightly signed."""
        head = header if isinstance(header, str) else json.dumps(header)
        body = payload if isinstance(payload, str) else json.dumps(payload)
        signing_input = ".".join(base64url(part.encode()) for part in (head, body))
        return self.send(f"Bearer {signing_input}.{base64url(self.issuer.key.sign(signing_input.encode()))}")

    def good_header(self):
        return {"alg": self.issuer.key.alg, "kid": self.issuer.key.kid, "typ": "at+jwt"}

    def good_claims(self):
        payload = self.issuer.token(scopes=["a"]).split(".")[1]
        return json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))


@pytest.fixture
def call_with(make_scheme, issuer):
    """A caller of an app with these settings."""
    return lambda **settings: Caller(make_scheme(**settings), issuer)


@pytest.fixture
def call(call_with):
    return call_with()


@pytest.fixture
def refused(caplog):
    """Judges a refusal: the log names this reason and no other, and the answer is the one that belongs to it."""
    caplog.set_level(logging.INFO, "mcp_oauth2_deps")

    def check(response, *, reason):
        assert reasons_in(caplog.messages) == [reason]
        caplog.clear()
        status, error, _ = outcome(reason)
        assert response.status_code == status
        scheme, parameters = challenge_of(response)
        assert scheme == "Bearer"
        assert parameters.get("error") == error
        assert response.json() == {"detail": detail(reason)}

    return check
