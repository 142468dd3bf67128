"""The server that the official conformance suite asks for, on the official SDK: `everything:open_app`, `everything:guarded`.

Names and texts are the suite's. Legacy calls ask their client back in the middle of a tool; stateless ones return
what they still need, and are called again.
"""

import asyncio
import base64
import json
from typing import Annotated

import mcp_types as types
from event_memory import EventMemory
from mcp import MCPError
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.prompts.base import UserMessage
from mcp.server.mcpserver.tools import Tool
from pydantic import Field
from stand_in import guarded_app

PIXEL = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==")
# A header that announces 8 bit samples at 8 kHz, and none of them.
SILENCE = base64.b64decode("UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQAAAAA=")
PAUSE = 0.05
SCHEMA_2020_12 = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "$defs": {
        "address": {
            "$anchor": "addressDef",
            "type": "object",
            "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
        }
    },
    "properties": {
        "name": {"type": "string"},
        "address": {"$ref": "#/$defs/address"},
        "contactMethod": {"type": "string", "enum": ["phone", "email"]},
        "phone": {"type": "string"},
        "email": {"type": "string"},
    },
    "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
    "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
    "then": {"required": ["phone"]},
    "else": {"required": ["email"]},
    "additionalProperties": False,
}


async def json_schema_2020_12_tool() -> str:
    return "ok"


def schema_tool():
    tool = Tool.from_function(json_schema_2020_12_tool, description="Keywords of JSON Schema 2020-12")
    return tool.model_copy(update={"parameters": SCHEMA_2020_12})


engine = MCPServer("everything", version="1.0.0", tools=[schema_tool()])


def text(value):
    return types.TextContent(type="text", text=value)


def image():
    return types.ImageContent(type="image", data=base64.b64encode(PIXEL).decode(), mime_type="image/png")


def embedded(uri, mime_type, value):
    contents = types.TextResourceContents(uri=uri, mime_type=mime_type, text=value)
    return types.EmbeddedResource(type="resource", resource=contents)


def tool(function):
    return engine.tool(description=function.__name__.replace("_", " "), structured_output=False)(function)


@tool
async def test_simple_text() -> str:
    return "This is a simple text response for testing."


@tool
async def test_image_content() -> list:
    return [image()]


@tool
async def test_audio_content() -> list:
    return [types.AudioContent(type="audio", data=base64.b64encode(SILENCE).decode(), mime_type="audio/wav")]


@tool
async def test_embedded_resource() -> list:
    return [embedded("test://embedded-resource", "text/plain", "This is an embedded resource content.")]


@tool
async def test_multiple_content_types() -> list:
    mixed = embedded("test://mixed-content-resource", "application/json", '{"test":"data","value":123}')
    return [text("Multiple content types test:"), image(), mixed]


@tool
async def test_tool_with_logging(ctx: Context) -> str:
    await ctx.info("Tool execution started")
    await asyncio.sleep(PAUSE)
    await ctx.info("Tool processing data")
    await asyncio.sleep(PAUSE)
    await ctx.info("Tool execution completed")
    return "Logged."


@tool
async def test_logging_tool(ctx: Context) -> str:
    await ctx.info("Heard by those who asked for it")
    return "Logged."


@tool
async def test_tool_with_progress(ctx: Context) -> str:
    for progress in (0, 50, 100):
        await ctx.report_progress(progress, 100)
        await asyncio.sleep(PAUSE)
    return "Done."


@tool
async def test_error_handling() -> str:
    raise RuntimeError("This tool intentionally returns an error for testing")


@tool
async def test_reconnection(ctx: Context) -> str:
    await ctx.close_sse_stream()
    await asyncio.sleep(PAUSE)
    return "Reconnected."


@tool
async def test_headers(region: Annotated[str, Field(json_schema_extra={"x-mcp-header": "Region"})]) -> str:
    return region


@tool
async def test_trigger_tool_change(ctx: Context) -> str:
    await ctx.notify_tools_changed()
    return "Told."


@tool
async def test_trigger_prompt_change(ctx: Context) -> str:
    await ctx.notify_prompts_changed()
    return "Told."


# What legacy servers ask while a call runs.


def asked_aloud(prompt):
    return [types.SamplingMessage(role="user", content=text(prompt))]


