"""Headless Chromium, the demo, and the demo's app with oidc-provider as its issuer."""

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from docs_page import DocsPage
from playwright.sync_api import sync_playwright
from processes import HOST, environment, free_port, oidc_provider_process, program, stop, wait_until_it_answers

HERE = Path(__file__).parent
DEADLINE = 10_000
# The login pages of oidc-provider name a web font, which is answered here and never asked for.
FONTS = "https://fonts.googleapis.com/css"
# What Chromium itself writes when a call is refused, as some tests want; the last where a test cuts it off.
REFUSED = re.compile(r"Failed to load resource: (the server responded with a status of 40[013]\b|net::ERR_FAILED$)")


@dataclass(frozen=True)
class Site:
    """A running app with `/docs`, and its issuer."""

    issuer: str
    url: str
    issuer_url: str

    @property
    def is_demo(self):
        return self.issuer == "demo"


def _serve(command, url, log_path, **settings):
    with log_path.open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", *command],
            env=environment(**settings),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_until_it_answers(f"{url}/docs", process, log_path)
        yield
    finally:
        stop(process)


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    ports = free_port(), free_port()
    url, issuer_url = (f"http://{HOST}:{port}" for port in ports)
    command = ["mcp_oauth2_deps.demo", "--port", str(ports[0]), "--issuer-port", str(ports[1])]
    for _ in _serve(command, url, tmp_path_factory.mktemp("demo") / "demo.log"):
        yield Site("demo", url, issuer_url)


@pytest.fixture(scope="module")
def with_oidc_provider(tmp_path_factory):
    port, logs = free_port(), tmp_path_factory.mktemp("oidc-provider")
    url = f"http://{HOST}:{port}"
    redirect_uri = f"{url}/docs/oauth2-redirect"
    with oidc_provider_process("login.mjs", logs / "stderr.log", SWAGGER_UI_REDIRECT_URI=redirect_uri) as issuer_url:
        settings = {
            "MCP_OAUTH2_ISSUER": issuer_url,
            "MCP_OAUTH2_RESOURCE": f"{url}/mcp",
            "MCP_OAUTH2_SWAGGER_CLIENT_ID": "swagger-ui",
            "MCP_OAUTH2_ALLOW_INSECURE_HTTP": "true",
        }
        command = ["uvicorn", "app:app", "--app-dir", str(HERE), "--host", HOST, "--port", str(port)]
        for _ in _serve(command, url, logs / "uvicorn.log", **settings):
            yield Site("oidc-provider", url, issuer_url)


@pytest.fixture(params=["demo", "with_oidc_provider"], scope="module")
def site(request):
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="module")
def chromium():
    """One browser for a module: Playwright's loop must have ended before the next asynchronous test starts its own."""
    path = program("chromium", "Chromium")
    with sync_playwright() as playwright:
        sandbox = ["--no-sandbox"] if getattr(os, "getuid", lambda: 1)() == 0 else []
        # For the attacker's page; nothing else asks for that name.
        names = ["--host-resolver-rules=MAP evil.example 127.0.0.1"]
        browser = playwright.chromium.launch(executable_path=path, args=[*sandbox, *names])
        yield browser
        browser.close()


@pytest.fixture
def new_context(chromium):
    """Opens windows of one person; whatever they load must come from loopback, and without an error on the console."""
    contexts, foreign, errors = [], [], []

    def answer(route):
        if not route.request.url.startswith(FONTS):
            foreign.append(route.request.url)
        route.fulfill(body="", content_type="text/css")

    def listen(message):
        if message.type == "error" and not REFUSED.match(message.text):
            errors.append(message.text)

    def open_context(**options):
        context = chromium.new_context(**{"viewport": {"width": 900, "height": 800}, **options})
        context.set_default_timeout(DEADLINE)
        context.route(lambda url: urlsplit(url).hostname != HOST, answer)
        context.on("console", listen)
        context.on("weberror", lambda error: errors.append(str(error.error)))
        contexts.append(context)
        return context

    yield open_context
    for context in contexts:
        context.close()
    assert foreign == []
    assert errors == []


@pytest.fixture
def context(new_context):
    return new_context()


@pytest.fixture
def docs(context, site):
    return DocsPage(context, site)


@pytest.fixture(scope="session")
def screenshot(tmp_path_factory):
    """Takes a picture of a page, into `SCREENSHOTS_DIR` or a directory that pytest keeps."""
    folder = Path(os.environ.get("SCREENSHOTS_DIR") or tmp_path_factory.mktemp("screenshots"))
    folder.mkdir(parents=True, exist_ok=True)

    def take(page, name, **options):
        page.screenshot(path=folder / f"{name}.png", **options)

    return take
