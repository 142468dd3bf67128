"""From an issuer to its authorization server metadata: the places are asked in order.

Keys do not belong here.
"""

from mcp_oauth2_deps.errors import DocumentError
from mcp_oauth2_deps.protocol.issuer_metadata import IssuerMetadata, read_metadata, well_known_urls
from mcp_oauth2_deps.stores.documents import DocumentSource


async def discover(issuer: str, documents: DocumentSource) -> IssuerMetadata:
    """The metadata of the first well-known URL that holds a document of exactly this issuer (RFC 8414 section 3.3).

    One that names the issuer's keys is preferred; an issuer whose tokens are opaque has none.

    Raises:
        DocumentError: none does; the text tells for each URL why.
    """
    causes = []
    without_keys = None
    for url in well_known_urls(issuer):
        try:
            document = await documents.fetch(url)
            metadata = read_metadata(issuer, document.content)
            if metadata.jwks_uri is not None:
                return metadata
            without_keys = without_keys or metadata
        except DocumentError as error:
            causes.append(f"{url}: {error}")
            if error.unreachable:
                raise DocumentError("; ".join(causes), unreachable=True) from None
    if without_keys is not None:
        return without_keys
    raise DocumentError("; ".join(causes))
