"""The Python of README.md and of the documentation: one module per section, as a reader would paste it."""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
SKILL = ROOT / "mcp_oauth2_deps" / ".agents" / "skills" / "mcp-oauth2-deps" / "SKILL.md"
PAGES = (ROOT / "README.md", SKILL, *sorted((ROOT / "docs").glob("*.md")))


@dataclass(frozen=True)
class Snippet:
    """The code blocks of one section, in the order of reading."""

    page: str
    section: str
    code: str

    def __str__(self):
        return f"{self.page}: {self.section}"

    @property
    def module_name(self):
        return re.sub(r"\W+", "_", f"{self.page.removesuffix('.md')}_{self.section}".lower()).strip("_")


def snippets():
    found = []
    for path in PAGES:
        for part in re.split(r"^## ", path.read_text("utf-8"), flags=re.MULTILINE):
            blocks = re.findall(r"^```python\n(.*?)^```", part, re.DOTALL | re.MULTILINE)
            if blocks:
                found.append(Snippet(path.name, part.splitlines()[0].lstrip("# "), "\n\n".join(blocks)))
    return found
