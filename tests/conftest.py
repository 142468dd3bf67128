"""Which tests a plain run leaves out, and fixtures for tests that need an app and an issuer in process."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from mcp_oauth2_deps import Authenticator, OAuth2BearerScheme, OAuth2Settings
from mcp_oauth2_deps.fastapi.scheme import default_scheme
from mcp_oauth2_deps.testing import DevelopmentIssuer

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
    "tests/stores/test_stalls.py": "floods the event loop for half a minute",
    "tests/test_demo.py": "needs curl, and starts the demo again and again",
}
_LEFT_OUT = pytest.StashKey[list[str]]()


def pytest_addoption(parser):
    parser.addoption("--all", action="store_true", help="run every test, and more examples of the tests of properties")


def pytest_configure(config):
    config.stash[_LEFT_OUT] = []
    config.addinivalue_line("markers", "outside: left out of a plain run, because it needs more than Python or takes long")
    quiet = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large]
    # In CI the same examples at each run.
    fixed = {"derandomize": True, "database": None} if os.environ.get("CI") else {}
    settings.register_profile("few", max_examples=30, deadline=None, suppress_health_check=quiet, **fixed)
    settings.register_profile("many", max_examples=120, deadline=None, suppress_health_check=quiet, **fixed)
    settings.register_profile("long", max_examples=5000, deadline=None, suppress_health_check=quiet)
    settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "many" if config.option.all else "few"))


def pytest_ignore_collect(collection_path, config):
    place = collection_path.relative_to(ROOT).as_posix() if collection_path.is_relative_to(ROOT) else ""
    if place not in OUTSIDE or config.option.all:
        return None
    named = [(config.invocation_params.dir / argument.partition("::")[0]).resolve() for argument in config.args]
    if any(argument.is_relative_to(collection_path) for argument in named):
        return None
    # pytest asks of the neighbours of what was named, too.
    if any(collection_path.is_relative_to(argument) for argument in named):
        config.stash[_LEFT_OUT].append(place)
    return True


def pytest_collection_modifyitems(items):
    outside = {path for path in {item.path for item in items} if any(path.is_relative_to(ROOT / place) for place in OUTSIDE)}
    for item in items:
        if item.path in outside:
            item.add_marker("outside")


def pytest_terminal_summary(terminalreporter, config):
    left_out = config.stash[_LEFT_OUT]
    if left_out:
        terminalreporter.section("left out")
        for place in sorted(left_out):
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
