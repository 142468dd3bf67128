"""Laws of `protocol/` over all inputs: one reading or a refusal of a known class, and never another exception."""

import base64
import json
import math
import re
from urllib.parse import urlsplit

from hypothesis import assume, given
from hypothesis import strategies as st
from rfc9110 import parse_challenge
from strategies import CLAIMS, FIELDS, HEADERS, ISSUER, JSON, NEAR, RESOURCE, SEGMENTS, TEXT, some_of

from mcp_oauth2_deps.errors import (
    DocumentError,
    InsufficientScopeError,
    InvalidRequestError,
    InvalidTokenError,
    IssuerUnavailableError,
    MissingCredentialsError,
)
from mcp_oauth2_deps.events import Explanation, Refused
from mcp_oauth2_deps.instrumentation.logging import facts_line, refusal_facts
from mcp_oauth2_deps.mcp.messages import MessageError, is_json_content_type, read_message, verify_mirrored_headers
from mcp_oauth2_deps.mcp.tool_scopes import ToolScopes
from mcp_oauth2_deps.protocol.challenges import challenge_for, header_fields
from mcp_oauth2_deps.protocol.credentials import read_credentials
from mcp_oauth2_deps.protocol.encoding import decode_base64url, parse_json_object
from mcp_oauth2_deps.protocol.issuer_metadata import read_metadata
from mcp_oauth2_deps.protocol.issuer_templates import IssuerTemplate, is_tenant
from mcp_oauth2_deps.protocol.jws import SUPPORTED_ALGORITHMS, UnverifiedHeader, read_header, split_token
from mcp_oauth2_deps.protocol.keys import KeySet, UnusableKeySetError
from mcp_oauth2_deps.protocol.policy import TokenPolicy
from mcp_oauth2_deps.protocol.scopes import ScopeRequirement, is_scope_token, missing_scopes, read_scopes, transitive_hierarchy
from mcp_oauth2_deps.protocol.tokens import unverified_issuer, verify_claims, verify_header, verify_issuer
from mcp_oauth2_deps.testing.keys import base64url

POLICY = TokenPolicy((ISSUER,), (RESOURCE,), frozenset(SUPPORTED_ALGORITHMS))
METADATA_URL = RESOURCE + "/metadata"
NOW = 1_800_000_000.0
HEADER = UnverifiedHeader("ES256", "k", "at+jwt")


def refuses(error, function, *args, **more):
    """The result, or nothing when it is refused by this class; any other exception is a failure."""
    try:
        return function(*args, **more)
    except error:
        return None


def judge(claims, header=HEADER, policy=POLICY):
    """What becomes of these claims, once their signature holds."""
    name = unverified_issuer(claims)
    token, confirmation = verify_claims(claims, header, verify_issuer(name, {ISSUER: policy}.get(name)), now=NOW)
    assert (confirmation is not None) == ("cnf" in claims)
    return token


# RFC 7515 section 2 and RFC 8259.


@given(st.binary(max_size=64) | SEGMENTS)
def test_base64url_has_one_spelling(segment):
    decoded = refuses(ValueError, decode_base64url, segment)
    if decoded is not None:
        assert base64url(decoded).encode() == segment


@given(st.binary(max_size=64))
def test_base64url_reads_back_all_bytes(data):
    assert decode_base64url(base64url(data).encode()) == data


def unique(pairs):
    if len(dict(pairs)) != len(pairs):
        raise ValueError("twice")
    return dict(pairs)


def read_plainly(data):
    """What the standard library reads, when every name is there once and every number is one."""

    def refuse(_):
        raise ValueError("no number")

    value = json.loads(data.decode("utf-8"), object_pairs_hook=unique, parse_constant=refuse)
    numbers = [value]
    while numbers:
        one = numbers.pop()
        if isinstance(one, float) and not math.isfinite(one):
            raise ValueError("no number")
        numbers.extend(one.values() if isinstance(one, dict) else one if isinstance(one, list) else ())
    return value


TEXTS = st.dictionaries(TEXT, JSON, max_size=4).map(lambda value: json.dumps(value, ensure_ascii=False).encode())
SPLICED = st.tuples(TEXTS, TEXTS, st.integers(0, 80), st.integers(0, 80)).map(lambda row: row[0][: row[2]] + row[1][row[3] :])


