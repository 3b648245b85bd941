"""The bodies of answers: received and decompressed within a limit, and parsed within another."""

from __future__ import annotations

import json
import re
import time
import zlib
from typing import Any

import httpx

from primepods_magic.api.errors import UnexpectedAnswer

__all__ = ["LARGEST_BODY_BYTES", "parse_body", "parse_json", "read_text", "receive_body"]

LARGEST_BODY_BYTES = 64 * 2**20
LARGEST_ERROR_BYTES = 2**20
# A list of objects takes fifty times the memory of its text.
_MOST_VALUES = 2_000_000
_LONGEST_INTEGER = 400
_CHARSETS = frozenset({"iso-8859-1", "latin-1", "windows-1252", "cp1252", "utf-16", "utf-16le", "utf-16be"})
_CODINGS = frozenset({"gzip", "x-gzip", "deflate"})
_KINDS = frozenset({"text/html", "text/plain", "text/xml", "application/xml", "application/octet-stream"})
_STRING_OR_MARK = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|([,\[{])', re.DOTALL)


def receive_body(response: httpx.Response, ends_at: float) -> bytes:
    """Read the body of a response that is being streamed, and decompress it.

    Parameters
    ----------
    response : httpx.Response
        The response.
    ends_at : float
        The ``time.monotonic()`` at which reading it must be over.

    Returns
    -------
    bytes
        The decompressed body. That of a refusal is empty if it cannot be read: its status says enough.

    Raises
    ------
    httpx.HTTPError
        The body is too large, takes too long, breaks off, or is compressed twice.
    """
    if response.is_success:
        return _receive_within(response, ends_at, LARGEST_BODY_BYTES)
    try:
        return _receive_within(response, ends_at, LARGEST_ERROR_BYTES)
    except httpx.HTTPError:
        return b""


def _receive_within(response: httpx.Response, ends_at: float, limit: int) -> bytes:
    if response.is_stream_consumed:
        # Something other than the network has carried the request, and has read the body already.
        chunks, decoder = response.iter_bytes(), None
    else:
        chunks, decoder = response.iter_raw(), _make_decoder(response)
    received = bytearray()
    is_complete = True
    for chunk in chunks:
        # Never more than one byte beyond the limit, however much a chunk decompresses to.
        received += chunk if decoder is None else _decompress(decoder, chunk, limit + 1 - len(received))
        # Of a body that is empty nothing is compressed, whatever its headers say.
        is_complete = decoder is None or decoder.eof
        if len(received) > limit:
            raise httpx.ReadError("the answer is too large", request=response.request)
        if time.monotonic() > ends_at:
            raise httpx.ReadTimeout("the answer takes too long", request=response.request)
    if not is_complete:
        raise httpx.DecodingError("the answer breaks off", request=response.request)
    return bytes(received)


def _make_decoder(response: httpx.Response) -> Any:
    """Return what decompresses this body, or ``None`` if it comes as it is."""
    words = [word.strip().lower() for word in response.headers.get("content-encoding", "").split(",")]
    # Other words, such as "utf-8" and "none", change nothing: what they leave compressed is not JSON.
    codings = [word for word in words if word in _CODINGS]
    if not codings or response.status_code in (204, 304):
        return None
    if len(codings) > 1:
        raise httpx.DecodingError("the answer is compressed twice", request=response.request)
    return zlib.decompressobj(zlib.MAX_WBITS | 32)


def _decompress(decoder: Any, chunk: bytes, most_bytes: int) -> bytes:
    try:
        data: bytes = decoder.decompress(chunk, most_bytes)
    except zlib.error:
        raise httpx.DecodingError("the answer cannot be decompressed") from None
    return data


def read_text(response: httpx.Response) -> str:
    """Return a body as text. Only a charset of text counts: Python has others, which decompress."""
    _, _, charset = response.headers.get("content-type", "").lower().partition("charset=")
    charset = charset.partition(";")[0].strip("\"' ")
    return response.content.decode(charset if charset in _CHARSETS else "utf-8", "replace")


def parse_body(method: str, response: httpx.Response, *, text_will_do: bool) -> Any:
    """Return the JSON of a successful answer.

    Parameters
    ----------
    method : str
        Of the request.
    response : httpx.Response
        The answer.
    text_will_do : bool
        Plain text that is not JSON is returned as it is.

    Raises
    ------
    UnexpectedAnswer
        The body is something else, or holds too many values.
    """
    # Nothing is no answer to a question: taken for an empty list, it would end every pod.
    if not response.content and (method != "GET" or text_will_do):
        return {}
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if _has_too_many_values(response.content):
        raise UnexpectedAnswer("the service returned more values than any answer has")
    try:
        return parse_json(response.content)
    except (ValueError, RecursionError):
        if text_will_do and kind == "text/plain":
            return read_text(response)
    what = f"{kind} where JSON belongs" if kind in _KINDS else "something that is no JSON"
    raise UnexpectedAnswer(f"the service answered with {what}; a proxy or a login page may be in between")


def parse_json(content: str | bytes) -> Any:
    """Return what JSON holds; ``ValueError`` or ``RecursionError`` if it cannot be parsed."""
    return json.loads(content, parse_int=_read_integer)


def _has_too_many_values(content: bytes) -> bool:
    if sum(map(content.count, (b",", b"[", b"{"))) <= _MOST_VALUES:
        return False
    # In strings, such as logs, these are characters like others.
    values = 0
    for match in _STRING_OR_MARK.finditer(content):
        values += match.lastindex == 1
        if values > _MOST_VALUES:
            return True
    return False


def _read_integer(digits: str) -> int | float:
    # Python refuses those of thousands of digits, or takes minutes for them. Infinity is no number to us.
    return int(digits) if len(digits) <= _LONGEST_INTEGER else float(digits)
