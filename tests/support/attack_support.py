"""What an attacker needs: a forge for tokens, a wire for bytes of any kind, and a judge of answers."""

import io
import json
import socket
import time
from dataclasses import dataclass, field
from http.client import HTTPResponse

import pytest
from rfc9110 import parse_challenge

from mcp_oauth2_deps.testing import DevelopmentIssuer, SigningKey
from mcp_oauth2_deps.testing.keys import base64url

RESOURCE = "https://api.example.com/mcp"
METADATA_URL = "https://api.example.com/.well-known/oauth-protected-resource/mcp"
HOST = b"api.example.com"
# Far above what an answer takes, far below a hang.
SECONDS = 5

SENTENCES = {
    None: {"An access token is required: send it as 'Authorization: Bearer <token>'."},
    "invalid_request": {
        "The request must hold exactly one Authorization field with exactly one well-formed Bearer token.",
    },
    "invalid_token": {"The access token is not valid for this resource.", "The access token has expired."},
    "insufficient_scope": {"The access token does not hold the scopes that this operation needs."},
}
KNOWN_SCOPES = {"a", "b", "admin", "mcp:use", "tools:listed", "files:read", "files:secret", "files:write"}
KNOWN_SCOPES |= {"team:a", "team:b", "memo:read", "prompts:use"}
HEADERS = {"date", "server", "connection", "content-length", "content-type", "transfer-encoding"}
HEADERS |= {"www-authenticate", "access-control-expose-headers"}


class AttackedIssuer(DevelopmentIssuer):
    """An issuer with a good key of each kind, and beside them keys that nobody should trust."""

    def __init__(self):
        super().__init__(algorithm="ES256", audience=RESOURCE)
        self.good = {alg: SigningKey.generate(alg) for alg in ("RS256", "PS256", "ES256", "ES384", "EdDSA")}
        self.traps = {}
        self.extra = []

    def trap(self, name, key, **changes):
        """Publishes a key that must not be used, as it is but for the changes."""
        self.traps[name] = key
        self.extra.append({key_name: value for key_name, value in (key.public_jwk() | changes).items() if value is not ...})

    def jwks(self):
        return {"keys": [*(key.public_jwk() for key in self.good.values()), *self.extra]}


@dataclass
class Answer:
    """What came back: the bytes, and how HTTP reads them."""

    raw: bytes
    status: int = 0
    headers: list = field(default_factory=list)
    body: bytes = b""
    seconds: float = 0

    def every(self, name):
        return [value for key, value in self.headers if key.lower() == name]

    def json(self):
        return json.loads(self.body)


class _Replay:
    def __init__(self, raw):
        self.raw = raw

    def makefile(self, *_):
        return io.BytesIO(self.raw)


class Wire:
    """Sends bytes to the server as they are, and remembers what was sent and what came."""

    def __init__(self, port):
        self.port = port
        self.sent = []
        self.answers = []

    def exchange(self, request, method="GET"):
        """The answer to a request, read until the server closes."""
        self.sent.append(request)
        started = time.monotonic()
        with socket.create_connection(("127.0.0.1", self.port), timeout=SECONDS) as connection:
            connection.sendall(request)
            parts = []
            while part := connection.recv(65536):
                parts.append(part)
        answer = Answer(b"".join(parts), seconds=time.monotonic() - started)
        assert answer.raw, "the server closed without an answer"
        response = HTTPResponse(_Replay(answer.raw), method=method)
        response.begin()
        answer.status, answer.headers, answer.body = response.status, response.getheaders(), response.read()
        self.answers.append(answer)
        return answer

    def send(self, *lines, method=b"GET", target=b"/guarded", body=b"", host=HOST):
        """The answer to a request with these header lines."""
        lines = [b"Host: " + host, b"Connection: close", *lines]
        if body or method == b"POST":
            lines.append(b"Content-Length: %d" % len(body))
        head = method + b" " + target + b" HTTP/1.1\r\n" + b"".join(line + b"\r\n" for line in lines) + b"\r\n"
        return self.exchange(head + body, method.decode("latin-1"))

    def bearer(self, token, *lines, **more):
        """The answer to a request with this token."""
        token = token.encode("latin-1") if isinstance(token, str) else token
        return self.send(b"Authorization: Bearer " + token, *lines, **more)


