"""What is fuzzed: each target takes any bytes, and only the documented errors may leave the function it calls."""

import json
import time
from contextlib import suppress

from mcp_oauth2_deps.errors import DocumentError, InvalidRequestError, InvalidTokenError
from mcp_oauth2_deps.mcp.messages import MessageError, read_message, verify_mirrored_headers
from mcp_oauth2_deps.mcp.tool_scopes import ToolScopes
from mcp_oauth2_deps.mcp.uri_patterns import UriPattern
from mcp_oauth2_deps.mcp.uris import read_uri
from mcp_oauth2_deps.protocol.credentials import read_credentials
from mcp_oauth2_deps.protocol.encoding import MAX_TOKEN_VALUES, decode_base64url, parse_json_object
from mcp_oauth2_deps.protocol.issuer_metadata import read_metadata
from mcp_oauth2_deps.protocol.jws import SUPPORTED_ALGORITHMS, UnverifiedHeader, read_header, split_token, verify_signature
from mcp_oauth2_deps.protocol.keys import KeySet, UnusableKeySetError
from mcp_oauth2_deps.protocol.policy import TokenPolicy
from mcp_oauth2_deps.protocol.tokens import unverified_issuer, verify_claims, verify_header, verify_issuer
from mcp_oauth2_deps.testing.keys import SigningKey, base64url

ISSUER, RESOURCE = "https://auth.example.com", "https://api.example.com/mcp"
POLICY = TokenPolicy((ISSUER,), (RESOURCE,), frozenset(SUPPORTED_ALGORITHMS))
KEY = SigningKey.generate("ES256", "k")
KEYS = KeySet.from_document({"keys": [KEY.public_jwk()]}, SUPPORTED_ALGORITHMS)
CLAIMS = {"iss": ISSUER, "aud": RESOURCE, "exp": 4102444800, "sub": "alice", "client_id": "c", "scope": "a b"}
TABLE = ToolScopes(methods={"tools/call": ["m"]}, tools={"a": ["t"]}, resources={"file:///*/secret/*": ["s"]})
HEADER = UnverifiedHeader("ES256", "k", "at+jwt")
CALL = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "a", "arguments": {}}}
READ = {"jsonrpc": "2.0", "id": "x", "method": "resources/read", "params": {"uri": "file:///a/secret/%2e%2e/b"}}
COMPLETE = {"jsonrpc": "2.0", "id": 2, "method": "completion/complete", "params": {"ref": {"type": "ref/prompt", "name": "a"}}}
LISTEN = {
    "jsonrpc": "2.0",
    "id": 3,
    "method": "subscriptions/listen",
    "params": {"notifications": {"resourceSubscriptions": ["file:///x"]}},
}


def fuzz_token(data: bytes) -> None:
    """No bytes make a token but those that were signed for the corpus."""
    with suppress(InvalidTokenError):
        token = split_token(data.decode("latin-1"))
        header = read_header(token.header_segment)
        verify_header(header, POLICY)
        key = KEYS.select(header)
        if key is not None:
            verify_signature(token, key)
            assert data in SIGNED, "forged"


def fuzz_credentials(data: bytes) -> None:
    """The `Authorization` fields of one request, divided by line feeds."""
    with suppress(InvalidRequestError):
        credentials = read_credentials(data.split(b"\n"))
        assert credentials is None or (credentials.token.isascii() and " " not in credentials.token)


def fuzz_header(data: bytes) -> None:
    """The JSON of a header."""
    with suppress(InvalidTokenError):
        header = read_header(base64url(data).encode())
        verify_header(header, POLICY)
        assert header.alg in SUPPORTED_ALGORITHMS


def fuzz_claims(data: bytes) -> None:
    """The JSON of a signed payload."""
    with suppress(ValueError, InvalidTokenError):
        claims = parse_json_object(data, max_values=MAX_TOKEN_VALUES)
        name = unverified_issuer(claims)
        verify_issuer(name, {ISSUER: POLICY}.get(name))
        token, confirmation = verify_claims(claims, HEADER, POLICY, now=1_800_000_000)
        assert claims["iss"] == ISSUER
        assert ("cnf" in claims) == (confirmation is not None)
        assert 1_799_999_970 < token.expires_at < 253402300800


def fuzz_json(data: bytes) -> None:
    """What is read is what another parser reads."""
    with suppress(ValueError):
        value = parse_json_object(data)
        assert value == json.loads(data.decode("utf-8"))


def fuzz_base64url(data: bytes) -> None:
    """One spelling for each value."""
    with suppress(ValueError):
        assert base64url(decode_base64url(data)).encode() == data


