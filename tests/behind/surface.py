"""What tools can call on their way: every public name of the engines' servers and contexts, and every method of the wire.

A name that is not here is new: it may reach something that nobody asks about. Put it where it belongs, with a row if it executes.
"""

import inspect

from fastmcp import Context as FastContext
from fastmcp import FastMCP
from mcp.server.mcpserver import Context as SDKContext
from mcp.server.mcpserver import MCPServer
from mcp_types.methods import SPEC_CLIENT_METHODS
from pydantic import BaseModel

EXECUTES = "executes something; test_rows.py, test_sdk.py, test_threads.py"
LISTS = "tells what is there; test_rows.py"
FINDS = "finds what is there, and runs nothing"
REGISTERS = "what the author of the server does, not a caller"
STARTS = "starts or describes the server"
TELLS = "sends something to the caller of the message; test_subscriptions.py, test_questions.py"
KEEPS = "keeps something from one message to the next; test_sessions.py"
KNOWS = "says something about the message in hand"

SURFACE = {
    FastMCP: {
        EXECUTES: "call_tool read_resource render_prompt",
        LISTS: "list_prompts list_resource_templates list_resources list_tools",
        FINDS: "get_app_tool get_prompt get_resource get_resource_template get_tasks get_tool get_tool_by_hash",
        REGISTERS: "add_completion_handler add_extension add_middleware add_prompt add_provider add_resource add_template add_tool "
        "add_transform completion custom_route disable enable from_fastapi from_openapi mount prompt resource tool wrap_transform",
        STARTS: "docket generate_name http_app icons instructions lifespan local_provider name required_extensions run run_async "
        "run_http_async run_stdio_async transforms version website_url",
    },
    FastContext: {
        EXECUTES: "get_prompt read_resource",
        LISTS: "list_prompts list_resources",
        TELLS: "close_sse_stream debug elicit error info log report_progress send_notification warning",
        KEEPS: "delete_state disable_components enable_components get_state reset_visibility set_state",
        KNOWS: "client_extension_settings client_id client_supports_extension fastmcp input_responses is_background_task "
        "lifespan_context origin_request_id request_context request_id request_state session session_id task_id transport",
    },
    MCPServer: {
        EXECUTES: "call_tool get_prompt read_resource",
        LISTS: "list_prompts list_resource_templates list_resources list_tools",
        REGISTERS: "add_prompt add_resource add_tool completion custom_route middleware prompt remove_prompt remove_tool resource tool",
        STARTS: "description icons instructions name run run_sse_async run_stdio_async run_streamable_http_async session_manager "
        "sse_app streamable_http_app title version website_url",
    },
    SDKContext: {
        EXECUTES: "read_resource",
        TELLS: "close_sse_stream close_standalone_sse_stream debug elicit elicit_url error info log notify_prompts_changed "
        "notify_resource_updated notify_resources_changed notify_tools_changed report_progress warning",
        KNOWS: "client_capabilities headers input_responses mcp_server protocol_version request_context request_id request_state "
        "session",
    },
}

METHODS = {
    "completion/complete": "test_rows.py",
    "initialize": "names nothing; test_sessions.py",
    "logging/setLevel": "names nothing",
    "ping": "names nothing",
    "prompts/get": "test_rows.py",
    "prompts/list": "test_rows.py",
    "resources/list": "test_rows.py",
    "resources/read": "test_rows.py",
    "resources/subscribe": "test_subscriptions.py",
    "resources/templates/list": "test_rows.py",
    "resources/unsubscribe": "test_subscriptions.py",
    "server/discover": "names nothing",
    "subscriptions/listen": "test_subscriptions.py, test_streams.py",
    "tools/call": "test_rows.py",
    "tools/list": "test_rows.py",
}


def public_names(made_of):
    """What somebody can write after a dot, without what comes from pydantic."""
    return {
        name
        for one in inspect.getmro(made_of)
        if one.__module__.startswith(("fastmcp.", "mcp."))
        for name in vars(one)
        if not name.startswith("_") and name not in dir(BaseModel)
    }


def unknown_names():
    """What is offered and not looked at, and what is looked at and offered no more."""
    found = []
    for made_of, reasons in SURFACE.items():
        listed, known = [name for names in reasons.values() for name in names.split()], public_names(made_of)
        assert len(listed) == len(set(listed))
        for what, names in (("is not looked at", known - set(listed)), ("is gone", set(listed) - known)):
            found += [
                f"{made_of.__module__}.{made_of.__name__}.{name} {what}; see tests/behind/surface.py" for name in sorted(names)
            ]
    for what, names in (
        ("is not looked at", SPEC_CLIENT_METHODS - set(METHODS)),
        ("is gone", set(METHODS) - SPEC_CLIENT_METHODS),
    ):
        found += [f"the method {name} {what}; see tests/behind/surface.py" for name in sorted(names)]
    return found