async def elicited(ctx, message, properties, required=()):
    schema = {"type": "object", "properties": properties, "required": list(required)}
    result = await ctx.session.elicit_form(message, schema, related_request_id=ctx.request_id)
    return f"action={result.action}, content={json.dumps(result.content)}"


@tool
async def test_sampling(prompt: str, ctx: Context) -> str:
    result = await ctx.session.create_message(asked_aloud(prompt), max_tokens=100, related_request_id=ctx.request_id)
    return f"LLM response: {result.content.text}"


@tool
async def test_elicitation(message: str, ctx: Context) -> str:
    properties = {name: {"type": "string", "description": f"User's {name}"} for name in ("username", "email")}
    return f"User response: {await elicited(ctx, message, properties, properties)}"


@tool
async def test_elicitation_sep1034_defaults(ctx: Context) -> str:
    properties = {
        "name": {"type": "string", "default": "John Doe"},
        "age": {"type": "integer", "default": 30},
        "score": {"type": "number", "default": 95.5},
        "status": {"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"},
        "verified": {"type": "boolean", "default": True},
    }
    return f"Elicitation completed: {await elicited(ctx, 'Review the defaults', properties)}"


@tool
async def test_elicitation_sep1330_enums(ctx: Context) -> str:
    options = ["option1", "option2", "option3"]
    titled = [{"const": f"value{n}", "title": title} for n, title in enumerate(("First", "Second", "Third"), 1)]
    properties = {
        "untitledSingle": {"type": "string", "enum": options},
        "titledSingle": {"type": "string", "oneOf": titled},
        "legacyEnum": {"type": "string", "enum": ["opt1", "opt2", "opt3"], "enumNames": ["One", "Two", "Three"]},
        "untitledMulti": {"type": "array", "items": {"type": "string", "enum": options}},
        "titledMulti": {"type": "array", "items": {"anyOf": titled}},
    }
    return f"Elicitation completed: {await elicited(ctx, 'Choose', properties)}"


# What stateless servers return instead, to be called again with the answers.


def question(message, field, kind="string"):
    schema = {"type": "object", "properties": {field: {"type": kind}}, "required": [field]}
    return types.ElicitRequest(params=types.ElicitRequestFormParams(message=message, requested_schema=schema))


def sample(prompt, max_tokens):
    return types.CreateMessageRequest(
        params=types.CreateMessageRequestParams(messages=asked_aloud(prompt), max_tokens=max_tokens)
    )


def needs(state=None, **requests):
    return types.InputRequiredResult(input_requests=requests, request_state=state)


def answer(ctx, key, kind=types.ElicitResult):
    found = (ctx.input_responses or {}).get(key)
    return found if isinstance(found, kind) else None


NAME = question("What is your name?", "name")


@tool
async def test_input_required_result_elicitation(ctx: Context) -> str | types.InputRequiredResult:
    given = answer(ctx, "user_name")
    if given is None or not (given.content or {}).get("name"):
        return needs(user_name=NAME)
    return f"Hello, {given.content['name']}!"


@tool
async def test_streaming_elicitation() -> str | types.InputRequiredResult:
    return needs(user_name=NAME)


@tool
async def test_input_required_result_sampling(ctx: Context) -> str | types.InputRequiredResult:
    given = answer(ctx, "capital_question", types.CreateMessageResult)
    return given.content.text if given else needs(capital_question=sample("What is the capital of France?", 100))


@tool
async def test_input_required_result_list_roots(ctx: Context) -> str | types.InputRequiredResult:
    given = answer(ctx, "client_roots", types.ListRootsResult)
    if given is None:
        return needs(client_roots=types.ListRootsRequest(params={}))
    return "Roots: " + " ".join(str(root.uri) for root in given.roots)


@tool
async def test_input_required_result_request_state(ctx: Context) -> str | types.InputRequiredResult:
    if answer(ctx, "confirm") and ctx.request_state == "asked":
        return "state-ok"
    return needs("asked", confirm=question("Please confirm", "ok", "boolean"))


@tool
async def test_input_required_result_tampered_state(ctx: Context) -> str | types.InputRequiredResult:
    return await test_input_required_result_request_state(ctx)


