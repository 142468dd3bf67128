"""From the bytes of a body as it was sent to those it stands for: identity, gzip and deflate (RFC 9110 section 8.4).

Reading the bytes from a network does not belong here.
"""

import zlib
from typing import Protocol

_GZIP = zlib.MAX_WBITS | 16
_GZIP_NAMES = frozenset({"gzip", "x-gzip"})
_DEFLATE_METHOD = 8


class BodyError(ValueError):
    """A body that is not what its content coding says, or larger than allowed.

    The text goes on after "the body" or a name for it, and quotes nothing of it.
    """


class BodyDecoder(Protocol):
    """Takes a body piece by piece. The limit holds for what was sent and for what it stands for, at every moment."""

    def feed(self, piece: bytes) -> None:
        """Takes the next piece; raises `BodyError` when it is damaged or the limit is passed."""

    def finish(self) -> bytes:
        """Returns the whole body; raises `BodyError` when its end is missing."""


def body_decoder(content_encoding: str, limit: int) -> BodyDecoder:
    """Returns what decodes a body with this `Content-Encoding` field.

    Args:
        content_encoding: the field's value; several fields are joined by commas.
        limit: bytes of the largest body.

    Raises:
        BodyError: another coding than gzip or deflate, or more than one.
    """
    codings = [coding.strip().lower() for coding in content_encoding.split(",")]
    codings = [coding for coding in codings if coding not in {"", "identity"}]
    if not codings:
        return _Plain(limit)
    if len(codings) > 1:
        raise BodyError("is encoded more than once, though no content coding was asked for")
    if codings[0] in _GZIP_NAMES:
        return _Gzip(limit)
    if codings[0] == "deflate":
        return _Deflate(limit)
    raise BodyError("has another content coding than gzip or deflate, though none was asked for")


class _Plain:
    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._body = bytearray()

    def feed(self, piece: bytes) -> None:
        self._body += piece
        if len(self._body) > self._limit:
            raise _too_large(self._limit)

    def finish(self) -> bytes:
        return bytes(self._body)


class _Inflating:
    """What gzip and deflate share: a zlib stream that is never asked for more than one byte beyond the limit."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._sent = 0
        self._body = bytearray()

    def _count(self, piece: bytes) -> None:
        self._sent += len(piece)
        if self._sent > self._limit:
            raise _too_large(self._limit)

    def _inflate(self, stream: "zlib._Decompress", piece: bytes) -> None:
        try:
            # A few hundred bytes can stand for a megabyte, so the output is limited before it exists.
            self._body += stream.decompress(piece, self._limit - len(self._body) + 1)
        except zlib.error:
            raise BodyError("has a damaged content coding") from None
        if len(self._body) > self._limit:
            raise _too_large(self._limit)


class _Gzip(_Inflating):
    """RFC 1952. A file of several members, as parallel compressors write it, is the texts of all of them (section 2.2)."""

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self._stream = zlib.decompressobj(_GZIP)

    def feed(self, piece: bytes) -> None:
        self._count(piece)
        while piece:
            if self._stream.eof:
                # Whatever follows a member has to be another one: anything else is refused as damaged.
                self._stream = zlib.decompressobj(_GZIP)
            self._inflate(self._stream, piece)
            piece = self._stream.unused_data

    def finish(self) -> bytes:
        if not self._stream.eof:
            raise BodyError("ends before its content coding does")
        return bytes(self._body)


class _Deflate(_Inflating):
    """RFC 1950, and the bare RFC 1951 that some servers send under the same name."""

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self._start = b""
        self._stream: zlib._Decompress | None = None

    def feed(self, piece: bytes) -> None:
        self._count(piece)
        if self._stream is None:
            self._start += piece
            if len(self._start) < 2:  # noqa: PLR2004  # the header of RFC 1950 has two bytes
                return
            self._stream = zlib.decompressobj(zlib.MAX_WBITS if _has_zlib_header(self._start) else -zlib.MAX_WBITS)
            piece = self._start
        self._inflate(self._stream, piece)
        if self._stream.unused_data:
            raise BodyError("goes on after the end of its content coding")

    def finish(self) -> bytes:
        if self._stream is None or not self._stream.eof:
            raise BodyError("ends before its content coding does")
        return bytes(self._body)


def _has_zlib_header(start: bytes) -> bool:
    # RFC 1950 section 2.2. Bare deflate cannot look like this: it would start with a stored block and padding that is not zero.
    return start[0] & 0x0F == _DEFLATE_METHOD and int.from_bytes(start[:2], "big") % 31 == 0


def _too_large(limit: int) -> BodyError:
    return BodyError(f"is larger than {limit // 1024} KiB")
