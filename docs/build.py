"""Builds the site of the documentation into `build/docs/site`, and fails at a broken link.

    uv run --group docs python docs/build.py

The first page is README.md, so that there is one text for both. `llms.txt` lists the pages for programs that read them.
"""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
BUILD = ROOT / "build" / "docs"
REPOSITORY = "https://github.com/mcp-oauth2-deps/mcp-oauth2-deps/blob/main/docs/"


def first_paragraph(page: str) -> str:
    """The first paragraph below the title, on one line, without links."""
    paragraph = page.partition("\n\n")[2].partition("\n\n")[0]
    return re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", " ".join(paragraph.split()))


def llms_txt(site: str, pages: dict[str, str], texts: dict[str, str]) -> str:
    """The pages with a sentence each, as https://llmstxt.org proposes."""
    first, *rest = pages
    lines = [f"# mcp-oauth2-deps\n\n> {first_paragraph(texts[pages[first]])}\n\n## Pages\n"]
    lines += [f"- [{title}]({site}{pages[title].removesuffix('.md')}.html): {first_paragraph(texts[pages[title]])}" for title in rest]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Builds it."""
    shutil.rmtree(BUILD, ignore_errors=True)
    (BUILD / "docs").mkdir(parents=True)
    texts = {path.name: path.read_text("utf-8") for path in DOCS.glob("*.md")}
    texts["index.md"] = (ROOT / "README.md").read_text("utf-8").replace(REPOSITORY, "")
    for name, text in texts.items():
        (BUILD / "docs" / name).write_text(text, "utf-8")
    shutil.copy(DOCS / "zensical.toml", BUILD)
    project = tomllib.loads((DOCS / "zensical.toml").read_text("utf-8"))["project"]
    pages = {title: name for entry in project["nav"] for title, name in entry.items()}
    if unlisted := sorted(set(texts) - set(pages.values())):
        sys.exit(f"docs/zensical.toml lists no {', '.join(unlisted)}")
    (BUILD / "docs" / "llms.txt").write_text(llms_txt(project["site_url"], pages, texts), "utf-8")
    command = [sys.executable, "-m", "zensical", "build", "--strict", "--config-file", "zensical.toml"]
    return subprocess.run(command, cwd=BUILD, check=False).returncode  # noqa: S603  # our own command


if __name__ == "__main__":
    sys.exit(main())
