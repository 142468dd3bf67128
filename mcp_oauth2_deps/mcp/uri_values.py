"""Which values of a template a rule is for: any value, or some only.

A rule for some values of a parameter holds only where the server takes a value as it is written. Where it makes a number of it,
`07`, `+7` and `%207` are 7 too, and no comparison of texts can know that. Nothing here is asked while a message waits.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from mcp_oauth2_deps.mcp.uri_patterns import fits_pieces
from mcp_oauth2_deps.mcp.uri_queries import read_query
from mcp_oauth2_deps.mcp.uris import ANY, DECODED, PRECISE, SEGMENT, SEGMENTS, Way, forms, fully_decoded

_EXPRESSION = re.compile(r"\{([?&]?)([^}]*)\}")
_PLACEHOLDER = re.compile("[\x00-\x02]")
_NAME = re.compile(r"[\w.\-]+")
# Stands for one character of a value, before a placeholder for more of them.
_ONE = "\x03"


class NamedValues(NamedTuple):
    """What a rule says about the values of a template.

    Attributes:
        names: the parameters of which it is for some values only.
        query: of parameters that stand in the query, the values that it names; empty where it names none.
    """

    names: frozenset[str]
    query: Mapping[str, frozenset[str]]

    def converted(self, kept: Mapping[str, frozenset[str]]) -> list[str]:
        """The parameters of which other spellings may pass the rule.

        Args:
            kept: the parameters whose value the server takes as it is written, each with the texts that it may have when it is
                left out.
        """
        return sorted(name for name in self.names if _as_argument(name) not in kept)

    def means_defaults(self, kept: Mapping[str, frozenset[str]]) -> bool:
        """Whether a URI without a query may mean the same as one with the query of this rule."""
        return bool(self.query) and all(
            _may_be(kept.get(_as_argument(name), frozenset()), values) for name, values in self.query.items()
        )


_NOTHING = NamedValues(frozenset(), {})


def named_values(rule: str, template: str) -> NamedValues:
    """Of which parameters of the template the rule is for some values only; none where it is for all, or for other URIs."""
    parsed = _parsed(template)
    rule_base, _, rule_query = parsed.with_placeholders(rule).partition("?")
    names = _named_in_path(rule_base, parsed.path, parsed.in_path)
    if names is None:
        return _NOTHING
    if rule_query and rule_query != parsed.literal_query:
        # Of a template that spells a query out, as `?n={n}`.
        names |= frozenset(parsed.in_literal_query)
    query: dict[str, frozenset[str]] = {}
    for pairs in read_query(rule_query) or ():
        for name, value in pairs:
            if name in parsed.in_query and value != "*":
                query[name] = query.get(name, frozenset()) | {value}
    return NamedValues(names | frozenset(query), query)


class _Template(NamedTuple):
    """A template, taken apart; placeholders stand for its expressions.

    Attributes:
        path: what stands before its query.
        literal_query: a query that is spelled out.
        in_path: the parameters in the path, in their order.
        in_literal_query: those in a query that is spelled out.
        in_query: those of expressions that make a query.
        expressions: in the text of the template, with what stands for each.
    """

    path: str
    literal_query: str
    in_path: list[str]
    in_literal_query: list[str]
    in_query: frozenset[str]
    expressions: list[tuple[str, str]]

    def with_placeholders(self, rule: str) -> str:
        """A rule, in which the expressions that it shares with the template are the same placeholders."""
        if "{" in rule:
            for expression, placeholder in self.expressions:
                rule = rule.replace(expression, placeholder)
        return rule


@lru_cache(maxsize=1024)
def _parsed(template: str) -> _Template:
    path, _, literal_query = _EXPRESSION.sub(_placeholder, template).partition("?")
    before, _, after = _EXPRESSION.sub(lambda found: "" if found[1] else found[0], template).partition("?")
    in_query = frozenset(name for operator, text in _EXPRESSION.findall(template) if operator for name in _NAME.findall(text))
    expressions = [(found[0], _placeholder(found)) for found in _EXPRESSION.finditer(template)]
    return _Template(path, literal_query, _names_in(before), _names_in(after), in_query, expressions)


def _names_in(text: str) -> list[str]:
    return [name for _, inside in _EXPRESSION.findall(text) for name in _NAME.findall(inside)]


def _as_argument(name: str) -> str:
    """The name of the parameter in the function; FastMCP lets templates write a hyphen for an underscore."""
    return name.replace("-", "_")


def _may_be(defaults: frozenset[str], values: frozenset[str]) -> bool:
    return any(fits_pieces(value.split("*"), 0, default) for value in values for default in defaults)


def _placeholder(found: "re.Match[str]") -> str:
    if found[1]:
        return ""
    return SEGMENT if _NAME.fullmatch(found[2]) else SEGMENTS


def _named_in_path(rule: str, template: str, names: list[str]) -> frozenset[str] | None:
    """The parameters of the path of which the rule is for some values only; none where no URI fits both."""
    found: frozenset[str] | None = None
    for way in (PRECISE, DECODED):
        rules, templates = _read(rule.replace("*", ANY), way), _read(template, way)
        single = len(rules) == len(templates) == 1
        if single and fits_pieces(rules[0].split(ANY), 0, templates[0]):
            found = found or frozenset()
        elif any(_begin_alike(one, other) and _overlap(one, other) for one in rules for other in templates):
            # Where one of them stands for several forms, nothing is known for certain.
            some = _unaligned(rules[0].split("/"), templates[0].split("/"), names) if single else frozenset(names)
            found = (found or frozenset()) | some
    return found


@lru_cache(maxsize=4096)
def _read(pattern: str, way: Way) -> tuple[str, ...]:
    return tuple(dict.fromkeys(base for base, _ in forms(pattern, fully_decoded(pattern) or pattern, way)))


def _begin_alike(rule: str, template: str) -> bool:
    """Whether one begins as the other, up to a placeholder. It is for most pairs that this is not so."""
    one, other = _PLACEHOLDER.split(rule, maxsplit=1)[0], _PLACEHOLDER.split(template, maxsplit=1)[0]
    return one.startswith(other) or other.startswith(one)


def _unaligned(rule: list[str], template: list[str], names: list[str]) -> frozenset[str]:
    """The parameters in those segments of a template which a rule, segment by segment, does not take whole."""
    left = list(names)
    found: set[str] = set()
    # With as many segments as the template has, no `*` takes more than one. With fewer, one in the middle might.
    aligned = len(rule) == len(template) or (len(rule) < len(template) and _takes_the_rest("/".join(rule)))
    for index, segment in enumerate(template):
        aligned = aligned and SEGMENTS not in segment
        values = len(re.findall(f"[{SEGMENT}{SEGMENTS}]", segment))
        inside, left = left[:values], left[values:]
        taken = index >= len(rule) or fits_pieces(rule[index].split(ANY), 0, segment)
        if not (aligned and taken):
            found.update(inside)
    # An expression of several names has one placeholder; what is left over belongs to one of those that were seen.
    return frozenset(found) | (frozenset(names) if left else frozenset())


def _takes_the_rest(rule: str) -> bool:
    return rule.find(ANY) == len(rule) - 1


def _overlap(rule: str, template: str) -> bool:
    """Whether any text fits both; also where that is only possible."""
    template = template.replace(SEGMENT, _ONE + SEGMENT)
    seen, waiting = {(0, 0)}, [(0, 0)]
    while waiting:
        row, column = waiting.pop()
        if row == len(rule) and column == len(template):
            return True
        for place in _next(rule[row : row + 1], template[column : column + 1]):
            following = row + place[0], column + place[1]
            if following not in seen:
                seen.add(following)
                waiting.append(following)
    return False


def _next(one: str, other: str) -> list[tuple[int, int]]:
    """How far a text may go on in a rule and in a template, whose next characters these are."""
    any_text = one in (ANY, SEGMENT, SEGMENTS) and bool(one)
    steps = [(1, 0), (0, 1)] if any_text else []
    if other in (SEGMENT, SEGMENTS) and other:
        steps.append((0, 1))
        if one and (any_text or other == SEGMENTS or one != "/"):
            steps.append((1, 0))
    elif one and (one == other or (other == _ONE and one != "/")):
        steps.append((1, 1))
    # Past an end there is nothing.
    return [(row, column) for row, column in steps if row <= len(one) and column <= len(other)]
