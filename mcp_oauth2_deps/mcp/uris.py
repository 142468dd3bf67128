"""URIs of resources: every way in which a program may read one, each in one spelling (rule F9).

A program may read a URI in other ways than it is written: it decodes percent-encoding, resolves dot segments, cuts off a query.
The caller chooses the spelling, so a decision is taken about every way to read it. Nothing here takes more than linear time.
"""

import re
from dataclasses import dataclass
from string import hexdigits
from typing import NamedTuple
from urllib.parse import quote, unquote

from mcp_oauth2_deps.mcp.uri_hosts import SPECIAL_SCHEMES, authority

# Stand in a pattern for: any text; at least one character, none of them a slash; at least one character.
ANY, SEGMENT, SEGMENTS = "\x00", "\x01", "\x02"
_UNRESERVED = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
# Each escape, in either case of its digits: the character where that may stand as it is, else the escape in upper case.
_SPELLINGS = {
    f"%{high}{low}": chr(code) if (code := int(high + low, 16)) in _UNRESERVED else f"%{high}{low}".upper()
    for high in hexdigits
    for low in hexdigits
}
_TRIPLET = re.compile(r"%[0-9A-Fa-f]{2}")
# What must not stand in a URI as it is (RFC 3986 section 2), a stray percent sign included.
_TO_ENCODE = re.compile(r"%(?![0-9A-Fa-f]{2})|[^\x00-\x02A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]+")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*")
# Nobody encodes more often, and each pass costs the length of the text.
_MOST_DECODINGS = 3
# Programs drop these wherever they stand, or stop there.
_DROPPED = re.compile("[\x00-\x1f\x7f]")
# Some keep it when they resolve what comes after it.
_DRIVE_LETTER = re.compile(r"[/\\][A-Za-z](?:[:|]|%7C)(?:[/\\]|$)")
_LEADING_DRIVE = re.compile(r"[/\\]+[A-Za-z](?:[:|]|%7C)(?:[/\\]|$)")
_PLAIN_DRIVE = re.compile(r"/[A-Za-z]:(?:/|$)")
_DOT_SEGMENT = re.compile(r"[/\\]\.{1,2}(?:[/\\?#]|$)")
# URIs that have one reading only: nothing is encoded, nothing to be resolved, no query.
_PLAIN = re.compile(
    r"(?!https?:|wss?:|ftp:|file:)[a-z][a-z0-9+.\-]*://[a-z0-9.\-]*/"
    r"[A-Za-z0-9_.~@!$&'()*+,;=:/\-]*[A-Za-z0-9_.~@!$&'()*+,;=:\-]",
    re.ASCII,
)


class Way(NamedTuple):
    """A way to read a text: whether all escapes are decoded first, and whether a query and a fragment are cut off."""

    decode: bool
    cut: bool


# As RFC 3986 compares URIs; as a program does that decodes first; as one that takes a query or fragment for a part of the path.
PRECISE, DECODED, WHOLE = Way(decode=False, cut=True), Way(decode=True, cut=True), Way(decode=True, cut=False)


class Reading(NamedTuple):
    """One way to read a URI: what stands before its query, and the query with its parts in order."""

    way: Way
    base: str
    query: str


@dataclass(frozen=True, slots=True)
class Uri:
    """A URI that somebody asks for.

    Attributes:
        text: as it was written.
        readings: all that a program may take it for; none when that cannot be known: it is encoded too often, holds control
            characters, or has a host that programs repair in ways of their own.
        also: what a program takes it for that drops a slash at the end. Rules for these count, but none has to be there.
    """

    text: str
    readings: tuple[Reading, ...]
    also: tuple[Reading, ...] = ()


