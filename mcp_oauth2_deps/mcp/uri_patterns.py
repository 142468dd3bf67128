"""What URIs of resources are compared with: rules, resources and templates, read in the same ways as the URIs.

Nothing here takes more than linear time.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Generic, TypeVar

from mcp_oauth2_deps.mcp.uri_queries import QueryPattern, read_query
from mcp_oauth2_deps.mcp.uris import (
    ANY,
    DECODED,
    PRECISE,
    SEGMENT,
    SEGMENTS,
    WHOLE,
    Reading,
    Uri,
    Way,
    cut,
    forms,
    fully_decoded,
    read_uri,
)

# Parts of a template that stand for a part of the query, or of the path.
_QUERY_EXPRESSION = re.compile(r"\{[?&][^}]*\}")
_EXPRESSION = re.compile(r"\{[^}]*\}")
_MOST_PATTERNS = 10_000
_Value = TypeVar("_Value")
_Test = Callable[[str], bool]
_Wanted = QueryPattern | None
_PLACEHOLDER = re.compile("[\x00-\x02]")
_DOT_SEGMENT = re.compile(r"[/\\]\.{1,2}(?:[/\\?#]|$)")


class UriPattern:
    """What a URI is compared with: a rule, a resource that a server has, or its template for resources."""

    def __init__(self, text: str, pattern: str) -> None:
        """A pattern from a text with placeholders; use `of_rule`, `of_resource` or `of_template`."""
        self.text = text
        self.uri = read_uri(text)
        self.exact: dict[tuple[Way, str], _Wanted] = {}
        self.compiled: dict[Way, list[tuple[_Test, _Wanted]]] = {}
        self._raw = _compile(cut(pattern)[0])
        decoded = fully_decoded(pattern) or pattern
        for way in (PRECISE, DECODED, WHOLE):
            for base, query in dict.fromkeys(forms(pattern, decoded, way)):
                wanted = QueryPattern(query, _compile) if query.strip("&") else None
                if _PLACEHOLDER.search(base):
                    self.compiled.setdefault(way, []).append((_compile(base), wanted))
                else:
                    self.exact[way, base] = wanted

    @classmethod
    def of_rule(cls, text: str) -> "UriPattern":
        """The URIs that a rule is for; `*` stands for any characters.

        Raises:
            ValueError: a rule whose meaning would depend on who reads it, or with a `*` in the name of a query's part.
        """
        decoded = fully_decoded(text)
        if decoded is None or _PLACEHOLDER.search(decoded):
            raise ValueError(f"the rule for {text!r} is encoded too often, or holds a control character")
        if "*" in text and _DOT_SEGMENT.search(decoded):
            raise ValueError(f"the rule for {text!r} must be written without the segments . and .., because of its *")
        if not read_uri(text).readings:
            raise ValueError(f"the rule for {text!r} has a control character, or a scheme, host or path that programs repair")
        written = _EXPRESSION.sub("", text).partition("?")[2]
        if any("*" in part.partition("=")[0] for part in re.split("[&;]", written)):
            raise ValueError(f"the rule for {text!r} has a * in its query that belongs to no value; write name=*")
        return cls(text, text.replace("*", ANY))

    @classmethod
    def of_resource(cls, text: str) -> "UriPattern":
        """The URIs that stand for this resource. A control character in it could be anything."""
        return cls(text, text)

    @classmethod
    def of_template(cls, text: str) -> "UriPattern":
        """The URIs that this template of FastMCP serves: at least these, `{x}` within a segment, `{x*}` across them."""
        path = _QUERY_EXPRESSION.sub("", text)
        return cls(text, _EXPRESSION.sub(lambda found: SEGMENTS if found[0].endswith("*}") else SEGMENT, path))

    def fits(self, reading: Reading) -> bool:
        """Whether a URI read in this way may be among those that it stands for.

        A pattern without a query stands for every query, one with a query for every URI that has any. Programs read queries in
        too many ways (order, repeated and undeclared names, `+`, `;`) to say of two queries that they do not mean the same.
        """
        return any(_may_fit(wanted, reading) for wanted in self._wanted(reading))

    def covers(self, reading: Reading) -> bool:
        """Whether it is among them for certain: where a query is named, nothing else may stand in that of the URI."""
        return any(wanted is None or wanted.covers(read_query(reading.query)) for wanted in self._wanted(reading))

    def _wanted(self, reading: Reading) -> Iterator[_Wanted]:
        """What is wanted of the query, once for each way in which the rest fits."""
        key = reading.way, reading.base
        if key in self.exact:
            yield self.exact[key]
        yield from (wanted for fits_base, wanted in self.compiled.get(reading.way, ()) if fits_base(reading.base))

    def may_serve(self, uri: Uri) -> bool:
        """Whether any reading of the URI fits, or the text as it is."""
        # To FastMCP's patterns a line feed at the end may be the last character of a value, or none at all.
        texts = (uri.text, uri.text.removesuffix("\n"))
        return any(self._raw(cut(text)[0]) for text in texts) or any(map(self.fits, (*uri.readings, *uri.also)))


class UriMap(Generic[_Value]):
    """Values by the URIs that they are for."""

    def __init__(self, items: Iterable[tuple[UriPattern, _Value]]) -> None:
        """Those for one URI are found at once; those for many are tried one by one."""
        self._exact: dict[tuple[Way, str], list[tuple[_Wanted, _Value]]] = {}
        self._open: dict[Way, list[tuple[_Test, _Wanted, _Value]]] = {}
        for pattern, value in items:
            for key, wanted in pattern.exact.items():
                self._exact.setdefault(key, []).append((wanted, value))
            for way, tests in pattern.compiled.items():
                self._open.setdefault(way, []).extend((fits_base, wanted, value) for fits_base, wanted in tests)

    def at(self, reading: Reading) -> list[tuple[_Value, bool]]:
        """The values that may be for a URI read in this way, and of each whether it is for certain."""
        way, base, query = reading
        found = list(self._exact.get((way, base), ()))
        found += [(wanted, value) for fits_base, wanted, value in self._open.get(way, ()) if fits_base(base)]
        if not any(wanted for wanted, _ in found):
            return [(value, True) for _, value in found]
        pairs = read_query(query)
        return [(value, wanted is None or wanted.covers(pairs)) for wanted, value in found if _may_fit(wanted, reading)]


def _may_fit(wanted: _Wanted, reading: Reading) -> bool:
    return wanted is None or bool(reading.query)


class PatternMemory:
    """Patterns by their texts, each made once. The texts are a server's own; were there ever too many, all are made again."""

    def __init__(self, make: Callable[[str], UriPattern]) -> None:
        """Nothing is made yet.

        Args:
            make: the pattern of a text.
        """
        self._make = make
        self._made: dict[str, UriPattern] = {}

    def of(self, text: str) -> UriPattern:
        """The pattern of this text."""
        pattern = self._made.get(text)
        if pattern is None:
            if len(self._made) >= _MOST_PATTERNS:
                self._made.clear()
            pattern = self._made[text] = self._make(text)
        return pattern


