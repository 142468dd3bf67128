"""Opaque tokens from the authenticator to a real authorization server on a socket, whose answers a test decides."""

import asyncio
import gzip
import json
import threading
import time

import pytest
from asked_issuer import CLIENT_ID, JSON, SECRET, SIGNED, AskedIssuer

from mcp_oauth2_deps import Authenticator, IssuerPolicy, OAuth2Settings
from mcp_oauth2_deps.errors import InvalidTokenError, IssuerUnavailableError
from mcp_oauth2_deps.models import Presented
from mcp_oauth2_deps.testing import SigningKey

RESOURCE = "https://api.example.com/mcp"
LOGGER = "mcp_oauth2_deps.stores.introspection"


class Clock:
    """Seconds that a test lets pass, for both clocks."""

    def __init__(self):
        self.more = 0.0

    def wall(self):
        return time.time() + self.more

    def steady(self):
        return 1000 + self.more


@pytest.fixture
def server():
    with AskedIssuer(RESOURCE).serve() as server:
        server.answers["good"] = server.good()
        yield server


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
async def make(server, clock):
    made = []

    def make(**settings):
        settings = {
            "issuer": server.url,
            "resource": RESOURCE,
            "allow_insecure_http": True,
            "introspection": "opaque",
            "client_id": CLIENT_ID,
            "client_secret": SECRET,
            "http_timeout": 2,
        } | settings
        authenticator = Authenticator(OAuth2Settings(**settings), wall_clock=clock.wall, clock=clock.steady)
        made.append(authenticator)
        return authenticator

    yield make
    for authenticator in made:
        await authenticator.aclose()


@pytest.fixture
def authenticator(make):
    return make()


async def refused(authenticator, token, **how):
    with pytest.raises(InvalidTokenError) as caught:
        await authenticator.authenticate(Presented(token), **how)
    return caught.value


async def unavailable(authenticator, token, **how):
    with pytest.raises(IssuerUnavailableError) as caught:
        await authenticator.authenticate(Presented(token), **how)
    return caught.value


# What is asked, and how.


async def test_an_opaque_token_becomes_what_the_issuer_says_of_it(authenticator, server):
    token = await authenticator.verify("good")
    assert (token.subject, token.client_id, token.issuer, token.scopes) == ("alice", "client", server.url, {"a"})
    assert token.audience == (RESOURCE,)
    assert server.forms == [{"token": ["good"], "token_type_hint": ["access_token"]}]


@pytest.mark.parametrize("token", ["a%b", "a+b==", "a~b/c.d_e-", "x." * 4 + "y", "AAAA.BBBB.CCCC"])
async def test_a_token_arrives_as_it_was_sent(authenticator, server, token):
    server.answers[token] = server.good()
    if "%" in token:
        assert (await refused(authenticator, token)).reason == "malformed"
        assert server.forms == []
    else:
        assert (await authenticator.verify(token)).subject == "alice"


async def test_a_jwt_is_never_shown_to_the_issuer(authenticator, server):
    claims = {"iss": server.url, "aud": RESOURCE, "exp": time.time() + 60, "sub": "bob"}
    good = server.key.mint(claims)
    assert (await authenticator.verify(good)).subject == "bob"
    for bad in (good[:-4], good + "=", good.replace(".", ".=", 1), server.key.mint(claims | {"exp": 1}), good + ".x"):
        server.answers[bad] = server.good()
        await refused(authenticator, bad)
    assert server.forms == []


async def test_an_encrypted_token_is_the_issuers_to_read(authenticator, make, server):
    jwe = "eyJhbGciOiJkaXIiLCJlbmMiOiJBMTI4R0NNIn0..AAAA.AAAA.AAAA"
    server.answers[jwe] = server.good()
    assert (await authenticator.verify(jwe)).subject == "alice"
    off = make(introspection="off")
    assert (await refused(off, jwe)).reason == "encrypted"
    assert (await refused(off, "good")).reason == "opaque"
    assert len(server.forms) == 1


async def connections_for(questions, authenticator, server):
    """How many connections so many questions take, each about another unknown token."""
    await authenticator.start()
    before = server.connections
    for number in range(questions):
        assert (await refused(authenticator, f"unknown{number}")).reason == "inactive"
    return server.connections - before


async def test_connections_are_kept(authenticator, server):
    assert await connections_for(20, authenticator, server) <= 1


