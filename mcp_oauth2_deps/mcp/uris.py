"""URIs of resources, and the rules and templates they are compared with, in one form on both sides (rule F9).

A program may read a URI in other ways than it is written: it decodes percent-encoding, resolves dot segments, cuts off a query.
The caller chooses the spelling, so a decision is taken about every way to read it. Nothing here takes more than linear time.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from string import hexdigits
from typing import Generic, NamedTuple, TypeVar
from unicodedata import normalize
from urllib.parse import quote, unquote

# Stand in a pattern for: any text; at least one character, none of them a slash; at least one character.
_ANY, _SEGMENT, _SEGMENTS = "\x00", "\x01", "\x02"
_PLACEHOLDER = re.compile("[\x00-\x02]")
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
_DOT_SEGMENT = re.compile(r"[/\\]\.{1,2}(?:[/\\?#]|$)")
# Nobody encodes more often, and each pass costs the length of the text.
_MOST_DECODINGS = 3
_DEFAULT_PORTS = {"http": "80", "https": "443", "ws": "80", "wss": "443", "ftp": "21"}
_LONGEST_LABEL = 63
# URIs that have one reading only: nothing is encoded, nothing to be resolved, no query.
_PLAIN = re.compile(r"(?!.*xn--)[a-z][a-z0-9+.\-]*://[a-z0-9.\-]*(?:/(?!\.)[A-Za-z0-9_.~@!$&'()*+,;=:\-]+)+", re.ASCII)
_PLAIN_HOST = re.compile(r"(?!.*xn--)[a-z0-9.\-]*", re.ASCII)
# Parts of a template that stand for a part of the query, or of the path.
_QUERY_EXPRESSION = re.compile(r"\{[?&][^}]*\}")
_EXPRESSION = re.compile(r"\{[^}]*\}")
_Value = TypeVar("_Value")


class _Way(NamedTuple):
    """A way to read a text: whether all escapes are decoded first, and whether a query and a fragment are cut off."""

    decode: bool
    cut: bool


# As RFC 3986 compares URIs; as a program does that decodes first; as one that takes a query or fragment for a part of the path.
_PRECISE, _DECODED, _WHOLE = _Way(decode=False, cut=True), _Way(decode=True, cut=True), _Way(decode=True, cut=False)


class Reading(NamedTuple):
    """One way to read a URI: what stands before its query, and the query with its parts in order."""

    way: _Way
    base: str
    query: str


@dataclass(frozen=True, slots=True)
class Uri:
    """A URI that somebody asks for.

    Attributes:
        text: as it was written.
        readings: all that a program may take it for; none when it is encoded so often that it cannot be told.
    """

    text: str
    readings: tuple[Reading, ...]


def read_uri(text: str) -> Uri:
    """The URI with all its readings (RFC 3986 section 6.2, and what programs do besides)."""
    if _PLAIN.fullmatch(text):
        return Uri(text, (Reading(_PRECISE, text, ""), Reading(_DECODED, text, "")))
    decoded = _decoded(text)
    if decoded is None:
        return Uri(text, ())
    ways = [_PRECISE, _DECODED]
    query = decoded.partition("?")[2]
    # A query with a slash in it may be taken for a path.
    if "#" in decoded or "/" in query or "\\" in query:
        ways.append(_WHOLE)
    return Uri(text, tuple(dict.fromkeys(Reading(way, *form) for way in ways for form in _forms(text, decoded, way))))


class UriPattern:
    """What a URI is compared with: a rule, a resource that a server has, or its template for resources."""

    def __init__(self, text: str, pattern: str) -> None:
        """A pattern from a text with placeholders; use `of_rule`, `of_resource` or `of_template`."""
        self.text = text
        self.uri = read_uri(text)
        self.exact: set[tuple[_Way, str, str]] = set()
        self._compiled: dict[_Way, list[tuple[Callable[[str], bool], Callable[[str], bool] | None]]] = {}
        self._raw = _compile(_cut(pattern)[0])
        decoded = _decoded(pattern) or pattern
        for way in (_PRECISE, _DECODED, _WHOLE):
            for base, query in dict.fromkeys(_forms(pattern, decoded, way)):
                if _PLACEHOLDER.search(base + query):
                    self._compiled.setdefault(way, []).append((_compile(base), _compile(query) if query else None))
                else:
                    self.exact.add((way, base, query))

    @classmethod
    def of_rule(cls, text: str) -> "UriPattern":
        """The URIs that a rule is for; `*` stands for any characters.

        Raises:
            ValueError: a rule whose meaning would depend on who reads it.
        """
        decoded = _decoded(text)
        if decoded is None or _PLACEHOLDER.search(decoded):
            raise ValueError(f"the rule for {text!r} is encoded too often, or holds a control character")
        if "*" in text and _DOT_SEGMENT.search(decoded):
            raise ValueError(f"the rule for {text!r} must be written without the segments . and .., because of its *")
        return cls(text, text.replace("*", _ANY))

    @classmethod
    def of_resource(cls, text: str) -> "UriPattern":
        """The URIs that stand for this resource. A control character in it could be anything."""
        return cls(text, text)

    @classmethod
    def of_template(cls, text: str) -> "UriPattern":
        """The URIs that this template of FastMCP serves: at least these, `{x}` within a segment, `{x*}` across them."""
        path = _QUERY_EXPRESSION.sub("", text)
        return cls(text, _EXPRESSION.sub(lambda found: _SEGMENTS if found[0].endswith("*}") else _SEGMENT, path))

    @property
    def is_open(self) -> bool:
        """Whether it stands for more URIs than spellings of one."""
        return bool(self._compiled)

    def fits(self, reading: Reading) -> bool:
        """Whether a URI read in this way is among those that it stands for. A query counts only where it names one."""
        way, base, query = reading
        if (way, base, "") in self.exact or reading in self.exact:
            return True
        return any(
            fits_base(base) and (fits_query is None or fits_query(query)) for fits_base, fits_query in self._compiled.get(way, ())
        )

    def may_serve(self, uri: Uri) -> bool:
        """Whether any reading of the URI fits, or the text as it is."""
        # To FastMCP's patterns a line feed at the end may be the last character of a value, or none at all.
        texts = (uri.text, uri.text.removesuffix("\n"))
        return any(self._raw(_cut(text)[0]) for text in texts) or any(map(self.fits, uri.readings))


class UriMap(Generic[_Value]):
    """Values by the URIs that they are for."""

    def __init__(self, items: Iterable[tuple[UriPattern, _Value]]) -> None:
        """Those for one URI are found at once; those for many are tried one by one."""
        self._exact: dict[tuple[_Way, str, str], list[_Value]] = {}
        self._open: list[tuple[UriPattern, _Value]] = []
        for pattern, value in items:
            for key in pattern.exact:
                self._exact.setdefault(key, []).append(value)
            if pattern.is_open:
                self._open.append((pattern, value))

    def at(self, reading: Reading) -> Iterator[_Value]:
        """The values that are for a URI read in this way."""
        way, base, query = reading
        yield from self._exact.get((way, base, ""), ())
        if query:
            yield from self._exact.get(reading, ())
        yield from (value for pattern, value in self._open if pattern.fits(reading))


def _cut(text: str) -> tuple[str, str]:
    """What stands before the query, and the query; a fragment, which is no part of what is asked for, is dropped."""
    base, _, query = text.partition("#")[0].partition("?")
    return base, query


def _forms(text: str, decoded: str, way: _Way) -> list[tuple[str, str]]:
    """The text and its query, read in this way: as it is written, and with all resolved that can be."""
    text = (decoded if way.decode else text).strip(" \t\r\n")
    base, query = _cut(text) if way.cut else (text, "")
    if not way.decode:
        base, query = _precise(base), _precise(query)
    query = "&".join(sorted(query.split("&")))
    base = _spelled(base)
    path = base.partition("://")[2]
    if "//" not in path and "/." not in path and "\\" not in base:
        return [(base, query)]
    return [(base, query), (_resolved(base, single=False), query), (_resolved(base, single=True), query)]


def _decoded(text: str) -> str | None:
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


def _spelled(base: str) -> str:
    """The text with scheme and authority in one spelling (RFC 3986 section 6.2.3), and at least a slash for a path."""
    scheme, separator, rest = base.partition("://")
    if separator:
        scheme = scheme.lower()
        host, slash, path = rest.partition("/")
        host = _authority(scheme, host)
        # A placeholder at the end takes the path too.
        return f"{scheme}://{host}{slash}{path}" if slash or host.endswith((_ANY, _SEGMENTS)) else f"{scheme}://{host}/"
    scheme, colon, rest = base.partition(":")
    return f"{scheme.lower() if _SCHEME.fullmatch(scheme) else scheme}{colon}{rest}"


def _resolved(base: str, *, single: bool) -> str:
    """The text with its dot segments resolved (RFC 3986 section 5.2.4), and of slashes in a row only one kept where asked for."""
    scheme, separator, rest = base.replace("\\", "/").partition("://")
    if not separator:
        return base
    host, _, path = rest.partition("/")
    written = path.split("/")
    segments: list[str] = []
    for segment in written:
        if segment == "..":
            del segments[-1:]
        elif segment != "." and (segment or not single):
            segments.append(segment)
    end = "/" if segments and segments[-1] and written[-1] in ("", ".", "..") else ""
    return _spelled(f"{scheme}{separator}{host}/{'/'.join(segments)}{end}")


def _authority(scheme: str, text: str) -> str:
    """User, host and port in one spelling: a host as it is read by people, and no port where it is the usual one."""
    if _PLAIN_HOST.fullmatch(text):
        return text
    user, at, host = normalize("NFKC", unquote(text)).lower().rpartition("@")
    port = ""
    if not host.endswith("]") and ":" in host:
        host, _, port = host.rpartition(":")
        port = port if not port.isdecimal() else port.lstrip("0") or "0"
        port = "" if port == _DEFAULT_PORTS.get(scheme) else port
    host = ".".join(map(_label, host.split(".")))
    return f"{user}{at}{host}{':' if port else ''}{port}"


def _label(label: str) -> str:
    """A label of a host name; an A-label as the U-label it stands for (RFC 5890)."""
    if not label.startswith("xn--") or len(label) > _LONGEST_LABEL:
        return label
    try:
        return label[4:].encode("ascii").decode("punycode")
    except UnicodeError:
        return label


def _compile(pattern: str) -> Callable[[str], bool]:
    """Whether a text fits the pattern, as a function of the text."""
    if not _PLACEHOLDER.search(pattern):
        return pattern.__eq__
    if _SEGMENT in pattern and _SEGMENTS not in pattern:
        return partial(_fits_segments, [_PLACEHOLDER.split(segment) for segment in pattern.split("/")])
    # Where one placeholder may take slashes, those beside it are given them too.
    return partial(_fits, _PLACEHOLDER.split(pattern), 0 if _ANY in pattern else 1)


def _fits_segments(segments: list[list[str]], text: str) -> bool:
    written = text.split("/")
    return len(written) == len(segments) and all(map(_fits, segments, [1] * len(segments), written))


def _fits(pieces: list[str], least: int, text: str) -> bool:
    """Whether the text is these pieces in this order, with at least so many characters between each two of them."""
    first, *middle = pieces
    if not middle:
        return text == first
    last = middle.pop()
    place, end = len(first) + least, len(text) - len(last)
    if not text.startswith(first) or not text.endswith(last) or place > end:
        return False
    for piece in middle:
        # The leftmost place leaves most for the rest, so nothing has to be tried twice.
        place = text.find(piece, place, end)
        if place < 0:
            return False
        place += len(piece) + least
    return place <= end
