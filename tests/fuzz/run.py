"""Coverage-guided fuzzing of what is pure: `uv run --group fuzz python tests/fuzz/run.py [--seconds 120] [target ...]`.

Each target gets its share of the time. The seed corpus is made each time from good tokens and documents; what is found is kept in
`.fuzz/` beside it. A crash ends the run with the input's path: put the input into `test_regressions.py`, and mend the cause.
Linux, and a Python for which atheris has a wheel.
"""

import argparse
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
NAMES = ("token", "credentials", "header", "claims", "json", "base64url", "key_set", "metadata", "message", "uri")

_KEPT = Path(__file__).parents[2] / ".fuzz"
# Above the size limit of a token, so that the limit itself is met.
_LONGEST_INPUT = 20_000


def _fuzz(name: str, corpus: Path, seconds: int) -> None:
    """Fuzzes one target in this process; does not return."""
    import atheris

    with atheris.instrument_imports(include=["mcp_oauth2_deps", "json", "jose"]):
        import targets

    # Made in this process: the tokens among them are signed by its key.
    for index, seed in enumerate(targets.seeds(name)):
        (corpus / f"seed-{index}").write_bytes(seed)
    arguments = [
        f"-max_total_time={seconds}",
        f"-max_len={_LONGEST_INPUT}",
        "-timeout=5",
        "-rss_limit_mb=1024",
        "-print_final_stats=1",
    ]
    atheris.Setup([sys.argv[0], *arguments, f"-artifact_prefix={corpus.parent}/{name}-", str(corpus)], targets.TARGETS[name])
    atheris.Fuzz()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=int, default=120, help="for all targets together (default: 120)")
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("targets", nargs="*", metavar="target", help=f"of {', '.join(NAMES)}; all when left out")
    options = parser.parse_args()
    unknown = set(options.targets) - set(NAMES)
    if unknown:
        parser.error(f"no such target: {', '.join(sorted(unknown))}")
    names = options.targets or list(NAMES)
    share = max(1, options.seconds // len(names))
    if options.alone:
        _fuzz(names[0], _KEPT / names[0], share)
    for name in names:
        corpus = _KEPT / name
        corpus.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, __file__, "--alone", "--seconds", str(share), name]
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=share + 60, check=False)
        lines = [line for line in done.stderr.splitlines() if "stat::number_of_executed_units" in line or line.startswith("Done")]
        print(f"{name}: {'; '.join(lines) or 'no figures'}")  # noqa: T201  # a command
        if done.returncode:
            print(done.stdout[-2000:], done.stderr[-4000:], sep="\n")  # noqa: T201
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
