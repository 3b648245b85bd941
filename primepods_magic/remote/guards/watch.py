"""One check of a guarded pod: what is known of it, whether it is due, and what follows."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from primepods_magic.api.errors import PodsError
from primepods_magic.api.models import PodDetails
from primepods_magic.api.text.instants import format_instant
from primepods_magic.api.text.sanitize import sanitize, shorten
from primepods_magic.pods.account.overview import overview
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.existence import Finding, PodFate, examine_pods
from primepods_magic.pods.guards.powers import find_obstacle
from primepods_magic.pods.guards.records import GuardRecord, Verdict
from primepods_magic.pods.guards.times import describe_end
from primepods_magic.pods.support.rates import row_cost_usd
from primepods_magic.pods.terminate import TerminationResult
from primepods_magic.remote.guards.activity import read_activity
from primepods_magic.remote.links import open_link

from .clock import GuardClock
from .due import Due, Month, Reading, find_due
from .ending import NotDue, UnsavedFiles, end_pod
from .notices import send_notice

__all__ = ["MAX_NAME_CHARS", "PodWatch"]

_TEST_INTERVAL_S = 3600.0
_RETEST_INTERVAL_S = 60.0
_STALE_S = 60.0
_LOOK_UP_S = 8.0
MAX_NAME_CHARS = 200
_MAX_TEXT_CHARS = 2000
_OF_PEOPLE = ("cells", "logins")
_SHOWN_IN_CELLS = ("warning", "ending")
_MONTH_INTERVAL_S = 300.0
_LONGEST_WARNING = timedelta(minutes=10)
_GONE_AFTER = timedelta(days=1)


class PodWatch:
    """The guard of one pod: `check` may take long, and runs in a thread of its own.

    Parameters
    ----------
    record : GuardRecord
    lock : threading.RLock
        Of all watches of a service, and of `save` and `conclude`: with two, each could wait for the other.
    get_connection : callable
        Returns the connection to use, which may be replaced.
    save : callable
        Stores a changed record.
    conclude : callable
        Stores the verdict, and ends this guard.
    tell : callable
        Keeps a line for the next command of a person.
    is_tested : bool
        The test fire was just now; otherwise, the first check repeats it.
    """

    def __init__(
        self,
        record: GuardRecord,
        lock: threading.RLock,
        get_connection: Callable[[], tuple[Connection, GuardClock]],
        save: Callable[[GuardRecord], object],
        conclude: Callable[[Verdict], object],
        tell: Callable[[str], object],
        *,
        is_tested: bool = True,
    ) -> None:
        self.record = record
        self._get_connection = get_connection
        self._save = save
        self._conclude = conclude
        self._tell = tell
        self._lock = lock
        self._checking = threading.Lock()
        self._is_retired = False
        self._pod: PodDetails | None = None
        """The pod as the service showed it last."""
        self._absent_since: datetime | None = None
        self._tested_s = time.monotonic() if is_tested else -math.inf
        self._reading = Reading()
        self._read_s = 0.0
        self._reader: threading.Thread | None = None
        self._month: Month | None = None
        self._month_read_s = 0.0
        self._was_late = False

    def change(self, **fields: Any) -> GuardRecord:
        """Change the record and store it; what others say is kept short."""
        fields = {
            name: shorten(value, _MAX_TEXT_CHARS) if name in ("why", "trouble", "unsaved") else value
            for name, value in fields.items()
        }
        with self._lock:
            self.record = self.record.model_copy(update=fields)
            if not self._is_retired:
                self._save(self.record)
            return self.record

    def retire(self, store: Callable[[], object]) -> None:
        """End this guard once what follows is stored; raise PodsError if it ends its pod already."""
        with self._lock:
            if self.record.state == "ending":
                raise PodsError(f"'{self._name}' is ending already")
            store()
            self._is_retired = True

    def check(self, listed: Sequence[PodDetails] | PodsError) -> None:
        """Look at the pod in the service's list, or at the error, and end it if it is due.

        One check at a time: two would end the pod twice.
        """
        if self._checking.acquire(blocking=False):
            try:
                self._check_once(listed)
            finally:
                self._checking.release()

    def _check_once(self, listed: Sequence[PodDetails] | PodsError) -> None:
        connection, clock = self._get_connection()
        try:
            if isinstance(listed, PodsError):
                raise listed
            pod = PodDetails(id=self.record.pod_id, name=self.record.pod)
            # Only a pod that the list leaves out costs requests here.
            finding = examine_pods(connection, [pod], listed=listed, budget_s=_LOOK_UP_S)[self.record.pod_id]
        except PodsError as error:
            self._note_unseen(clock.now(), f"the service cannot be asked: {error}")
            return
        if finding.has_ended:
            self._conclude_elsewhere(finding, clock.now())
            return
        if finding.pod is None:
            self._note_absent(finding, clock.now())
            return
        self._absent_since = None
        self._judge(connection, clock, finding.pod)

    def _judge(self, connection: Connection, clock: GuardClock, pod: PodDetails) -> None:
        """Note what is known of a pod that the service shows, and do what follows."""
        self._pod = pod
        if self.record.state != "ending":
            self._was_late = False
        trouble = self._test_again(connection)
        self._read_activity(connection, pod)
        now = clock.now()
        due = find_due(self.record, pod, now, self._get_reading(clock), self._read_month(connection))
        self.change(
            pod=shorten(pod.name or self.record.pod, MAX_NAME_CHARS),
            checked_at=now,
            due_at=due.at,
            due_rule=due.rule,
            why=due.why,
            trouble="; ".join(filter(None, (trouble, due.trouble))),
        )
        is_due = due.at is not None and due.at <= now
        if self.record.state == "ending" and not is_due:
            # A guard that was killed while it ended an idle pod, which is busy now.
            self.change(state="armed", step="", unsaved="")
        if is_due:
            self._end(connection, clock, pod, due)
        elif due.at is not None:
            self._warn(due, now)

    # What is known

    def _note_absent(self, finding: Finding, now: datetime) -> None:
        """Note that the service does not show the pod; after a day, it is taken to be gone."""
        self._note_unseen(now, finding.reason or "the service does not show it at the moment")
        self._absent_since = self._absent_since or now
        if finding.fate is PodFate.ABSENT and now - self._absent_since > _GONE_AFTER:
            self._conclude_elsewhere(finding, now)

    def _note_unseen(self, now: datetime, trouble: str) -> None:
        record = self.change(trouble=trouble)
        is_late = record.due_at is not None and record.due_at <= now
        if is_late and not self._was_late:
            self._was_late = True
            self._notify(
                "late", f"'{self._name}' is due to end, but {trouble}. It may go on being billed", now
            )

    def _test_again(self, connection: Connection) -> str:
        """Repeat the test fire when it is due; return what is wrong."""
        if self.record.state == "ending":
            return ""
        is_armed = self.record.state != "unproven"
        interval_s = _TEST_INTERVAL_S if is_armed else _RETEST_INTERVAL_S
        if time.monotonic() - self._tested_s < interval_s:
            return "" if is_armed else self.record.trouble
        self._tested_s = time.monotonic()
        obstacle = find_obstacle(connection, self.record.pod_id)
        if not obstacle:
            self.change(state="armed", tested_at=connection.now())
        elif is_armed:
            self.change(state="unproven", trouble=obstacle)
            self._notify(
                "trouble", f"The guard of '{self._name}' cannot end it: {obstacle}", connection.now()
            )
        return obstacle

    def _read_activity(self, connection: Connection, pod: PodDetails) -> None:
        """Read the activity in the background: a pod that hangs must not delay its deadline."""
        is_reading = self._reader is not None and self._reader.is_alive()
        if self.record.rules.idle_s is None or is_reading or not pod.is_ready:
            return
        self._reader = threading.Thread(target=self._read_once, args=(connection, pod), daemon=True)
        self._reader.start()
        # Usually it is there at once.
        self._reader.join(2.0)

    def _read_once(self, connection: Connection, pod: PodDetails) -> None:
        try:
            reading = Reading(read_activity(connection, pod))
        except PodsError as error:
            reading = Reading(trouble=str(error))
        self._reading, self._read_s = reading, time.monotonic()

    def _read_month(self, connection: Connection) -> Month | None:
        """Return what this month has cost, read again now and then: it takes several requests."""
        if self.record.rules.max_month_usd is None:
            return None
        interval_s = 0.0 if connection.is_sandbox else _MONTH_INTERVAL_S
        if self._month is None or time.monotonic() - self._month_read_s > interval_s:
            try:
                wallets = overview(connection).wallets
            except PodsError as error:
                self._month = Month(trouble=str(error))
            else:
                self._month = Month(
                    sum(wallet.month_mine_usd or 0.0 for wallet in wallets),
                    sum(wallet.burn_mine_usd_hr for wallet in wallets),
                )
            self._month_read_s = time.monotonic()
        return self._month

    def _get_reading(self, clock: GuardClock) -> Reading:
        age_s = time.monotonic() - self._read_s
        if self._reading.activity is not None and age_s > _STALE_S:
            return Reading(trouble=f"last read {age_s:.0f} s ago")
        return Reading(self._reading.activity, self._reading.trouble, clock.speed)

    # What follows

    def _warn(self, due: Due, now: datetime) -> None:
        assert due.at is not None
        began = self.record.armed_at or now
        ahead = min(_LONGEST_WARNING, (due.at - began) / 4)
        is_near = due.at - now <= ahead
        if is_near and not self.record.has_warned:
            self.change(has_warned=True)
            self._notify(
                "warning",
                f"'{self._name}' ends at {describe_end(due.at)}: {due.why}. '%pods hold' keeps it longer",
                now,
            )
        elif not is_near and self.record.has_warned:
            self.change(has_warned=False)

    def _end(self, connection: Connection, clock: GuardClock, pod: PodDetails, due: Due) -> None:
        def check_due(*, has_saved: bool) -> str:
            if due.rule == "idle":
                self._read_once(connection, pod)
            activity = self._reading.activity
            if due.rule == "idle" and has_saved and activity is not None:
                # Saving itself has used the CPU and the disk.
                began = [signal for signal in activity.signals if signal.name in _OF_PEOPLE]
                busy = next((signal for signal in began if signal.state != "idle"), None)
                held_until = self.record.held_until
                is_held = held_until is not None and held_until > clock.now()
                return busy.reason if busy else "it is held" if is_held else ""
            month = self._read_month(connection)
            again = find_due(self.record, pod, clock.now(), self._get_reading(clock), month)
            return "" if again.at is not None and again.at <= clock.now() else again.why

        with self._lock:
            if self._is_retired:
                return
            before, step = self.record.state, self.record.step
            before = "armed" if before == "ending" else before
            record = self.change(state="ending")

        def note_step(step: str, **fields: str) -> None:
            with self._lock:
                if step == "terminating" and self.record.held_until != record.held_until:
                    raise NotDue("it is held")
                self.change(step=step, **fields)

        if not step:
            self._notify("ending", f"'{self._name}' ends now: {due.why}", clock.now())
        try:
            result, unsaved = end_pod(connection, pod, record, note_step, check_due)
        except NotDue as kept:
            # Something began on it, or a person holds it.
            self.change(state=before, step="", unsaved="", why=str(kept), due_at=None, due_rule=None)
        except UnsavedFiles as failure:
            until = clock.now() + timedelta(seconds=record.rules.hold_s)
            self.change(state=before, step="", unsaved_until=until)
            self._notify(
                "held", f"'{self._name}' is kept until {describe_end(until)}: {failure}", clock.now()
            )
        except PodsError as error:
            if self.record.step == "terminating":
                # Until the next attempt, it can be held.
                self.change(step="saved")
            self._note_unseen(clock.now(), f"it could not be ended: {error}")
        else:
            self._conclude_ended(result, unsaved, due, clock.now())

    def _conclude_ended(self, result: TerminationResult, unsaved: str, due: Due, now: datetime) -> None:
        record = self.record
        why = f"{due.why}; {unsaved}" if unsaved else due.why
        verdict = Verdict(
            pod_id=record.pod_id,
            pod=record.pod,
            at=result.terminated_at or now,
            rule=due.rule,
            outcome="ended",
            why=why,
            due_at=due.at,
            where=record.where,
            created_at=result.created_at,
            billed_usd=result.billed_usd,
            estimated_usd=result.estimated_usd,
            saved=() if unsaved else record.rules.get,
        )
        self._notify("ended", f"'{self._name}' has ended: {why}; {result.cost_text}", now)
        self._conclude(verdict)

    def _conclude_elsewhere(self, finding: Finding, now: datetime) -> None:
        """Conclude for a pod that a person, the service or a guard elsewhere has ended."""
        record, row = self.record, finding.row
        ended_at = (row.terminated_at if row else None) or now
        is_own = self._has_ended_it(ended_at)
        if is_own:
            how = " by the guard on it" if record.where == "pod" else ""
            self._notify("ended", f"'{self._name}' has ended{how}: {record.why}", now)
        self._conclude(
            Verdict(
                pod_id=record.pod_id,
                pod=record.pod,
                at=ended_at,
                rule=record.due_rule if is_own else None,
                outcome="ended" if is_own else "ended by something else",
                why=record.why if is_own else "",
                due_at=record.due_at,
                where=record.where,
                created_at=row.created_at if row else record.created_at,
                billed_usd=(row.total_billed_price or None) if row else None,
                estimated_usd=row_cost_usd(row) if row else None,
            )
        )

    def _has_ended_it(self, ended_at: datetime) -> bool:
        """Return whether a pod that is gone was ended by this guard."""
        return self.record.state == "ending"

    @property
    def _name(self) -> str:
        return sanitize(self.record.pod)

    def _notify(self, event: str, text: str, now: datetime) -> None:
        record = self.record
        facts = {
            "event": event,
            "pod": record.pod,
            "pod_id": record.pod_id,
            "rule": record.due_rule,
            "due_at": record.due_at and record.due_at.isoformat(),
            "at": now.isoformat(),
            "why": record.why,
        }
        # On a full disk, this is the only message.
        send_notice(record.rules.notify, text, facts)
        with suppress(OSError):
            self._tell(f"{format_instant(now)}: {text}")
        if event in _SHOWN_IN_CELLS and record.where == "here" and self._pod is not None:
            # A guard on the pod says it there itself.
            noting = (self._get_connection()[0], self._pod, text)
            threading.Thread(target=_note_in_cells, args=noting, daemon=True).start()


def _note_in_cells(connection: Connection, pod: PodDetails, text: str) -> None:
    """Show a line in the cells that run on a pod, if it can be reached."""
    with suppress(PodsError):
        open_link(connection, pod).ask("note", text=text)
