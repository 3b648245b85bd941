"""Response bodies: received, decompressed and parsed within limits."""

from __future__ import annotations

import json
import re
import time
import zlib
from typing import Any

import httpx

from primepods_magic.api.errors import UnexpectedAnswer

__all__ = ["MAX_BODY_BYTES", "parse_body", "parse_json", "read_text", "receive_body"]

MAX_BODY_BYTES = 64 * 2**20
MAX_ERROR_BYTES = 2**20
# A list of objects takes fifty times the memory of its text.
_MAX_VALUES = 2_000_000
_MIN_KEY = 12
_MAX_INTEGER_DIGITS = 400
_CHARSETS = frozenset({"iso-8859-1", "latin-1", "windows-1252", "cp1252", "utf-16", "utf-16le", "utf-16be"})
_CODINGS = frozenset({"gzip", "x-gzip", "deflate"})
_KINDS = frozenset({"text/html", "text/plain", "text/xml", "application/xml", "application/octet-stream"})
_STRING_OR_MARK = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|([,\[{])', re.DOTALL)


def receive_body(response: httpx.Response, ends_at: float) -> bytes:
    """Read and decompress a streamed body until ``ends_at`` on the monotonic clock.

    An unreadable error body is empty, because its status says enough; any other raises httpx.HTTPError.
    """
    if response.is_success:
        return _receive_within(response, ends_at, MAX_BODY_BYTES)
    try:
        return _receive_within(response, ends_at, MAX_ERROR_BYTES)
    except httpx.HTTPError:
        return b""


def _receive_within(response: httpx.Response, ends_at: float, limit: int) -> bytes:
    if response.is_stream_consumed:
        # A transport other than the network has read the body already.
        chunks, decoder = response.iter_bytes(), None
    else:
        chunks, decoder = response.iter_raw(), _make_decoder(response)
    received = bytearray()
    is_complete = True
    for chunk in chunks:
        # Decompress at most one byte beyond the limit.
        received += chunk if decoder is None else _decompress_chunk(decoder, chunk, limit + 1 - len(received))
        # An empty body is not compressed, whatever its headers say.
        is_complete = decoder is None or decoder.eof
        if len(received) > limit:
            raise httpx.ReadError("the response is too large", request=response.request)
        if time.monotonic() > ends_at:
            raise httpx.ReadTimeout("the response takes too long", request=response.request)
    if not is_complete:
        raise httpx.DecodingError("the response is incomplete", request=response.request)
    return bytes(received)


def _make_decoder(response: httpx.Response) -> Any:
    """Return a decompressor for this body, or ``None`` if it is not compressed."""
    words = [word.strip().lower() for word in response.headers.get("content-encoding", "").split(",")]
    # Ignore other words, such as "utf-8" and "none"; a body that stays compressed is not valid JSON.
    codings = [word for word in words if word in _CODINGS]
    if not codings or response.status_code in (204, 304):
        return None
    if len(codings) > 1:
        raise httpx.DecodingError("the response is compressed twice", request=response.request)
    return zlib.decompressobj(zlib.MAX_WBITS | 32)


def _decompress_chunk(decoder: Any, chunk: bytes, max_bytes: int) -> bytes:
    try:
        data: bytes = decoder.decompress(chunk, max_bytes)
    except zlib.error:
        raise httpx.DecodingError("the response cannot be decompressed") from None
    return data


def read_text(response: httpx.Response) -> str:
    """Return a body as text; ignore Python codecs that are not charsets, such as those that decompress."""
    _, _, charset = response.headers.get("content-type", "").lower().partition("charset=")
    charset = charset.partition(";")[0].strip("\"' ")
    return response.content.decode(charset if charset in _CHARSETS else "utf-8", "replace")


def parse_body(method: str, response: httpx.Response, *, allow_text: bool, key: str = "") -> Any:
    """Return the JSON of a successful response, or its plain text if that is allowed, without the key."""
    body = _parse_body(method, response, allow_text=allow_text)
    # A shorter one is a test's, and may be a word of the response.
    is_repeated = len(key) >= _MIN_KEY and key.encode("utf-8", "replace") in response.content
    return _mask_key(body, key) if is_repeated else body


def _mask_key(value: Any, key: str) -> Any:
    if isinstance(value, str):
        return value.replace(key, "***")
    if isinstance(value, list):
        return [_mask_key(part, key) for part in value]
    if isinstance(value, dict):
        return {_mask_key(name, key): _mask_key(part, key) for name, part in value.items()}
    return value


def _parse_body(method: str, response: httpx.Response, *, allow_text: bool) -> Any:
    # An empty body is not a response to GET: taken for an empty list, it would mean that every pod is gone.
    if not response.content and (method != "GET" or allow_text):
        return {}
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if _has_too_many_values(response.content):
        raise UnexpectedAnswer(f"The service returned more than {_MAX_VALUES:,} values")
    try:
        return parse_json(response.content)
    except (ValueError, RecursionError):
        if allow_text and kind == "text/plain":
            return read_text(response)
    what = f"{kind} instead of JSON" if kind in _KINDS else "invalid JSON"
    raise UnexpectedAnswer(f"The service returned {what}. A proxy or a login page may be in between")


def parse_json(content: str | bytes) -> Any:
    """Parse JSON; raise ValueError or RecursionError if that fails."""
    return json.loads(content, parse_int=_read_integer)


def _has_too_many_values(content: bytes) -> bool:
    if sum(map(content.count, (b",", b"[", b"{"))) <= _MAX_VALUES:
        return False
    # Do not count these characters inside strings, such as logs.
    values = 0
    for match in _STRING_OR_MARK.finditer(content):
        values += match.lastindex == 1
        if values > _MAX_VALUES:
            return True
    return False


def _read_integer(digits: str) -> int | float:
    # Python refuses thousands of digits, or takes minutes for them; infinity is dropped later.
    return int(digits) if len(digits) <= _MAX_INTEGER_DIGITS else float(digits)
