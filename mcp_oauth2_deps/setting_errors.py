"""What is said of a wrong setting: its name as the reader wrote it, what is wrong, and an example.

What makes a setting wrong does not belong here.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from difflib import get_close_matches

from pydantic import ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

PREFIX = "MCP_OAUTH2_"

EXAMPLES = {
    "issuer": "https://auth.example.com",
    "issuers": '[{"issuer": "https://auth.example.com", "audience": ["https://api.example.com/mcp"]}]',
    "resource": "https://api.example.com/mcp",
    "scopes": '{"tools:call": "Call tools"}',
    "scope_hierarchy": '{"files:write": ["files:read"]}',
    "algorithms": "RS256,ES256",
    "introspection": "opaque",
    "client_id": "files-api",
}
_IN_CODE = {"issuers": "[IssuerPolicy(issuer='https://auth.example.com', audience='https://api.example.com/mcp')]"}

_SETTING = re.compile(r"\bthe setting (\w+)")


def setting_problem(field: str, text: str) -> PydanticCustomError:
    """What is wrong with one field, to be raised where several are compared."""
    return PydanticCustomError("setting", "{text}", {"text": text, "field": field})


def spelled(name: str, *, in_code: bool) -> str:
    """A setting as the reader wrote it: as an argument, or as a variable."""
    return name if in_code else PREFIX + name.upper()


def spelled_out(text: str, *, in_code: bool) -> str:
    """A text of the rooms below, which say "the setting x", with each setting as the reader wrote it."""
    return _SETTING.sub(lambda found: spelled(found[1], in_code=in_code), text)


def unknown_settings(names: Collection[str], known: Collection[str], *, in_code: bool) -> ValidationError:
    """The failure that these names are no settings, each with the setting that it resembles."""
    problems = {}
    for name in sorted(names):
        close = get_close_matches(name, known, n=1)
        cure = f"did you mean {spelled(close[0], in_code=in_code)}?" if close else "remove it"
        problems[name] = f"is no setting; {cure}"
    return failed(problems, in_code=in_code)


def failed(problems: Mapping[str, str], *, in_code: bool) -> ValidationError:
    """The failure of these settings: name to what is wrong with it."""
    details: list[InitErrorDetails] = [
        {
            "type": PydanticCustomError("setting", "{text}", {"text": text}),
            "loc": (spelled(name, in_code=in_code),),
            "input": None,
        }
        for name, text in problems.items()
    ]
    return ValidationError.from_exception_data("the OAuth2 settings", details, hide_input=True)


def _member(path: Sequence[int | str]) -> str:
    """The place of a member in a list of policies, in front of what is said of it."""
    steps = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return f"{steps}: " if steps else ""


def readable(error: ValidationError, *, in_code: bool) -> ValidationError:
    """The same failure with each setting as the reader spells it, a sentence each, and an example."""
    missing = "is missing" + ("; with the issuer named in code nothing is read from the environment" if in_code else "")
    problems: dict[str, str] = {}
    for detail in error.errors(include_url=False):
        context = detail.get("ctx", {})
        name = str(context.get("field") or (detail["loc"][0] if detail["loc"] else "")).removeprefix(PREFIX).lower()
        text = missing if detail["type"] == "missing" else detail["msg"].removeprefix("Value error, ")
        if name == "issuers":
            text = _member(detail["loc"][1:]) + text
        if name in EXAMPLES:
            example = _IN_CODE.get(name, repr(EXAMPLES[name])) if in_code else EXAMPLES[name]
            text += f", for example {spelled(name, in_code=in_code)}={example}"
        problems.setdefault(name, spelled_out(text, in_code=in_code))
    return failed(problems, in_code=in_code)