def read_uri(text: str) -> Uri:
    """The URI with all its readings (RFC 3986 section 6.2, and what programs do besides)."""
    if _PLAIN.fullmatch(text) and "//" not in (path := text.partition("://")[2]) and "/." not in path and "xn--" not in path:
        return Uri(text, (Reading(PRECISE, text, ""), Reading(DECODED, text, "")))
    decoded = fully_decoded(text)
    if decoded is None or _DROPPED.search(text):
        return Uri(text, ())
    ways = [PRECISE, DECODED]
    query = decoded.partition("?")[2]
    # A query with a slash in it may be taken for a path.
    if "#" in decoded or "/" in query or "\\" in query:
        ways.append(WHOLE)
    read = {way: forms(text, decoded, way) for way in ways}
    if not all(read.values()):
        return Uri(text, ())
    readings = tuple(dict.fromkeys(Reading(way, *form) for way in ways for form in read[way]))
    also = [Reading(way, base.rstrip("/"), query) for way, base, query in readings if base.endswith("/")]
    return Uri(text, readings, tuple(also))


def cut(text: str) -> tuple[str, str]:
    """What stands before the query, and the query; a fragment, which is no part of what is asked for, is dropped."""
    base, _, query = text.partition("#")[0].partition("?")
    return base, query


def forms(text: str, decoded: str, way: Way) -> list[tuple[str, str]]:
    """The text and its query, read in this way: as it is written, and with all resolved that can be.

    None at all where it cannot be known.
    """
    text = (decoded if way.decode else text).strip(" \t\r\n")
    base, query = cut(text) if way.cut else (text, "")
    if not way.decode:
        base = _precise(base)
    query = "&".join(sorted(query.split("&")))
    found = [_spelled(base)]
    path = base.partition("://")[2]
    if "//" in path or "/." in path or "\\" in base:
        unified = base.replace("\\", "/")
        found += [_resolved(form, single=single) for form in (base, unified) for single in (False, True) if "://" in form]
    known = [form for form in dict.fromkeys(found) if form is not None]
    return [(form, query) for form in known] if None not in found else []


def fully_decoded(text: str) -> str | None:
    """The text with all escapes decoded; none when that takes more passes than anybody needs."""
    for _ in range(_MOST_DECODINGS):
        before, text = text, unquote(text)
        if text == before:
            return text
    return None if _TRIPLET.search(text) else text


def _precise(text: str) -> str:
    """The text with one spelling for each escape (RFC 3986 section 6.2.2)."""
    text = _TO_ENCODE.sub(lambda found: quote(found[0], safe="", errors="surrogatepass"), text)
    return _TRIPLET.sub(lambda found: _SPELLINGS[found[0]], text) if "%" in text else text


def _spelled(base: str) -> str | None:
    """The text with scheme and authority in one spelling (RFC 3986 section 6.2.3), and at least a slash for a path.

    None where programs repair what is written, each in its own way: `http:host`, `d:/a/../b`.
    """
    scheme, colon, rest = base.partition(":")
    scheme = scheme.lower() if _SCHEME.fullmatch(scheme) else scheme
    if not rest.startswith("//"):
        repaired = scheme in SPECIAL_SCHEMES or (rest.startswith("/") and ("//" in rest or _DOT_SEGMENT.search(rest)))
        return None if colon and repaired else f"{scheme}{colon}{rest}"
    host = re.split("[/?#]", rest[2:], maxsplit=1)[0]
    path = rest[2 + len(host) :]
    drive = _DRIVE_LETTER.search(path) if scheme == "file" else None
    if drive and (host or _DOT_SEGMENT.search(path) or (_LEADING_DRIVE.match(path) and not _PLAIN_DRIVE.match(path))):
        return None
    known = authority(scheme, host)
    if known is None:
        return None
    # A placeholder at the end takes the path too.
    return (
        f"{scheme}://{known}{path}" if path.startswith("/") or known.endswith((ANY, SEGMENTS)) else f"{scheme}://{known}/{path}"
    )


def _resolved(base: str, *, single: bool) -> str | None:
    """The text with its dot segments resolved (RFC 3986 section 5.2.4), and of slashes in a row only one kept where asked for."""
    scheme, separator, rest = base.partition("://")
    host, _, path = rest.partition("/")
    written = path.split("/")
    segments: list[str] = []
    for segment in written:
        if segment == "..":
            del segments[-1:]
        elif segment != "." and (segment or not single):
            segments.append(segment)
    end = "/" if segments and (written[-1] in (".", "..") or (single and not written[-1])) else ""
    return _spelled(f"{scheme}{separator}{host}/{'/'.join(segments)}{end}")
