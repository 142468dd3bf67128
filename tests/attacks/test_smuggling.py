"""RFC 6750 section 2, OAuth 2.1 section 5.1, RFC 9110 section 5, RFC 9112: credentials in odd places and odd fields.

Every row goes to both HTTP parsers of uvicorn. Some bytes never reach the package, because the parser refuses them.
"""

import pytest
from attack_support import SERVER, accepted, not_found, refused

NONE_SENT, MALFORMED, SEVERAL = "missing_credentials", "malformed_credentials", "multiple_credentials"
IN = "let in"


def judge(answer, outcome):
    if outcome == IN:
        accepted(answer)
    else:
        refused(answer, reason=outcome)


def auth(value):
    return lambda token: [b"Authorization: " + value.replace(b"TOKEN", token)]


def lines(*texts):
    return lambda token: [text.replace(b"TOKEN", token) for text in texts]


# Outcomes: of both parsers, or of h11 and of httptools.
FIELDS = {
    "RFC 9110 5.3: two fields, both good": (lines(b"Authorization: Bearer TOKEN", b"Authorization: Bearer TOKEN"), SEVERAL),
    "RFC 9110 5.3: two fields, the second empty": (lines(b"Authorization: Bearer TOKEN", b"Authorization:"), SEVERAL),
    "RFC 9110 5.3: two fields, the first empty": (lines(b"Authorization:", b"Authorization: Bearer TOKEN"), SEVERAL),
    "RFC 9110 5.3: two fields, the first Basic": (lines(b"Authorization: Basic YTpi", b"Authorization: Bearer TOKEN"), SEVERAL),
    "RFC 9110 5.3: two fields, the second Basic": (
        lines(b"Authorization: Bearer TOKEN", b"Authorization: Basic YTpi"),
        SEVERAL,
    ),
    "RFC 9110 5.3: two fields in other case": (lines(b"authorization: Bearer TOKEN", b"AUTHORIZATION: Bearer x"), SEVERAL),
    "RFC 9110 5.3: a hundred fields": (lines(*[b"Authorization: Bearer TOKEN"] * 40), SEVERAL),
    "RFC 9110 5.1: a space before the colon": (lines(b"Authorization : Bearer TOKEN"), SERVER),
    "RFC 9110 5.1: a tab before the colon": (lines(b"Authorization\t: Bearer TOKEN"), SERVER),
    "RFC 9112 5.2: folded": (lines(b"Authorization: Bearer", b" TOKEN"), IN, SERVER),
    "RFC 9112 5.2: folded by a tab": (lines(b"Authorization: Bearer", b"\tTOKEN"), IN, SERVER),
    "RFC 9112 5.2: folded within the token": (
        lambda token: [b"Authorization: Bearer " + token[:9], b" " + token[9:]],
        MALFORMED,
        SERVER,
    ),
    "RFC 9112 5.2: another field folded into it": (lines(b"X: y", b" Authorization: Bearer TOKEN"), NONE_SENT, SERVER),
    "RFC 9112 2.2: a bare line feed before it": (lines(b"X: y\nAuthorization: Bearer TOKEN"), IN, SERVER),
    "RFC 9112 2.2: a bare carriage return before it": (lines(b"X: y\rAuthorization: Bearer TOKEN"), SERVER),
    "RFC 9110 5.5: a zero byte in another field": (lines(b"X: y\0", b"Authorization: Bearer TOKEN"), SERVER),
    "RFC 9110 5.1: an underscore": (lines(b"HTTP_AUTHORIZATION: Bearer TOKEN"), NONE_SENT),
    "RFC 9110 5.1: another name": (lines(b"Authorisation: Bearer TOKEN"), NONE_SENT),
    "RFC 9110 5.1: a letter that looks the same": (lines(b"\xd0\x90uthorization: Bearer TOKEN"), SERVER),
    "RFC 9110 5.1: a zero byte in the name": (lines(b"Authorization\0: Bearer TOKEN"), SERVER),
    "RFC 9110 11.7.2: Proxy-Authorization": (lines(b"Proxy-Authorization: Bearer TOKEN"), NONE_SENT),
    "X-Authorization": (lines(b"X-Authorization: Bearer TOKEN"), NONE_SENT),
    "X-Forwarded-Authorization": (lines(b"X-Forwarded-Authorization: Bearer TOKEN"), NONE_SENT),
    "X-Original-Authorization": (lines(b"X-Original-Authorization: Bearer TOKEN"), NONE_SENT),
    "X-Forwarded-Access-Token": (lines(b"X-Forwarded-Access-Token: TOKEN"), NONE_SENT),
    "X-Access-Token": (lines(b"X-Access-Token: TOKEN"), NONE_SENT),
    "X-Api-Key": (lines(b"X-Api-Key: TOKEN"), NONE_SENT),
    "Access-Token": (lines(b"Access-Token: TOKEN"), NONE_SENT),
    "RFC 6265: a cookie": (lines(b"Cookie: access_token=TOKEN; Authorization=Bearer TOKEN"), NONE_SENT),
    "Sec-WebSocket-Protocol": (lines(b"Sec-WebSocket-Protocol: bearer, TOKEN"), NONE_SENT),
    "RFC 9110 6.5: a trailer announced": (lines(b"Trailer: Authorization", b"X: Bearer TOKEN"), NONE_SENT),
    "RFC 9110 7.6.1: named by Connection": (lines(b"Authorization: Bearer TOKEN", b"Connection: Authorization"), IN),
    "X-User": (lines(b"X-User: alice", b"X-Forwarded-User: alice", b"Remote-User: alice", b"X-Remote-User: alice"), NONE_SENT),
}
VALUES = {
    "RFC 6750 2.1: nothing": (b"", NONE_SENT),
    "RFC 6750 2.1: blanks": (b" \t ", NONE_SENT),
    "RFC 6750 2.1: the scheme only": (b"Bearer", MALFORMED),
    "RFC 6750 2.1: the scheme and a space": (b"Bearer ", MALFORMED),
    "RFC 6750 2.1: no scheme": (b"TOKEN", NONE_SENT),
    "RFC 9110 11.1: two spaces": (b"Bearer  TOKEN", IN),
    "RFC 9110 11.1: blanks around": (b" \t Bearer TOKEN \t ", IN),
    "RFC 9110 11.1: lower case": (b"bearer TOKEN", IN),
    "RFC 9110 11.1: capitals": (b"BEARER TOKEN", IN),
    "RFC 9110 11.4: a tab for the space": (b"Bearer\tTOKEN", MALFORMED),
    "RFC 9110 11.4: a space and a tab": (b"Bearer \tTOKEN", MALFORMED),
    "RFC 9110 11.4: a vertical tab": (b"Bearer\x0bTOKEN", SERVER),
    "RFC 9110 11.4: a no-break space": (b"Bearer\xa0TOKEN", NONE_SENT),
    "RFC 9110 11.4: a form feed": (b"Bearer\x0cTOKEN", SERVER),
    "RFC 9110 11.4: an equals sign": (b"Bearer=TOKEN", NONE_SENT),
    "RFC 9110 11.4: a colon": (b"Bearer: TOKEN", NONE_SENT),
    "RFC 9110 11.4: a comma": (b"Bearer, TOKEN", NONE_SENT),
    "RFC 9110 11.4: no space": (b"BearerTOKEN", NONE_SENT),
    "RFC 9110 11.4: twice": (b"Bearer Bearer TOKEN", MALFORMED),
    "RFC 9110 11.4: a parameter": (b"Bearer token=TOKEN", MALFORMED),
    "RFC 9110 11.4: quoted": (b'Bearer "TOKEN"', MALFORMED),
    "RFC 9110 11.4: in angle brackets": (b"Bearer <TOKEN>", MALFORMED),
    "RFC 9110 11.4: two tokens": (b"Bearer TOKEN TOKEN", MALFORMED),
    "RFC 9110 11.4: a comma and a token": (b"Bearer TOKEN,TOKEN", MALFORMED),
    "RFC 9110 11.4: a comma, a space and a scheme": (b"Bearer TOKEN, Bearer TOKEN", MALFORMED),
    "RFC 9110 11.4: Basic first": (b"Basic YTpi, Bearer TOKEN", NONE_SENT),
    "RFC 9110 11.4: Basic behind": (b"Bearer TOKEN, Basic YTpi", MALFORMED),
    "RFC 9110 11.4: a semicolon": (b"Bearer TOKEN;", MALFORMED),
    "RFC 9110 11.4: a comma behind": (b"Bearer TOKEN,", MALFORMED),
    "RFC 9110 5.5: a zero byte behind": (b"Bearer TOKEN\0", SERVER),
    "RFC 9110 5.5: a zero byte in front": (b"Bearer \0TOKEN", SERVER),
    "RFC 9110 5.5: a zero byte in the scheme": (b"Bea\0rer TOKEN", SERVER),
    "RFC 9110 5.5: a delete behind": (b"Bearer TOKEN\x7f", MALFORMED, SERVER),
    "RFC 9110 5.5: an escape": (b"Bearer \x1b[31mTOKEN", MALFORMED, SERVER),
    "RFC 9110 5.5: a control character and another scheme": (b"Basic \x01TOKEN", MALFORMED, SERVER),
    "RFC 9110 5.5: a byte order mark": (b"\xef\xbb\xbfBearer TOKEN", NONE_SENT),
    "RFC 9110 5.5: a byte above ASCII behind": (b"Bearer TOKEN\xff", MALFORMED),
    "RFC 9110 5.5: wide letters": ("\uff22earer TOKEN".encode(), NONE_SENT),
    "RFC 9112 2.2: a line feed within": (b"Bearer\n TOKEN", IN, SERVER),
    "RFC 9112 2.2: a carriage return within": (b"Bearer\r TOKEN", SERVER),
    "RFC 9112 11.1: a response split": (b"Bearer TOKEN\r\n\r\nHTTP/1.1 200 OK", IN),
    "RFC 2047: an encoded word": (b"=?utf-8?q?Bearer?= TOKEN", NONE_SENT),
    "RFC 3986 2.1: percent-encoded": (b"Bearer%20TOKEN", NONE_SENT),
    "CWE-117: a forged log line": (b"Bearer x%0aINFO: accepted", MALFORMED),
}
ROWS = [
    pytest.param(make, outcomes, id=name)
    for name, (make, *outcomes) in (
        FIELDS | {name: (auth(value), *outcomes) for name, (value, *outcomes) in VALUES.items()}
    ).items()
]


