"""Laws of the suite itself: its map is whole, every file says what it asks, what is left out is there, and ids stay the same."""

import ast
import os
import re
import subprocess
import sys
from argparse import Namespace
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


def test_ids_are_the_same_in_every_process():
    """Mutation testing names tests by their ids: no addresses, no order of a set. A run in two processes ends where any two differ."""
    places = [str(HERE / "rfc")]
    command = [
        sys.executable,
        "-m",
        "pytest",
        "--collect-only",
        "-q",
        "-p",
        "no:cacheprovider",
        *places,
        str(HERE / "test_suite.py"),
    ]
    collecting = [
        subprocess.Popen(
            command,
            cwd=HERE.parent,
            env=os.environ | {"PYTHONHASHSEED": seed, "PYTEST_ADDOPTS": ""},
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        for seed in ("1", "2")
    ]
    first, second = ([line for line in run.communicate()[0].splitlines() if "::" in line] for run in collecting)
    assert any(line.endswith("::test_ids_are_the_same_in_every_process") for line in first)
    assert sorted(set(first) ^ set(second)) == []


def test_no_id_holds_the_address_of_an_object(request):
    assert [item.nodeid for item in request.session.items if re.search(r" at 0x[0-9a-f]{6,}", item.nodeid)] == []


def test_a_process_that_was_started_for_the_tests_starts_none_itself(pytestconfig):
    """It is asked how many there should be, too; each would start two, and these two more."""
    root = next(
        plugin
        for plugin in pytestconfig.pluginmanager.get_plugins()
        if getattr(plugin, "__file__", "") == str(HERE / "conftest.py")
    )

    def processes(**more):
        option = Namespace(all=False, collectonly=False, usepdb=False, trace=False, capture="fd", numprocesses=None)
        root.pytest_cmdline_main(Namespace(option=option, args=["tests"], getini=lambda _: ["tests"], **more))
        return option.numprocesses

    assert processes() == 2
    assert processes(workerinput={}) is None
