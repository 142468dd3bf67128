"""The walk through pages without a browser, over HTTP on loopback."""

from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from starlette.applications import Starlette
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse
from starlette.routing import Route

from mcp_oauth2_deps.testing import LoginError, LoopbackServer, login_headless


def authorization_url(issuer, **changes):
    request = {
        "response_type": "code",
        "client_id": "public",
        "redirect_uri": "http://127.0.0.1:3000/callback",
        "code_challenge": "c" * 43,
        "code_challenge_method": "S256",
        "resource": "https://api.example.com/mcp",
        "scope": "files:read files:write",
    }
    return f"{issuer.url}/authorize?{urlencode(request | changes)}"


def answer_in(url):
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


@pytest.fixture
def served(issuer):
    with issuer.serve():
        yield issuer


def test_the_walk_ends_at_the_client(served):
    url = login_headless(authorization_url(served), leave_out=["files:write"])
    assert url.startswith("http://127.0.0.1:3000/callback?code=")
    assert answer_in(url)["iss"] == served.url
    assert served.grants.allowed("alice", "public", "https://api.example.com/mcp") == {"files:read"}


def test_the_walk_can_deny(served):
    url = login_headless(authorization_url(served), "bob", deny=True, leave_out=["files:write"])
    assert answer_in(url)["error"] == "access_denied"


def test_an_error_of_the_request_is_the_end_of_the_walk(served):
    assert answer_in(login_headless(authorization_url(served, scope='"')))["error"] == "invalid_scope"


@pytest.mark.parametrize(
    ("changes", "arguments", "said"),
    [
        ({}, {"password": "wrong"}, "Name or password is wrong"),
        ({}, {"leave_out": ["unheard:of"]}, "unheard:of"),
        ({"client_id": "unknown"}, {}, "not registered"),
        ({"client_id": "native", "redirect_uri": "cursor://app/cb"}, {"deliver": True}, "loopback"),
    ],
)
def test_a_walk_that_does_not_arrive_says_why(served, changes, arguments, said):
    with pytest.raises(LoginError, match=said):
        login_headless(authorization_url(served, **changes), **arguments)


@pytest.mark.parametrize("status", [200, 400])
def test_the_answer_is_delivered_when_asked_for(served, status):
    delivered = []

    async def listen(request):
        delivered.append(str(request.url))
        return PlainTextResponse("Close this window.", status_code=status)

    with LoopbackServer(Starlette(routes=[Route("/cb", listen)])) as client:
        uri = f"{client.url}/cb"
        url = login_headless(authorization_url(served, client_id="native", redirect_uri=uri), deliver=True)
    assert delivered == [url]


LOGIN = """<a href="/forgotten">Forgotten?</a><script>document.write("<form>")</script><form action="/login" method="POST">
<input type=hidden name=prompt value=login><input name=login><input type="password" name="password"><button>Sign-in</button></form>"""
CONSENT = """<form action="/consent" method="post"><input type="hidden" name="prompt" value="consent"><input type="checkbox" name="c">
<button autofocus type="submit">Continue</button></form><a href="/interaction/1/abort">[ Cancel ]</a>"""


@pytest.fixture
def another_issuer():
    """Pages as those of oidc-provider in development."""
    posted = []

    async def start(_):
        return RedirectResponse("/interaction/1", 303)

    async def interaction(_):
        return HTMLResponse(CONSENT if posted else LOGIN)

    async def post(request):
        posted.append((await request.body()).decode())
        done = request.url.path == "/consent"
        return RedirectResponse("http://127.0.0.1:1/cb?code=1" if done else "/interaction/1", 303)

    async def abort(_):
        return RedirectResponse("http://127.0.0.1:1/cb?error=access_denied", 303)

    async def search(request):
        return HTMLResponse("<form><input type=text name=q></form>" if not request.url.query else "<p>Not found</p>")

    routes = [
        Route("/auth", start),
        Route("/interaction/1", interaction),
        Route("/interaction/1/abort", abort),
        Route("/login", post, methods=["POST"]),
        Route("/consent", post, methods=["POST"]),
        Route("/search", search),
        Route("/again", lambda _: RedirectResponse("/again")),
        Route("/nothing", lambda _: HTMLResponse("<form method=post><button name=decision value=allow>x</button></form>")),
    ]
    with LoopbackServer(Starlette(routes=routes)) as server:
        yield server.url, posted


def test_the_walk_knows_no_issuer_in_particular(another_issuer):
    url, posted = another_issuer
    assert login_headless(f"{url}/auth", "carol", "pässword") == "http://127.0.0.1:1/cb?code=1"
    assert posted == ["prompt=login&login=carol&password=p%C3%A4ssword", "prompt=consent"]


def test_the_walk_denies_by_a_link_too(another_issuer):
    url, _ = another_issuer
    assert login_headless(f"{url}/auth", deny=True) == "http://127.0.0.1:1/cb?error=access_denied"


@pytest.mark.parametrize(
    ("path", "deny", "said"),
    [("/search", False, "Not found"), ("/again", False, "20 pages"), ("/nothing", True, "no way to deny")],
)
def test_a_walk_without_end_ends(another_issuer, path, deny, said):
    with pytest.raises(LoginError, match=said):
        login_headless(another_issuer[0] + path, deny=deny)