@pytest.mark.parametrize(("make", "outcomes"), ROWS)
def test_a_field_has_one_reading_or_is_refused(attacked, wire, forge, make, outcomes):
    outcome = outcomes[-1] if attacked.parser == "httptools" else outcomes[0]
    judge(wire.send(*make(forge.token().encode())), outcome)


PLACES = {
    "OAuth 2.1 5.1: the query": lambda token: {"target": b"/guarded?access_token=" + token},
    "OAuth 2.1 5.1: the query, another name": lambda token: {"target": b"/guarded?token=" + token + b"&bearer=" + token},
    "OAuth 2.1 5.1: the query, as the field": lambda token: {"target": b"/guarded?Authorization=Bearer%20" + token},
    "OAuth 2.1 5.1: a path parameter": lambda token: {"target": b"/guarded?;access_token=" + token},
    "OAuth 2.1 5.1: a form": lambda token: {"method": b"POST", "body": b"access_token=" + token, "kind": b"application/x-www-form-urlencoded"},
    "OAuth 2.1 5.1: a form by PUT": lambda token: {"method": b"PUT", "body": b"access_token=" + token, "kind": b"application/x-www-form-urlencoded"},
    "OAuth 2.1 5.1: a form in parts": lambda token: {
        "method": b"POST",
        "kind": b"multipart/form-data; boundary=x",
        "body": b'--x\r\nContent-Disposition: form-data; name="access_token"\r\n\r\n' + token + b"\r\n--x--\r\n",
    },
    "OAuth 2.1 5.1: a JSON body": lambda token: {"method": b"POST", "body": b'{"access_token": "' + token + b'"}', "kind": b"application/json"},
}  # fmt: skip


