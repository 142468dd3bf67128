# Sourced by every script here, on a contributor's machine, in .ci/run and in .github/workflows: strict bash, the top folder, uv,
# the pinned versions, and a command for each Python version.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export CI=true
command -v uv >/dev/null || python3 -m pip install --quiet uv
# Relative, because uv on Windows does not read the paths of a shell there.
export UV_CONSTRAINT=.ci/constraints.txt

# The interpreter of a version such as 3.13: one that uv finds, one of pyenv's, or the version itself, which uv may download.
find_python() {
  uv python find "$1" 2>/dev/null && return
  local pyenv
  pyenv="$(command -v pyenv >/dev/null && ls "$(pyenv root)"/versions/"$1".*/bin/python 2>/dev/null | tail -n 1)" || true
  echo "${pyenv:-$1}"
}

# in_python VERSION COMMAND...: runs a command in an environment of its own for that version.
in_python() {
  local version="$1"
  shift
  UV_PROJECT_ENVIRONMENT=".venv-$version" uv run --python "$(find_python "$version")" "$@"
}