@tool
async def test_input_required_result_multiple_inputs(ctx: Context) -> str | types.InputRequiredResult:
    if {"user_name", "greeting", "client_roots"} <= set(ctx.input_responses or {}):
        return "All three arrived."
    return needs(
        "asked",
        user_name=NAME,
        greeting=sample("Generate a greeting", 50),
        client_roots=types.ListRootsRequest(params={}),
    )


@tool
async def test_input_required_result_multi_round(ctx: Context) -> str | types.InputRequiredResult:
    if ctx.request_state == "second" and (given := answer(ctx, "step2")):
        return f"Favourite colour: {given.content['color']}"
    if ctx.request_state == "first" and answer(ctx, "step1"):
        return needs("second", step2=question("Step 2: What is your favorite color?", "color"))
    return needs("first", step1=question("Step 1: What is your name?", "name"))


@tool
async def test_input_required_result_capabilities(ctx: Context) -> types.InputRequiredResult:
    able = ctx.client_capabilities
    requests = {"greeting": sample("Generate a greeting", 50), "user_name": NAME}
    return needs(**{name: request for name, request in requests.items() if _is_able(able, request)})


def _is_able(able, request):
    return (able.sampling if isinstance(request, types.CreateMessageRequest) else able.elicitation) is not None


@tool
async def test_missing_capability(ctx: Context) -> str:
    required = types.ClientCapabilities(sampling=types.SamplingCapability())
    if not ctx.session.check_client_capability(required):
        data = types.MissingRequiredClientCapabilityErrorData(required_capabilities=required)
        raise MCPError(
            types.MISSING_REQUIRED_CLIENT_CAPABILITY,
            "This tool needs sampling",
            data.model_dump(by_alias=True, mode="json", exclude_none=True),
        )
    return "Able."


# Resources and prompts.


@engine.resource("test://static-text", name="Static text", description="A text", mime_type="text/plain")
def static_text() -> str:
    return "This is the content of the static text resource."


@engine.resource("test://static-binary", name="Static binary", description="An image", mime_type="image/png")
def static_binary() -> bytes:
    return PIXEL


@engine.resource("test://template/{id}/data", name="Template", description="Takes an id", mime_type="application/json")
def template(id: str) -> str:  # noqa: A002  # the suite's name
    return json.dumps({"id": id, "templateTest": True, "data": f"Data for ID: {id}"})


@engine.resource("test://watched-resource", name="Watched", description="Can be subscribed to", mime_type="text/plain")
def watched() -> str:
    return "Watched resource content"


@engine.prompt(description="Simple")
def test_simple_prompt() -> str:
    return "This is a simple prompt for testing."


@engine.prompt(description="With arguments")
def test_prompt_with_arguments(arg1: str, arg2: str) -> str:
    return f"Prompt with arguments: arg1='{arg1}', arg2='{arg2}'"


@engine.prompt(description="With a resource")
def test_prompt_with_embedded_resource(resourceUri: str) -> list:  # noqa: N803  # the suite's name
    resource = embedded(resourceUri, "text/plain", "Embedded resource content for testing.")
    return [UserMessage(resource), UserMessage("Please process the embedded resource above.")]


@engine.prompt(description="With an image")
def test_prompt_with_image() -> list:
    return [UserMessage(image()), UserMessage("Please analyze the image above.")]


@engine.prompt(description="With a question first")
def test_input_required_result_prompt(ctx: Context) -> str | types.InputRequiredResult:
    given = answer(ctx, "user_context")
    if given is None:
        return needs(user_context=question("What context should the prompt use?", "context"))
    return f"In the context of {given.content['context']}"


@engine.completion()
async def complete(ref, argument, context):
    return types.Completion(values=[argument.value + "is"], total=1, has_more=False)


async def nothing(ctx, params):
    return types.EmptyResult()


# Of legacy servers; the SDK has no decorator for them.
engine._lowlevel_server.add_request_handler("logging/setLevel", types.SetLevelRequestParams, nothing)
engine._lowlevel_server.add_request_handler("resources/subscribe", types.SubscribeRequestParams, nothing)
engine._lowlevel_server.add_request_handler("resources/unsubscribe", types.UnsubscribeRequestParams, nothing)


open_app = engine.streamable_http_app(event_store=EventMemory(), retry_interval=100)
guarded = guarded_app(engine, event_store=EventMemory(), retry_interval=100)
