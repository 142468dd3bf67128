"""A URL that a stranger chose, held to a public address.

The HTTP library does not belong here.
"""

import asyncio
import socket
from urllib.parse import urlsplit, urlunsplit

from mcp_oauth2_deps.errors import DocumentError
from mcp_oauth2_deps.protocol.urls import is_loopback_host, is_public_address

_HTTPS_PORT = 443


async def pinned(url: str) -> tuple[str, dict[str, str], dict[str, str]]:
    """The URL with a public address in place of its host, and the field and the extension by which the host is named still.

    The host is looked up once, and the connection goes to the address that was looked at: a name that is looked up again for
    the connection can lead to a private address the second time (DNS rebinding).

    Raises:
        DocumentError: the host has no address, or one that is not public.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    if is_loopback_host(host):
        return url, {}, {}
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, parts.port or _HTTPS_PORT, type=socket.SOCK_STREAM)
    except OSError:
        raise DocumentError("its host has no address", unreachable=True) from None
    addresses = [str(entry[4][0]) for entry in found]
    if not addresses:
        raise DocumentError("its host has no address", unreachable=True)
    if not all(map(is_public_address, addresses)):
        raise DocumentError("its host has an address that is not on the public internet")
    address = f"[{addresses[0]}]" if ":" in addresses[0] else addresses[0]
    place = address if parts.port is None else f"{address}:{parts.port}"
    return urlunsplit(parts._replace(netloc=place)), {"Host": parts.netloc}, {"sni_hostname": host}
