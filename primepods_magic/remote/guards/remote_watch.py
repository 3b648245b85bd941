"""One check of a pod whose guard runs on the pod: its state is stored here, and its silence is reported."""

from __future__ import annotations

import threading
import time
from datetime import datetime, timedelta
from typing import Any

from primepods_magic.api.errors import PodsError
from primepods_magic.api.models import PodDetails
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.guards.times import describe_end

from .clock import GuardClock
from .due import Due
from .on_pod import read_on_pod
from .watch import PodWatch

__all__ = ["RemoteWatch"]

_READ_S = 2.0
_PATIENCE_S = 60.0
_LATE = timedelta(minutes=5)
# Its last command may take 15 min.
_LATE_ENDING = timedelta(minutes=20)


class RemoteWatch(PodWatch):
    """Stores what the guard on a pod reports. It does not end the pod itself."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._said: dict[str, Any] | PodsError = PodsError("it was not asked yet")
        self._heard_s = time.monotonic()
        self._has_told_trouble = False
        self._late_checks = 0

    def _judge(self, connection: Connection, clock: GuardClock, pod: PodDetails) -> None:
        self._ask_there(connection, pod)
        said, now = self._said, clock.now()
        if isinstance(said, PodsError):
            # A cut of the connection is not a fault of the guard.
            is_lost = time.monotonic() - self._heard_s > _PATIENCE_S
            text = f"the guard on the pod cannot be reached: {said}"
            self.change(trouble=text, checked_at=now, **({"state": "unproven"} if is_lost else {}))
            self._tell_trouble(text if is_lost else "", now)
        else:
            self.change(checked_at=now, **said)
            self._tell_trouble(self.record.trouble if self.record.state == "unproven" else "", now)
        self._tell_due(now)

    def _ask_there(self, connection: Connection, pod: PodDetails) -> None:
        """Ask in the background: a pod that hangs must not delay the other checks."""
        if self._reader is None or not self._reader.is_alive():
            self._reader = threading.Thread(target=self._read_once, args=(connection, pod), daemon=True)
            self._reader.start()
        self._reader.join(_READ_S)

    def _read_once(self, connection: Connection, pod: PodDetails) -> None:
        try:
            self._said = read_on_pod(connection, pod)
            self._heard_s = time.monotonic()
        except PodsError as error:
            self._said = error

    def _tell_trouble(self, trouble: str, now: datetime) -> None:
        if trouble and not self._has_told_trouble:
            self._notify("trouble", f"The guard on '{self._name}' may not end it: {trouble}", now)
        self._has_told_trouble = bool(trouble)

    def _tell_due(self, now: datetime) -> None:
        """Warn before the end, and say loudly that the pod lives on after it."""
        record = self.record
        if record.due_at is None or record.due_at > now:
            self._late_checks = 0
            if record.due_at is not None:
                self._warn(Due(record.due_rule, record.due_at, record.why), now)
            return
        is_saving = record.step in ("interrupting", "saving")
        if now - record.due_at > (_LATE_ENDING if is_saving else _LATE):
            self._late_checks += 1
        # Once could be a clock that jumps.
        if self._late_checks == 2:
            self._notify(
                "late",
                f"'{self._name}' should have ended at {describe_end(record.due_at)}, and its guard on the "
                f"pod has not ended it ({record.trouble or 'it does not say why'}). It is billed until you "
                "end it",
                now,
            )

    def _has_ended_it(self, ended_at: datetime) -> bool:
        # The pod is gone before it can say that it ends.
        due_at = self.record.due_at
        return super()._has_ended_it(ended_at) or (due_at is not None and due_at <= ended_at)
