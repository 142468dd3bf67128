"""A page of another site in a real browser, against the running demo; each test has the same page on loopback as its control.

The browser resolves `evil.example` to this machine, as an attacker's name server would (DNS rebinding).
"""

import base64
import hashlib
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from starlette.applications import Starlette
from starlette.responses import HTMLResponse
from starlette.routing import Route

from mcp_oauth2_deps.testing import LoopbackServer, login_headless

VERIFIER = "v" * 64
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
FETCH = """async ([url, options]) => {
  try { const answer = await fetch(url, options); return [answer.status, await answer.text()]; }
  catch (error) { return ["blocked", ""]; }
}"""


@pytest.fixture(scope="module")
def pages():
    """The address of an empty page, under the two names."""
    app = Starlette(routes=[Route("/", lambda _: HTMLResponse("<!doctype html><title>page</title>"))])
    with LoopbackServer(app) as server:
        yield f"http://evil.example:{server.port}/", f"http://localhost:{server.port}/"


@pytest.fixture
def open_page(chromium):
    context = chromium.new_context()
    context.set_default_timeout(10_000)

    def open_at(url):
        page = context.new_page()
        page.goto(url)
        return page

    yield open_at
    context.close()


def fetch(page, url, **options):
    return page.evaluate(FETCH, [url, options])


def authorization_url(demo):
    request = {
        "response_type": "code",
        "client_id": "swagger-ui",
        "redirect_uri": f"{demo.url}/docs/oauth2-redirect",
        "scope": "mcp:use",
        "resource": f"{demo.url}/mcp",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
    }
    return f"{demo.issuer_url}/authorize?{urlencode(request)}"


@pytest.mark.parametrize("mode", ["cors", "no-cors"])
def test_it_gets_no_token_for_a_code_that_it_has_seen_and_does_not_spend_it(open_page, demo, pages, mode):
    code = parse_qs(urlsplit(login_headless(authorization_url(demo))).query)["code"][0]
    form = {
        "grant_type": "authorization_code",
        "client_id": "swagger-ui",
        "code": code,
        "code_verifier": VERIFIER,
        "redirect_uri": f"{demo.url}/docs/oauth2-redirect",
    }
    sent = {"method": "POST", "headers": {"Content-Type": "application/x-www-form-urlencoded"}, "body": urlencode(form)}
    evil, local = map(open_page, pages)
    assert fetch(evil, f"{demo.issuer_url}/token", mode=mode, **sent) == (["blocked", ""] if mode == "cors" else [0, ""])
    status, body = fetch(local, f"{demo.issuer_url}/token", **sent)
    assert (status, "access_token" in body) == (200, True)


def test_it_cannot_register_and_a_page_on_this_machine_can(open_page, demo, pages):
    metadata = '{"redirect_uris": ["https://collector.example/cb"], "token_endpoint_auth_method": "none"}'
    sent = {"method": "POST", "headers": {"Content-Type": "application/json", "MCP-Protocol-Version": "x"}, "body": metadata}
    evil, local = map(open_page, pages)
    assert fetch(evil, f"{demo.issuer_url}/register", **sent) == ["blocked", ""]
    status, body = fetch(local, f"{demo.issuer_url}/register", **sent)
    assert (status, "client_id" in body, "client_secret" in body) == (201, True, False)


def test_it_reads_only_what_is_public(open_page, demo, pages):
    evil, _ = map(open_page, pages)
    private = [f"{demo.url}/", f"{demo.url}/openapi.json", f"{demo.url}/docs", f"{demo.url}/files", f"{demo.url}/mcp"]
    private += [f"{demo.issuer_url}/", authorization_url(demo)]
    assert [fetch(evil, url)[0] for url in private] == ["blocked"] * len(private)
    public = [f"{demo.url}/.well-known/oauth-protected-resource/mcp", f"{demo.issuer_url}/jwks"]
    public += [f"{demo.issuer_url}/.well-known/oauth-authorization-server"]
    assert [fetch(evil, url)[0] for url in public] == [200] * len(public)


def test_its_name_on_our_ports_opens_nothing(open_page, demo):
    for url in (demo.url, demo.issuer_url):
        rebound = open_page(url.replace("127.0.0.1", "evil.example"))
        assert "answers as" in rebound.inner_text("body")
        assert [fetch(rebound, path)[0] for path in ("/", "/openapi.json", "/jwks", "/authorize")] == [421] * 4
        assert [fetch(open_page(url), path)[0] for path in ("/",)] == [200]


@pytest.mark.parametrize("target", ["login", "docs"])
def test_it_cannot_put_our_pages_into_a_frame(open_page, demo, pages, target):
    url = authorization_url(demo) if target == "login" else f"{demo.url}/docs"
    for page in map(open_page, pages):
        page.evaluate(
            "url => new Promise(done => { const frame = document.createElement('iframe');"
            " frame.onload = done; frame.src = url; document.body.append(frame); })",
            url,
        )
        (frame,) = page.frames[1:]
        frame.wait_for_url("chrome-error://chromewebdata/", wait_until="commit")
    assert open_page(url).title() == ("Log in" if target == "login" else "mcp-oauth2-deps demo")


def test_a_form_that_it_posts_does_not_consent(open_page, demo, pages):
    """Even with what our own form holds, and in a browser that is logged in."""
    window = open_page(authorization_url(demo))
    window.get_by_label("Name").fill("alice")
    window.get_by_label("Password").fill("alice")
    window.get_by_role("button", name="Log in").click()
    window.get_by_role("button", name="Allow").wait_for()
    hidden = {name: window.locator(f"[name={name}]").input_value() for name in ("transaction", "csrf")}
    for page in map(open_page, pages):
        page.evaluate(
            "([url, fields]) => { const form = document.createElement('form'); form.method = 'post'; form.action = url;"
            " for (const [name, value] of Object.entries(fields)) form.append(Object.assign("
            "document.createElement('input'), {name, value})); document.body.append(form); form.submit(); }",
            [f"{demo.issuer_url}/authorize/consent", hidden | {"decision": "allow", "scope": "mcp:use"}],
        )
        page.wait_for_url(f"{demo.issuer_url}/**")
        assert "not opened in this browser" in page.get_by_role("alert").inner_text()
    window.get_by_role("button", name="Allow").click()
    window.wait_for_url(f"{demo.url}/docs/oauth2-redirect?code=*")
