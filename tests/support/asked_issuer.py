"""An authorization server on a socket of its own, which says of each token what its script says (RFC 7662)."""

import json
import socket
import threading
import time
from base64 import b64decode
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote_plus

from mcp_oauth2_deps.testing import SigningKey

CLIENT_ID, SECRET = "files:api", "p%:+\u00e9 ss"
JSON, SIGNED = "application/json", "application/token-introspection+jwt"


class AskedIssuer:
    """The server and its script.

    Attributes:
        answers: by token what is answered: the members of an answer, a status, raw bytes of a whole HTTP response, or a function
            that returns one of these. Of other tokens it says that they are not active.
        forms: every form it was sent.
        fields: the names of the HTTP fields of each.
        connections: how many were opened.
        asked: set once a form came.
        gate: where it is set, no question is answered before it is open.
    """

    def __init__(self, audience):
        self.audience = audience
        self.key = SigningKey.generate("ES256")
        self.answers, self.forms, self.fields = {}, [], []
        self.connections, self.at_once, self.most_at_once = 0, 0, 0
        self.gate, self.asked = None, threading.Event()
        self.signed = False
        self.methods = None
        self.publishes = {"jwks_uri", "introspection_endpoint"}
        self.lock = threading.Lock()

    def good(self, **changes):
        """The answer about a good token; `...` leaves a member out."""
        now = int(time.time())
        members = {"active": True, "iss": self.url, "aud": self.audience, "sub": "alice", "client_id": "client", "scope": "a"}
        members |= {"exp": now + 600, "iat": now, "token_type": "Bearer"} | changes
        return {name: value for name, value in members.items() if value is not ...}

    def metadata(self):
        places = {"jwks_uri": self.url + "/jwks", "introspection_endpoint": self.url + "/introspect"}
        methods = {} if self.methods is None else {"introspection_endpoint_auth_methods_supported": self.methods}
        return {"issuer": self.url} | {name: places[name] for name in sorted(self.publishes)} | methods

    def signed_answer(self, members, *, key=None, header=None, **claims):
        """An answer as a JWT (RFC 9701)."""
        claims = {"iss": self.url, "aud": CLIENT_ID, "iat": int(time.time()), "token_introspection": members} | claims
        return (key or self.key).mint(claims, {"typ": "token-introspection+jwt"} | (header or {}))

    def asked_about(self, token):
        return sum(form.get("token") == [token] for form in self.forms)

    def answer(self, form, authorization):
        """Status, media type and body, or the raw bytes of a response."""
        scripted = self.answers.get(form["token"][0], {"active": False})
        if callable(scripted):
            scripted = scripted()
        if isinstance(scripted, bytes):
            return scripted
        if isinstance(scripted, int):
            return scripted, JSON, json.dumps({"error": "scripted"})
        if isinstance(scripted, tuple):
            return scripted
        if self.signed:
            return 200, SIGNED, self.signed_answer(scripted)
        return 200, JSON, json.dumps(scripted)

    @contextmanager
    def serve(self, port=0):
        """Serves while the block lasts."""
        server = _Server(("127.0.0.1", port), _handler(self))
        self.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            if self.gate is not None:
                self.gate.set()
            server.shutdown()
            server.close_all()
            thread.join(10)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.open = set()

    def get_request(self):
        connection, address = super().get_request()
        self.open.add(connection)
        return connection, address

    def handle_error(self, request, client_address):
        """A client that goes away is none."""

    def close_all(self):
        self.server_close()
        for connection in self.open:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


def _handler(issuer):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def setup(self):
            super().setup()
            with issuer.lock:
                issuer.connections += 1

        def log_message(self, *_):
            """Nothing."""

        def do_GET(self):
            documents = {
                "/jwks": {"keys": [issuer.key.public_jwk()]},
                "/.well-known/oauth-authorization-server": issuer.metadata(),
            }
            document = documents.get(self.path)
            self._send(404 if document is None else 200, JSON, json.dumps(document or {}))

        def do_POST(self):
            form = parse_qs(self.rfile.read(int(self.headers["content-length"])).decode(), keep_blank_values=True)
            authorization = self.headers.get("authorization", "")
            with issuer.lock:
                issuer.forms.append(form)
                issuer.fields.append({name.lower() for name in self.headers})
                issuer.asked.set()
                issuer.at_once += 1
                issuer.most_at_once = max(issuer.most_at_once, issuer.at_once)
            if issuer.gate is not None:
                issuer.gate.wait(10)
            with issuer.lock:
                issuer.at_once -= 1
            if not _known(form, authorization):
                self._send(401, JSON, '{"error":"invalid_client"}')
                return
            answer = issuer.answer(form, authorization)
            if isinstance(answer, bytes):
                self.wfile.write(answer)
                self.close_connection = True
            else:
                self._send(*answer)

        def _send(self, status, media_type, body, **headers):
            body = body.encode() if isinstance(body, str) else body
            self.send_response(status)
            for name, value in {"content-type": media_type, "content-length": str(len(body)), **headers}.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            self.wfile.write(body)

    return Handler


def _known(form, authorization):
    """Whether the client is ours, by whichever of the ways it says so."""
    if "client_assertion" in form:
        return form["client_id"] == [CLIENT_ID]
    if "client_secret" in form:
        return (form["client_id"], form["client_secret"]) == ([CLIENT_ID], [SECRET])
    scheme, _, credentials = authorization.partition(" ")
    parts = b64decode(credentials).decode("ascii").split(":") if scheme == "Basic" else []
    return [unquote_plus(part) for part in parts] == [CLIENT_ID, SECRET]
