"""What became of a create that the service may have acted on: found by looking, never by sending again."""

from __future__ import annotations

from dataclasses import dataclass, replace

from primepods_magic.api.errors import ConnectionClosed, OutcomeUnknown, PodsError
from primepods_magic.api.models import HistoryRow, PodDetails
from primepods_magic.api.text import clean

from .connection import Connection
from .intents import Intent, IntentFile
from .pace import interval_s

__all__ = ["SETTLE_S", "Earlier", "Outcome", "earlier_launch", "find_out", "known_ids"]

SETTLE_S = 60.0
_HISTORY_ROWS = 100


@dataclass(frozen=True)
class Outcome:
    """What became of a create.

    Parameters
    ----------
    pods : tuple of PodDetails
        The live pods that may have come of it, the likeliest first; none where nothing came of it.
    ended_id : str, optional
        The pod that came of it has ended already, or is about to.
    listed : tuple of PodDetails
        Everything that was in the list at that look.
    """

    pods: tuple[PodDetails, ...] = ()
    ended_id: str | None = None
    listed: tuple[PodDetails, ...] = ()


def known_ids(connection: Connection, pods: list[PodDetails], name: str) -> tuple[str, ...]:
    """The ids that have a name already: among these pods, and among what has ended.

    Raises
    ------
    PodsError
        The history cannot be read.
    """
    ended = [row.id for row in _newest_rows(connection) if row.name == name]
    return tuple({*(pod.id for pod in pods if pod.name == name and pod.id), *(i for i in ended if i)})


@dataclass(frozen=True)
class Earlier:
    """The live pod of a launch that was noted before.

    Parameters
    ----------
    pod : PodDetails
        The pod.
    is_untold : bool
        Whoever launched it was cut off before it was told: this launch, run again.
    listed : tuple of PodDetails
        All pods that were seen with it.
    """

    pod: PodDetails
    is_untold: bool
    listed: tuple[PodDetails, ...]


def earlier_launch(connection: Connection, note: IntentFile, digest: str, settle_s: float) -> Earlier | None:
    """Find the pod of a launch that was cut off, or has just been made and may not be listed yet.

    Parameters
    ----------
    connection : Connection
        Where to look.
    note : IntentFile
        The note about it; the name's lock is held. A pod that is found counts as told from now on.
    digest : str
        Of the launch that asks.
    settle_s : float
        How long after a launch its pod may still turn up.

    Raises
    ------
    OutcomeUnknown
        Looking failed.
    """
    intent = note.read()
    if intent is None:
        return None
    age_s = max(0.0, (connection.now() - intent.sent_at).total_seconds())
    if intent.is_delivered and age_s >= settle_s:
        # Whoever asked has it, and the list has it or it has ended.
        note.clear()
        return None
    outcome = find_out(connection, intent, max(0.0, settle_s - age_s))
    if not outcome.pods:
        note.clear()
        return None
    pod = outcome.pods[0]
    note.write(replace(intent, pod_id=pod.id, is_delivered=True))
    is_untold = not intent.is_delivered and intent.digest == digest
    return Earlier(pod, is_untold, outcome.listed)


def find_out(connection: Connection, intent: Intent, settle_s: float) -> Outcome:
    """Look for the pod of an intent in the list and in the history, until one is there or the time is over.

    Parameters
    ----------
    connection : Connection
        Where to look.
    intent : Intent
        What was sent.
    settle_s : float
        After so many seconds, a pod that is not there did not come of it. There is at least one look.

    Raises
    ------
    OutcomeUnknown
        The last look failed.
    """
    deadline = connection.clock.monotonic() + settle_s
    while True:
        # Read before the look, so that the last look is not older than the deadline.
        is_last = connection.clock.monotonic() >= deadline
        try:
            outcome = _look(connection, intent)
        except PodsError as error:
            if is_last or isinstance(error, ConnectionClosed):
                raise OutcomeUnknown(
                    f"whether '{clean(intent.name)}' was created is not known, for looking failed: {error}. "
                    "It may exist and be billed; running this again goes on looking, and '%pods ls' shows it"
                ) from None
        else:
            if is_last or outcome.pods or outcome.ended_id:
                return outcome
        connection.clock.sleep(interval_s(connection))


def _look(connection: Connection, intent: Intent) -> Outcome:
    listed = tuple(connection.client.list_all_pods())
    came = [pod for pod in listed if _is_of(connection, pod, intent)]
    live = sorted((pod for pod in came if pod.is_live), key=lambda pod: _seconds_apart(pod, intent))
    if live:
        return Outcome(tuple(live), listed=listed)
    ended = [row.id for row in _newest_rows(connection) if _is_of(connection, row, intent)]
    ended += [pod.id for pod in came]
    return Outcome(ended_id=ended[0]) if ended else Outcome()


def _is_of(connection: Connection, pod: PodDetails | HistoryRow, intent: Intent) -> bool:
    if intent.pod_id is not None:
        return pod.id == intent.pod_id
    asked = (intent.name, intent.gpu_type, intent.gpu_count, intent.team_id)
    has = (pod.name, pod.gpu_name, pod.gpu_count, pod.team_id)
    return has == asked and bool(pod.id) and pod.id not in intent.known_ids and connection.may_be_mine(pod)


def _seconds_apart(pod: PodDetails, intent: Intent) -> float:
    """Breaks ties only, by the service's own clock."""
    return abs((pod.created_at - intent.sent_at).total_seconds()) if pod.created_at else float("inf")


def _newest_rows(connection: Connection) -> list[HistoryRow]:
    page = connection.client.pod_history(limit=_HISTORY_ROWS, sort_by="createdAt", sort_order="desc")
    return page.items