@given(st.binary(max_size=64) | TEXTS | SPLICED)
def test_json_is_read_as_another_parser_reads_it_or_not_at_all(data):
    value = refuses(ValueError, parse_json_object, data)
    if value is not None:
        assert value == read_plainly(data)


# Few names, so that they repeat, of characters that a reader could stumble over; each is written as it is or escaped.
NAMES = st.text(st.sampled_from('a":\\\\,{}\u00e9'), max_size=2)
SPELT = st.tuples(NAMES, st.booleans()).map(lambda row: (row[0], json.dumps(row[0], ensure_ascii=row[1])))
SPELT |= NAMES.map(lambda name: (name, '"' + "".join(f"\\u{ord(character):04x}" for character in name) + '"'))
SPACES = st.sampled_from(["", "", " ", "\t", "\r\n"])
LEAVES = st.sampled_from(
    ["0", "-0.0", "1e9", "1.5", "18446744073709551616", "null", "true", '""', '":"', '"\\\\"', "[]", "[1, {}]"]
)


def written(members):
    """The text of an object with these members, and whether no name in it, at any depth, is there twice."""
    pieces = [f"{name}{space}:{space}{text}" for (_, name), (text, _), space in members]
    names = [name for (name, _), _, _ in members]
    return "{" + ",".join(pieces) + "}", len(names) == len(set(names)) and all(once for _, (_, once), _ in members)


def listed(members):
    return "[" + ", ".join(text for text, _ in members) + "]", all(once for _, once in members)


OBJECTS = st.recursive(
    LEAVES.map(lambda text: (text, True)),
    lambda inner: st.lists(st.tuples(SPELT, inner, SPACES), max_size=3).map(written) | st.lists(inner, max_size=3).map(listed),
    max_leaves=8,
)


@given(st.lists(st.tuples(SPELT, OBJECTS, SPACES), max_size=4).map(written))
def test_an_object_is_read_exactly_when_each_name_is_there_once(row):
    text, once = row
    value = refuses(ValueError, parse_json_object, text.encode())
    assert (value is not None) == once
    if once:
        assert value == json.loads(text)


@given(st.dictionaries(TEXT, st.integers(-(2**60), 2**60) | st.booleans() | TEXT | st.none(), max_size=5), st.integers(0, 4))
def test_plain_json_is_always_read(value, indent):
    assert parse_json_object(json.dumps(value, indent=indent).encode()) == value


# RFC 6750 section 2.1.


@given(st.lists(FIELDS | st.binary(max_size=40), max_size=3))
def test_credentials_are_one_token_or_none_or_refused(fields):
    credentials = refuses(InvalidRequestError, read_credentials, fields)
    if credentials is not None:
        assert len(fields) == 1
        assert re.fullmatch(r"[A-Za-z0-9\-._~+/]+=*", credentials.token)
        assert credentials.token.encode() in fields[0]
        assert credentials.token not in repr(credentials)


@given(st.text(max_size=60) | st.lists(SEGMENTS, min_size=1, max_size=5).map(lambda parts: b".".join(parts).decode("latin-1")))
def test_a_token_is_split_or_malformed(text):
    token = refuses(InvalidTokenError, split_token, text)
    if token is not None:
        assert text == f"{token.signing_input.decode()}.{base64url(token.signature)}"
        assert text.split(".")[1] == base64url(token.payload)
        assert all(piece not in repr(token) for piece in text.split(".") if len(piece) > 8)


@given(SEGMENTS | HEADERS.map(lambda header: base64url(json.dumps(header).encode()).encode()) | st.binary(max_size=40))
def test_a_header_that_passes_has_an_allowed_algorithm_type_and_nothing_critical(segment):
    header = refuses(InvalidTokenError, read_header, segment)
    if header is None or refuses(InvalidTokenError, lambda: [verify_header(header, POLICY)]) is None:
        return
    members = json.loads(base64.urlsafe_b64decode(segment + b"=="))
    assert members["alg"] in SUPPORTED_ALGORITHMS
    assert members.get("typ", "JWT").lower() in {"jwt", "at+jwt", "application/at+jwt"}
    assert members.keys().isdisjoint({"crit", "b64", "enc"})
    assert header == UnverifiedHeader(members["alg"], members.get("kid"), members.get("typ"))


# RFC 9068 section 4: what is let in has been asked for everything.


