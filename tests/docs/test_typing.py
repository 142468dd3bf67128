"""Does everything that users copy, from README.md, the documentation and examples/, pass strict type checkers?"""

import json
import os
import shutil
import subprocess
import sys

import pytest
from snippets import ROOT, snippets

PYRIGHT = "pyright@1.1.414"


@pytest.fixture(scope="module")
def copied(tmp_path_factory):
    """What a user would have in a project of their own."""
    folder = tmp_path_factory.mktemp("project")
    for snippet in snippets():
        (folder / f"{snippet.module_name}.py").write_text(snippet.code, "utf-8")
    for path in (ROOT / "examples").glob("*.py"):
        shutil.copy(path, folder / f"example_{path.name}")
    assert len(list(folder.glob("*.py"))) > 10
    return folder


def test_mypy_strict(copied):
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--no-error-summary",
        "--cache-dir",
        copied / ".mypy_cache",
        "--python-executable",
    ]
    files = sorted(path.name for path in copied.glob("*.py"))
    done = subprocess.run([*command, sys.executable, *files], cwd=copied, capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("", 0)


def test_pyright_strict(copied):
    npx = shutil.which("npx")
    if npx is None:
        assert "CI" not in os.environ, "pyright needs npm"
        pytest.skip("pyright needs npm")
    (copied / "pyrightconfig.json").write_text(json.dumps({"typeCheckingMode": "strict", "include": ["*.py"]}), "utf-8")
    command = [npx, "--yes", PYRIGHT, "--pythonpath", sys.executable, "--outputjson"]
    done = subprocess.run(command, cwd=copied, capture_output=True, text=True, check=False)
    report = json.loads(done.stdout)
    found = [f"{one['file']}: {one['message']}" for one in report["generalDiagnostics"] if one["severity"] == "error"]
    assert (found, report["summary"]["filesAnalyzed"] > 10) == ([], True)
