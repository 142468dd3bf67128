"""Which URLs are fit to be trusted: https, or http on a loopback host in development.

Fetching them does not belong here.
"""

import re
from ipaddress import IPv6Address, ip_address, ip_network
from urllib.parse import SplitResult, unquote, urlsplit

_PRINTABLE = re.compile(r"[\x21-\x7e]+")
_FORBIDDEN = re.compile(r"[\\\"<>^`{|}]")
_UP_TO_HOST = re.compile(r".*@", re.DOTALL)
# All other IPv6 addresses are of this machine, of a network, of a group, or stand for an IPv4 address (RFC 4291 section 2.4).
_GLOBAL_UNICAST = ip_network("2000::/3")


def is_loopback_host(host: str) -> bool:
    """Whether the host can only be this machine: `localhost` or a loopback address literal (RFC 8252 section 7.3)."""
    if host == "localhost":
        return True
    try:
        address = ip_address(host)
        # Python 3.13 calls an IPv4 address that is written as one of IPv6 a loopback address, and Python 3.11 does not.
        return address.is_loopback and getattr(address, "ipv4_mapped", None) is None
    except ValueError:
        return False


def is_public_address(address: str) -> bool:
    """Whether this is the address of one machine on the public internet, and of none in a private network (RFC 6890).

    Does not check: whose it is.
    """
    try:
        found = ip_address(address)
    except ValueError:
        return False
    if isinstance(found, IPv6Address):
        # A 6to4 address holds an IPv4 address, which may be private.
        return found in _GLOBAL_UNICAST and found.is_global and found.sixtofour is None
    return found.is_global and not found.is_multicast


def url_problem(url: str, *, allow_insecure_http: bool, query_allowed: bool = True) -> str | None:
    """What makes this URL unfit to be trusted, as the end of a sentence; nothing when it is fit.

    Does not check: that the host exists or is ours.
    """
    if url != url.strip():
        return "has white space at an end; remove it"
    if not _PRINTABLE.fullmatch(url) or _FORBIDDEN.search(url):
        return "holds white space, a control character, a backslash or another character that no URL has"
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return "is no URL (host or port cannot be read)"
    return _structure_problem(url, parts, query_allowed) or _scheme_problem(parts, allow_insecure_http)


def without_user(url: str) -> str:
    """The URL as a message may show it: without a user name and password, which must not reach a log."""
    return _UP_TO_HOST.sub("...@", url)


def origin_of(url: str) -> str:
    """Scheme, host and port of a URL, as they are written there."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def path_of(url: str) -> str:
    """The path of a URL, as a route takes it: decoded, as servers hand it on (ASGI, "path")."""
    return unquote(urlsplit(url).path) or "/"


def _structure_problem(url: str, parts: SplitResult, query_allowed: bool) -> str | None:
    if not parts.scheme or not parts.hostname:
        return "is no absolute URL; it starts with https:// and a host"
    if "@" in parts.netloc:
        return "holds a user name or password; remove it"
    if "#" in url:
        return "has a fragment (#...); remove it"
    if "?" in url and not query_allowed:
        return "has a query (?...); remove it"
    return None


def _scheme_problem(parts: SplitResult, allow_insecure_http: bool) -> str | None:
    if parts.scheme == "https":
        return None
    if parts.scheme != "http":
        return "must start with https://"
    if not is_loopback_host(parts.hostname or ""):
        return "must use https; http is possible for loopback hosts only, and only in development"
    if not allow_insecure_http:
        return "uses http; for development on this machine use the setting allow_insecure_http=true"
    return None


def host_fields(url: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The `Host` fields and the origins under which the server of this URL may be asked (RFC 9110 section 7.2, RFC 6454).

    For a loopback host that is each of `127.0.0.1`, `localhost` and `[::1]`, whichever of them the URL names.
    """
    parts = urlsplit(url)
    default_port = {"https": 443, "http": 80}[parts.scheme.lower()]
    port = parts.port or default_port
    host = (parts.hostname or "").lower()
    names = [f"[{host}]" if ":" in host else host]
    if is_loopback_host(host):
        names = list(dict.fromkeys((*names, "127.0.0.1", "localhost", "[::1]")))
    hosts = [f"{name}:{port}" for name in names] + (names if port == default_port else [])
    origins = names if port == default_port else [f"{name}:{port}" for name in names]
    return tuple(hosts), tuple(f"{parts.scheme.lower()}://{origin}" for origin in origins)
