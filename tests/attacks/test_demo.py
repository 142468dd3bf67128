"""The demo and its issuer against a web page that is open in the developer's browser.

Such a page can send requests to this machine, under its own name (DNS rebinding) or under ours; open our pages in frames and
windows; and post forms. It must get no token, drive no consent and read nothing. Each rule that refuses has its own sentence,
and each table a control row: the same request without the attack.
"""

import base64
import hashlib
import json
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import pytest
from attack_support import Wire
from demo_process import running_demo

from mcp_oauth2_deps.testing import login_headless

EVIL = b"https://evil.example"
INSPECTOR = b"http://localhost:6274"
VERIFIER = "v" * 64
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
FORM = b"Content-Type: application/x-www-form-urlencoded"

# The sentence of each rule.
ONE_HOST = b"The request must hold exactly one Host field.\n"
MACHINE = b"This server is for this machine only.\n"
PAGES = "web pages of other sites may not call this endpoint"
NO_SECRET = "a web page can keep no secret; use a public client, with PKCE"
WINDOW = b"This page is for people, in a window of its own."
STALE = b"This form was not opened in this browser"


@pytest.fixture(scope="module")
def demo():
    with running_demo() as running:
        yield running


@pytest.fixture
def app(demo):
    return Wire(demo.port)


@pytest.fixture
def issuer(demo):
    return Wire(demo.issuer_port)


def own(wire):
    return b"127.0.0.1:%d" % wire.port


def names(wire):
    return b", ".join(b"%s:%d" % (name, wire.port) for name in (b"127.0.0.1", b"localhost", b"[::1]"))


def readable(answer):
    """What of the answer's header lets a page of another origin read it."""
    return [name for name, _ in answer.headers if name.lower().startswith("access-control")]


def refused(answer, status, sentence):
    """The law of every refusal here: one rule's status and sentence, for no page to read, and nothing of the caller's in it."""
    assert (answer.status, sentence in answer.body) == (status, True), answer.raw[:600]
    assert b"evil" not in answer.raw
    assert b"eyJ" not in answer.raw
    assert readable(answer) == answer.every("set-cookie") == answer.every("location") == []


# Another name for this machine

HOSTS = {
    "DNS rebinding": b"evil.example:{port}",
    "DNS rebinding, default port": b"evil.example",
    "trailing dot": b"localhost.:{port}",
    "trailing dot behind an address": b"127.0.0.1.:{port}",
    "a name below localhost": b"evil.localhost:{port}",
    "our name, continued": b"localhost.evil.example:{port}",
    "our address, continued": b"127.0.0.1.evil.example:{port}",
    "our name and port, continued": b"127.0.0.1:{port}.evil.example",
    "any address": b"0.0.0.0:{port}",
    "another loopback address": b"127.0.0.2:{port}",
    "a short address": b"127.1:{port}",
    "a decimal address": b"2130706433:{port}",
    "a hexadecimal address": b"0x7f000001:{port}",
    "an octal address": b"0177.0.0.1:{port}",
    "IPv6 any address": b"[::]:{port}",
    "IPv6 written out": b"[0:0:0:0:0:0:0:1]:{port}",
    "IPv4 in IPv6": b"[::ffff:127.0.0.1]:{port}",
    "IPv6 with a zone": b"[::1%25lo]:{port}",
    "IPv6 without brackets": b"::1:{port}",
    "no port": b"127.0.0.1",
    "another port": b"127.0.0.1:1",
    "an empty port": b"127.0.0.1:",
    "a port with a zero before it": b"127.0.0.1:0{port}",
    "a port and another": b"127.0.0.1:{port}:80",
    "a user name": b"evil@127.0.0.1:{port}",
    "our name as a user name": b"127.0.0.1:{port}@evil.example",
    "two names in one field": b"127.0.0.1:{port}, evil.example",
    "our name as a path": b"evil.example/127.0.0.1:{port}",
    "nothing": b"",
}
# Everything that answers without a token, and what needs one.
APP_PATHS = [b"/", b"/files", b"/docs", b"/docs/oauth2-redirect", b"/docs/assets/swagger-ui.css", b"/openapi.json", b"/mcp"]
APP_PATHS += [b"/.well-known/oauth-protected-resource/mcp", b"/none"]
ISSUER_PATHS = [b"/", b"/jwks", b"/authorize", b"/authorize/login", b"/authorize/consent", b"/token", b"/register", b"/none"]
ISSUER_PATHS += [b"/.well-known/oauth-authorization-server", b"/.well-known/openid-configuration"]
TARGETS = [*(("app", path) for path in APP_PATHS), *(("issuer", path) for path in ISSUER_PATHS)]


