"""A browser without a screen: it logs in as alice, agrees to everything, and goes where it is sent.

As a program it is what `BROWSER` and `xdg-open` stand for: `headless.py URL` ends at the client's redirect URI;
`headless.py --print URL` prints the address instead of asking for it, for a client that has no listener.
Every authorization URL is also added to the file that `HEADLESS_LOG` names.
"""

import os
import sys
import time
from pathlib import Path
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

from mcp_oauth2_deps.testing import login_headless

# The client may open its browser before it listens.
LISTEN_DEADLINE = 10


def walk(authorization_url) -> str:
    """The redirect URI with what the authorization server added to it; nothing was asked of the client yet."""
    if log := os.environ.get("HEADLESS_LOG"):
        with Path(log).open("a") as lines:
            lines.write(authorization_url + "\n")
    return login_headless(authorization_url)


def deliver(url):
    """Asks for the redirect URI, as the browser at the end of its redirects."""
    opener = build_opener(ProxyHandler({}))
    deadline = time.monotonic() + LISTEN_DEADLINE
    while True:
        try:
            with opener.open(url, timeout=LISTEN_DEADLINE) as response:
                response.read()
            return
        except URLError as error:
            if not isinstance(error.reason, ConnectionRefusedError) or time.monotonic() > deadline:
                raise
        time.sleep(0.02)


if __name__ == "__main__":
    callback = walk(sys.argv[-1])
    if "--print" in sys.argv:
        print(callback)  # noqa: T201  # its output
    else:
        deliver(callback)
