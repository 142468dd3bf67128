"""What a table says of nothing, or what its functions contradict, is named once, at start: it is denied silently afterwards.

What it takes to be let through does not belong here.
"""

import logging

from mcp_oauth2_deps.mcp.catalog import Catalog
from mcp_oauth2_deps.mcp.messages import Message
from mcp_oauth2_deps.mcp.tool_scopes import EXECUTED_BY, ToolScopes
from mcp_oauth2_deps.protocol.encoding import printable

logger = logging.getLogger(__name__)

# So many names a line of the log holds.
_MOST_NAMED = 20


def tell_of_unruled(table: ToolScopes, kind: str, catalog: Catalog, *, ruled: bool) -> None:
    """Writes one line: a warning, or INFO where the table says `default="deny"`, so that this is wanted.

    Args:
        table: the rules.
        kind: of what is looked at.
        catalog: all that the server has of this kind.
        ruled: whether something of this kind has a rule at itself.
    """
    denied = []
    for name in catalog.names:
        message = Message(EXECUTED_BY[kind], kind, (name,))
        if table.needed_for(message, [catalog.serving(name)], ruled=ruled) is None:
            denied.append(printable(name))
    if denied:
        more = f" and {len(denied) - _MOST_NAMED} more" if len(denied) > _MOST_NAMED else ""
        logger.log(
            logging.INFO if table.default == "deny" else logging.WARNING,
            "nobody may use these %s: %s%s. Others of their kind have a rule and they have none: give them one, or set "
            "ToolScopes(default='method') for what any good token may use",
            kind,
            ", ".join(denied[:_MOST_NAMED]),
            more,
        )


def refuse_public_with_scopes(table: ToolScopes, kind: str, catalog: Catalog) -> None:
    """Guarantees that what the table calls public is not contradicted at its function.

    Does not check: what fits a pattern.

    Raises:
        ValueError: it is; nobody could call it without a token.
    """
    for name in table.public(kind):
        if any(one.declared is not None for one in catalog.called(name)):
            raise ValueError(f"{kind}[{name!r}] cannot be PUBLIC: its function has @scopes(...); remove one of the two")
