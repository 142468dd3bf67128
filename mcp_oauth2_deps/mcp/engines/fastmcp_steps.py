"""How long FastMCP may take to match a URI with a template: its patterns try every place for each value.

Whether the template serves the URI does not belong here.
"""

import re
from collections.abc import Callable
from functools import lru_cache, partial
from math import comb

from fastmcp.resources.template import ResourceTemplate

_QUERY_EXPRESSION = re.compile(r"\{\?[^}]+\}")
_EXPRESSION = re.compile(r"\{[^}]+\}")
# Of what a template begins with, the characters that FastMCP compares as they are.
_BEGINS = re.compile(r"[A-Za-z0-9:/._\-]*")


def steps_of(template: ResourceTemplate) -> Callable[[str], int] | None:
    """How many steps matching a URI may take, as a function of the URI; none where they are as many as its characters."""
    begins, free = _measured(template.uri_template)
    return partial(_steps, begins, free, "#" in template.uri_template) if free else None


@lru_cache(maxsize=4096)
def _measured(text: str) -> tuple[str, int]:
    """What the template begins with, and how many of its values may end at places of the matcher's choice."""
    path = _QUERY_EXPRESSION.sub("", text)
    begins = _BEGINS.match(path)
    free = 0
    segments = path.split("/")
    for index, segment in enumerate(segments):
        if any(found.endswith("*}") for found in _EXPRESSION.findall(segment)):
            # From here on a value may take slashes, so all that follows depends on where it ends.
            free += max(len(_EXPRESSION.findall("/".join(segments[index:]))) - 1, 0)
            break
        # The last value of a segment ends where the segment does.
        free += max(len(_EXPRESSION.findall(segment)) - 1, 0)
    return begins[0] if begins else "", free


def _steps(begins: str, free: int, whole: bool, uri: str) -> int:  # of the template
    text = uri if whole else uri.partition("#")[0]
    path = text.partition("?")[0]
    return comb(len(path) - len(begins) + free, free + 1) if path.startswith(begins) else 0
