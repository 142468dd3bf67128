"""The pages that people see: login, consent, errors. They have no script, load nothing from other hosts, and escape every value.

Deciding which page is shown does not belong here.
"""

from base64 import b64encode
from collections.abc import Collection, Mapping
from hashlib import sha256
from html import escape
from urllib.parse import urlsplit

from starlette.responses import HTMLResponse, Response

from mcp_oauth2_deps.testing.authorization_server.authorization import AuthorizationRequest

_STYLE = """
:root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif; }
body { margin: 0 auto; max-width: 30rem; padding: 1.5rem 1rem; overflow-wrap: anywhere; }
h1 { font-size: 1.4rem; line-height: 1.25; }
label { display: block; margin: .75rem 0; }
input[type=text], input[type=password] { box-sizing: border-box; display: block; font: inherit; padding: .5rem; width: 100%; }
fieldset { margin: 1rem 0; }
fieldset label { padding-left: 2rem; }
input[type=checkbox] { height: 1.25rem; margin: .125rem 0 0 -2rem; position: absolute; width: 1.25rem; }
button { font: inherit; margin: .25rem .5rem .25rem 0; min-height: 2.75rem; padding: .25rem 1.25rem; }
dt { font-weight: 600; }
dd { margin: 0 0 .5rem; }
.error { border-left: .25rem solid #c00; padding-left: .75rem; }
footer { border-top: 1px solid; font-size: .875rem; margin-top: 2rem; padding-top: .5rem; }
"""
_STYLE_HASH = b64encode(sha256(_STYLE.encode()).digest()).decode()
_FRAME = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<main>
<h1>{title}</h1>
{content}
</main>
<footer>A development issuer on this machine; never for production.</footer>
</body>
</html>
"""
_LOGIN = """{error}
<p><strong>{client}</strong>{publisher} asks for access to <strong>{resource}</strong>.</p>
<form method="post" action="/authorize/login">
{hidden}
<label>Name
<input type="text" name="user" value="{user}" autocomplete="username" autocapitalize="none" required{name_focus}></label>
<label>Password
<input type="password" name="password" autocomplete="current-password" required{password_focus}></label>
<button type="submit">Log in</button>
</form>
<p>{hint}</p>
"""
_CONSENT = """<p>You are logged in as <strong>{user}</strong>.</p>
<dl>
<dt>Who asks</dt><dd>{client}</dd>
{publisher}<dt>Access to</dt><dd>{resource}</dd>
<dt>The answer goes to</dt><dd>{destination}</dd>
</dl>
<form method="post" action="/authorize/consent">
{hidden}
<fieldset>
<legend>What it may do</legend>
{scopes}
</fieldset>
<button type="submit" name="decision" value="allow">Allow</button>
<button type="submit" name="decision" value="deny">Deny</button>
<button type="submit" name="decision" value="switch">Log in as somebody else</button>
</form>
"""
_PUBLISHER = """<dt>Who says so</dt><dd>{publisher}</dd>
"""
_SCOPE = (
    '<label><input type="checkbox" name="scope" value="{scope}" checked> <strong>{scope}</strong> {description} {granted}</label>'
)
_HIDDEN = '<input type="hidden" name="transaction" value="{transaction}"><input type="hidden" name="csrf" value="{csrf}">'
_ERROR = '<p class="error" role="alert">{message}</p>'


class _Markup(str):
    """HTML that is already escaped; any other string is escaped when it is put into a template."""

    __slots__ = ()


def _fill(template: str, **values: str) -> _Markup:
    filled = {name: value if isinstance(value, _Markup) else escape(value) for name, value in values.items()}
    return _Markup(template.format(**filled))


def login_page(
    request: AuthorizationRequest, hidden: Mapping[str, str], *, user: str = "", error: str = "", hint: str = ""
) -> Response:
    """Asks for name and password."""
    publisher = request.return_address.publisher
    content = _fill(
        _LOGIN,
        error=_fill(_ERROR, message=error) if error else "",
        client=request.return_address.client.name or request.return_address.client_id,
        publisher=f" of {publisher}" if publisher else "",
        resource=request.resource,
        hidden=_fill(_HIDDEN, **hidden),
        user=user,
        hint=hint,
        # After a wrong password the name is filled in already, so the cursor goes to the password.
        name_focus="" if user else " autofocus",
        password_focus=" autofocus" if user else "",
    )
    return _page("Log in", content, form_action="form-action 'self'; ")


def consent_page(
    request: AuthorizationRequest,
    hidden: Mapping[str, str],
    *,
    user: str,
    granted: Collection[str],
    descriptions: Mapping[str, str],
) -> Response:
    """Asks what the client may do; every scope can be left out."""
    rows = []
    for scope in sorted(request.scopes):
        # At the first consent everything is new, so nothing needs a mark.
        note = "(already granted)" if scope in granted else "(new)" if granted else ""
        rows.append(_fill(_SCOPE, scope=scope, description=descriptions.get(scope, ""), granted=note))
    publisher = request.return_address.publisher
    content = _fill(
        _CONSENT,
        user=user,
        client=request.return_address.client.name or request.return_address.client_id,
        publisher=_fill(_PUBLISHER, publisher=publisher) if publisher else "",
        resource=request.resource,
        destination=_site(request.return_address.uri),
        hidden=_fill(_HIDDEN, **hidden),
        scopes=_Markup("\n".join(rows)) if rows else "It asks for no particular scope.",
    )
    return _page("Grant access?", content, form_action=_form_action(request.return_address.uri))


def error_page(message: str, status: int) -> Response:
    """Says what went wrong; it has no link and no form."""
    return _page("This does not work", _fill(_ERROR, message=message), status=status, form_action="form-action 'none'; ")


def _site(uri: str) -> str:
    parts = urlsplit(uri)
    return f"{parts.scheme}://{parts.netloc}"


def _form_action(uri: str) -> str:
    """The CSP directive that lets the consent form end at the client: Chromium applies form-action to redirects after a form.

    A client on loopback may redirect to another port. A client on https may redirect anywhere (https://vscode.dev/redirect opens
    an app), so for those there is no directive.
    """
    scheme = urlsplit(uri).scheme
    if scheme == "https":
        return ""
    # A host in brackets cannot be written as a CSP source; of a private-use scheme only the scheme counts.
    known = scheme == "http" and "[" not in uri
    return f"form-action 'self' {'http://127.0.0.1:* http://localhost:*' if known else f'{scheme}:'}; "


def _page(title: str, content: str, *, form_action: str, status: int = 200) -> Response:
    """A page that cannot be framed, stored or scripted.

    It has no Cross-Origin-Opener-Policy: Swagger UI waits in the window that opened this one. Its referrer policy is not
    `no-referrer`: with that a browser would send our own forms with `Origin: null`, and they would be refused as foreign.
    """
    headers = {
        "Content-Security-Policy": (
            f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; {form_action}base-uri 'none'; frame-ancestors 'none'"
        ),
        "X-Frame-Options": "DENY",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
        "Cache-Control": "no-store",
    }
    page = _fill(_FRAME, title=title, style=_Markup(_STYLE), content=content)
    return HTMLResponse(page, status_code=status, headers=headers)