async def test_a_kept_connection_that_was_closed_meanwhile_is_no_outage(authenticator, server):
    body = json.dumps(server.good()).encode()
    # It does not say that it closes.
    closing = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body) + body
    server.answers |= {f"t{number}": closing for number in range(5)}
    for number in range(5):
        assert (await authenticator.verify(f"t{number}")).subject == "alice"


async def test_the_secret_goes_into_the_form_where_the_issuer_knows_nothing_else(make, server):
    server.methods = ["client_secret_post", "private_key_jwt"]
    assert (await make().verify("good")).subject == "alice"
    assert server.forms[0]["client_secret"] == [SECRET]


async def test_a_key_file_signs_for_each_question_anew(make, server, tmp_path, signing_pem):
    (tmp_path / "key.pem").write_text(signing_pem, "utf-8")
    authenticator = make(client_secret=None, client_key_file=tmp_path / "key.pem")
    assert (await authenticator.verify("good")).subject == "alice"
    await refused(authenticator, "unknown")
    first, second = (form["client_assertion"][0] for form in server.forms)
    assert first != second
    assert "client_secret" not in server.forms[0]


@pytest.fixture
def signing_pem():
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    return ec.generate_private_key(ec.SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


# What is remembered.


async def test_two_hundred_who_come_at_once_with_one_token_make_one_call(authenticator, server):
    server.gate = threading.Event()
    waiting = [asyncio.create_task(authenticator.verify("good")) for _ in range(200)]
    await asyncio.to_thread(server.asked.wait, 10)
    waiting[0].cancel()
    server.gate.set()
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert isinstance(outcomes[0], asyncio.CancelledError)
    assert {token.subject for token in outcomes[1:]} == {"alice"}
    assert len(server.forms) == 1


async def test_a_good_answer_is_remembered_for_its_time_and_no_longer(authenticator, server, clock):
    first = await authenticator.verify("good")
    clock.more = 9.9
    assert await authenticator.verify("good") is first
    server.answers["good"] = {"active": False}
    assert await authenticator.verify("good") is first
    clock.more = 10
    assert (await refused(authenticator, "good")).reason == "inactive"


async def test_an_answer_is_not_remembered_beyond_exp(authenticator, server, clock):
    server.answers["good"] = server.good(exp=int(clock.wall()) + 3)
    await authenticator.verify("good")
    clock.more = 3.1
    await authenticator.verify("good")
    assert len(server.forms) == 2, "within the leeway it is good, but asked about each time"
    await authenticator.verify("good")
    assert len(server.forms) == 3
    clock.more = 40
    assert (await refused(authenticator, "good")).reason == "expired"


async def test_live_asks_at_once_and_takes_the_token_out_of_memory(authenticator, server):
    await authenticator.verify("good")
    server.answers["good"] = {"active": False}
    assert (await authenticator.verify("good")).subject == "alice"
    assert (await refused(authenticator, "good", live=True)).reason == "inactive"
    assert (await refused(authenticator, "good")).reason == "inactive"
    assert len(server.forms) == 2


async def test_a_refusal_is_remembered_for_five_seconds(authenticator, server, clock):
    await refused(authenticator, "unknown")
    server.answers["unknown"] = server.good()
    await refused(authenticator, "unknown")
    assert len(server.forms) == 1
    clock.more = 5.1
    assert (await authenticator.verify("unknown")).subject == "alice"


async def test_a_thousand_guesses_do_not_push_a_good_token_out(make, server):
    authenticator = make(token_cache_size=4, http_timeout=60)
    await authenticator.verify("good")
    outcomes = await asyncio.gather(*(refused(authenticator, f"guess{number}") for number in range(1_000)))
    assert {error.reason for error in outcomes} == {"inactive"}
    await authenticator.verify("good")
    assert server.asked_about("good") == 1
    assert server.most_at_once <= 16


async def test_of_a_token_that_becomes_valid_later_nothing_is_remembered(authenticator, server, clock):
    server.answers["early"] = server.good(nbf=int(clock.wall()) + 60)
    assert (await refused(authenticator, "early")).reason == "not_yet_valid"
    clock.more = 31
    assert (await authenticator.verify("early")).subject == "alice"


async def test_no_token_is_kept_in_memory_or_in_an_error(authenticator, server):
    error = await refused(authenticator, "secret-token")
    assert "secret-token" not in f"{error} {error!r} {vars(error)}"
    store = authenticator._asked[0].introspection
    assert "secret-token" not in repr(list(store._refusals.items()))


# What the token must be.

FOREIGN = {
    "of another resource": ({"aud": "https://other.example.com"}, "audience (aud)"),
    "of another issuer": ({"iss": "https://other.example.com"}, "issuer (iss)"),
    "without an audience": ({"aud": ...}, "audience_missing (aud)"),
    "a refresh token": ({"token_type": "refresh_token"}, "type (token_type)"),
    "a refresh token without a type": ({"token_type": ..., "aud": ...}, "audience_missing (aud)"),
    "an ID token": ({"aud": "client", "azp": "client", "nonce": "x"}, "audience (aud)"),
    "bound to a key, and called DPoP": ({"cnf": {"jkt": "x"}, "token_type": "DPoP"}, "binding (cnf)"),
    "expired": ({"exp": 1}, "expired (exp)"),
}


@pytest.mark.parametrize(("change", "reason"), FOREIGN.values(), ids=list(FOREIGN))
async def test_an_active_token_that_is_not_for_us_is_refused_by_the_rules_for_jwts(authenticator, server, change, reason):
    server.answers["foreign"] = server.good(**change)
    error = await refused(authenticator, "foreign")
    assert (str(error), error.issuer) == (reason, server.url)
    assert str(await refused(authenticator, "foreign")) == reason
    # What the caller lacks is asked of each caller anew, and what the token lacks is remembered.
    assert len(server.forms) == (2 if reason == "binding (cnf)" else 1)


# What is wrong with an answer is the issuer's fault, never the caller's.


def response(head, body=b""):
    return b"HTTP/1.1 " + head.replace("\n", "\r\n").encode() + b"\r\n\r\n" + body


TEN_MEGABYTES = b" " * (10 * 1024 * 1024)
BROKEN = {
    "HTML": (200, "text/html", "<p>active"),
    "active is a text": {"active": "true"},
    "active is 1": {"active": 1},
    "active is null": {"active": None},
    "no active": {"sub": "alice"},
    "active twice": (200, JSON, '{"active": false, "active": true}'),
    "a list": (200, JSON, '[{"active": true}]'),
    "two objects": (200, JSON, '{"active": true}{"active": true}'),
    "NaN": (200, JSON, '{"active": true, "exp": NaN}'),
    "not found": 404,
    "wrong method": 405,
    "server error": 500,
    "nothing in it": (200, JSON, ""),
    "no content": 204,
    "a redirect": response("302 Found\nlocation: https://evil.example.com/\ncontent-length: 0"),
    "half a body": response("200 OK\ncontent-type: application/json\ncontent-length: 999", b'{"active": true'),
    "ten megabytes": (200, JSON, TEN_MEGABYTES),
    "a bomb": response("200 OK\ncontent-type: application/json\ncontent-encoding: gzip", gzip.compress(TEN_MEGABYTES)),
    "another coding": response("200 OK\ncontent-type: application/json\ncontent-encoding: br\ncontent-length: 2", b"{}"),
    "signed, though nobody asked": (200, SIGNED, "a.b.c"),
}


@pytest.mark.parametrize("answer", BROKEN.values(), ids=list(BROKEN))
async def test_an_answer_that_is_none_is_the_issuers_fault(authenticator, server, caplog, answer):
    server.answers["token"] = answer
    error = await unavailable(authenticator, "token")
    assert error.retry_after >= 1
    assert [record.levelname for record in caplog.records if record.name == LOGGER] == ["WARNING"]
    assert (await authenticator.verify("good")).subject == "alice", "other tokens are not touched"


async def test_a_slow_drip_does_not_stretch_the_deadline(make, server):
    authenticator = make(http_timeout=0.3)
    server.answers["token"] = lambda: time.sleep(2) or server.good()
    before = time.monotonic()
    await unavailable(authenticator, "token")
    assert time.monotonic() - before < 1.5


async def test_a_400_is_the_tokens_fault_and_shuts_nothing(make, server):
    authenticator = make(http_timeout=60)
    server.answers |= {f"odd{number}": 400 for number in range(1_000)}
    outcomes = await asyncio.gather(*(refused(authenticator, f"odd{number}") for number in range(1_000)))
    assert {error.reason for error in outcomes} == {"malformed"}
    assert (await authenticator.verify("good")).subject == "alice"


@pytest.mark.parametrize(
    "answer", [401, 403, (400, JSON, '{"error":"invalid_client"}'), (400, JSON, '{"error":"unauthorized_client"}')], ids=str
)
async def test_who_refuses_our_credentials_is_not_asked_again_for_the_cooldown(authenticator, server, clock, caplog, answer):
    server.answers["token"] = answer
    error = await unavailable(authenticator, "token")
    assert error.retry_after == 30
    (record,) = [record for record in caplog.records if record.name == LOGGER]
    assert record.levelname == "ERROR"
    assert "client_id" in record.getMessage()
    assert SECRET not in caplog.text
    server.answers["token"] = server.good()
    await unavailable(authenticator, "token")
    await unavailable(authenticator, "good")
    assert len(server.forms) == 1
    clock.more = 31
    assert (await authenticator.verify("token")).subject == "alice"


@pytest.mark.parametrize("error", [["invalid_client"], None, "invalid_request"], ids=repr)
async def test_another_400_does_not_name_us(authenticator, server, error):
    server.answers["token"] = (400, JSON, json.dumps({"error": error}))
    assert (await refused(authenticator, "token")).reason == "malformed"


@pytest.mark.parametrize(("field", "seconds"), [("17", 17), ("99999", 300), ("soon", 1), ("", 1)])
async def test_an_issuer_that_asks_for_a_pause_gets_it(authenticator, server, clock, field, seconds):
    server.answers["token"] = response(f"429 Too Many Requests\nretry-after: {field}\ncontent-length: 0")
    assert (await unavailable(authenticator, "token")).retry_after == seconds
    assert (await unavailable(authenticator, "good")).retry_after == seconds
    assert len(server.forms) == 1
    clock.more = seconds + 0.1
    assert (await authenticator.verify("good")).subject == "alice"


async def test_a_server_that_is_down_is_probed_once_a_second(authenticator, server, clock):
    await authenticator.verify("good")
    server.answers |= {f"t{number}": 500 for number in range(100)}
    for number in range(20):
        await unavailable(authenticator, f"t{number}")
    assert len(server.forms) == 1 + 5
    assert (await authenticator.verify("good")).subject == "alice", "what is remembered is served"
    clock.more = 1.1
    for number in range(20):
        await unavailable(authenticator, f"t{number}")
    assert len(server.forms) == 1 + 6
    clock.more = 11
    assert (await authenticator.verify("good")).subject == "alice", "one that answers ends it"
    await refused(authenticator, "unknown")
    await refused(authenticator, "another")


async def test_a_good_answer_is_not_stretched_while_the_issuer_is_away(authenticator, server, clock):
    await authenticator.verify("good")
    server.answers["good"] = 500
    clock.more = 10
    await unavailable(authenticator, "good")


# At start.


async def test_at_start_the_issuer_is_asked_about_a_token_that_nobody_made(authenticator, server):
    await authenticator.start()
    assert len(server.forms) == 1


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"client_secret": "wrong"}, "refuses our credentials"),
        ({"introspection_url": "/token"}, "introspection endpoint?"),
        ({"introspection_url": "/active"}, "that nobody made"),
        ({"introspection_url": "/jwks"}, "answers 501"),
    ],
    ids=str,
)
async def test_a_wrong_endpoint_or_secret_stops_the_start_with_the_settings_to_look_at(make, server, settings, says):
    class Any(dict):
        def get(self, token, _):
            return 400 if "introspection endpoint" in says else server.good() if "nobody" in says else 501

    if "introspection_url" in settings:
        server.answers = Any()
        settings = {"introspection_url": server.url + settings["introspection_url"]}
    with pytest.raises(IssuerUnavailableError, match=says) as caught:
        await make(**settings).start()
    for name in ("introspection_url", "client_id", "client_secret"):
        assert name in str(caught.value)


