"""Logs in and consents without a browser, for tests, with the standard library alone.

It is not made for one issuer: it fills in what a form asks for, and submits it.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.client import HTTPMessage
from http.cookiejar import CookieJar
from typing import IO
from urllib.error import HTTPError
from urllib.parse import urlencode, urljoin, urlsplit
from urllib.request import HTTPCookieProcessor, HTTPRedirectHandler, OpenerDirector, ProxyHandler, Request, build_opener

from mcp_oauth2_deps.protocol.urls import is_loopback_host

_MAX_STEPS = 20
_MAX_PAGE_BYTES = 1024 * 1024


class LoginError(Exception):
    """The pages led to no answer for the client; the message holds the text of the last page.

    Example:
        ```python
        from mcp_oauth2_deps.testing import LoginError, login_headless


        def try_to_log_in(url: str) -> str | None:
            try:
                return login_headless(url, user="mallory")
            except LoginError:
                return None
        ```
    """


def login_headless(
    authorization_url: str,
    user: str = "alice",
    password: str | None = None,
    *,
    leave_out: Collection[str] = (),
    deny: bool = False,
    deliver: bool = False,
    timeout: float = 10,
) -> str:
    """Logs in and consents as a person would; returns the URL of the last redirect, with `code` or `error` in its query.

    Args:
        authorization_url: what the client would open in a browser.
        user: goes into every text field.
        password: goes into every password field; by default the same as `user`.
        leave_out: scopes whose checkboxes are cleared.
        deny: refuses on the consent page.
        deliver: also requests the returned URL, as a browser would; it must be on loopback.
        timeout: of each request, in seconds.

    Raises:
        LoginError: no page led further, a scope to leave out was not offered, or nothing could be delivered.
        OSError: the issuer, or the client on delivery, cannot be reached.

    Example:
        `login_headless(authorization_url, leave_out=["files:write"])` grants all scopes that were asked for but one.
    """
    walk = _Walk(user, user if password is None else password, set(leave_out), deny, timeout)
    url = walk.to_the_end(authorization_url)
    if deliver:
        if not is_loopback_host(urlsplit(url).hostname or ""):
            raise LoginError("the answer goes to no loopback host; nothing listens there for a test")
        _open(build_opener(ProxyHandler({})), Request(url), timeout)  # noqa: S310  # a loopback host
    return url


class _NoRedirect(HTTPRedirectHandler):
    """Follows no redirect: the last one goes to the client, and its URL is the result."""

    def redirect_request(  # noqa: PLR0917  # the signature of the standard library
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> None:
        """No redirect is followed."""


@dataclass
class _Form:
    action: str
    method: str
    fields: list[dict[str, str]] = field(default_factory=list)


class _Page(HTMLParser):
    """The forms, links and text of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.forms: list[_Form] = []
        self.links: list[str] = []
        self._form: _Form | None = None
        self._texts: list[str] = []
        self._hidden = 0
        self.feed(html)
        self.close()

    @property
    def text(self) -> str:
        """What a person reads."""
        return re.sub(r"\s+", " ", " ".join(self._texts)).strip()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collects forms, their fields, and links."""
        values = {name: value or "" for name, value in attrs}
        match tag:
            case "form":
                self._form = _Form(values.get("action", ""), values.get("method", "get").lower())
                self.forms.append(self._form)
            case "input" | "button" if self._form is not None:
                self._form.fields.append({"type": "text" if tag == "input" else "submit", **values})
            case "a" if "href" in values:
                self.links.append(values["href"])
            case "style" | "script" | "title":
                self._hidden += 1

    def handle_endtag(self, tag: str) -> None:
        """Ends a form."""
        if tag == "form":
            self._form = None
        elif tag in {"style", "script", "title"}:
            self._hidden -= 1

    def handle_data(self, data: str) -> None:
        """Collects text."""
        if not self._hidden:
            self._texts.append(data)


class _Walk:
    """One login, from page to page."""

    def __init__(self, user: str, password: str, leave_out: set[str], deny: bool, timeout: float) -> None:
        self._user, self._password = user, password
        self._leave_out, self._left_out = leave_out, set[str]()
        self._deny, self._timeout = deny, timeout
        self._password_given = False
        self._opener = build_opener(ProxyHandler({}), HTTPCookieProcessor(CookieJar()), _NoRedirect())

    def to_the_end(self, url: str) -> str:
        """Follows redirects and submits forms until the issuer sends the person elsewhere."""
        home = urlsplit(url)[:2]
        request = Request(url)  # noqa: S310  # the caller's own issuer
        for _ in range(_MAX_STEPS):
            location, html = _open(self._opener, request, self._timeout)
            if location is None:
                request = self._answer(request.full_url, _Page(html))
                continue
            target = urljoin(request.full_url, location)
            if urlsplit(target)[:2] != home:
                if not self._deny and self._leave_out - self._left_out:
                    raise LoginError(f"no page offered to leave out {sorted(self._leave_out - self._left_out)}")
                return target
            request = Request(target)  # noqa: S310  # the issuer's own origin
        raise LoginError(f"no end after {_MAX_STEPS} pages")

    def _answer(self, url: str, page: _Page) -> Request:
        if not page.forms:
            raise LoginError(f"a page without a form: {page.text}")
        form = page.forms[0]
        asks_password = any(item["type"] == "password" for item in form.fields)
        if asks_password and self._password_given:
            raise LoginError(f"asked for the password again: {page.text}")
        abort = next((link for link in page.links if link.rstrip("/").endswith("/abort")), None)
        if self._deny and not asks_password and abort is not None:
            return Request(urljoin(url, abort))  # noqa: S310  # a link on the issuer's own page
        self._password_given = self._password_given or asks_password
        data = urlencode(self._fill(form, deny=self._deny and not asks_password))
        target = urljoin(url, form.action)
        if form.method == "post":
            return Request(target, data.encode())  # noqa: S310  # a form on the issuer's own page
        return Request(f"{target}?{data}")  # noqa: S310  # as above

    def _fill(self, form: _Form, *, deny: bool) -> list[tuple[str, str]]:
        filled = []
        for item in form.fields:
            name, value = item.get("name", ""), item.get("value", "")
            match item["type"]:
                case "text" | "email":
                    filled.append((name, self._user))
                case "password":
                    filled.append((name, self._password))
                case "checkbox" if value in self._leave_out:
                    self._left_out.add(value)
                case "checkbox" | "radio" if "checked" in item:
                    filled.append((name, value or "on"))
                case "hidden":
                    filled.append((name, value))
        buttons = [item for item in form.fields if item["type"] == "submit"]
        if deny:
            buttons = [button for button in buttons if button.get("value") == "deny"]
            if not buttons:
                raise LoginError("the page has no way to deny")
        return [*filled, *((button["name"], button.get("value", "")) for button in buttons[:1] if button.get("name"))]


def _open(opener: OpenerDirector, request: Request, timeout: float) -> tuple[str | None, str]:
    """Where the answer redirects to, and its text; also of an answer with an error status."""
    try:
        answer = opener.open(request, timeout=timeout)
    except HTTPError as error:
        answer = error
    with answer:
        return answer.headers.get("Location"), answer.read(_MAX_PAGE_BYTES).decode("utf-8", "replace")
