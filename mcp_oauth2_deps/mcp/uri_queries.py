"""The query of a URI as programs read it: names with values, in any order.

Which URIs a rule is for otherwise does not belong here.
"""

import re
from collections.abc import Callable
from itertools import product
from urllib.parse import unquote

_Pair = tuple[str, str]
Pairs = tuple[frozenset[_Pair], ...] | None
"""The pairs of name and value in a query, once for each way to read it."""
# Reading costs this many parts sixteen times; nobody has so many parameters.
_MOST_PARTS = 100
_PARTS = re.compile("[&;,]")


def read_query(query: str) -> Pairs:
    """The pairs of name and value, once for each way to read a query; none for more parts than anybody needs.

    Programs differ in four things: whether `;` separates as `&` does, whether `+` is a space, whether a comma separates values,
    and whether names are decoded. The order of the ways is always the same.
    """
    if len(_PARTS.findall(query)) >= _MOST_PARTS:
        return None
    made: dict[tuple[bool, ...], frozenset[_Pair]] = {}
    ways: list[frozenset[_Pair]] = []
    # Where a character does not occur, it makes no difference how it would be read.
    present = [character in query for character in ";+,%"]
    for way in product((False, True), repeat=4):
        matters = tuple(wanted and there for wanted, there in zip(way, present, strict=True))
        if matters not in made:
            made[matters] = frozenset(_pairs(query, *matters))
        ways.append(made[matters])
    return tuple(ways)


def _pairs(query: str, semicolons: bool, plus: bool, commas: bool, names: bool) -> list[_Pair]:  # one way
    parts = (query.replace(";", "&") if semicolons else query).split("&")
    pairs: list[_Pair] = []
    for part in filter(None, parts):
        name, _, value = (part.replace("+", " ") if plus else part).partition("=")
        name = unquote(name) if names else name
        pairs += [(name, unquote(one)) for one in (value.split(",") if commas else [value])]
    return pairs


class QueryPattern:
    """What a rule says about a query: some names with their values."""

    def __init__(self, query: str, compiled: Callable[[str], Callable[[str], bool]]) -> None:
        """A pattern of a query with placeholders in it; `compiled` makes a test of a text of one."""
        ways = read_query(query) or ()
        self._ways = [[(compiled(name), compiled(value)) for name, value in way] for way in ways]

    def covers(self, ways: Pairs) -> bool:
        """Whether a query that was read says this and nothing else, in whatever way it is read."""
        return ways is not None and all(
            all(any(map(_matches(one), pairs)) for one in own) and all(any(_matches(one)(pair) for one in own) for pair in pairs)
            for own, pairs in zip(self._ways, ways, strict=True)
        )


def _matches(pattern: tuple[Callable[[str], bool], Callable[[str], bool]]) -> Callable[[_Pair], bool]:
    return lambda pair: bool(pattern[0](pair[0]) and pattern[1](pair[1]))