async def test_an_issuer_without_an_endpoint_stops_the_start(make, server):
    server.publishes = {"jwks_uri"}
    with pytest.raises(IssuerUnavailableError, match="names no introspection_endpoint"):
        await make().start()


async def test_where_all_tokens_are_opaque_no_keys_are_needed(make, server):
    server.publishes = set()
    with pytest.raises(IssuerUnavailableError, match="names no jwks_uri"):
        await make(introspection="off").start()
    authenticator = make(introspection_url=server.url + "/introspect")
    await authenticator.start()
    assert (await authenticator.verify("good")).subject == "alice"
    await unavailable(authenticator, server.key.mint({"iss": server.url, "aud": RESOURCE, "exp": time.time() + 60}))


async def test_keys_are_needed_where_jwts_are_asked_about_too(make, server):
    server.publishes = set()
    with pytest.raises(IssuerUnavailableError, match="names no jwks_uri"):
        await make(introspection="always", introspection_url=server.url + "/introspect").start()


# JWTs that are asked about too.


@pytest.fixture
def jwt(server):
    now = time.time()
    claims = {"iss": server.url, "aud": RESOURCE, "exp": now + 60, "sub": "bob", "client_id": "client", "scope": "a b"}
    return server.key.mint(claims)


async def test_always_a_jwt_is_verified_here_and_asked_about(make, server, jwt):
    authenticator = make(introspection="always")
    assert (await refused(authenticator, jwt)).reason == "inactive"
    server.answers["good"] = server.good()
    assert (await authenticator.verify("good")).subject == "alice"


