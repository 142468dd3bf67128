"""`/docs` in a browser, as a person uses it, and the issuer's pages that Authorize opens."""

import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Shown:
    """The server's answer, as Swagger UI shows it."""

    status: int
    body: Any
    headers: dict[str, str]


class DocsPage:
    """One window at `/docs`."""

    def __init__(self, context, site):
        self.site = site
        self._context = context
        self.page = context.new_page()
        self.page.goto(f"{site.url}/docs")
        self.dialog = self.page.locator(".dialog-ux .modal-ux")

    def forbid_redeeming(self):
        """From now on a script of this page learns nothing of the token endpoint, as without CORS headers."""
        self._context.route(
            lambda url: url.startswith(self.site.issuer_url) and "/token" in url,
            lambda route: route.abort(),
        )

    def open_dialog(self):
        self.page.locator(".auth-wrapper > button.authorize").click()
        self.dialog.get_by_role("button", name="Apply given OAuth2 credentials").wait_for()

    def close_dialog(self):
        self.dialog.get_by_role("button", name="Close").click()
        self.dialog.wait_for(state="detached")

    def untick(self, scope):
        self.dialog.locator(f'label[for^="{scope}-"]').click()

    def authorize(self):
        """The issuer's window."""
        with self._context.expect_page() as opened:
            self.dialog.get_by_role("button", name="Apply given OAuth2 credentials").click()
        return IssuerWindow(opened.value, self.site)

    def log_in(self, *, without=()):
        """Logs in as alice, and consents; the scopes in `without` are not asked for."""
        self.open_dialog()
        for scope in without:
            self.untick(scope)
        window = self.authorize()
        window.log_in()
        window.allow()
        self.wait_until_authorized()
        self.close_dialog()

    def log_out(self):
        self.page.locator(".auth-wrapper > button.authorize").click()
        self.dialog.get_by_text("Logout").click()
        self.close_dialog()

    def wait_until_authorized(self):
        self.dialog.get_by_text("Logout").wait_for()

    @property
    def error(self):
        """What the dialog says went wrong."""
        return self.dialog.locator(".errors").inner_text()

    def operation(self, path):
        """GET of the path, as the page shows it."""
        return self.page.locator(".opblock-get", has=self.page.locator(f'[data-path="{path}"]'))

    def show(self, path="/files"):
        """Scrolls to GET of the path."""
        self.operation(path).evaluate("found => found.scrollIntoView({behavior: 'instant', block: 'start'})")

    def try_out(self, path="/files") -> Shown:
        """Tries GET of the path out, and reads the answer."""
        operation = self.operation(path)
        if operation.locator(".btn-clear").count():
            operation.locator(".btn-clear").click()
        elif not operation.locator(".execute").count():
            operation.locator(".opblock-summary-control").click()
            operation.locator(".try-out__btn").click()
        operation.locator(".execute").click()
        return self.read_answer(path)

    def read_answer(self, path="/files") -> Shown:
        """What the page shows of the answer to a GET of the path."""
        shown = self.operation(path).locator(".live-responses-table .response")
        shown.locator(".headerline").first.wait_for()
        lines = (line.split(":", 1) for line in shown.locator(".headerline").all_inner_texts())
        return Shown(
            int(shown.locator(".response-col_status").inner_text()),
            json.loads(shown.locator(".highlight-code code").inner_text()),
            {name.strip(): value.strip() for name, value in lines},
        )


class IssuerWindow:
    """The window that Authorize opens, at the login page or, for who is logged in, at the consent page."""

    def __init__(self, page: Any, site):
        self.page = page
        self._is_demo = site.is_demo

    def log_in(self, password="alice"):
        self.page.locator("input[type=text]").fill("alice")
        self.page.locator("input[type=password]").fill(password)
        self.page.get_by_role("button", name="Log in" if self._is_demo else "Sign-in").click()

    def _leave(self, button):
        with self.page.expect_event("close"):
            button.click()

    def allow(self):
        self._leave(self.page.get_by_role("button", name="Allow" if self._is_demo else "Continue"))

    def deny(self):
        name = "Deny" if self._is_demo else "[ Cancel ]"
        self._leave(self.page.get_by_role("button" if self._is_demo else "link", name=name))
