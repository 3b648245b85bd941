"""Lookup of pods by id, name, or beginning of an id."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from primepods_magic.api.errors import NameInUse, NotFound
from primepods_magic.api.models import PodDetails
from primepods_magic.api.text.sanitize import join_sanitized, sanitize
from primepods_magic.api.validation.bounds import check_flags
from primepods_magic.api.validation.suggest import suggest_words
from primepods_magic.pods.connection.connection import Connection

from .unlisted import find_left_out, read_shown

__all__ = ["find_all", "find_pod", "find_pods", "same_name"]


def find_pod(connection: Connection, text: str, *, to_change: bool = False) -> PodDetails:
    """Return the pod with this id or name, or, only to read, with this unique beginning of an id.

    ``to_change`` requires an exact id or the exact name of my pod. Raises NotFound, NameInUse if several pods
    match, or BudgetExceeded if a pod to read is above its agreed price.
    """
    return find_pods(connection, [text], to_change=to_change)[0]


def find_pods(connection: Connection, texts: Iterable[str], *, to_change: bool = False) -> list[PodDetails]:
    """Return the pods that several texts name, each once, by one list request. Errors as `find_pod`."""
    check_flags(to_change=to_change)
    pods = _read_to_change(connection) if to_change else read_shown(connection)
    texts = list(texts)
    whole = " ".join(texts)
    names = {pod.name for pod in pods}
    if len(texts) > 1 and whole in names and not names.issuperset(texts):
        raise NotFound(f"A name with a space needs quotes: '{sanitize(whole)}'. Nothing was done")
    picked = {pod.id: pod for pod in (_pick_pod(connection, pods, text, to_change) for text in texts)}
    return list(picked.values())


def find_all(connection: Connection) -> list[PodDetails]:
    """Return all live pods that are mine, or may be, to change them."""
    return [pod for pod in _read_to_change(connection) if pod.is_live and connection.may_be_mine(pod)]


def _read_to_change(connection: Connection) -> list[PodDetails]:
    """Read all pods. A pod above its agreed price must stay removable, so prices are not checked."""
    listed = connection.client.list_all_pods()
    # The list may leave out another pod of the same name.
    return [*listed, *find_left_out(connection, listed)]


def same_name(connection: Connection, pods: Iterable[PodDetails], name: str) -> list[PodDetails]:
    """Return live pods with this name that are mine, or may be."""
    return [pod for pod in pods if pod.name == name and pod.is_live and connection.may_be_mine(pod)]


def _pick_pod(connection: Connection, pods: list[PodDetails], text: str, to_change: bool) -> PodDetails:
    if not text.strip():
        raise NotFound("Cannot find a pod without a name or an id. Nothing was done")
    if not _is_listed(connection, pods, text, to_change):
        left_out = find_left_out(connection, pods, text)
        if not to_change:
            connection.agreements.check(left_out)
        pods = [*pods, *left_out]
    by_id = next((pod for pod in pods if pod.id == text), None)
    if by_id is not None and not to_change:
        return by_id
    matches = [pod for pod in same_name(connection, pods, text) if pod.id != text]
    if by_id is not None:
        if not matches:
            return by_id
        ids = join_sanitized(pod.id for pod in matches)
        raise NameInUse(
            f"'{sanitize(text)}' is the id of one pod and the name of another. Name the other pod by its id "
            f"({ids}). Nothing was done"
        )
    if to_change and not all(connection.is_mine(pod) for pod in matches):
        ids = join_sanitized(pod.id for pod in matches)
        raise NotFound(
            f"Cannot tell whether '{sanitize(text)}' is yours. Name the pod by its id ({ids}). "
            "Nothing was done"
        )
    if not matches and not to_change:
        matches = [pod for pod in pods if pod.name == text]
        matches = matches or [pod for pod in pods if len(text) >= 3 and (pod.id or "").startswith(text)]
    if len(matches) == 1:
        return matches[0]
    if matches:
        ids = join_sanitized(pod.id for pod in matches)
        raise NameInUse(f"{len(matches)} pods are called '{sanitize(text)}'. Name one by its id ({ids})")
    cache = connection.completion_cache
    if any(text in (pod_id, name) and cache.is_gone(pod_id) for pod_id, name in cache.names.items()):
        raise NotFound(
            f"'{sanitize(text)}' has ended, and everything on it is gone. '%pods history' shows what it cost"
        )
    raise NotFound(f"There is no pod '{sanitize(text)}'. {_suggest_names(connection, pods, text, to_change)}")


def _is_listed(connection: Connection, pods: list[PodDetails], text: str, to_change: bool) -> bool:
    """Return whether a list has the pod, so that no further request is needed."""
    if any(pod.id == text for pod in pods) or same_name(connection, pods, text):
        return True
    return not to_change and len(text) >= 3 and any((pod.id or "").startswith(text) for pod in pods)


def _suggest_names(connection: Connection, pods: list[PodDetails], text: str, to_change: bool) -> str:
    if to_change and any(text and (pod.id or "").startswith(text) for pod in pods):
        return "To change a pod, name it by its full id or full name. Nothing was done"
    several = text.split()
    known = {word for pod in pods for word in (pod.id, pod.name)}
    if len(several) > 1 and known.issuperset(several):
        return "To name several pods, pass a list or a column: '%pods rm {mine.id}'. Nothing was done"
    if to_change and text.casefold() == "all":
        return "To terminate all your pods, use '%pods rm --all'. Nothing was done"
    was_removed = connection.completion_cache.was_removed
    mine = [pod for pod in pods if pod.is_live and connection.may_be_mine(pod) and not was_removed(pod.id)]
    names = [pod.name for pod in mine if pod.name]
    if not names:
        return "You have no live pods. '%pods history' shows those that ended"
    lookalikes = join_sanitized(pod.id for pod in mine if pod.name and _looks_alike(pod.name, text))
    if lookalikes:
        return (
            "A pod has a name that looks the same but has different characters. Name it by its id "
            f"({lookalikes})"
        )
    close = suggest_words(text, names, max_words=3)
    prefix = "Did you mean" if close else "Your pods:"
    shown = ", ".join(f"'{sanitize(name)}'" for name in close or sorted(names)[:5])
    return f"{prefix} {shown}{'?' if close else ''}"


def _looks_alike(one: str, other: str) -> bool:
    """Return whether two names are displayed alike, such as é in one code point and in two."""
    return unicodedata.normalize("NFC", sanitize(one)) == unicodedata.normalize("NFC", sanitize(other))
