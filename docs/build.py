"""Builds the site of the documentation into `build/docs/site`, and fails at a broken link.

    uv run --group docs python docs/build.py

The first page is README.md, so that there is one text for both. `llms.txt` lists the pages for programs that read them.
"""

import re
import shutil
import subprocess
import sys
import tomllib
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

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
    lines += [
        f"- [{title}]({site}{pages[title].removesuffix('.md')}.html): {first_paragraph(texts[pages[title]])}" for title in rest
    ]
    return "\n".join(lines) + "\n"


class Page(HTMLParser):
    """The places in a built page that can be linked to, and the links in it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.places, self.links = {""}, set[str]()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Called by the parser for each element."""
        found = {name: value or "" for name, value in attrs}
        self.places.add(found.get("id", ""))
        if tag in ("a", "img", "link", "script"):
            self.links.update(found[name] for name in ("href", "src") if name in found)


def broken_links(site: Path) -> list[str]:
    """Links within the site that lead nowhere; the builder sees those of Markdown only, not those of the reference."""
    pages = {path.name: Page(path.read_text("utf-8")) for path in site.glob("*.html")}
    broken = []
    for name, page in pages.items():
        for link in page.links:
            url = urlsplit(link)
            target = unquote(url.path).removeprefix("./") or name
            if url.scheme or url.netloc or name == "404.html":
                continue
            found = unquote(url.fragment) in pages[target].places if target in pages else (site / target).exists()
            if not found:
                broken.append(f"{name}: {link}")
    return sorted(broken)


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
    if subprocess.run(command, cwd=BUILD, check=False).returncode:  # noqa: S603  # our own command
        return 1
    broken = broken_links(BUILD / "site")
    print("\n".join(["Broken links:", *broken] if broken else [f"No broken link. Open {BUILD / 'site' / 'index.html'}"]))  # noqa: T201  # a command speaks on the terminal
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