@pytest.mark.parametrize("host", HOSTS.values(), ids=HOSTS)
@pytest.mark.parametrize("server", ["app", "issuer"])
def test_another_host_is_misdirected(request, server, host):
    wire = request.getfixturevalue(server)
    refused(wire.send(target=b"/", host=host.replace(b"{port}", b"%d" % wire.port)), 421, b"answers as " + names(wire))


@pytest.mark.parametrize("host", [b"127.0.0.1:{port}", b"localhost:{port}", b"LocalHost:{port}", b"[::1]:{port}"])
@pytest.mark.parametrize("server", ["app", "issuer"])
def test_control_our_own_hosts_are_answered(request, server, host):
    wire = request.getfixturevalue(server)
    assert wire.send(target=b"/", host=host.replace(b"{port}", b"%d" % wire.port)).status == 200


@pytest.mark.parametrize(("server", "path"), TARGETS)
@pytest.mark.parametrize("method", [b"GET", b"POST", b"OPTIONS", b"DELETE"])
def test_no_path_answers_to_another_host(request, server, path, method):
    wire = request.getfixturevalue(server)
    refused(wire.send(method=method, target=path, host=b"evil.example"), 421, b"answers as " + names(wire))
    assert wire.send(method=method, target=path, host=own(wire)).status not in {421, 500}


