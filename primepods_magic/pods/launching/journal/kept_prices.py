"""Launch records learn that their pods were ready at the prices that were agreed to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from primepods_magic.api.models import PodDetails
from primepods_magic.pods.launching.agreed_prices import is_above

from .journal import LaunchJournal, digest_accounts
from .name_lock import launching

if TYPE_CHECKING:
    from primepods_magic.pods.connection.base import BaseConnection

__all__ = ["note_kept"]


class _NameIsHeldError(Exception):
    """The name is being launched: its record is another's for the moment."""


def note_kept(connection: BaseConnection, pods: Sequence[PodDetails]) -> set[str | None]:
    """Write into the launch records of pods that their prices were kept, whichever kernel launched them.

    Parameters
    ----------
    connection : BaseConnection
        Where the pods are.
    pods : sequence of PodDetails
        Pods that are ready, with their prices as read just now.

    Returns
    -------
    set of str
        The ids of the pods that are done with; a record that is held by a launch is for another time.
    """
    by_id = {pod.id: pod for pod in pods}
    done = set(by_id)
    for note, record in LaunchJournal.find_records(by_id.keys()):
        if record.agreed_usd_hr is None or record.is_price_kept:
            continue
        if "user_id" not in connection.__dict__:
            # Whose key it is, is not asked for this alone.
            done.discard(record.pod_id)
            continue
        if not record.is_of(digest_accounts(connection)):
            continue
        try:
            with launching(connection, record.name, on_wait=_give_up):
                newest = note.read()
                if newest is None or newest.pod_id != record.pod_id or newest.agreed_usd_hr is None:
                    continue
                if not is_above(by_id[newest.pod_id], newest.agreed_usd_hr):
                    note.write(replace(newest, is_price_kept=True))
        except _NameIsHeldError:
            done.discard(record.pod_id)
    return done


def _give_up() -> None:
    raise _NameIsHeldError
