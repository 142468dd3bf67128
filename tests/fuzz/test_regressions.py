"""Every seed of the fuzzing corpus, and every input that ever crashed a target, run as a plain test."""

import importlib.util
from pathlib import Path

import pytest

_SPEC = importlib.util.spec_from_file_location("fuzz_targets", Path(__file__).parent / "targets.py")
targets = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(targets)

# (target, input): what fuzzing found.
CRASHES: list[tuple[str, bytes]] = []


@pytest.mark.parametrize(("name", "data"), [(name, seed) for name in targets.TARGETS for seed in targets.seeds(name)] + CRASHES)
def test_no_input_escapes_its_target(name, data):
    assert targets.TARGETS[name](data) is None


def test_a_forged_token_would_be_seen(monkeypatch):
    monkeypatch.setattr(targets, "SIGNED", [])
    with pytest.raises(AssertionError, match="forged"):
        targets.fuzz_token(targets.seeds("token")[1])


def test_the_command_knows_every_target():
    text = (Path(__file__).parent / "run.py").read_text("utf-8")
    assert all(f'"{name}"' in text for name in targets.TARGETS)