def moved(uri: str, template: str, other: str) -> str | None:
    """A URI that a template serves, as another template has it that begins otherwise; none where that cannot be known."""
    pairs = zip(reversed(template), reversed(other), strict=False)
    shorter = min(len(template), len(other))
    same = next((index for index, (one, another) in enumerate(pairs) if one != another), shorter)
    begins = template[: len(template) - same]
    if "{" in begins or not uri.startswith(begins):
        return None
    return other[: len(other) - same] + uri[len(begins) :]


def _compile(pattern: str) -> _Test:
    """Whether a text fits the pattern, as a function of the text."""
    if pattern.endswith(ANY) and not _PLACEHOLDER.search(pattern, 0, len(pattern) - 1):
        return partial(_starts, pattern[:-1])
    if not _PLACEHOLDER.search(pattern):
        return pattern.__eq__
    if SEGMENT in pattern and SEGMENTS not in pattern:
        return partial(_fits_segments, [_PLACEHOLDER.split(segment) for segment in pattern.split("/")])
    # Where one placeholder may take slashes, those next to it are given them too.
    return partial(fits_pieces, _PLACEHOLDER.split(pattern), 0 if ANY in pattern else 1)


def _starts(first: str, text: str) -> bool:
    return text.startswith(first)


def _fits_segments(segments: list[list[str]], text: str) -> bool:
    written = text.split("/")
    return len(written) == len(segments) and all(map(fits_pieces, segments, [1] * len(segments), written))


def fits_pieces(pieces: list[str], least: int, text: str) -> bool:
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
