"""From an issuer to its authorization server metadata: the places are asked in order.

Keys do not belong here.
"""

from mcp_oauth2_deps.errors import DocumentError
from mcp_oauth2_deps.protocol.issuer_metadata import IssuerMetadata, read_metadata, well_known_urls
from mcp_oauth2_deps.stores.documents import DocumentSource


async def discover(issuer: str, documents: DocumentSource) -> IssuerMetadata:
    """The metadata of the first well-known URL that holds a document of exactly this issuer (RFC 8414 section 3.3).

    Raises:
        DocumentError: none does; the text tells for each URL why.
    """
    causes = []
    for url in well_known_urls(issuer):
        try:
            document = await documents.fetch(url)
            return read_metadata(issuer, document.content)
        except DocumentError as error:
            causes.append(f"{url}: {error}")
            if error.unreachable:
                raise DocumentError("; ".join(causes), unreachable=True) from None
    raise DocumentError("; ".join(causes))
