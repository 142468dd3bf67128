"""Nothing that only one operating system has, but in the folders that say so: the suite runs on Linux, macOS and Windows."""

import ast
import tomllib
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).parents[1]
# Load reads /proc; the clients and the browser are started by a shell; issuers are handed file descriptors; a benchmark speaks of one machine.
LINUX_ONLY = (
    "tests/load",
    "tests/support/load_",
    "tests/benchmarks",
    "tests/clients",
    "tests/issuers",
    "tests/browser",
    "tests/fuzz",
    "tests/mutation",
)
ONLY_SOMEWHERE = """
os.fork os.getuid os.geteuid os.sched_getaffinity os.getloadavg os.mkfifo os.killpg os.uname signal.SIGKILL signal.SIGHUP
signal.SIGUSR1 signal.SIGALRM signal.alarm socket.AF_UNIX time.tzset
"""
MODULES_ONLY_SOMEWHERE = {"fcntl", "grp", "pty", "pwd", "resource", "termios", "winreg", "msvcrt", "uvloop"}
# The position of the encoding among the arguments, by method.
TEXT = {"read_text": 0, "write_text": 1}


def _sources():
    """The syntax tree of each file that has to run everywhere, by its path."""
    paths = [
        path for folder in ("mcp_oauth2_deps", "tests", "examples", "docs") for path in sorted((ROOT / folder).rglob("*.py"))
    ]
    names = {path.relative_to(ROOT).as_posix(): path for path in paths if "node_modules" not in path.parts}
    return {
        name: ast.parse(path.read_text("utf-8"))
        for name, path in names.items()
        if not name.startswith(LINUX_ONLY) and path != Path(__file__)
    }


SOURCES = _sources()


def _found(offends):
    return [f"{name}:{node.lineno}" for name, tree in SOURCES.items() for node in ast.walk(tree) if offends(node)]


def test_no_function_or_module_of_one_system_is_used():
    def offends(node):
        match node:
            case ast.Attribute(value=ast.Name(id=module), attr=name):
                return f"{module}.{name}" in ONLY_SOMEWHERE.split()
            case ast.Import(names=names):
                return any(alias.name in MODULES_ONLY_SOMEWHERE for alias in names)
            case ast.ImportFrom(module=module):
                return module in MODULES_ONLY_SOMEWHERE
        return False

    assert _found(offends) == []


def test_no_file_of_one_system_is_read_and_no_shell_is_started():
    """Compared whole: a path in a longer text, such as an attack row, is read by nobody."""

    def offends(node):
        match node:
            case ast.Call(
                func=ast.Name(id="Path") | ast.Attribute(attr="open" | "Path"), args=[ast.Constant(value=str(path)), *_]
            ):
                return path.startswith(("/proc", "/dev", "/tmp", "/etc", "/sys"))
            case ast.Constant(value=str(text)):
                return text.startswith("#!/")
            case ast.keyword(arg="shell", value=ast.Constant(value=value)):
                return bool(value)
        return False

    assert _found(offends) == []


def test_text_files_have_a_named_encoding():
    """Without a name it is that of the system, which on Windows is not UTF-8."""

    def offends(node):
        match node:
            case ast.Call(func=ast.Attribute(attr="read_text" | "write_text" as method), args=args, keywords=keywords):
                return len(args) <= TEXT[method] and not any(keyword.arg == "encoding" for keyword in keywords)
            case ast.Call(func=ast.Attribute(attr="open"), args=[ast.Constant(value="r" | "w" | "a" | "x")], keywords=keywords):
                return not any(keyword.arg == "encoding" for keyword in keywords)
        return False

    assert _found(offends) == []


def test_the_laws_see_the_files():
    assert len(SOURCES) > 100
    assert "mcp_oauth2_deps/testing/loopback.py" in SOURCES


def test_the_version_stands_in_one_place():
    """In pyproject.toml; whoever else needs it asks the metadata of the installed package."""
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    assert version("mcp-oauth2-deps") == declared
    assert [
        name for name in SOURCES if name.startswith("mcp_oauth2_deps/") and declared in (ROOT / name).read_text("utf-8")
    ] == []