def is_number(value):
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def judge_accepted(claims, token, typ):
    """An account of the rules apart from the one of the package; every accepted claim set fulfils it."""
    assert claims["iss"] == ISSUER == token.issuer
    audiences = [claims["aud"]] if isinstance(claims["aud"], str) else claims["aud"]
    assert {audience.removesuffix("/") for audience in audiences} & {RESOURCE}
    assert is_number(claims["exp"])
    assert NOW - 30 < claims["exp"] < 253402300800
    for name in ("nbf", "iat"):
        assert is_number(claims.get(name, 0))
        assert claims.get(name, 0) <= NOW + 30
    assert claims.keys().isdisjoint({"at_hash", "c_hash", "events"})
    assert claims.get("token_use", "access") == "access"
    assert all(isinstance(claims.get(name, ""), str) for name in ("sub", "jti", "client_id", "azp"))
    if "nonce" in claims:
        assert typ == "at+jwt" or claims.keys() & {"client_id", "scope", "scp"} or claims.get("typ") == "Bearer"
    granted = claims.get("scope", claims.get("scp", ""))
    assert token.scopes == set(granted.split(" ") if isinstance(granted, str) else granted) - {""}
    assert token.subject == (claims.get("sub") or None)


GOOD = {"iss": ISSUER, "aud": RESOURCE, "exp": NOW + 60, "sub": "alice", "scope": "a", "client_id": "c"}


@given(CLAIMS, st.sets(st.sampled_from(sorted(GOOD)), max_size=2), st.sampled_from(["at+jwt", "JWT", None]), st.booleans())
def test_what_is_accepted_fulfils_every_rule(changes, missing, typ, strict):
    claims = {name: value for name, value in (GOOD | changes).items() if name not in missing or name in changes}
    assume(not any(isinstance(value, float) and math.isnan(value) for value in claims.values()))
    policy = TokenPolicy((ISSUER,), (RESOURCE,), frozenset({"ES256"}), strict_at_jwt=strict)
    token = refuses(InvalidTokenError, judge, claims, UnverifiedHeader("ES256", "k", typ), policy)
    if token is not None:
        judge_accepted(claims, token, typ)
        if strict:
            assert all(claims.get(name) not in (None, "") for name in ("iss", "exp", "aud", "sub", "client_id", "iat", "jti"))


@given(st.dictionaries(TEXT, JSON, max_size=4))
def test_claims_of_other_names_change_nothing(others):
    assume(
        others.keys().isdisjoint(
            {"cnf", "nbf", "iat", "jti", "azp", "scp", "typ", "nonce", "events", "at_hash", "c_hash", "token_use"}
        )
    )
    token = judge(others | GOOD)
    assert (token.subject, token.scopes) == ("alice", {"a"})


@given(NEAR, NEAR)
def test_any_audience_and_issuer_is_refused_or_ours(issuer, audience):
    claims = GOOD | {"iss": issuer, "aud": audience}
    token = refuses(InvalidTokenError, judge, claims)
    assert (token is not None) == (
        issuer == ISSUER
        and (audience == RESOURCE or (isinstance(audience, list) and RESOURCE in audience and set(map(type, audience)) == {str}))
    )


# RFC 6749 section 3.3.

SCOPES = st.sets(st.sampled_from(["a", "b", "c", "admin", "A", "a b"]), max_size=4)


@given(NEAR | TEXT, NEAR | st.lists(TEXT))
def test_scopes_are_a_set_of_texts_or_the_claim_is_refused(scope, scp):
    granted = refuses(InvalidTokenError, read_scopes, {"scope": scope, "scp": scp}, ("scope", "scp"))
    if granted is not None:
        assert granted == set(scope.split(" ") if isinstance(scope, str) else scope) - {""}


@given(SCOPES, SCOPES, SCOPES, st.booleans())
def test_a_grant_suffices_exactly_when_it_holds_or_implies_all_and_one_of_the_alternatives(needed, one_of, granted, implies):
    hierarchy = transitive_hierarchy({"admin": ["a"], "a": ["b"]} if implies else {})
    held = set(granted)
    if implies and "admin" in held:
        held.add("a")
    if implies and "a" in held:
        held.add("b")
    requirement = ScopeRequirement(tuple(needed), (tuple(one_of),) if one_of else ())
    enough = needed <= held and (not one_of or bool(one_of & held))
    assert (missing_scopes(requirement, frozenset(granted), hierarchy) == ()) == enough