async def test_always_the_scopes_that_the_issuer_names_now_count(make, server, jwt):
    server.answers[jwt] = {"active": True, "scope": "a"}
    token = await make(introspection="always").verify(jwt)
    assert (token.subject, token.scopes) == ("bob", {"a"})


async def test_always_an_answer_about_another_is_refused(make, server, jwt):
    server.answers[jwt] = server.good()
    error = await refused(make(introspection="always"), jwt)
    assert (str(error), error.subject) == ("contradiction (sub)", "bob")


async def test_always_a_jwt_that_is_not_good_is_asked_about_by_nobody(make, server):
    stranger = SigningKey.generate("ES256", server.key.kid)
    claims = {"iss": server.url, "aud": RESOURCE, "exp": time.time() + 60}
    authenticator = make(introspection="always")
    for token, reason in ((stranger.mint(claims), "signature"), (server.key.mint(claims | {"aud": "x"}), "audience")):
        server.answers[token] = {"active": True}
        assert (await refused(authenticator, token)).reason == reason
    assert server.forms == []


async def test_always_a_revoked_jwt_is_refused_after_the_time_of_its_answer(make, server, clock, jwt):
    authenticator = make(introspection="always")
    server.answers[jwt] = {"active": True}
    first = await authenticator.verify(jwt)
    assert await authenticator.verify(jwt) is first
    server.answers[jwt] = {"active": False}
    clock.more = 10
    assert (await refused(authenticator, jwt)).reason == "inactive"