UPGRADE = [b"Upgrade: websocket", b"Sec-WebSocket-Version: 13", b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="]


@pytest.mark.parametrize("server", ["app", "issuer"])
def test_a_websocket_of_another_host_is_misdirected(request, server):
    wire = request.getfixturevalue(server)

    def answer(host):
        head = [b"GET /none HTTP/1.1", b"Host: " + host, b"Connection: Upgrade", *UPGRADE]
        return wire.exchange(b"\r\n".join(head) + b"\r\n\r\n")

    refused(answer(b"evil.example"), 421, b"answers as " + names(wire))
    assert answer(own(wire)).status in {403, 404}


FORWARDED = [b"X-Forwarded-Host: ", b"X-Original-Host: ", b"X-Host: ", b"X-HTTP-Host-Override: ", b"Forwarded: host="]


@pytest.mark.parametrize("field", FORWARDED)
@pytest.mark.parametrize(("server", "path"), [("app", APP_PATHS[-2]), ("issuer", ISSUER_PATHS[-1])])
def test_what_a_proxy_would_say_of_the_host_counts_for_nothing(request, server, path, field):
    wire = request.getfixturevalue(server)
    refused(wire.send(field + own(wire), target=path, host=b"evil.example"), 421, b"answers as " + names(wire))
    plain = wire.send(target=path, host=own(wire))
    assert plain.status == 200
    assert wire.send(field + b"evil.example", target=path, host=own(wire)).json() == plain.json()


@pytest.mark.parametrize("server", ["app", "issuer"])
def test_who_comes_through_a_tunnel_from_another_machine_is_refused(request, server):
    wire = request.getfixturevalue(server)
    refused(wire.send(b"X-Forwarded-For: 203.0.113.9", target=b"/", host=own(wire)), 403, MACHINE)
    assert wire.send(b"X-Forwarded-For: 127.0.0.1", target=b"/", host=own(wire)).status == 200


@pytest.mark.parametrize("server", ["app", "issuer"])
def test_no_host_and_two_hosts_are_bad_requests(request, server):
    wire = request.getfixturevalue(server)
    refused(wire.exchange(b"GET / HTTP/1.0\r\n\r\n"), 400, ONE_HOST)
    for second in (b"evil.example", own(wire)):
        # One HTTP parser refuses it before we see it.
        assert wire.send(b"Host: " + second, target=b"/", host=own(wire)).status == 400
    assert wire.exchange(b"GET / HTTP/1.0\r\nHost: " + own(wire) + b"\r\n\r\n").status == 200


# A page that asks for tokens

ORIGINS = {
    "a site": EVIL,
    "a site on our port": b"http://evil.example:{port}",
    "no origin of its own": b"null",
    "nothing": b"",
    "our name, continued": b"http://localhost.evil.example",
    "our name and port, continued": b"http://localhost:6274.evil.example",
    "our address, continued": b"http://127.0.0.1.evil.example",
    "our name as a user name": b"http://localhost@evil.example",
    "our name and port as a user": b"http://localhost:80@evil.example",
    "our name as a fragment": b"http://evil.example#http://localhost",
    "our name as a path": b"http://evil.example/http://localhost",
    "two origins in one field": b"http://localhost:6274 https://evil.example",
    "two origins with a comma": b"http://localhost:6274,https://evil.example",
    "a trailing dot": b"http://localhost.:6274",
    "a trailing slash": b"http://localhost:6274/",
    "a name below localhost": b"http://evil.localhost:6274",
    "any address": b"http://0.0.0.0:6274",
    "another loopback address": b"http://127.0.0.2:6274",
    "IPv6, continued": b"http://[::1].evil.example",
    "IPv4 in IPv6": b"http://[::ffff:127.0.0.1]",
    "a port that is none": b"http://localhost:evil",
    "a file": b"file://",
    "an extension": b"chrome-extension://localhost",
    "a star": b"*",
}


def origin_of(value, wire):
    return b"Origin: " + value.replace(b"{port}", b"%d" % wire.port)


def post(wire, path, form, *lines):
    body = form if isinstance(form, bytes) else urlencode(form).encode()
    return wire.send(FORM, *lines, method=b"POST", target=path, body=body, host=own(wire))


def error_of(answer):
    return answer.json()["error"], answer.json()["error_description"]


def authorization_url(demo, **changes):
    request = {
        "response_type": "code",
        "client_id": "swagger-ui",
        "redirect_uri": f"{demo.url}/docs/oauth2-redirect",
        "scope": "mcp:use files:read offline_access",
        "resource": demo.mcp_url,
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
        "state": "xyz",
    } | changes
    return f"{demo.issuer_url}/authorize?{urlencode(request)}"


@pytest.fixture
def code_form(demo):
    """The form that redeems a code of a person who logged in; with it the public client gets a token."""
    answer = parse_qs(urlsplit(login_headless(authorization_url(demo))).query)
    return {
        "grant_type": "authorization_code",
        "client_id": "swagger-ui",
        "code": answer["code"][0],
        "code_verifier": VERIFIER,
        "redirect_uri": f"{demo.url}/docs/oauth2-redirect",
    }


@pytest.fixture
def own_form(demo):
    """The form by which the demo's client gets a token for itself."""
    return {
        "grant_type": "client_credentials",
        "client_id": "demo",
        "client_secret": demo.secret,
        "resource": demo.mcp_url,
        "scope": "mcp:use",
    }


@pytest.mark.parametrize("origin", ORIGINS.values(), ids=ORIGINS)
def test_a_page_of_another_site_gets_no_token_for_a_code_and_does_not_spend_it(issuer, code_form, origin):
    answer = post(issuer, b"/token", code_form, origin_of(origin, issuer))
    refused(answer, 403, PAGES.encode())
    answer = post(issuer, b"/token", code_form, b"Origin: " + INSPECTOR)
    assert (answer.status, answer.every("access-control-allow-origin")) == (200, [INSPECTOR.decode()])
    assert answer.every("access-control-allow-credentials") == []


@pytest.mark.parametrize("origin", ORIGINS.values(), ids=ORIGINS)
@pytest.mark.parametrize("path", [b"/token", b"/register"])
def test_a_preflight_of_another_site_allows_nothing(issuer, path, origin):
    def preflight(*lines):
        method, headers = b"Access-Control-Request-Method: POST", b"Access-Control-Request-Headers: x-requested-with"
        return issuer.send(*lines, method, headers, method=b"OPTIONS", target=path, host=own(issuer))

    refused(preflight(origin_of(origin, issuer)), 403, PAGES.encode())
    assert preflight(b"Origin: " + INSPECTOR).every("access-control-allow-origin") == [INSPECTOR.decode()]


@pytest.mark.parametrize("origin", ORIGINS.values(), ids=ORIGINS)
def test_a_page_of_another_site_cannot_register(issuer, origin):
    metadata = json.dumps({"redirect_uris": ["https://collector.example/cb"]}).encode()
    refused(post(issuer, b"/register", metadata, origin_of(origin, issuer)), 403, PAGES.encode())
    answer = post(issuer, b"/register", metadata, b"Origin: " + INSPECTOR)
    assert (answer.status, answer.json()["token_endpoint_auth_method"], "client_secret" in answer.json()) == (201, "none", False)


@pytest.mark.parametrize(
    "lines",
    [
        [b"Origin: " + INSPECTOR, b"Origin: " + EVIL],
        [b"Origin: " + EVIL, b"Origin: " + INSPECTOR],
        [b"Sec-Fetch-Site: cross-site"],
    ],
    ids=["two origins, ours first", "two origins, ours last", "another site, unnamed"],
)
def test_a_page_that_hides_its_origin_gets_no_token(issuer, code_form, lines):
    refused(post(issuer, b"/token", code_form, *lines), 403, PAGES.encode())
    assert post(issuer, b"/token", code_form, b"Sec-Fetch-Site: none").status == 200


@pytest.mark.parametrize("origin", [INSPECTOR, b"http://127.0.0.1:{app}", b"http://localhost:{app}"])
@pytest.mark.parametrize("by_header", [True, False])
def test_no_page_at_all_may_use_the_secret_of_a_client(demo, issuer, own_form, origin, by_header):
    """Also not our own: whatever runs in a page can be read by whoever wrote into it."""
    lines = []
    if by_header:
        pair = f"{own_form.pop('client_id')}:{quote(own_form.pop('client_secret'))}"
        lines = [b"Authorization: Basic " + base64.b64encode(pair.encode())]
    answer = post(issuer, b"/token", own_form, b"Origin: " + origin.replace(b"{app}", b"%d" % demo.port), *lines)
    assert (answer.status, error_of(answer)) == (403, ("unauthorized_client", NO_SECRET))
    assert post(issuer, b"/token", own_form, *lines).status == 200


@pytest.mark.parametrize("secret", ["demo-secret", "demo", "secret", "", None])
def test_a_secret_that_anybody_knows_is_wrong(issuer, own_form, secret):
    guess = {name: value for name, value in (own_form | {"client_secret": secret}).items() if value is not None}
    answer = post(issuer, b"/token", guess)
    assert (answer.status, error_of(answer)[0], answer.every("access-control-allow-origin")) == (401, "invalid_client", [])
    assert post(issuer, b"/token", own_form).status == 200


def test_the_secret_is_another_one_at_each_start(demo):
    with running_demo() as other:
        assert len(demo.secret) == len(other.secret) == 32
        assert demo.secret != other.secret


# A page that reads

READS = [(server, path) for server, path in TARGETS if b".well-known" not in path and path not in {b"/jwks", b"/none"}]


@pytest.mark.parametrize(("server", "path"), READS)
@pytest.mark.parametrize("origin", [EVIL, b"null"])
def test_no_page_of_another_site_reads_an_answer(request, server, path, origin):
    wire = request.getfixturevalue(server)
    lines = [b"Origin: " + origin, b"Access-Control-Request-Method: GET", b"Access-Control-Request-Headers: authorization"]
    for method in (b"GET", b"POST", b"OPTIONS"):
        answer = wire.send(*lines, method=method, target=path, host=own(wire))
        assert [name for name in readable(answer) if name.lower() == "access-control-allow-origin"] == []


@pytest.mark.parametrize("origin", [INSPECTOR, EVIL])
def test_control_what_is_public_is_for_every_page_and_the_mcp_route_for_the_inspector(app, issuer, origin):
    for wire, path in ((app, APP_PATHS[-2]), (issuer, b"/jwks"), (issuer, ISSUER_PATHS[-1]), (issuer, ISSUER_PATHS[-2])):
        answer = wire.send(b"Origin: " + origin, target=path, host=own(wire))
        assert (answer.status, answer.every("access-control-allow-origin")) == (200, ["*"])
    answer = app.send(b"Origin: " + origin, target=b"/mcp", host=own(app))
    assert (answer.status, answer.every("access-control-allow-origin")) == (401, [origin.decode()] if origin == INSPECTOR else [])


# A page that makes a person consent


def framed(answer):
    (policy,) = answer.every("content-security-policy")
    return "frame-ancestors 'none'" not in policy or answer.every("x-frame-options") != ["DENY"]


def authorize(demo, issuer, *lines, **changes):
    target = authorization_url(demo, **changes).removeprefix(demo.issuer_url).encode()
    return issuer.send(*lines, target=target, host=own(issuer))


def test_no_page_of_ours_can_be_framed(demo, app, issuer):
    login, error = authorize(demo, issuer), authorize(demo, issuer, client_id="unknown")
    assert (login.status, error.status) == (200, 400)
    consent = _log_in(issuer, login)
    assert b"Grant access?" in consent.body
    docs = app.send(target=b"/docs", host=own(app))
    assert [framed(page) for page in (login, error, consent, docs)] == [False] * 4


@pytest.mark.parametrize("dest", [b"iframe", b"frame", b"image", b"script", b"style", b"object", b"embed", b"empty", b"worker"])
def test_nothing_but_a_window_begins_a_login(demo, issuer, dest):
    refused(authorize(demo, issuer, b"Sec-Fetch-Dest: " + dest, b"Sec-Fetch-Site: cross-site"), 403, WINDOW)
    control = authorize(demo, issuer, b"Sec-Fetch-Dest: document", b"Sec-Fetch-Site: cross-site")
    assert (control.status, len(control.every("set-cookie"))) == (200, 1)


def _hidden(page):
    fields = page.body.decode().split('type="hidden" name="')[1:]
    return {field.partition('"')[0]: field.partition('value="')[2].partition('"')[0] for field in fields}


def _cookie(page):
    return b"Cookie: " + page.every("set-cookie")[0].partition(";")[0].encode()


def _log_in(issuer, login):
    """The consent page of alice, with the cookie of her session put on it."""
    form = _hidden(login) | {"user": "alice", "password": "alice"}
    answer = post(issuer, b"/authorize/login", form, _cookie(login))
    assert answer.status == 303, answer.raw
    page = issuer.send(_cookie(answer), target=answer.every("location")[0].encode(), host=own(issuer))
    page.headers.append(("set-cookie", answer.every("set-cookie")[0]))
    return page


SENDERS = {
    "another site": [b"Origin: " + EVIL, b"Sec-Fetch-Site: cross-site"],
    "another site that says no more": [b"Origin: " + EVIL],
    "no origin of its own": [b"Origin: null"],
    "no origin of its own, ours by its word": [b"Origin: null", b"Sec-Fetch-Site: same-origin"],
    "another program on this machine": [b"Origin: " + INSPECTOR, b"Sec-Fetch-Site: same-site"],
    "the demo's own pages": [b"Origin: http://127.0.0.1:{app}"],
    "another site, unnamed": [b"Sec-Fetch-Site: cross-site"],
}


@pytest.mark.parametrize("lines", SENDERS.values(), ids=SENDERS)
def test_a_form_that_another_page_sends_neither_logs_in_nor_consents(demo, issuer, lines):
    """Even if that page knew what our forms hold, and the browser sent the cookie."""
    lines = [line.replace(b"{app}", b"%d" % demo.port) for line in lines]
    login = authorize(demo, issuer)
    form = _hidden(login) | {"user": "alice", "password": "alice"}
    refused(post(issuer, b"/authorize/login", form, _cookie(login), *lines), 403, STALE)
    consent = _log_in(issuer, login)
    form = _hidden(consent) | {"decision": "allow", "scope": "mcp:use"}
    refused(post(issuer, b"/authorize/consent", form, _cookie(consent), *lines), 403, STALE)
    control = post(issuer, b"/authorize/consent", form, _cookie(consent), b"Origin: http://" + own(issuer))
    assert (control.status, "code=" in control.every("location")[0]) == (303, True)


@pytest.mark.parametrize("change", [{"csrf": "guess"}, {"csrf": ""}, {"transaction": "guess"}, {"cookie": b"Cookie: a=b"}])
def test_a_form_without_what_only_our_page_holds_is_refused(demo, issuer, change):
    consent = _log_in(issuer, authorize(demo, issuer))
    form = _hidden(consent) | {"decision": "allow", "scope": "mcp:use"}
    cookie = change.get("cookie", _cookie(consent))
    attack = form | {name: value for name, value in change.items() if name != "cookie"}
    refused(post(issuer, b"/authorize/consent", attack, cookie), 403, STALE)
    assert post(issuer, b"/authorize/consent", form, _cookie(consent)).status == 303


def test_the_cookie_of_a_login_is_not_sent_with_what_other_sites_post_and_not_shown_to_scripts(demo, issuer):
    (cookie,) = authorize(demo, issuer).every("set-cookie")
    assert {part.strip().lower() for part in cookie.split(";")[1:]} >= {"httponly", "samesite=lax", "path=/authorize"}


@pytest.mark.parametrize("uri", ["https://evil.example/cb", "http://127.0.0.1:1/docs/oauth2-redirect", "http://localhost:1/cb"])
def test_a_code_goes_nowhere_but_to_the_pages_of_the_demo(demo, issuer, uri):
    refused(authorize(demo, issuer, redirect_uri=uri), 400, b"that it has not registered")
    for page in (demo.url, demo.url.replace("127.0.0.1", "localhost")):
        assert authorize(demo, issuer, redirect_uri=f"{page}/docs/oauth2-redirect").status == 200
