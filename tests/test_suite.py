"""Laws of the suite itself: its map is whole, every file says what it asks, and what is left out is there."""

import ast
import re
from pathlib import Path

HERE = Path(__file__).parent
FILES = [path for path in sorted(HERE.rglob("test_*.py")) if "node_modules" not in path.parts]


def test_every_file_says_in_one_sentence_what_it_asks():
    docstrings = {path.relative_to(HERE): ast.get_docstring(ast.parse(path.read_text("utf-8"))) for path in FILES}
    assert len(docstrings) > 50
    assert [path.as_posix() for path, text in docstrings.items() if not text or text.partition("\n\n")[0][-1] not in ".?"] == []


def test_the_map_names_every_folder_and_fits_a_screen():
    text = (HERE / "README.md").read_text("utf-8")
    folders = {path.name for path in HERE.iterdir() if path.is_dir() and path.name[0] not in "._"}
    assert len(text.splitlines()) <= 40
    assert set(re.findall(r"`(\w+)/[\w.]*`", text)) >= folders
    assert [
        name
        for name in re.findall(r"`(\w+/(?:\w+\.\w+)?)`", text)
        if not any((place / name).exists() for place in (HERE, HERE.parent))
    ] == []


def test_what_a_plain_run_leaves_out_is_there_and_in_the_map(pytestconfig):
    (root,) = [
        plugin
        for plugin in pytestconfig.pluginmanager.get_plugins()
        if getattr(plugin, "__file__", "") == str(HERE / "conftest.py")
    ]
    assert [place for place in root.OUTSIDE if not (HERE.parent / place).exists()] == []
    text = (HERE / "README.md").read_text("utf-8")
    lines = [line for line in text.splitlines() if "*outside*" in line]
    assert {place for place in root.OUTSIDE if not any(Path(place).name in line for line in lines)} == set()