@given(TEXT)
def test_a_scope_token_can_stand_in_a_challenge(text):
    if is_scope_token(text):
        assert all("\x21" <= letter <= "\x7e" and letter not in '"\\' for letter in text)


# RFC 7517 and RFC 8414.

JWKS = st.lists(
    some_of(*("kty", "crv", "n", "e", "x", "y", "d", "k", "use", "key_ops", "alg", "kid", "oth"),
            values=NEAR | st.sampled_from(["RSA", "EC", "OKP", "oct", "P-256", "P-384", "Ed25519", "AQAB", "sig", "enc", "A" * 43, "_" * 342, ["verify"]]))
    | JSON,
    max_size=4,
)  # fmt: skip
GOOD_JWK = {"kty": "OKP", "crv": "Ed25519", "kid": "good", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}


@given(JWKS, st.booleans())
def test_a_key_set_is_read_or_unusable_and_a_bad_key_never_hides_a_good_one(keys, good):
    document = {"keys": [*keys, *([GOOD_JWK] if good else [])]}
    key_set = refuses(UnusableKeySetError, KeySet.from_document, document, SUPPORTED_ALGORITHMS)
    if good:
        assert "good" in key_set.key_ids
        assert len(key_set.skipped) <= len(keys)
    for text in key_set.skipped if key_set else ():
        assert text.isascii()


@given(st.dictionaries(st.sampled_from(["keys", "Keys"]) | TEXT, NEAR, max_size=3))
def test_any_document_is_a_key_set_or_unusable(document):
    key_set = refuses(UnusableKeySetError, KeySet.from_document, document, SUPPORTED_ALGORITHMS)
    assert key_set is None or len(key_set) > 0


@given(some_of("issuer", "jwks_uri", "authorization_endpoint", "token_endpoint", "grant_types_supported"))
def test_metadata_speaks_for_exactly_its_issuer_or_is_refused(document):
    metadata = refuses(DocumentError, read_metadata, ISSUER, document)
    assert (metadata is not None) == (document.get("issuer") == ISSUER)
    # Without a place of keys it serves opaque tokens only: the key store refuses an issuer that names none.
    named = document.get("jwks_uri")
    assert metadata is None or metadata.jwks_uri == (named if isinstance(named, str) else None)


# JSON-RPC 2.0 section 4.

MESSAGES = some_of("jsonrpc", "id", "method", "params", "result", "error")
METHODS = st.sampled_from(
    ["tools/call", "prompts/get", "resources/read", "completion/complete", "subscriptions/listen", "ping", "x"]
)
CALLS = st.builds(
    lambda method, params, more: {"jsonrpc": "2.0", "id": 1, "method": method, "params": params} | more,
    METHODS,
    some_of("name", "uri", "ref", "notifications", values=NEAR | some_of("type", "name", "uri", "resourceSubscriptions")),
    some_of("id", "jsonrpc", "params").map(lambda more: dict(list(more.items())[:1])),
)
BODIES = (MESSAGES | CALLS).map(lambda message: json.dumps(message).encode())


@given(st.binary(max_size=60) | BODIES | SPLICED)
def test_a_body_is_one_message_read_as_another_parser_reads_it_or_refused(body):
    message = refuses(MessageError, read_message, body)
    if message is not None:
        members = read_plainly(body)
        assert members["jsonrpc"] == "2.0"
        assert message.method == members.get("method")
        assert message.message_id == members.get("id")
        if message.method in ("tools/call", "prompts/get"):
            assert message.names == (members["params"]["name"],)
        if message.method == "resources/read":
            assert message.names == (members["params"]["uri"],)


@given(
    CALLS,
    st.lists(
        st.tuples(st.sampled_from([b"mcp-method", b"mcp-name", b"x"]), st.binary(max_size=20) | METHODS.map(str.encode)),
        max_size=3,
    ),
)
def test_mirrored_headers_say_what_the_body_says_or_are_refused(call, headers):
    message = refuses(MessageError, read_message, json.dumps(call).encode())
    if message is not None and refuses(MessageError, lambda: [verify_mirrored_headers(headers, message)]) is not None:
        assert [value.decode().strip() for name, value in headers if name == b"mcp-method"] in ([], [message.method])
        assert sum(name == b"mcp-name" for name, _ in headers) <= 1


