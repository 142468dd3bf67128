"""Writes what docs/settings.md and .env.example say of each setting, from the docstrings of its field in `OAuth2Settings`.

    uv run python docs/settings_page.py

A test compares both files with what this would write. The values in .env.example are kept as they stand there.
"""

import re
from pathlib import Path

from pydantic.fields import FieldInfo

from mcp_oauth2_deps import OAuth2Settings
from mcp_oauth2_deps.setting_errors import PREFIX

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "settings.md"
EXAMPLE = ROOT / ".env.example"
START, END = "<!-- the table is written by docs/settings_page.py -->\n\n", "\n<!-- end of the table -->"


def settings() -> dict[str, FieldInfo]:
    """The fields by name: the required ones, then the others as they are declared."""
    fields = OAuth2Settings.model_fields
    return dict(sorted(fields.items(), key=lambda item: not item[1].is_required()))


def described(field: FieldInfo) -> str:
    """The docstring on one line."""
    return " ".join((field.description or "").split())


def meaning(field: FieldInfo) -> str:
    """What the docstring says, but for the default."""
    return described(field).partition(" Default: ")[0]


def default(field: FieldInfo) -> str:
    """The default in words where the docstring has words for it, else its value as a variable holds it."""
    if field.is_required():
        return "required"
    if words := described(field).partition(" Default: ")[2]:
        return words.removesuffix(".")
    value = field.get_default(call_default_factory=True)
    return f"`{','.join(value) if isinstance(value, tuple) else str(value).lower()}`"


def table() -> str:
    """The rows of all settings in Markdown."""
    rows = [f"| `{name.upper()}` | {default(field)} | {meaning(field)} |\n" for name, field in settings().items()]
    return "".join([f"| `{PREFIX}...` | default | meaning |\n", "|---|---|---|\n", *rows])


def page(text: str) -> str:
    """The page with the table as it should be."""
    before, _, rest = text.partition(START)
    return before + START + table() + END + rest.partition(END)[2]


def example(text: str) -> str:
    """The example file with each setting's docstring above its line; lines keep their values, and a `#` in front."""
    lines = {name.lower(): line for line, name in re.findall(rf"^(#?{PREFIX}(\w+)=.*)$", text, re.MULTILINE)}
    return "".join(
        f"# {described(field)}\n{lines.get(name, f'#{PREFIX}{name.upper()}=')}\n" for name, field in settings().items()
    )


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text("utf-8")), "utf-8")
    EXAMPLE.write_text(example(EXAMPLE.read_text("utf-8")), "utf-8")
