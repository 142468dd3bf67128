"""What GitHub runs is what `.ci/run` runs: the same scripts, and actions that nobody can change after we have read them."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
WORKFLOWS = {path.name: path.read_text("utf-8") for path in sorted((ROOT / ".github" / "workflows").glob("*.yml"))}
SCRIPTS = {path.name for path in (ROOT / ".ci").iterdir() if "." not in path.name}
# The entry itself, and what only a release asks.
NOT_IN_RUN = {"run", "release-check"}


def _in_workflows():
    texts = "\n".join(WORKFLOWS.values())
    listed = re.findall(r"script: \[(.*)\]", texts)
    return set(re.findall(r"bash \.ci/([\w-]+)", texts)) | set(", ".join(listed).split(", "))


def test_workflows_and_the_local_run_call_the_same_scripts():
    in_run = set(re.findall(r"^step ([\w-]+)", (ROOT / ".ci" / "run").read_text("utf-8"), re.MULTILINE))
    assert in_run == SCRIPTS - NOT_IN_RUN
    assert _in_workflows() == SCRIPTS - {"run"}


def test_every_action_is_pinned_by_its_commit_with_its_version_in_words():
    used = [line.strip() for text in WORKFLOWS.values() for line in text.splitlines() if re.match(r"\s*(- )?uses: ", line)]
    foreign = [line for line in used if "uses: ./" not in line]
    assert len(foreign) > 10
    assert [line for line in foreign if not re.search(r"uses: [\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$", line)] == []
    # One version of each.
    assert len({line.partition("uses: ")[2] for line in foreign}) == len({re.search(r"uses: (.*)@", line)[1] for line in foreign})


def test_no_workflow_has_a_permission_that_its_job_does_not_name():
    assert [name for name, text in WORKFLOWS.items() if "\npermissions: {}\n" not in text] == []
    assert "secrets." not in "".join(WORKFLOWS.values())