@given(st.text(max_size=40))
def test_a_content_type_is_judged_without_an_exception(value):
    assert not is_json_content_type(value) or value.strip().lower().startswith("application/json")


@given(CALLS, st.sampled_from([None, "deny", "method"]))
def test_what_a_message_needs_is_never_less_than_what_its_method_needs(call, default):
    table = ToolScopes(methods={"tools/call": ["m"]}, tools={"a": ["t"], "a b": []}, default=default)
    message = refuses(MessageError, read_message, json.dumps(call).encode())
    if message is not None and message.method == "tools/call":
        needed = table.needed_for(message)
        names = () if needed is None else needed.names()
        assert needed is None or ("m" in names and ("t" in names or message.names != ("a",)))


# RFC 9110 section 11.6.1.

SCOPE_TOKENS = st.lists(st.sampled_from(["a", "files:read", "!#$%&'()*+,-./:;<=>?@[]^_`{|}~", "offline_access"]), max_size=3)
ERRORS = st.one_of(
    st.just(MissingCredentialsError()),
    st.builds(InvalidRequestError, TEXT),
    st.builds(InvalidTokenError, TEXT | st.just("expired"), claim=TEXT, found=TEXT),
    st.builds(
        InsufficientScopeError, required=SCOPE_TOKENS.map(tuple), granted=st.frozensets(TEXT), missing=st.just(("missing",))
    ),
)
CANARY = "c4nary"


@given(ERRORS, SCOPE_TOKENS)
def test_a_challenge_parses_and_holds_nothing_of_the_caller(error, scopes):
    for name in ("found", "claim", "issuer", "key_id", "subject", "client_id"):
        if isinstance(error, InvalidTokenError):
            setattr(error, name, f'{getattr(error, name)}{CANARY}"\r\n, x="')
    if isinstance(error, InsufficientScopeError):
        error.granted |= {CANARY}
    challenge = challenge_for(error, resource_metadata=METADATA_URL, scopes=scopes, known_scopes={"a"})
    scheme, parameters = parse_challenge(header_fields(challenge)["WWW-Authenticate"])
    assert scheme == "Bearer"
    assert parameters.keys() <= {"error", "error_description", "resource_metadata", "scope"}
    assert parameters["resource_metadata"] == METADATA_URL
    assert set(parameters.get("scope", "").split()) >= set(scopes) - {"offline_access"}
    assert "offline_access" not in parameters.get("scope", "").split()
    assert CANARY not in str(challenge)


@given(TEXT, TEXT, st.integers(1, 10**6))
def test_an_outage_is_said_without_its_cause(issuer, cause, retry_after):
    challenge = challenge_for(
        IssuerUnavailableError(issuer + CANARY, cause + CANARY, retry_after=retry_after), resource_metadata=METADATA_URL
    )
    assert header_fields(challenge) == {"Retry-After": str(retry_after)}
    assert CANARY not in str(challenge)


@given(ERRORS, st.text(max_size=300))
def test_a_line_of_the_log_is_one_short_printable_line(error, text):
    for name in ("issuer", "key_id", "subject", "client_id"):
        setattr(error, name, text)
    line = facts_line(refusal_facts(Refused(401, error, None, text, Explanation(text, text))))
    assert line.isascii()
    assert line.isprintable()
    assert len(line) < 20_000


@given(
    st.text(max_size=20) | st.from_regex(r"[A-Za-z0-9._/-]{0,20}", fullmatch=True),
    st.sampled_from(["{tenant}/v2", "x-{tenant}", "{tenant}"]),
)
def test_whatever_stands_for_a_tenant_is_within_one_part_of_the_path(text, form):
    template = IssuerTemplate(f"https://login.example.com/{form}")
    issuer = template.issuer_of(text)
    found = template.tenant_of(issuer)
    assert found in {None, text}
    assert (found == text) is is_tenant(text)
    if found is not None:
        parts = urlsplit(issuer)
        assert (parts.netloc, parts.query, parts.fragment) == ("login.example.com", "", "")
        assert len(parts.path.split("/")) == form.count("/") + 2
        assert not {".", ".."} & set(parts.path.split("/"))


@given(st.text(max_size=40))
def test_a_text_that_is_no_filled_template_has_no_tenant(text):
    template = IssuerTemplate("https://{tenant}.example.com/{tenant}")
    tenant = template.tenant_of(text)
    assert tenant is None or template.issuer_of(tenant) == text
