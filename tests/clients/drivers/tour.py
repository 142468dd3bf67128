"""What every Python client does at the guarded server once it is connected."""


async def tour(client):
    async def call(tool, **arguments):
        return (await client.call_tool(tool, arguments)).content[0].text

    listed = await client.list_tools()
    return {
        "protocol": client.protocol_version,
        "tools": [tool.name for tool in getattr(listed, "tools", listed)],
        "whoami": await call("whoami"),
        "read_file": await call("read_file", path="a.txt"),
        "write_file": await call("write_file", path="a.txt", text="four"),
    }
