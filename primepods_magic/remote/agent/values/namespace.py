"""Variables of a session: values that come and values that go. Runs in its kernel, between two cells."""

from __future__ import annotations

import difflib
import hashlib
import inspect
import json
import os
import secrets
import textwrap
import time
from typing import Any, Callable, Dict, List, Mapping, Set

from .codec import (
    EncodedValue,
    decode_values,
    describe_python,
    encode_value,
    find_unmet,
    pack_encoded,
    unpack_values,
)
from .coding import CannotEncode
from .definitions import DefinedNames, import_part, make_digest
from .packing import BadValue
from .project import enter_folder

__all__ = ["Answer", "Problem", "answer"]

_OLD_S = 86_400.0
_MAX_TEXT_CHARS = 2000
_MAX_NEAR = 3
_MAX_NUMBER = 1 << 62

_needed: Dict[str, Any] = {}
"""What calls have set though it was not asked for: the digest of data, and other objects themselves."""
_defined = DefinedNames()


class Problem(Exception):
    """Something that the person is to read; its text is JSON."""

    def __init__(self, **facts: Any) -> None:
        super().__init__(json.dumps(facts))


class Answer:
    """Facts that the kernel shows as JSON."""

    def __init__(self, facts: Mapping[str, Any]) -> None:
        self._facts = facts

    def __repr__(self) -> str:
        return json.dumps(self._facts)


def answer(call: str, arguments: str) -> Answer:
    """Carry out a call; Problem if it cannot be done, and then nothing has changed."""
    try:
        return Answer(_CALLS[call](_find_shell().user_ns, **json.loads(arguments)))
    except Problem:
        raise
    except MemoryError:
        raise Problem(problem="there is not enough memory") from None
    except Exception as error:  # noqa: BLE001 - its text is shown
        raise Problem(problem=f"{type(error).__name__}: {error}"[:_MAX_TEXT_CHARS]) from None


def _find_shell() -> Any:
    from IPython import get_ipython

    return get_ipython()


def _describe_kernel(namespace: Dict[str, Any]) -> Dict[str, Any]:
    return describe_python()


# Values that come


def _put_values(namespace: Dict[str, Any], path: str) -> Dict[str, Any]:
    """Set variables, all or none, from a file that is removed then.

    A name that was not asked for, because a function needs it, does not replace what the session has made.
    """
    try:
        with open(path, "rb") as file:
            description, buffers = unpack_values(file.read())
    finally:
        _remove_files(path)
    try:
        values = decode_values(description, buffers)
    except BadValue as error:
        raise Problem(problem=f"it has {error}") from None
    imports, code = description.get("imports", []), description.get("code", [])
    held = {label: values.pop(label) for label in description.get("held", [])}
    names = [*values, *(each[0] for each in imports), *(each["name"] for each in code)]
    asked = set(description.get("asked", names))
    free = {name for name in names if name in asked or _is_free(namespace, name)}
    before = {name: namespace[name] for name in names if name in namespace}
    kept: List[str] = []
    try:
        everything = {**held, **values}
        values.update({alias: _import_name(module, part) for alias, module, part in imports})
        for name, value in values.items():
            if name in free:
                namespace[name] = value
            elif not _is_same(namespace[name], value):
                kept.append(name)
        kept += _define_names(namespace, code, free, everything)
    except BaseException:
        for name in names:
            namespace.pop(name, None)
        namespace.update(before)
        raise
    for name in free:
        _needed.pop(name, None)
        if name not in asked:
            digest = _make_digest(namespace[name])
            _needed[name] = digest or namespace[name]
    return {"kept": kept}


def _define_names(
    namespace: Dict[str, Any], code: List[Dict[str, Any]], free: Set[str], values: Dict[str, Any]
) -> List[str]:
    """Define functions and classes; return the names that the session has of its own."""
    kept: List[str] = []
    ran: Set[str] = set()
    for facts in code:
        name = facts["name"]
        digest = make_digest(facts, _make_digest, values)
        is_same = _defined.has_same(name, namespace.get(name), digest)
        if name not in free:
            if not is_same and _read_source(namespace[name]) != textwrap.dedent(facts["text"]).strip():
                kept.append(name)
        elif not (is_same and isinstance(namespace[name], type) and ran.isdisjoint(facts["uses"])):
            # A class that is still the same stays: objects of it are its objects.
            try:
                _defined.define(namespace, facts, values)
            except Exception as error:  # noqa: BLE001 - code of the person
                raise Problem(problem=f"defining {name} raises {type(error).__name__}: {error}") from None
            _defined.note(name, namespace[name], digest)
            ran.add(name)
    return kept


def _is_free(namespace: Dict[str, Any], name: str) -> bool:
    """Return whether a name is missing, or is still what an earlier call has set because it was needed."""
    if name not in namespace:
        return True
    value, before = namespace[name], _needed.get(name)
    return before is not None and (before is value or before == _make_digest(value))


def _is_same(value: Any, other: Any) -> bool:
    if value is other:
        return True
    digest = _make_digest(value)
    return digest is not None and digest == _make_digest(other)


