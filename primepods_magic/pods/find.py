"""Which pod a user means: an id, a name, or the beginning of an id."""

from __future__ import annotations

from collections.abc import Iterable

from primepods_magic.api.errors import NameInUse, NotFound
from primepods_magic.api.models import PodDetails
from primepods_magic.api.text.sanitize import join_sanitized, sanitize
from primepods_magic.api.validation.bounds import check_flags
from primepods_magic.api.validation.suggest import suggest_words
from primepods_magic.pods.connection.connection import Connection

from .unlisted import find_left_out, read_shown

__all__ = ["find_pod", "find_pods", "same_name"]


def find_pod(connection: Connection, text: str, *, to_change: bool = False) -> PodDetails:
    """The pod that a text names.

    Parameters
    ----------
    connection : Connection
        Where to look.
    text : str
        An id, the name of a live pod, or (to read only) the unique beginning of an id.
    to_change : bool
        The pod is to be changed or removed: only an exact id, or the exact name of a pod of mine, will do.

    Raises
    ------
    NotFound
        Nothing has this id or name; the nearest names are given.
    NameInUse
        Several pods do, or the text is one pod's id and another's name; their ids are given.
    BudgetExceeded
        A pod that is held to the price that was agreed to is above it, and none is to be changed.
    """
    return find_pods(connection, [text], to_change=to_change)[0]


def find_pods(connection: Connection, texts: Iterable[str], *, to_change: bool = False) -> list[PodDetails]:
    """The pods that several texts name, each once, with one look at the list. Errors as `find_pod`."""
    check_flags(to_change=to_change)
    if to_change:
        # To remove a pod is what a person wants who has heard of its price.
        listed = connection.client.list_all_pods()
        # A listed pod may have a namesake that is left out.
        pods = [*listed, *find_left_out(connection, listed)]
    else:
        pods = read_shown(connection)
    picked = {pod.id: pod for pod in (_pick_pod(connection, pods, text, to_change) for text in texts)}
    return list(picked.values())


def same_name(connection: Connection, pods: Iterable[PodDetails], name: str) -> list[PodDetails]:
    """The live pods that have a name and are mine, or may be."""
    return [pod for pod in pods if pod.name == name and pod.is_live and connection.may_be_mine(pod)]


def _pick_pod(connection: Connection, pods: list[PodDetails], text: str, to_change: bool) -> PodDetails:
    if not text.strip():
        raise NotFound("an empty text is not the name or the id of a pod. Nothing was done")
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
            f"'{sanitize(text)}' is the id of one pod and the name of another: name that one by its id "
            f"({ids}). "
            "Nothing was done"
        )
    if to_change and not all(connection.is_mine(pod) for pod in matches):
        ids = join_sanitized(pod.id for pod in matches)
        raise NotFound(
            f"it cannot be told whether '{sanitize(text)}' is yours; name the pod by its id ({ids}). Nothing "
            "was done"
        )
    if not matches and not to_change:
        matches = [pod for pod in pods if pod.name == text]
        matches = matches or [pod for pod in pods if len(text) >= 3 and (pod.id or "").startswith(text)]
    if len(matches) == 1:
        return matches[0]
    if matches:
        ids = join_sanitized(pod.id for pod in matches)
        raise NameInUse(f"{len(matches)} pods are called '{sanitize(text)}': say which by its id ({ids})")
    raise NotFound(f"there is no pod '{sanitize(text)}'{_suggest_names(connection, pods, text, to_change)}")


def _is_listed(connection: Connection, pods: list[PodDetails], text: str, to_change: bool) -> bool:
    """Return whether a list has what a text names, so that no more has to be asked."""
    if any(pod.id == text for pod in pods) or same_name(connection, pods, text):
        return True
    return not to_change and len(text) >= 3 and any((pod.id or "").startswith(text) for pod in pods)


def _suggest_names(connection: Connection, pods: list[PodDetails], text: str, to_change: bool) -> str:
    if to_change and any(text and (pod.id or "").startswith(text) for pod in pods):
        return "; to change a pod its whole id or its name is needed. Nothing was done"
    several = text.split()
    known = {word for pod in pods for word in (pod.id, pod.name)}
    if len(several) > 1 and known.issuperset(several):
        return (
            "; a text is one pod. Several pods are a list or a column: '%pods rm {mine.id}'. Nothing was done"
        )
    names = [pod.name for pod in pods if pod.name and pod.is_live and connection.may_be_mine(pod)]
    if not names:
        return ": you have no live pods. See '%pods history' for those that ended"
    close = suggest_words(text, names, max_words=3) or sorted(names)[:5]
    return "; there is " + ", ".join(f"'{sanitize(name)}'" for name in close)
