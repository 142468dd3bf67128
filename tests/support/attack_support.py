"""What an attacker needs: a forge for tokens, a wire for bytes of any kind, and a judge of answers.

A judge asks for the reason of each refusal, as the server's own log names it: a row proves its rule only where no other one
refused.
"""

import io
import json
import socket
import time
from dataclasses import dataclass, field
from http.client import HTTPResponse

import pytest
from reasons import detail, outcome, reasons_in
from rfc9110 import parse_challenge

from mcp_oauth2_deps.testing import DevelopmentIssuer, SigningKey
from mcp_oauth2_deps.testing.keys import base64url

RESOURCE = "https://api.example.com/mcp"
METADATA_URL = "https://api.example.com/.well-known/oauth-protected-resource/mcp"
HOST = b"api.example.com"
# Far above what an answer takes, far below a hang.
SECONDS = 5

# The kind of a refusal by the HTTP server, of which the package sees and logs nothing.
SERVER = "server"
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
    """What came back: the bytes, how HTTP reads them, and the refusals that the server wrote to its log meanwhile, if it is read."""

    raw: bytes
    status: int = 0
    headers: list = field(default_factory=list)
    body: bytes = b""
    seconds: float = 0
    refusals: list | None = None

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

    def __init__(self, port, log=None):
        self.port = port
        self._log, self._log_read = log, 0
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
        answer.refusals = self._new_refusals()
        self.answers.append(answer)
        return answer

    def _new_refusals(self):
        """The reasons in the log since the last answer; a line is written before its answer is sent."""
        if self._log is None:
            return None
        with self._log.open("rb") as log:
            log.seek(self._log_read)
            new = log.read()
        self._log_read += len(new)
        return reasons_in(new.decode("utf-8", "replace").splitlines())

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


def refused(answer, *, reason, scope="a"):
    """The law of every refusal: the log names this reason and no other, and the answer is the one that belongs to it."""
    if reason == SERVER:
        refused_by_server(answer)
        return
    assert answer.refusals == [reason], answer.raw[:600]
    challenged(answer, reason=reason, scope=scope)


def challenged(answer, *, reason, scope="a"):
    """The law of the answer: its status, one challenge that parses, fixed sentences, and nothing of the caller's."""
    status, error, sentence = outcome(reason)
    assert answer.status == status, answer.raw[:600]
    assert answer.seconds < SECONDS
    assert {name.lower() for name, _ in answer.headers} <= HEADERS
    (value,) = answer.every("www-authenticate")
    scheme, parameters = parse_challenge(value)
    assert scheme == "Bearer"
    assert parameters.pop("resource_metadata") == METADATA_URL
    granted = parameters.pop("scope", "").split()
    assert set(scope.split()) <= set(granted) <= KNOWN_SCOPES
    assert parameters.pop("error", None) == error
    assert parameters.pop("error_description", None) == (sentence if error else None)
    assert parameters == {}
    assert answer.json() == {"detail": detail(reason)}
    assert answer.every("access-control-expose-headers") == ["WWW-Authenticate"]


def refused_by_server(answer):
    """The law of malformed HTTP: the parser of the server answers, and none of the app's code runs."""
    assert (answer.status, answer.body, answer.refusals) == (400, b"Invalid HTTP request received.", [])


def accepted(answer):
    """The law of a control row: let in, with the subject that the token names, without a challenge or a line in the log."""
    assert (answer.status, answer.refusals) == (200, []), answer.raw[:600]
    assert answer.json() == {"subject": "alice"}
    assert answer.every("www-authenticate") == []


def not_found(answer):
    """The law of a path without a route: nobody decides anything."""
    assert (answer.status, answer.json(), answer.refusals) == (404, {"detail": "Not Found"}, [])


def by(reason, table):
    """The table with the reason that all its rows are refused for."""
    return {name: (make, reason) for name, make in table.items()}


def rows(table):
    """One row per entry: its name says why, and its value is what makes a token, with the reason of the refusal."""
    return [pytest.param(make, reason, id=name) for name, (make, reason) in table.items()]
