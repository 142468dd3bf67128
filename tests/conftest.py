"""Which tests a plain run leaves out, and fixtures for tests that need an app and an issuer in process."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from mcp_oauth2_deps import Authenticator, OAuth2BearerScheme, OAuth2Settings
from mcp_oauth2_deps.fastapi.scheme import default_scheme
from mcp_oauth2_deps.testing import DevelopmentIssuer

# Whichever test imports it first: pytest complains of a plugin that was imported before it was named as one.
pytest.register_assert_rewrite("mcp_oauth2_deps.testing.plugin")

RESOURCE = "https://api.example.com/mcp"
ROOT = Path(__file__).parents[1]
# What a plain run leaves out, and why. Each runs when it is named, and all of them with `--all`.
OUTSIDE = {
    "tests/browser": "needs Chromium",
    "tests/clients": "needs Node.js with npm",
    "tests/docs/test_typing.py": "needs Node.js with npm, and type-checks for a minute",
    "tests/faults": "waits for real timeouts",
    "tests/integration": "needs Node.js with npm",
    "tests/issuers": "needs Node.js with npm, and installs authorization servers",
    "tests/load": "needs Linux, and loads a server for minutes",
    "tests/mcp/test_costs.py": "compares times",
    "tests/stores/test_stalls.py": "floods the event loop for half a minute",
    "tests/test_demo.py": "needs curl, and starts the demo again and again",
}
# What runs in one process where there are several: the log of the attacked server is judged when all attacks are over, and what needs
# Node.js installs it into folders that it shares.
UNITS = {
    "tests/attacks": "attacks",
    "tests/browser": "others",
    "tests/clients": "others",
    "tests/integration": "others",
    "tests/issuers": "others",
}


def pytest_addoption(parser):
    parser.addoption("--all", action="store_true", help="run every test, and more examples of the tests of properties")


def pytest_configure(config):
    config.addinivalue_line("markers", "outside: left out of a plain run, because it needs more than Python or takes long")
    quiet = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large]
    # In CI the same examples at each run.
    fixed = {"derandomize": True, "database": None} if os.environ.get("CI") else {}
    settings.register_profile("few", max_examples=30, deadline=None, suppress_health_check=quiet, **fixed)
    settings.register_profile("many", max_examples=120, deadline=None, suppress_health_check=quiet, **fixed)
    settings.register_profile("long", max_examples=5000, deadline=None, suppress_health_check=quiet)
    settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "many" if config.option.all else "few"))


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config):
    """A plain run takes two processes, unless `-n` says otherwise, or what is debugged has to run in this one."""
    option = config.option
    # pytest-xdist calls this in its processes too: one that started processes of its own would fill the machine with them.
    worker = hasattr(config, "workerinput")
    alone = worker or option.all or option.collectonly or option.usepdb or option.trace or option.capture == "no"
    # None is no word about it; the option is not there without pytest-xdist.
    if getattr(option, "numprocesses", 1) is None and config.args == config.getini("testpaths") and not alone:
        option.numprocesses = 2


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Each process takes one unit after the other, in the order of their names: a file, or the files that need the same server."""
    from xdist.scheduler import LoadScopeScheduling

    class Units(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            file = nodeid.partition("::")[0]
            return UNITS.get("/".join(file.split("/")[:2]), file)

    config.option.loadscopereorder = False
    return Units(config, log)


def pytest_ignore_collect(collection_path, config):
    return True if collection_path in {ROOT / place for place in _left_out(config)} else None


def _left_out(config):
    """What is outside and not asked for: by `--all`, by its own name, or by that of something in it."""
    if config.option.all:
        return []
    return [place for place in OUTSIDE if not any(path.is_relative_to(ROOT / place) for path in _named(config))]


def _named(config):
    return [(config.invocation_params.dir / argument.partition("::")[0]).resolve() for argument in config.args]


def pytest_collection_modifyitems(items):
    outside = {path for path in {item.path for item in items} if any(path.is_relative_to(ROOT / place) for place in OUTSIDE)}
    for item in items:
        if item.path in outside:
            item.add_marker("outside")


def pytest_terminal_summary(terminalreporter, config):
    left_out = [place for place in _left_out(config) if any((ROOT / place).is_relative_to(path) for path in _named(config))]
    if left_out:
        terminalreporter.section("left out")
        for place in left_out:
            terminalreporter.write_line(f"uv run pytest {place:<27} {OUTSIDE[place]}")
        terminalreporter.write_line(f"uv run pytest {'--all':<27} runs everything")


@pytest.fixture(autouse=True)
def _no_settings_in_the_environment(monkeypatch):
    for name in list(os.environ):
        if name.startswith("MCP_OAUTH2_"):
            monkeypatch.delenv(name)
    yield
    # Settings of the environment are read once, at first use.
    default_scheme.gate._authenticator = None


@pytest.fixture
def issuer():
    return DevelopmentIssuer("https://auth.example.com", algorithm="ES256", audience=RESOURCE)


@pytest.fixture
def make_scheme(issuer):
    def make(**settings):
        settings = {"issuer": issuer.url, "resource": RESOURCE, **settings}
        return OAuth2BearerScheme(authenticator=Authenticator(OAuth2Settings(**settings), documents=issuer))

    return make


@pytest.fixture
def auth(make_scheme):
    return make_scheme()
