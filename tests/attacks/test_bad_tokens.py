"""Every token of `tests/support/bad_tokens.py`, rightly signed, over the wire: what the pure rules refuse, the server refuses."""

import json

import pytest
from attack_support import accepted, refused
from bad_tokens import BAD_JSON, BAD_TOKENS, spoiled

pytestmark = pytest.mark.parametrize("attacked", ["httptools"], indirect=True, scope="session")


@pytest.mark.parametrize("row", BAD_TOKENS.values(), ids=list(BAD_TOKENS))
def test_a_token_with_one_fault_is_refused_even_where_no_scope_is_asked(wire, forge, row):
    token = forge.mint(spoiled(forge.header(), row.header), spoiled(forge.claims(), row.claims))
    target, scope = (b"/strict", "a") if row.strict else (b"/any", "")
    refused(wire.bearer(token, target=target), reason=row.reason, scope=scope)


@pytest.mark.parametrize("change", BAD_JSON.values(), ids=list(BAD_JSON))
@pytest.mark.parametrize("place", ["header", "payload"])
def test_a_text_without_one_reading_is_refused(wire, forge, place, change):
    texts = {"header": json.dumps(forge.header()).encode(), "payload": json.dumps(forge.claims()).encode()}
    texts[place] = change(texts[place])
    refused(wire.bearer(forge.mint(**texts)), reason="malformed")


@pytest.mark.parametrize("target", [b"/any", b"/strict"])
def test_control_the_token_without_a_fault(wire, forge, target):
    accepted(wire.bearer(forge.mint(forge.header(), forge.claims()), target=target))
    texts = json.dumps(forge.header()).encode(), json.dumps(forge.claims()).encode()
    accepted(wire.bearer(forge.mint(*texts), target=target))
