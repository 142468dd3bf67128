"""What the clients of the load tests send, and the only answer that is right for each."""

import itertools
import json
from base64 import urlsafe_b64decode
from dataclasses import dataclass

from attack_support import RESOURCE, Answer, challenged

from mcp_oauth2_deps.testing import SigningKey

_CALL = b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"%s","arguments":{}}}'
_MCP_HEADERS = b"content-type: application/json\r\naccept: application/json, text/event-stream\r\n"


@dataclass(frozen=True, slots=True)
class Row:
    """A request and what it must get.

    Attributes:
        name: which deviation it has; rows of one name get the same answer, but for the subject.
        start: of the request, up to the number that is put into its query.
        rest: of the request.
        reason: of the refusal, none where it is let in. Lines of many clients at once cannot be told apart in the log, so it stands
            for the answer that belongs to it.
        scope: what the challenge names.
        subject: whose token it is, where it is let in.
    """

    name: str
    start: bytes
    rest: bytes
    reason: str | None = None
    scope: str = ""
    subject: str | None = None

    def request(self, number):
        return b"%b?%d%b" % (self.start, number, self.rest)

    def verify(self, answer):
        """Raises AssertionError for any answer but the right one."""
        if self.reason is not None:
            challenged(answer, reason=self.reason, scope=self.scope)
            return
        assert answer.status == 200
        assert answer.every("www-authenticate") == []
        assert subject_of(answer.json()) == self.subject


def subject_of(body):
    """Who the server says is calling, at a plain route or in a tool."""
    return body["result"]["content"][0]["text"] if "jsonrpc" in body else body["subject"]


def plain(name, authorization, reason=None, *, scope="a", subject=None, path=b"/guarded"):
    """A request to a plain route, with this authorization field or none."""
    field = b"authorization: %b\r\n" % authorization.encode("ascii") if authorization is not None else b""
    return Row(name, b"GET " + path, b" HTTP/1.1\r\nhost: api.example.com\r\n" + field + b"\r\n", reason, scope, subject)


def mcp(name, tool, token, reason=None, *, scope="", subject=None):
    """A tool call."""
    body = _CALL % tool.encode("ascii")
    head = b" HTTP/1.1\r\nhost: api.example.com\r\nauthorization: Bearer %b\r\n" % token.encode("ascii")
    rest = b"%b%bcontent-length: %d\r\n\r\n%b" % (head, _MCP_HEADERS, len(body), body)
    return Row(name, b"POST /mcp", rest, reason, scope, subject)


def good(issuer, subject, **more):
    """A plain request of this caller."""
    return plain("good", "Bearer " + issuer.token(subject=subject, scopes=["a"]), subject=subject, **more)


def good_mcp(issuer, subject, tool):
    """A tool call of this caller."""
    return mcp("good mcp", tool, issuer.token(subject=subject, scopes=["mcp:use"]), subject=subject)


class Rows:
    """What each client asks, one row after another without end: good tokens that nobody sent before, and deviations by turns."""

    def __init__(self, issuer):
        self._issuer = issuer
        self._stranger = SigningKey.generate(issuer.key.alg, issuer.key.kid)
        self._subjects = itertools.count()

    def of_client(self, client, *, in_step=False):
        """Two thirds are fresh good tokens. Every client starts at another deviation, unless all go in step."""
        # Tool calls need much memory while they last; what all clients at once would need could hide a leak afterwards.
        kept = self._kept(f"client-{client}", calls_tools=client % 5 == 0)
        for turn in itertools.count(0 if in_step else client):
            yield kept[turn % len(kept)]
            for _ in range(2):
                yield self._fresh(client)

    def _fresh(self, client):
        return good(self._issuer, f"client-{client}-{next(self._subjects)}")

    def _kept(self, subject, *, calls_tools):
        """The rows that a client repeats: tokens it sent before, and every deviation."""
        issuer = self._issuer
        claims = {"subject": subject, "scopes": ["a"]}
        token = issuer.token(**claims)
        narrow = issuer.token(subject=subject, scopes=["b", "mcp:use"])
        refusals = {
            "expired (exp)": issuer.token(**claims, expires_in=-600),
            "signature": self._stranger.mint(_claims_of(token)),
            "audience (aud)": issuer.token(**claims, audience=RESOURCE + "/other"),
            "unknown_key (kid)": issuer.token(**claims, header={"kid": f"unknown-{subject}"}),
            "malformed": f"{subject}.is.garbage",
        }
        lacks = "insufficient_scope (files:write)"
        tool_calls = [
            mcp("good mcp", "whoami", narrow, subject=subject),
            mcp("missing scope mcp", "write", narrow, lacks, scope="mcp:use files:write"),
        ]
        return [
            *(tool_calls if calls_tools else ()),
            plain("good again", "Bearer " + token, subject=subject),
            plain("missing scope", "Bearer " + narrow, "insufficient_scope (a)"),
            *(plain(reason, "Bearer " + token, reason) for reason, token in refusals.items()),
            plain("signature cut", "Bearer " + token[:-8] + "AAAAAAAA", "signature"),
            plain("no token", None, "missing_credentials"),
            plain("garbage field", "Bearer two words", "malformed_credentials"),
        ]


def _claims_of(token):
    segment = token.split(".")[1]
    return json.loads(urlsafe_b64decode(segment + "=" * (-len(segment) % 4)))


def read_answer(raw_head, body):
    """The answer as the judge takes it."""
    status_line, *lines = raw_head.decode("latin-1").split("\r\n")
    pairs = [line.partition(": ") for line in lines]
    return Answer(
        raw_head + b"\r\n\r\n" + body, int(status_line.split(" ", 2)[1]), [(name, value) for name, _, value in pairs], body
    )