def _make_digest(value: Any) -> bytes | None:
    """Return a digest of all of a value; None if it is not data."""
    try:
        encoded = encode_value(value, "")
    except CannotEncode:
        return None
    digest = hashlib.sha256(json.dumps(encoded.node).encode())
    for buffer in encoded.buffers:
        digest.update(buffer)
    return digest.digest()


def _read_source(value: Any) -> str:
    try:
        return textwrap.dedent(inspect.getsource(inspect.unwrap(value))).strip()
    except (OSError, TypeError, ValueError):
        return ""


def _import_name(module: str, part: str) -> Any:
    try:
        return import_part(module, part)
    except (ImportError, AttributeError) as error:
        raise Problem(problem=f"it cannot import {part or module}: {error}") from None


# Values that go


def _get_values(namespace: Dict[str, Any], wanted: List[Any], facts: Dict[str, Any]) -> Dict[str, Any]:
    """Write values to a private file, and describe those that stay."""
    missing = {name: _list_near(namespace, name) for name, _, _ in wanted if name not in namespace}
    if missing:
        raise Problem(missing=missing)
    encoded: List[EncodedValue] = []
    kept: List[Dict[str, Any]] = []
    for name, steps, label in wanted:
        value = _follow_steps(namespace[name], steps, label)
        try:
            each = encode_value(value, label, [name for name in ("torch", "jax") if not facts.get(name)])
            unmet = find_unmet(each.needs, facts)
            if unmet:
                raise CannotEncode(label, f"needs {', '.join(unmet)}, which your Python does not have")
            encoded.append(each)
        except CannotEncode as error:
            kept.append({"name": label, "reason": str(error), **_describe_object(value)})
    result = {
        "kept": kept,
        "notes": [f"{place} {text}" for each in encoded for place, text in each.notes.items()],
        "names": [each.name for each in encoded],
    }
    try:
        return {**result, **(_write_file(pack_encoded(encoded)) if encoded else {})}
    except BadValue as error:
        raise Problem(problem=str(error)) from None


def _list_near(namespace: Dict[str, Any], name: str) -> List[str]:
    hidden = _find_shell().user_ns_hidden
    names = [each for each in namespace if not (each.startswith("_") or each in hidden)]
    return difflib.get_close_matches(name, names, n=_MAX_NEAR, cutoff=0.7)


def _follow_steps(value: Any, steps: List[Any], label: str) -> Any:
    try:
        for kind, step in steps:
            if kind == "attribute":
                value = getattr(value, step)
            elif kind == "item":
                value = value[step]
            else:
                value = value()
    except Exception as error:  # noqa: BLE001 - objects of any class
        raise Problem(problem=f"{label} raises {type(error).__name__}: {error}") from None
    return value


def _describe_object(value: Any) -> Dict[str, Any]:
    """Describe a value that stays; whatever it raises is left out."""
    kind = type(value)
    facts: Dict[str, Any] = {"type": f"{kind.__module__}.{kind.__qualname__}"}
    finders: Dict[str, Callable[[Any], Any]] = {
        "shape": lambda value: [int(length) for length in value.shape][:32],
        "dtype": lambda value: str(value.dtype)[:200],
        "size_bytes": _measure_size,
        "text": lambda value: repr(value)[:_MAX_TEXT_CHARS],
    }
    for name, find in finders.items():
        try:
            facts[name] = find(value)
        except Exception:  # noqa: BLE001, S112 - objects of any class
            continue
    return facts


def _measure_size(value: Any) -> Any:
    if hasattr(value, "parameters"):
        return sum(int(each.numel() * each.element_size()) for each in value.parameters())
    return min(int(value.nbytes), _MAX_NUMBER)


def _write_file(data: bytes) -> Dict[str, Any]:
    folder = os.path.join(os.path.expanduser("~"), ".primepods", "values")
    os.makedirs(folder, mode=0o700, exist_ok=True)
    _remove_files(*_list_old(folder))
    path = os.path.join(folder, secrets.token_hex(16))
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0), 0o600)
        with open(fd, "wb") as file:
            file.write(data)
    except OSError:
        _remove_files(path)
        raise
    return {"path": path, "size": len(data)}


def _list_old(folder: str) -> List[str]:
    """Return files whose client has not come back for a day."""
    paths = []
    for entry in os.scandir(folder):
        try:
            # When it was made here. What a client has sent is as old as it says, and may wait for its turn.
            if entry.stat(follow_symlinks=False).st_ctime < time.time() - _OLD_S:
                paths.append(entry.path)
        except OSError:
            # Another session has removed it meanwhile.
            continue
    return paths


def _remove_files(*paths: str) -> None:
    for path in paths:
        try:
            os.unlink(path)
        except OSError:
            continue


_CALLS: Dict[str, Callable[..., Dict[str, Any]]] = {
    "describe": _describe_kernel,
    "enter_folder": enter_folder,
    "put": _put_values,
    "get": _get_values,
}
