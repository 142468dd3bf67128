"""Which values of a URI a function gets as they are written, and which pydantic makes something else of.

Both engines call a template's function through pydantic, so it is pydantic that is asked. Rules do not belong here.
"""

import logging
from collections.abc import Iterable, Mapping
from typing import Any
from weakref import WeakKeyDictionary

from pydantic import TypeAdapter

logger = logging.getLogger(__name__)

# The parameters that keep their text, each with the texts that it may have when it is left out.
Kept = Mapping[str, frozenset[str]]
_CHANGES = ("strip_whitespace", "to_lower", "to_upper")


class TemplateValues:
    """Looks into functions, and remembers what it saw for as long as they exist."""

    def __init__(self) -> None:
        self._known: WeakKeyDictionary[Any, Kept] = WeakKeyDictionary()

    def kept_by(self, functions: Iterable[object]) -> Kept:
        """The parameters that get their text as it is written in all of these functions.

        What cannot be looked into, as a template without a function, keeps nothing for certain.
        """
        all_kept = [self._kept(function) for function in functions]
        names = set(all_kept[0]).intersection(*all_kept) if all_kept else ()
        return {name: frozenset[str]().union(*(kept[name] for kept in all_kept)) for name in names}

    def _kept(self, function: object) -> Kept:
        try:
            known = self._known.get(function)
            if known is None:
                known = self._known[function] = _looked_into(function)
        except TypeError:
            # It has no hash, or nothing can refer to it weakly.
            return _looked_into(function)
        return known


def _looked_into(function: object) -> Kept:
    # Both engines hold what pydantic's `validate_call` made, which names what it was made from.
    raw: Any = getattr(function, "raw_function", None)
    if raw is None:
        return {}
    try:
        schema: Any = TypeAdapter(raw).core_schema
        arguments = schema["arguments_schema"]["arguments_schema"]
    except Exception:
        # A type that pydantic found where the function was made, but not from here.
        logger.debug("pydantic cannot say what it makes of the values of a template", exc_info=True)
        return {}
    return {one["name"]: _defaults(one["schema"]) for one in arguments if "alias" not in one and _keeps_text(one["schema"])}


def _keeps_text(schema: Any) -> bool:
    """Whether pydantic hands on a text as it is, or refuses it."""
    match schema["type"]:
        case "any":
            return True
        case "str":
            return not any(schema.get(change) for change in _CHANGES)
        case "nullable" | "default":
            return "default_factory" not in schema and _keeps_text(schema["schema"])
        case "literal":
            return all(type(one) is str for one in schema["expected"])
    return False


def _defaults(schema: Any) -> frozenset[str]:
    default = schema.get("default")
    return frozenset({default} if isinstance(default, str) else ())