def fuzz_key_set(data: bytes) -> None:
    """The JSON of a key set."""
    with suppress(ValueError, UnusableKeySetError):
        document = parse_json_object(data)
        assert len(KeySet.from_document(document, SUPPORTED_ALGORITHMS)) > 0


def fuzz_metadata(data: bytes) -> None:
    """The JSON of an issuer's metadata."""
    with suppress(ValueError, DocumentError):
        document = parse_json_object(data)
        named = document.get("jwks_uri")
        assert read_metadata(ISSUER, document).jwks_uri == (named if isinstance(named, str) else None)


def fuzz_message(data: bytes) -> None:
    """A body, and behind its last line feed a value of `Mcp-Name`."""
    body, _, name = data.rpartition(b"\n")
    started = time.thread_time()
    with suppress(MessageError):
        message = read_message(body)
        TABLE.needed_for(message)
        verify_mirrored_headers([(b"mcp-name", name)], message)
    assert time.thread_time() - started < 2, "slow"


def fuzz_uri(data: bytes) -> None:
    """A rule or template, and behind its last line feed a URI."""
    written, _, text = data.decode("utf-8", "surrogateescape").rpartition("\n")
    started = time.thread_time()
    uri = read_uri(text)
    with suppress(ValueError):
        rule = UriPattern.of_rule(written)
        assert "*" in written or all(map(rule.fits, read_uri(written).readings)), "a rule that is not for what it says"
        list(map(rule.fits, uri.readings))
    UriPattern.of_template(written).may_serve(uri)
    assert time.thread_time() - started < 2, "slow"


TARGETS = {
    "token": fuzz_token,
    "credentials": fuzz_credentials,
    "header": fuzz_header,
    "claims": fuzz_claims,
    "json": fuzz_json,
    "base64url": fuzz_base64url,
    "key_set": fuzz_key_set,
    "metadata": fuzz_metadata,
    "message": fuzz_message,
    "uri": fuzz_uri,
}
SIGNED = [KEY.mint(claims).encode() for claims in (CLAIMS, {})]
_OBJECTS = [
    CLAIMS,
    {"a": [1, -0.5, 1e9, None, True, "\u00e9\U0001f600\\"]},
    {"": {"": {}}},
    CLAIMS | {"aud": [RESOURCE], "scp": ["a"], "nbf": 0},
]
_KEY_SETS = [{"keys": [SigningKey.generate(alg).public_jwk()]} for alg in ("RS256", "ES256", "ES384", "ES512", "EdDSA")]
_SEEDS = {
    "token": [*SIGNED, b"e30.e30.e30", b".."],
    "credentials": [b"Bearer " + SIGNED[0], b"Bearer a\nBearer b", b"Basic YTpi", b"bearer  a==", b"Bearer a b"],
    "header": [
        {"alg": "ES256", "kid": "k", "typ": "at+jwt"},
        {"alg": "none", "crit": ["b64"], "b64": False},
        {"alg": "dir", "enc": "x"},
    ],
    "claims": [
        *_OBJECTS,
        CLAIMS | {"cnf": {"jkt": "x"}},
        CLAIMS | {"nonce": "x", "at_hash": "x"},
        CLAIMS | {"token_use": "id", "typ": "ID"},
    ],
    "json": _OBJECTS,
    "base64url": [b"", b"AA", b"AAA", b"AAAA", b"-_-_", b"AB", b"AA=="],
    "key_set": [
        *_KEY_SETS,
        {"keys": [key for document in _KEY_SETS for key in document["keys"]]},
        {"keys": [{"kty": "oct", "k": "AA"}]},
    ],
    "metadata": [
        {"issuer": ISSUER, "jwks_uri": f"{ISSUER}/jwks", "token_endpoint": "x", "grant_types_supported": ["refresh_token"]}
    ],
    "message": [
        json.dumps(message).encode() + b"\n" + name
        for message in (CALL, READ, COMPLETE, LISTEN)
        for name in (b"a", b"=?base64?YQ==?=")
    ],
    "uri": [
        f"{written}\n{uri}".encode()
        for written in ("file:///*/secret/*", "HTTPS://b\u00fccher.example:443/a/../b?y=1&x=2", "d://{a}-{b}/{c*}{?q}")
        for uri in ("file:///a/%2e%2e/secret/x", "https://xn--bcher-kva.example/b?x=2&y=1#f", "d://1-2/%252F")
    ],
}


def seeds(name: str) -> list[bytes]:
    """The seed corpus of a target."""
    return [seed if isinstance(seed, bytes) else json.dumps(seed).encode() for seed in _SEEDS[name]]
