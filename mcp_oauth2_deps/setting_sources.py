"""Where the values of settings come from: arguments, variables, a file of variables; and how their text is taken apart.

What a value must be does not belong here.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from dotenv import dotenv_values
from pydantic import ValidationInfo
from pydantic_core import PydanticCustomError

from mcp_oauth2_deps.protocol.urls import without_user
from mcp_oauth2_deps.providers.parsing import policies_of
from mcp_oauth2_deps.setting_errors import PREFIX, failed

_NAME_ISSUERS = frozenset({"provider", "issuer", "issuers"})


def comma_separated(value: object) -> object:
    """A text divided at commas, verbatim; any other value as it is."""
    return tuple(value.split(",")) if isinstance(value, str) else value


def trimmed(value: object) -> object:
    """A text divided at commas, without white space around them; any other value as it is."""
    return tuple(part.strip() for part in value.split(",")) if isinstance(value, str) else value


def from_json(value: object) -> object:
    """What a JSON text says; any other value as it is.

    Raises:
        ValueError: it is no JSON, or an object in it names a member twice, of which one would be dropped without a word.
    """
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value, object_pairs_hook=_once_each)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"is not valid JSON ({error})") from None


def _once_each(members: list[tuple[str, object]]) -> dict[str, object]:
    names = [name for name, _ in members]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"it names {name!r} twice")
    return dict(members)


def issuer_in_code(values: Mapping[str, Any]) -> bool:
    """Whether the arguments name the issuer, and so everything: the environment is then not read."""
    return not _NAME_ISSUERS.isdisjoint(values)


def our_variables(variables: Mapping[str, str | None]) -> dict[str, str]:
    """The variables with our prefix, by the names of the settings that they stand for."""
    prefix = PREFIX.lower()
    lowered = {name.lower(): value or "" for name, value in variables.items()}
    return {name.removeprefix(prefix): value for name, value in lowered.items() if name.startswith(prefix)}


def read_file(path: str | Path | None) -> dict[str, str]:
    """Our variables in a file; none without a file.

    Raises:
        pydantic.ValidationError: there is no such file.
    """
    if path is None:
        return {}
    if not Path(path).is_file():
        raise failed({"env_file": f"{str(path)!r} is no file; correct the path or unset it"}, in_code=False)
    return our_variables(dotenv_values(path, encoding="utf-8"))


def named_issuers(values: Mapping[str, Any]) -> frozenset[str]:
    """The issuers that these values name, if that can be read already; what cannot, is said later."""
    names = comma_separated(values.get("issuer"))
    found = list(names) if isinstance(names, tuple | list) else []
    for policy in (*_read(json.loads, values.get("issuers")), *_read(policies_of, values.get("provider"))):
        found.append(policy.get("issuer") if isinstance(policy, dict) else getattr(policy, "issuer", None))
    return frozenset(str(name) for name in found if name)


def _read(read: Callable[[str], object], value: object) -> tuple[Any, ...]:
    try:
        found = read(value) if isinstance(value, str) else value
    except (ValueError, RecursionError):
        return ()
    return tuple(found) if isinstance(found, tuple | list) else ()


def refuse_two_issuers(given: frozenset[str], in_file: frozenset[str]) -> None:
    """Where a file is for another issuer than the arguments or the environment, its keys and audience are that one's too.

    Raises:
        pydantic.ValidationError: it is.
    """
    if given and in_file and given != in_file:
        texts = (without_user(",".join(sorted(issuers))) for issuers in (given, in_file))
        text = "is {!r}, but the file is for {!r}: name the same in both, or in one only".format(*texts)
        raise failed({"issuer": text}, in_code=False)


def issuers_given(value: object, info: ValidationInfo) -> object:
    """No name where the settings `provider` or `issuers` have them; where that is wrong itself, no name is called missing."""
    if value is not None:
        return value
    if not named_otherwise(info):
        raise PydanticCustomError("missing", "Field required")
    return ()


def named_otherwise(info: ValidationInfo) -> bool:
    """Whether something else than the setting `issuer` names the issuers, or was to name them and is wrong itself."""
    return bool(info.data.get("provider", True) or info.data.get("issuers", True))
