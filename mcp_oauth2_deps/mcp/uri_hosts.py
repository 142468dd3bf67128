"""User, host and port of a URI in one spelling, and which of them nobody can read in one way only.

What follows in the URI does not belong here.
"""

import re
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from unicodedata import normalize
from urllib.parse import unquote

_DEFAULT_PORTS = {"http": "80", "https": "443", "ws": "80", "wss": "443", "ftp": "21"}
SPECIAL_SCHEMES = frozenset({*_DEFAULT_PORTS, "file"})
"""Schemes whose URIs a browser's parser, which is pydantic's too, repairs: slashes, backslashes, numbers as hosts."""
_LONGEST_LABEL = 63
_PLAIN = re.compile(r"(?!.*xn--)[a-z0-9.\-]*", re.ASCII)
_USER = re.compile(r"[A-Za-z0-9._~\-]+", re.ASCII)
# The first three stand for placeholders of a pattern.
_ASCII_LABEL = re.compile(r"""[\x00-\x02!"$&'()*+,;=_`{}~a-z0-9\-]*""")
_IPV6 = re.compile(r"\[([0-9A-Fa-f:.]+)\](?::([0-9]*))?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
# Letters to Python, but nothing to IDNA: fillers of Hangul.
_INVISIBLE = frozenset("\u115f\u1160\u3164\uffa0")


def authority(scheme: str, text: str) -> str | None:
    """User, host and port in one spelling; none where programs differ about what they are.

    A host is lower-case and as it is read by people, and the usual port is left out.
    """
    if scheme not in SPECIAL_SCHEMES and _PLAIN.fullmatch(text):
        return text
    decoded = unquote(text)
    user, at, rest = decoded.rpartition("@")
    if (at and not _USER.fullmatch(user)) or any(decoded.count(mark) != text.count(mark) for mark in "@:"):
        return None
    numeric = _IPV6.fullmatch(rest)
    if numeric:
        port = numeric[2] or ""
        try:
            host: str | None = f"[{IPv6Address(numeric[1])}]"
        except AddressValueError:
            return None
    else:
        host, _, port = rest.partition(":")
        host = _host(scheme, host)
    if host is None or not _ASCII_LABEL.fullmatch(port) or (scheme == "file" and (at or ":" in rest)):
        return None
    port = port if not port.isdecimal() else port.lstrip("0") or "0"
    return f"{user}{at}{host}" + (f":{port}" if port and port != _DEFAULT_PORTS.get(scheme) else "")


def _host(scheme: str, text: str) -> str | None:
    labels: list[str] = []
    for label in normalize("NFKC", text).lower().split("."):
        read = _label(label)
        if read is None:
            return None
        labels.append(read)
    host = ".".join(labels)
    if scheme not in SPECIAL_SCHEMES:
        return host
    if scheme == "file":
        host = "" if host == "localhost" else host
    elif not host:
        return None
    # A host that ends with a number is an address, which can be written in many ways: 127.1, 0x7f000001, 2130706433.
    if _NUMBER.fullmatch(labels[-1] or labels[max(len(labels) - 2, 0)]):
        try:
            return str(IPv4Address(host))
        except AddressValueError:
            return None
    return host


def _label(label: str) -> str | None:
    """A label of a host name; an A-label as the U-label it stands for (RFC 5890)."""
    if label.startswith("xn--"):
        try:
            read = label[4:].encode("ascii").decode("punycode") if len(label) <= _LONGEST_LABEL else ""
        except UnicodeError:
            return None
        return read if _is_kept(read) and read.encode("punycode").decode() == label[4:] else None
    return label if _ASCII_LABEL.fullmatch(label) or _is_kept(label) else None


def _is_kept(label: str) -> bool:
    """Whether IDNA neither drops nor changes a character of a label with letters beyond ASCII."""
    if label.isascii() or not label.replace("-", "").isalnum() or _INVISIBLE & set(label):
        return False
    return label == normalize("NFKC", label) and label == label.casefold()
