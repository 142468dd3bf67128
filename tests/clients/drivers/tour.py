"""What every Python client does at the guarded server once it is connected.

`PUBLIC_TOOL` is a tool that it calls before all others.
"""

import os


async def tour(client):
    async def call(tool, **arguments):
        return (await client.call_tool(tool, arguments)).content[0].text

    listed = await client.list_tools()
    public = os.environ.get("PUBLIC_TOOL")
    return {
        "public": await call(public) if public else None,
        "protocol": client.protocol_version,
        "tools": [tool.name for tool in getattr(listed, "tools", listed)],
        "whoami": await call("whoami"),
        "read_file": await call("read_file", path="a.txt"),
        "write_file": await call("write_file", path="b.txt", text="four"),
    }
