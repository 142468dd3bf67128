"""Which environment variable is to blame when an HTTP client cannot be set up, or a connection fails.

A variable is named, its value never: the URL of a proxy may hold a password. The HTTP library does not belong here.
"""

import os
import ssl
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import proxy_bypass

_PROXIES = ("https_proxy", "all_proxy", "http_proxy")


def proxy_variable(url: str) -> str | None:
    """Returns the name of the variable whose proxy carries requests for this https URL, None where they go directly."""
    names = _proxy_names()
    host = urlsplit(url).hostname
    if host is None or proxy_bypass(host):
        return None
    return names.get("https_proxy") or names.get("all_proxy")


def proxy_fault(connect: Callable[[str], object]) -> str:
    """Returns what is wrong with the proxy settings, as a sentence with the name of the variable and what to do.

    Args:
        connect: sets up a client for the URL of a proxy; it raises what is wrong with it.
    """
    for name in _proxy_names().values():
        value = os.environ[name]
        try:
            connect(value if "://" in value else f"http://{value}")
        except ImportError:
            return (
                f"the environment variable {name} names a SOCKS proxy, for which the package socksio is missing; install "
                "httpx[socks], or unset the variable"
            )
        except Exception:
            return (
                f"the environment variable {name} holds no URL of a proxy that can be used, such as "
                "http://proxy.example.com:3128; correct or unset it"
            )
    names = [name for name in sorted(os.environ) if name.lower() == "no_proxy"]
    return f"the proxy settings of this machine cannot be read; correct or unset {names[0] if names else 'them'}"


def certificate_variable() -> str | None:
    """Returns the name of the variable that says which certificate authorities are trusted, None where the defaults are."""
    return next((name for name in ("SSL_CERT_FILE", "SSL_CERT_DIR") if os.environ.get(name)), None)


def certificate_fault() -> str | None:
    """Returns what is wrong with a directory of certificates, which the TLS library would take for an empty one; else None."""
    if certificate_variable() == "SSL_CERT_DIR" and not Path(os.environ["SSL_CERT_DIR"]).is_dir():
        return "the environment variable SSL_CERT_DIR names no directory; correct or unset it"
    return None


def connection_cause(error: BaseException) -> str:
    """What ended the connection. A certificate that is not trusted is said to be: the list of authorities may be ours."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            name = certificate_variable()
            source = "" if name is None else f"; those that are trusted come from the environment variable {name}"
            return f"its certificate is not trusted: {cause.verify_message}{source}"
        cause = cause.__cause__ or cause.__context__
    return type(error).__name__


def _proxy_names() -> dict[str, str]:
    """The variables that count, each by its name in lower case, which wins as everywhere (`urllib.request.getproxies`)."""
    # Upper case sorts first, so that lower case replaces it.
    names = {name.lower(): name for name in sorted(os.environ) if name.lower() in _PROXIES}
    return {lower: names[lower] for lower in _PROXIES if lower in names and os.environ[names[lower]]}