@pytest.mark.parametrize("make", PLACES.values(), ids=list(PLACES))
def test_a_token_in_another_place_is_not_read(wire, forge, make):
    row = make(forge.token().encode())
    kind = row.pop("kind", None)
    refused(wire.send(*([b"Content-Type: " + kind] if kind else []), **row), reason=NONE_SENT)


def in_trailer(token, *fields):
    return (
        b"POST /guarded HTTP/1.1\r\nHost: api.example.com\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n"
        + b"".join(field + b"\r\n" for field in fields)
        + b"Trailer: Authorization\r\n\r\n1\r\nx\r\n0\r\nAuthorization: Bearer "
        + token.encode()
        + b"\r\n\r\n"
    )


def test_a_trailer_lends_a_request_nothing(attacked, wire, forge):
    """RFC 9110 section 6.5.1: what comes behind the body is no credential.

    uvicorn 0.54 with httptools puts trailers among the fields, where nobody can tell them apart; they are judged as such.
    """
    bad, good = forge.token(aud="https://other.example.com"), forge.token()
    field = b"Authorization: Bearer " + good.encode()
    if attacked.parser == "httptools":
        refused(wire.exchange(in_trailer(bad), "POST"), reason="audience (aud)")
        refused(wire.exchange(in_trailer(good, field), "POST"), reason=SEVERAL)
    else:
        refused(wire.exchange(in_trailer(good), "POST"), reason=NONE_SENT)
        accepted(wire.exchange(in_trailer(bad, field), "POST"))


@pytest.mark.parametrize(
    "target", [b"/guarded#access_token=TOKEN", b"http://evil.example/guarded", b"http://Bearer:TOKEN@api.example.com/guarded"]
)
def test_what_a_parser_takes_for_the_path_is_guarded_or_unknown(attacked, wire, forge, target):
    """RFC 9112 section 3.2: h11 hands the whole target on, so no route is found; httptools takes the path out of it."""
    answer = wire.send(target=target.replace(b"TOKEN", forge.token().encode()))
    if attacked.parser == "httptools":
        refused(answer, reason=NONE_SENT)
    else:
        not_found(answer)