async def test_live_a_jwt_is_asked_about_wherever_the_issuer_can_be_asked(make, server, jwt):
    authenticator = make()
    assert (await authenticator.verify(jwt)).subject == "bob"
    assert (await refused(authenticator, jwt, live=True)).reason == "inactive"
    server.answers[jwt] = {"active": True}
    other = make()
    assert (await other.authenticate(Presented(jwt), live=True)).subject == "bob"
    assert (await refused(make(introspection="off"), jwt, live=True)).reason == "not_asked"


# Signed answers (RFC 9701).


@pytest.fixture
def signed(server, clock, make):
    """An authenticator that takes signed answers only, and a server that signs."""
    server.signed = True
    asked = {"client_id": CLIENT_ID, "client_secret": SECRET, "signed": True}
    policy = IssuerPolicy(issuer=server.url, introspection=asked)
    return make(issuer=None, issuers=[policy], **dict.fromkeys(("introspection", "client_id", "client_secret")))


async def test_a_signed_answer_is_verified_by_the_issuers_keys(signed, server):
    await signed.start()
    assert (await signed.verify("good")).subject == "alice"
    assert (await refused(signed, "unknown")).reason == "inactive"


FORGED = {
    "plain, where a signed one was asked for": lambda server: (200, JSON, json.dumps(server.good())),
    "plain, called signed": lambda server: (200, SIGNED, json.dumps(server.good())),
    "without a signature": lambda server: server.signed_answer(server.good()).rpartition(".")[0] + ".",
    "alg none": lambda server: server.signed_answer(server.good(), header={"alg": "none"}),
    "another key": lambda server: server.signed_answer(server.good(), key=SigningKey.generate("ES256", server.key.kid)),
    "a key that is not published": lambda server: server.signed_answer(server.good(), key=SigningKey.generate("ES256")),
    "an access token of the issuer": lambda server: server.signed_answer(server.good(), header={"typ": "at+jwt"}),
    "without a type": lambda server: server.signed_answer(server.good(), header={"typ": None}),
    "of another issuer": lambda server: server.signed_answer(server.good(), iss="https://other.example.com"),
    "for another client": lambda server: server.signed_answer(server.good(), aud="another"),
    "replayed from a minute ago": lambda server: server.signed_answer(server.good(), iat=int(time.time()) - 60),
    "of the future": lambda server: server.signed_answer(server.good(), iat=int(time.time()) + 60),
    "with the members at the top": lambda server: server.signed_answer(None, **server.good()),
    "members twice": lambda server: server.key.mint({}, {"typ": "token-introspection+jwt"}).replace(
        ".e30.", ".eyJhIjoxLCJhIjoyfQ."
    ),
    "active is a text": lambda server: server.signed_answer(server.good(active="true")),
    "not ASCII": lambda _: "\u00e9.\u00e9.\u00e9",
}


