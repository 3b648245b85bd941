"""Values as descriptions and back: what every kind of value uses.

An encoder refuses what has no exact description. A decoder takes only what its table has a reader for: it
neither imports nor calls anything by a name that it reads.
"""

from __future__ import annotations

from itertools import islice
from typing import Any, Callable, Dict, List, Sequence, Tuple

from .packing import BadValue

__all__ = ["CannotEncode", "Decoder", "Encoder", "Node", "Reader"]

Node = Any
"""None, a bool, number or text; or a list of a tag and of what the tag needs."""
Reader = Callable[["Decoder", List[Any]], Any]

_MAX_DEPTH = 150
_MAX_NODES = 4_000_000
_MAX_MEMBERS = 1000


class CannotEncode(ValueError):
    """A value that has no description; the message says which, and why.

    Attributes
    ----------
    place : str
        Its place, such as ``config['model'][0]``.
    """

    def __init__(self, place: str, reason: str) -> None:
        super().__init__(f"{place} {reason}")
        self.place = place


class Encoder:
    """Describes values, and collects their buffers.

    Attributes
    ----------
    buffers : list
    size : int
        Bytes in the buffers.
    needs : dict
        What the other side must have, and the place of a value that needs it.
    notes : dict
        What is not the same on the other side, by the place of the value.
    texts : list
        Sequences of the texts and bytes that are in the buffers.
    keys, columns : dict
        The place of the first text below each key, and of the first column or group of each name that may
        hold text.
    """

    def __init__(self, describe: Callable[["Encoder", Any], Node], lacks: Sequence[str] = ()) -> None:
        self.buffers: List[Any] = []
        self.size = 0
        self.needs: Dict[str, str] = {}
        self.notes: Dict[str, str] = {}
        self.texts: List[Any] = []
        self.keys: Dict[str, str] = {}
        self.columns: Dict[str, str] = {}
        self.lacks = tuple(lacks)
        """Libraries of tensors without which a tensor may be an array on the other side."""
        self._describe = describe
        self._places: List[str] = []
        self._seen: Dict[int, Tuple[Any, str]] = {}
        self._nodes = 0

    @property
    def place(self) -> str:
        """The place of the value that is being described."""
        return "".join(self._places[:12]) + ("…" if len(self._places) > 12 else "")

    def encode(self, value: Any, place: str = "") -> Node:
        """Return the description of a value; CannotEncode if it has none."""
        self._nodes += 1
        self._places.append(place)
        if len(self._places) > _MAX_DEPTH:
            raise self.refuse(f"is nested more than {_MAX_DEPTH} levels deep")
        if self._nodes > _MAX_NODES:
            raise self.refuse("has too many parts; put numbers into an array or a DataFrame")
        node = self._describe(self, value)
        self._places.pop()
        return node

    def note_use(self, value: Any) -> None:
        """Refuse a changeable value that is there twice: it would be two values on the other side."""
        if id(value) in self._seen:
            raise self.refuse(
                f"is the same {type(value).__name__} as {self._seen[id(value)][1]}. Send it once, or a copy"
            )
        self._seen[id(value)] = value, self.place

    def note_key(self, key: Any, value: Any, place: str) -> None:
        """Note the key of a text, and that of a group of texts like the name of a column."""
        if type(key) is not str:
            return
        if type(value) in (str, bytes, bytearray):
            if value:
                self.keys.setdefault(key, f"{self.place}{place}")
        elif _holds_text(value):
            self.columns.setdefault(key, f"{self.place}{place}")

    def add_buffer(self, data: Any) -> int:
        """Keep a buffer; return its number."""
        self.buffers.append(data)
        self.size += memoryview(data).nbytes
        return len(self.buffers) - 1

    def need(self, name: str) -> None:
        """Note that the other side must have this."""
        self.needs.setdefault(name, self.place)

    def note(self, text: str) -> None:
        """Note what is not the same on the other side."""
        self.notes.setdefault(self.place, text)

    def refuse(self, reason: str) -> CannotEncode:
        """Return the error of a value that has no description."""
        return CannotEncode(self.place, reason)


def _holds_text(value: Any) -> bool:
    """Return whether there is text among the first members of a value; no class of the notebook is asked."""
    kind, module = type(value), type(value).__module__.partition(".")[0]
    if module in ("builtins", "collections") and issubclass(kind, (dict, list, tuple, set, frozenset)):
        members = islice(dict.values(value) if issubclass(kind, dict) else value, _MAX_MEMBERS)
        return any(type(each) in (str, bytes, bytearray, dict, list, tuple) and each for each in members)
    is_table = module in ("numpy", "pandas")
    return is_table and getattr(getattr(value, "dtype", None), "kind", None) in ("S", "U", "O", "T")


class Decoder:
    """Makes values of descriptions.

    Parameters
    ----------
    buffers : sequence of memoryview
    readers : dict
        For each tag, what makes the value of the rest of the description.
    """

    def __init__(self, buffers: Sequence[memoryview], readers: Dict[str, Reader]) -> None:
        self._buffers = buffers
        self._readers = readers
        self._depth = 0
        self._nodes = 0

    def decode(self, node: Node) -> Any:
        """Return a value; BadValue if the description is not one that an encoder makes."""
        self._nodes += 1
        if self._nodes > _MAX_NODES:
            raise BadValue("too many parts")
        if node is None or type(node) in (bool, int, float, str):
            return node
        if type(node) is not list or not node or type(node[0]) is not str or node[0] not in self._readers:
            raise BadValue("a description of no kind that is known")
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise BadValue("nested too deep")
        value = self._readers[node[0]](self, node[1:])
        self._depth -= 1
        return value

    def decode_as(self, kind: type, node: Node) -> Any:
        """Return a value that must be of a type."""
        value = self.decode(node)
        if type(value) is not kind:
            raise BadValue(f"not a {kind.__name__}")
        return value

    def take_buffer(self, number: Any) -> memoryview:
        """Return a buffer by its number."""
        if type(number) is not int or not 0 <= number < len(self._buffers):
            raise BadValue("a buffer that is not there")
        return self._buffers[number]
