"""Variables to a session on a pod, and back."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

from primepods_magic.api.errors import InvalidRequest, PodsError, WaitInterrupted
from primepods_magic.api.text.sanitize import join_first, sanitize, shorten
from primepods_magic.pods.support.notices import warn
from primepods_magic.pods.support.progress import show_transfer
from primepods_magic.remote.agent.frames import Header
from primepods_magic.remote.agent.values.codec import (
    EncodedValue,
    decode_values,
    describe_python,
    encode_value,
    find_unmet,
    pack_encoded,
    unpack_values,
)
from primepods_magic.remote.agent.values.coding import CannotEncode
from primepods_magic.remote.agent.values.packing import BadValue
from primepods_magic.remote.files.results import format_bytes
from primepods_magic.remote.files.streams import Stopped, StreamWatch
from primepods_magic.remote.files.values import fetch_bytes, remove_file, send_bytes
from primepods_magic.remote.limits.names import check_session
from primepods_magic.remote.link import PodLink

from .calls import OnNote, make_call, pass_over, run_call
from .remote_value import check_name, parse_part, read_remote_value
from .secret_checks import find_secrets
from .source import Needed, find_needed

__all__ = ["Confirm", "Outgoing", "Terms", "make_get_call", "prepare_values", "pull_values", "push_values",
           "send_values", "take_values"]  # fmt: skip

LARGE_BYTES = 100_000_000
_MAX_NAMES = 8
_MAX_VALUES = 1000
_MAX_BYTES = 1 << 40

Confirm = Callable[[str], bool]
"""Asks a question; False if the answer is no, or no one can answer."""

_facts: WeakKeyDictionary[PodLink, dict[str, dict[str, Any]]] = WeakKeyDictionary()
_lock = threading.Lock()


@dataclass
class Terms:
    """The part of a person in a transfer.

    Attributes
    ----------
    confirm : callable
    how : str
        How to confirm in advance, such as ``yes=True``.
    on_note : callable
        Called with what is not the same on the other side.
    on_wait : callable
        Called with what is waited for.
    watch : StreamWatch
        How far the transfer is, and whether it is to stop.
    """

    confirm: Confirm = lambda question: False
    how: str = "yes=True"
    on_note: OnNote = warn
    on_wait: OnNote = pass_over
    watch: StreamWatch = field(default_factory=StreamWatch)


@dataclass
class Outgoing:
    """Values that are ready to be sent."""

    names: tuple[str, ...]
    encoded: list[EncodedValue]
    needed: Needed
    secrets: list[str] = field(default_factory=list)
    unsearched: list[str] = field(default_factory=list)
    """What has too much text to be searched for secrets."""

    @property
    def size(self) -> int:
        """Bytes to send, without the descriptions."""
        return sum(each.size for each in self.encoded)

    def pack(self) -> bytes:
        """Return everything as one block."""
        needed = self.needed
        return pack_encoded(
            self.encoded, asked=self.names, held=list(needed.held), imports=needed.imports, code=needed.code
        )

    def note_kept(self, link: PodLink, answer: Mapping[str, Any], on_note: OnNote) -> None:
        """Say which names, that were not asked for, the session has of its own."""
        kept = answer.get("kept")
        reasons = self.needed.reasons
        for name in [name for name in reasons if name in kept] if isinstance(kept, list) else []:
            on_note(
                f"'{link.name}' has another {name}, and keeps it; {reasons[name]} uses it there. To replace "
                f"it, send {name} by name as well."
            )


def prepare_values(values: Mapping[str, Any], *, main: str = "__main__") -> Outgoing:
    """Return values as they are sent; raise InvalidRequest if one cannot be."""
    for name in values:
        check_name(name)
    needed = find_needed(values, main=main)
    encoded = []
    for name, value in [*needed.values.items(), *needed.held.items()]:
        try:
            encoded.append(encode_value(value, name))
        except CannotEncode as error:
            why = f" ('{needed.reasons[name]}' uses it)" if name in needed.reasons else ""
            raise InvalidRequest(f"{sanitize(shorten(str(error), 400))}{why}. Nothing was sent") from None
    for place, text in [note for each in encoded if each.name in needed.held for note in each.notes.items()]:
        raise InvalidRequest(f"{sanitize(place)} {text}. Nothing was sent")
    sources = [(each["name"], each["text"]) for each in needed.code]
    return Outgoing(tuple(values), encoded, needed, *find_secrets(encoded, sources))


def send_values(link: PodLink, session: str, outgoing: Outgoing, terms: Terms) -> Header:
    """Send values to a file of a pod; return the call that makes variables of them.

    Raises InvalidRequest if the pod cannot have one of them, or if it is not confirmed.
    """
    _check_needs(link, session, outgoing, terms)
    _confirm_sending(link, outgoing, terms)
    for place, text in [note for each in outgoing.encoded for note in each.notes.items()][:_MAX_NAMES]:
        terms.on_note(f"{sanitize(place)} {text}.")
    try:
        data = outgoing.pack()
    except BadValue as error:
        raise InvalidRequest(f"{error}. Nothing was sent") from None
    with _interruptible(link, "sending values; no variable was changed"):
        return make_call("put", path=send_bytes(link, data, watch=terms.watch))


@contextlib.contextmanager
def _interruptible(link: PodLink, doing: str) -> Iterator[None]:
    try:
        yield
    except (KeyboardInterrupt, Stopped):
        raise WaitInterrupted(
            f"Interrupted while {doing}. '{link.name}' keeps running and is billed"
        ) from None


def push_values(link: PodLink, session: str, outgoing: Outgoing, terms: Terms) -> None:
    """Send values, and wait until they are variables of a session, all or none."""
    check_session(session)
    call = send_values(link, session, outgoing, terms)
    try:
        answer = run_call(link, session, call, terms.on_wait, terms.watch.stop)
        outgoing.note_kept(link, answer, terms.on_note)
    except PodsError:
        forget_file(link, call)
        raise


def forget_file(link: PodLink, call: Header) -> None:
    """Remove the file of a call that did not run; the pod removes one that is left after a day."""
    path = call["expression"].rpartition('"path": "')[2].partition('"')[0]
    with contextlib.suppress(PodsError):
        remove_file(link, path)


def _check_needs(link: PodLink, session: str, outgoing: Outgoing, terms: Terms) -> None:
    needs = {need: place for each in outgoing.encoded for need, place in each.needs.items()}
    if not needs:
        return
    with _lock:
        known = _facts.setdefault(link, {})
    facts = known.get(session)
    if facts is None or find_unmet(needs, facts):
        # Packages may have been installed since.
        facts = known[session] = run_call(
            link, session, make_call("describe"), terms.on_wait, terms.watch.stop
        )
    unmet = find_unmet(needs, facts)
    if facts.get("byteorder") not in ("little", "big"):
        raise PodsError(f"'{link.name}' did not say what it is. Nothing was sent")
    if unmet:
        need, place = next(iter(unmet.items()))
        raise InvalidRequest(
            f"'{link.name}' has no {need}, which {sanitize(place)} needs. Nothing was sent"
            + (
                f". '%pods exec {link.name} -- pip install {need}' may install it"
                if need.isidentifier()
                else ""
            )
        )


def _describe_size(names: Sequence[str], size: int) -> str:
    return (
        f"{join_first(list(names), _MAX_NAMES)} {'has' if len(names) == 1 else 'have'} {format_bytes(size)}"
    )


def _confirm_sending(link: PodLink, outgoing: Outgoing, terms: Terms) -> None:
    reasons = []
    if outgoing.secrets:
        places = join_first([sanitize(place) for place in outgoing.secrets], _MAX_NAMES)
        reasons.append(f"{places} may hold a secret, which the provider of the pod could read")
    if outgoing.unsearched:
        names = join_first([sanitize(name) for name in outgoing.unsearched], _MAX_NAMES)
        reasons.append(f"not all of {names} was searched for secrets")
    if outgoing.size > LARGE_BYTES:
        reasons.append(_describe_size(outgoing.names, outgoing.size))
    if reasons and not terms.confirm(f"{'; '.join(reasons)}. Send to '{link.name}'?"):
        raise InvalidRequest(
            f"{'; '.join(reasons)}. That was not confirmed, and nothing was sent. Pass {terms.how} to "
            "confirm in advance"
        )


# Values that come


def make_get_call(references: Sequence[str]) -> Header:
    """Return the call that writes variables, or parts of them, to a file of the pod."""
    wanted = []
    for reference in references:
        steps = parse_part(reference)
        kind, name = steps[0] if steps else ("", "")
        if kind != "attribute" or reference[:1] == ".":
            raise InvalidRequest(
                f"{sanitize(shorten(reference, 80))!r} does not begin with a name of a variable. Nothing was "
                "fetched"
            )
        wanted.append([check_name(name, is_set=False), steps[1:], reference])
    return make_call("get", wanted=wanted, facts=describe_python())


def pull_values(link: PodLink, session: str, references: Sequence[str], terms: Terms) -> dict[str, Any]:
    """Return variables of a session, or parts of them, by what they were asked for as."""
    check_session(session)
    answer = run_call(link, session, make_get_call(references), terms.on_wait, terms.watch.stop)
    return take_values(link, session, references, answer, terms)


def take_values(
    link: PodLink, session: str, references: Sequence[str], answer: Mapping[str, Any], terms: Terms
) -> dict[str, Any]:
    """Fetch the values that a pod has written to a file; describe those that stay there."""
    values: dict[str, Any] = {}
    path, size = answer.get("path"), answer.get("size")
    if path is not None:
        if type(path) is not str or type(size) is not int or not 0 <= size <= _MAX_BYTES:
            raise _make_bad_answer(link)
        try:
            _confirm_fetching(link, references, size, terms)
            values = _read_values(link, path, size, terms)
        finally:
            with contextlib.suppress(PodsError):
                remove_file(link, path)
    kept = answer.get("kept")
    for facts in kept[:_MAX_VALUES] if isinstance(kept, list) else []:
        if isinstance(facts, dict) and isinstance(facts.get("name"), str):
            name = facts["name"]
            values[name] = read_remote_value(facts, link.name, _make_fetcher(link, session))
    if values.keys() != set(references):
        raise _make_bad_answer(link)
    notes = answer.get("notes")
    for note in notes[:_MAX_NAMES] if isinstance(notes, list) else []:
        terms.on_note(f"{sanitize(shorten(str(note), 200))}.")
    return {reference: values[reference] for reference in references}


def _make_bad_answer(link: PodLink) -> PodsError:
    return PodsError(
        f"'{link.name}' sent something that is not what was asked for. Nothing was stored here. The pod "
        "keeps running and is billed"
    )


def _confirm_fetching(link: PodLink, references: Sequence[str], size: int, terms: Terms) -> None:
    if size <= LARGE_BYTES:
        return
    reason = _describe_size(references, size)
    if not terms.confirm(f"{reason}. Fetch this from '{link.name}'?"):
        raise InvalidRequest(
            f"{reason} on '{link.name}'. That was not confirmed, and nothing was fetched. Pass {terms.how} "
            "to confirm in advance"
        )


def _read_values(link: PodLink, path: str, size: int, terms: Terms) -> dict[str, Any]:
    with _interruptible(link, "fetching values; nothing was stored here"):
        data = fetch_bytes(link, path, max_bytes=size, watch=terms.watch)
    try:
        return decode_values(*unpack_values(data))
    except BadValue as error:
        raise PodsError(
            f"What '{link.name}' sent cannot be read here: {sanitize(shorten(str(error), 300))}. Nothing was "
            "stored here. The pod keeps running and is billed"
        ) from None


def _make_fetcher(link: PodLink, session: str) -> Callable[[str, bool], Any]:
    def fetch(reference: str, yes: bool) -> Any:
        with show_transfer(f"Fetching {sanitize(reference)}", None) as report:
            terms = Terms(confirm=lambda question: yes, watch=StreamWatch(on_progress=report))
            return pull_values(link, session, [reference], terms)[reference]

    return fetch