class Forge:
    """Makes tokens that are good but for what is asked; `...` leaves a member out."""

    def __init__(self, issuer, other):
        self.issuer, self.other = issuer, other
        self.keys = issuer.good
        self.key = issuer.good["ES256"]
        self.strangers = {alg: SigningKey.generate(alg) for alg in self.keys}

    def header(self, key=None, /, **changes):
        key = key or self.key
        members = {"alg": key.alg, "kid": key.kid, "typ": "at+jwt"} | changes
        return {name: value for name, value in members.items() if value is not ...}

    def claims(self, **changes):
        now = int(time.time())
        members = {
            "iss": self.issuer.url,
            "aud": RESOURCE,
            "sub": "alice",
            "client_id": "client",
            "iat": now,
            "exp": now + 600,
            "jti": f"id-{time.monotonic_ns()}",
            "scope": "a",
        } | changes
        return {name: value for name, value in members.items() if value is not ...}

    def input(self, header, payload):
        return ".".join(base64url(_bytes(part)) for part in (header, payload))

    def mint(self, header=None, payload=None, key=None):
        """A token of these two texts or objects, rightly signed."""
        key = key or self.key
        header = self.header(key) if header is None else header
        signing_input = self.input(header, self.claims() if payload is None else payload)
        return self.seal(signing_input, key.sign(signing_input.encode()))

    def seal(self, signing_input, signature):
        return f"{signing_input}.{base64url(signature)}"

    def token(self, **claims):
        """A token with other claims."""
        return self.mint(payload=self.claims(**claims))

    def headed(self, key=None, /, **header):
        """A token with other header parameters."""
        return self.mint(self.header(key, **header), key=key)

    def text(self, changes="", *, place="payload"):
        """A token with a text added before the last brace of its payload or header."""
        header, payload = json.dumps(self.header()), json.dumps(self.claims())
        if place == "header":
            return self.mint(header[:-1] + changes + "}", payload)
        return self.mint(header, payload[:-1] + changes + "}")


def _bytes(part):
    if isinstance(part, bytes):
        return part
    return (part if isinstance(part, str) else json.dumps(part)).encode("utf-8", "surrogatepass")


def refused(answer, status=401, error="invalid_token", scope="a"):
    """The law of every refusal: its status, one challenge that parses, fixed sentences, and nothing of the caller's."""
    assert answer.status == status, (answer.status, answer.raw[:600])
    assert answer.seconds < SECONDS
    assert {name.lower() for name, _ in answer.headers} <= HEADERS
    (value,) = answer.every("www-authenticate")
    scheme, parameters = parse_challenge(value)
    assert scheme == "Bearer"
    assert parameters.pop("resource_metadata") == METADATA_URL
    granted = parameters.pop("scope", "").split()
    assert set(scope.split()) <= set(granted) <= KNOWN_SCOPES
    assert parameters.pop("error", None) == error
    description = parameters.pop("error_description", None)
    assert parameters == {}
    detail = answer.json()["detail"]
    assert answer.json() == {"detail": detail}
    assert detail["error"] == error
    assert detail["error_description"] in SENTENCES[error]
    assert description == (detail["error_description"] if error else None)
    assert answer.every("access-control-expose-headers") == ["WWW-Authenticate"]


def accepted(answer):
    """The law of a control row: let in, with the subject that the token names, and without a challenge."""
    assert answer.status == 200, (answer.status, answer.raw[:600])
    assert answer.json() == {"subject": "alice"}
    assert answer.every("www-authenticate") == []


def rows(table, status=401, error="invalid_token"):
    """One row per entry: its name says why, its value makes a token, or is that with another status and error."""
    found = []
    for name, value in table.items():
        make, *rest = value if isinstance(value, tuple) else (value,)
        found.append(pytest.param(make, *(rest or (status, error)), id=name))
    return found
