"""better-auth with its OAuth provider: EdDSA, at+jwt for the resources that it knows."""

from contextlib import contextmanager
from functools import partial
from pathlib import Path

from issuers.harness import Issuer
from processes import HOST, install_packages, node_process, recent_node

from mcp_oauth2_deps.testing import login_headless

HERE = Path(__file__).parent
PASSWORD = "alice-alice"  # it demands eight characters


@contextmanager
def running(folder, resource):
    # Its packages ask for frameworks that nobody uses here; without the option npm installs them all.
    install_packages(HERE, "--legacy-peer-deps")
    resources = f"{resource} {resource.removesuffix('/mcp')}/other"
    node = recent_node(HERE / "node_modules")
    with node_process(node, HERE / "server.mjs", folder / "stderr.log", RESOURCES=resources) as printed:
        url = f"http://{HOST}:{printed['port']}/api/auth"
        yield Issuer(url, subject=printed["subject"], walk=partial(login_headless, password=PASSWORD))