@pytest.mark.parametrize("method", [b"POST", b"PUT", b"PATCH", b"DELETE"])
def test_every_method_is_guarded(wire, forge, method):
    refused(wire.send(method=method), reason=NONE_SENT)
    accepted(wire.bearer(forge.token(), method=method))


@pytest.mark.parametrize(
    "name", [b"X-HTTP-Method-Override", b"X-Method-Override", b"X-Original-URL", b"X-Rewrite-URL", b"X-Forwarded-Prefix"]
)
@pytest.mark.parametrize("value", [b"OPTIONS", b"/open", b"HEAD"])
def test_no_field_changes_what_is_asked(wire, name, value):
    refused(wire.send(name + b": " + value), reason=NONE_SENT)


@pytest.mark.parametrize("target", [b"/guarded?", b"/guarded?x=" + b"y" * 3000, b"/guard%65d", b"/%67uarded"])
def test_another_spelling_of_the_path_is_guarded_too(wire, forge, target):
    refused(wire.send(target=target), reason=NONE_SENT)
    accepted(wire.bearer(forge.token(), target=target))


def test_control_nothing_sent(wire):
    refused(wire.send(), reason=NONE_SENT)
    assert wire.send(target=b"/open").status == 200


def test_control_one_request_says_nothing_about_the_next(attacked, wire, forge):
    """Two requests in one connection: the second one has no token, and is not let in by the first."""
    good = b"GET /guarded HTTP/1.1\r\nHost: api.example.com\r\nAuthorization: Bearer " + forge.token().encode() + b"\r\n\r\n"
    bare = b"GET /guarded HTTP/1.1\r\nHost: api.example.com\r\nConnection: close\r\n\r\n"
    answer = wire.exchange(good + bare)
    assert answer.refusals == [NONE_SENT]
    assert (answer.status, answer.json()) == (200, {"subject": "alice"})
    assert answer.raw.count(b"HTTP/1.1 200 OK") == 1
    assert answer.raw.count(b"HTTP/1.1 401 Unauthorized") == 1


BAD_OPTIONAL = {b"Bearer x": "opaque", b"Bearer x y": MALFORMED, b"Bearer": MALFORMED, b"Bearer \xff": MALFORMED}


@pytest.mark.parametrize(("value", "reason"), BAD_OPTIONAL.items())
def test_an_optional_token_that_is_bad_is_refused_all_the_same(wire, forge, value, reason):
    refused(wire.send(b"Authorization: " + value, target=b"/optional"), reason=reason, scope="")
    accepted(wire.bearer(forge.token(), target=b"/optional"))
    assert wire.send(target=b"/optional").json() == {"subject": None}


UPGRADE = (b"Upgrade: websocket", b"Sec-WebSocket-Version: 13", b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==")


def shake_hands(wire, *fields, target=b"/events"):
    lines = [b"GET " + target + b" HTTP/1.1", b"Host: api.example.com", b"Connection: Upgrade", *UPGRADE, *fields]
    return wire.exchange(b"\r\n".join(lines) + b"\r\n\r\n")


SOCKETS = {
    "nothing": (lines(), NONE_SENT),
    "a changed signature": (lambda token: [b"Authorization: Bearer " + token[:-4] + b"AAAA"], "signature"),
    "two fields": (lines(b"Authorization: Bearer TOKEN", b"Authorization: Bearer TOKEN"), SEVERAL),
    "RFC 6455 11.3.4: as a protocol": (lines(b"Sec-WebSocket-Protocol: bearer, TOKEN"), NONE_SENT),
    "a cookie": (lines(b"Cookie: access_token=TOKEN"), NONE_SENT),
    "Basic": (lines(b"Authorization: Basic YTpi"), NONE_SENT),
}


@pytest.mark.parametrize(("make", "reason"), SOCKETS.values(), ids=list(SOCKETS))
def test_a_websocket_is_refused_before_it_is_accepted(wire, forge, make, reason):
    refused(shake_hands(wire, *make(forge.token().encode())), reason=reason)


BAD_CLAIMS = {"insufficient_scope (a)": {"scope": "b"}, "audience (aud)": {"aud": "https://other.example.com"}}


@pytest.mark.parametrize(("reason", "claims"), BAD_CLAIMS.items())
def test_a_websocket_with_a_token_of_another_resource_or_scope_is_refused(wire, forge, reason, claims):
    refused(shake_hands(wire, b"Authorization: Bearer " + forge.token(**claims).encode()), reason=reason)


def test_a_websocket_does_not_read_a_token_in_its_query(wire, forge):
    refused(shake_hands(wire, target=b"/events?access_token=" + forge.token().encode()), reason=NONE_SENT)
