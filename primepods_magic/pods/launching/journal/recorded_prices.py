"""Agreed prices in launch records: hold pods to them, and note the pods that were ready at them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from primepods_magic.api.errors import PodsError
from primepods_magic.api.models import PodDetails
from primepods_magic.pods.launching.agreed_prices import MAX_HELD_S, is_above
from primepods_magic.pods.launching.differences import list_doubts
from primepods_magic.pods.launching.limits import terminate_above_agreement

from .journal import LaunchJournal, LaunchRecord, digest_accounts
from .name_lock import launching

if TYPE_CHECKING:
    from primepods_magic.pods.connection.base import BaseConnection

__all__ = ["hold_pod", "hold_recorded", "note_kept"]


class _NameIsHeldError(Exception):
    """Another launch holds the name and its record."""


def hold_recorded(connection: BaseConnection, pods: Sequence[PodDetails]) -> None:
    """Hold pods to the prices in launch records of the last hour, of any kernel on this computer.

    No request is sent.
    """
    accounts = digest_accounts(connection, may_ask=False)
    for journal, record in LaunchJournal.find_records([pod.id for pod in pods], max_age_s=MAX_HELD_S):
        if record.is_of(accounts) and not record.is_price_kept:
            hold_pod(connection, journal, record)


def hold_pod(connection: BaseConnection, journal: LaunchJournal, record: LaunchRecord) -> None:
    """Hold the pod of a launch to its agreed price, or to a higher one that the journal has by then."""
    pod_id = record.pod_id
    if pod_id is None or record.agreed_usd_hr is None:
        return

    def end_pod(dearer: PodDetails, usd_hr: float) -> PodsError:
        doubts = list_doubts(dearer, record)
        if doubts:
            # It may have been launched elsewhere: it is reported once.
            connection.agreements.release(pod_id)
        return terminate_above_agreement(connection, dearer, usd_hr, doubts)

    def read_newest_usd_hr() -> float:
        # Records are replaced as a whole, so one can be read without the name's lock.
        newest = journal.read()
        return (newest.agreed_usd_hr or 0.0) if newest is not None and newest.pod_id == pod_id else 0.0

    age_s = connection.clock.age_s(record.sent_at, record.noted_at_s)
    if age_s < MAX_HELD_S:
        connection.agreements.add(
            pod_id, record.agreed_usd_hr, end_pod, read_newest_usd_hr, launched_s_ago=age_s
        )


def note_kept(connection: BaseConnection, pods: Sequence[PodDetails]) -> set[str | None]:
    """Mark the launch records of ready pods whose agreed prices were kept; return the ids that are done.

    A record that a launch holds is left for another time.
    """
    by_id = {pod.id: pod for pod in pods}
    done = set(by_id)
    for journal, record in LaunchJournal.find_records(by_id.keys()):
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
                newest = journal.read()
                if newest is None or newest.pod_id != record.pod_id or newest.agreed_usd_hr is None:
                    continue
                if not is_above(by_id[newest.pod_id], newest.agreed_usd_hr):
                    journal.write(replace(newest, is_price_kept=True))
        except _NameIsHeldError:
            done.discard(record.pod_id)
    return done


def _give_up() -> None:
    raise _NameIsHeldError