@pytest.mark.parametrize("forge", FORGED.values(), ids=list(FORGED))
async def test_any_other_answer_is_no_answer(signed, server, forge):
    answer = forge(server)
    server.answers["token"] = answer if isinstance(answer, tuple) else (200, SIGNED, answer)
    await unavailable(signed, "token")


async def test_an_answer_about_one_token_counts_for_no_other(signed, server):
    """Nothing in a signed answer says which token it is about, so only the request binds it."""
    answer = server.signed_answer(server.good(subject="alice"))
    server.answers["token"] = (200, SIGNED, answer)
    await signed.verify("token")
    assert (await refused(signed, "another")).reason == "inactive"
    assert (await refused(signed, answer)).reason == "type", "presented as a token it is a JWT, and no access token"


# One connection carries many exchanges; each has limits of its own.


async def test_what_earlier_exchanges_cost_is_not_counted_against_later_ones(authenticator, server, monkeypatch):
    monkeypatch.setattr("mcp_oauth2_deps.stores.metering._MAX_COST", 8 * 1024)
    assert await connections_for(60, authenticator, server) <= 1


async def test_no_cookie_of_an_answer_goes_into_the_next_question(authenticator, server):
    body = json.dumps({"active": False}).encode()
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nset-cookie: session=1\r\ncontent-length: %d\r\n\r\n"
    server.answers["first"] = head % len(body) + body
    await refused(authenticator, "first")
    await refused(authenticator, "second")
    assert "cookie" not in server.fields[-1]


async def test_tokens_are_shown_only_to_the_issuer_whose_prefix_they_have(server, clock, make):
    with AskedIssuer(RESOURCE).serve() as other:
        asked = {"client_id": CLIENT_ID, "client_secret": SECRET}
        policies = [
            IssuerPolicy(issuer=one.url, introspection=asked | {"prefixes": [prefix]})
            for one, prefix in ((server, "a_"), (other, "b_"))
        ]
        authenticator = make(issuer=None, issuers=policies, **dict.fromkeys(("introspection", "client_id", "client_secret")))
        other.answers["b_1"] = other.good()
        assert (await authenticator.verify("b_1")).issuer == other.url
        assert (await refused(authenticator, "a_1")).reason == "inactive"
        assert (await refused(authenticator, "c_1")).reason == "opaque"
        assert [form["token"] for form in server.forms] == [["a_1"]]
        assert [form["token"] for form in other.forms] == [["b_1"]]


async def test_without_a_required_audience_the_operator_is_warned_at_start(server, make, caplog):
    asked = {"client_id": CLIENT_ID, "client_secret": SECRET, "audience_required": False}
    policy = IssuerPolicy(issuer=server.url, introspection=asked)
    authenticator = make(issuer=None, issuers=[policy], **dict.fromkeys(("introspection", "client_id", "client_secret")))
    server.answers["token"] = server.good(aud=...)
    await authenticator.start()
    assert "audience_required" in caplog.text
    assert (await authenticator.verify("token")).audience == ()


async def test_a_known_client_stands_for_an_audience_where_the_type_is_said(server, make):
    authenticator = make(clients="client")
    server.answers |= {"token": server.good(aud=...), "untyped": server.good(aud=..., token_type=...)}
    assert (await authenticator.verify("token")).client_id == "client"
    assert (await refused(authenticator, "untyped")).reason == "type"
