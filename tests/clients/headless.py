"""A browser without a screen: it logs in as alice, agrees to everything, and goes where it is sent.

As a program it is what `BROWSER` and `xdg-open` stand for: `headless.py URL` ends at the client's redirect URI;
`headless.py --print URL` prints the address instead of asking for it, for a client that has no listener.
Every authorization URL is also added to the file that `HEADLESS_LOG` names.
"""

import os
import sys
import time
from html.parser import HTMLParser
from http.cookiejar import CookieJar
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit
from urllib.request import HTTPCookieProcessor, HTTPRedirectHandler, ProxyHandler, Request, build_opener

WHO = "alice"
MAX_STEPS = 20
TIMEOUT = 10
# The client may open its browser before it listens.
LISTEN_DEADLINE = 10


class _FirstForm(HTMLParser):
    """The first form of a page, filled in."""

    def __init__(self, page):
        super().__init__()
        self.found = self.pressed = self._inside = False
        self.action, self.method, self.fields = "", "get", []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        if tag == "form" and not self.found:
            self.found = self._inside = True
            self.action, self.method = attributes.get("action") or "", (attributes.get("method") or "get").lower()
        elif self._inside and tag in {"input", "button"}:
            self._fill(attributes, (attributes.get("type") or ("text" if tag == "input" else "submit")).lower())

    def handle_endtag(self, tag):
        if tag == "form":
            self._inside = False

    def _fill(self, attributes, kind):
        name, value = attributes.get("name"), attributes.get("value") or ""
        if kind in {"text", "email", "password"}:
            value = WHO
        elif kind in {"checkbox", "radio"}:
            if "checked" not in attributes:
                return
            value = value or "on"
        elif kind == "submit":
            # A second button says no.
            if self.pressed:
                return
            self.pressed = True
        elif kind != "hidden":
            return
        if name:
            self.fields.append((name, value))


class _NoRedirects(HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


def walk(authorization_url) -> str:
    """The redirect URI with what the authorization server added to it; nothing was asked of the client yet."""
    if log := os.environ.get("HEADLESS_LOG"):
        with Path(log).open("a") as lines:
            lines.write(authorization_url + "\n")
    redirect_uri = parse_qs(urlsplit(authorization_url).query)["redirect_uri"][0]
    opener = build_opener(ProxyHandler({}), HTTPCookieProcessor(CookieJar()), _NoRedirects)
    url, data = authorization_url, None
    for _ in range(MAX_STEPS):
        if url.startswith((redirect_uri + "?", redirect_uri + "&")):
            return url
        status, location, page = _ask(opener, url, data)
        if location:
            url, data = urljoin(url, location), None
            continue
        form = _FirstForm(page)
        if status != 200 or not form.found:
            raise RuntimeError(f"{url} answered {status} without a form: {page}")
        url, data = urljoin(url, form.action or url), urlencode(form.fields)
        if form.method == "get":
            url, data = f"{url.partition('?')[0]}?{data}", None
    raise RuntimeError(f"{MAX_STEPS} pages, and still not at {redirect_uri} but at {url}")


def _ask(opener, url, data):
    headers = {"Accept": "text/html"}
    if data is not None:
        headers["Origin"] = "{0.scheme}://{0.netloc}".format(urlsplit(url))
    request = Request(url, data=None if data is None else data.encode(), headers=headers)
    try:
        with opener.open(request, timeout=TIMEOUT) as response:
            return response.status, None, response.read().decode()
    except HTTPError as error:
        with error:
            return error.code, error.headers.get("Location"), error.read().decode()


def deliver(url):
    """Asks for the redirect URI, as the browser at the end of its redirects."""
    opener = build_opener(ProxyHandler({}))
    deadline = time.monotonic() + LISTEN_DEADLINE
    while True:
        try:
            with opener.open(url, timeout=TIMEOUT) as response:
                response.read()
            return
        except URLError as error:
            if not isinstance(error.reason, ConnectionRefusedError) or time.monotonic() > deadline:
                raise
        time.sleep(0.02)


if __name__ == "__main__":
    callback = walk(sys.argv[-1])
    if "--print" in sys.argv:
        print(callback)  # noqa: T201  # its output
    else:
        deliver(callback)
