"""Alerts and launches that wait for stock, in the guard process."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from primepods_magic.api.errors import PodsError
from primepods_magic.api.text.instants import format_instant
from primepods_magic.api.text.money import format_usd_hr
from primepods_magic.api.text.sanitize import sanitize, shorten
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.guards.alert_records import (
    AlertRecord,
    StockOrder,
    delete_alert,
    describe_wanted,
    list_alert_records,
    remove_secrets,
    write_alert,
)
from primepods_magic.pods.guards.records import add_news
from primepods_magic.pods.guards.times import describe_end
from primepods_magic.pods.offers import Quote, describe_nodes
from primepods_magic.pods.spec.spec import PodSpec
from primepods_magic.pods.support.name_matching import is_same_payer

from .clock import GuardClock
from .notices import log_exception, send_notice
from .stock import StockReader
from .stock_launch import launch_waiting

__all__ = ["AlertService"]

_FIRST_CHECK_S = 10.0
_SHORTEST_WAIT_S = 0.05
_MAX_TROUBLE_CHARS = 300
# An empty list has been seen although there was stock.
_MISSES_UNTIL_GONE = 2
_KEPT_DAYS = 7
STRANDED_S = 120.0


class AlertService:
    """Polls what is on offer for all alerts of an account, reports what appears, and launches what waits.

    ``get_connection`` returns the connection to use, which may be replaced. Specs with secrets are kept in
    this memory alone.
    """

    def __init__(self, folder: Path, get_connection: Callable[[], tuple[Connection, GuardClock]]) -> None:
        self._folder = folder
        self._get_connection = get_connection
        self._lock = threading.RLock()
        self._wake = threading.Event()
        self._reader = StockReader()
        self._records: dict[str, AlertRecord] = {}
        self._specs: dict[str, PodSpec] = {}
        self._misses: dict[str, int] = {}
        self._unchecked: dict[str, threading.Event] = {}
        self._launching: set[str] = set()
        self._thread: threading.Thread | None = None
        self._answered_s = time.monotonic()

    @property
    def is_busy(self) -> bool:
        """True while an alert watches, or a launch waits or is under way.

        Alerts of a sandbox that has ended are resumed by the next command that finds one.
        """
        is_stranded = time.monotonic() - self._answered_s > STRANDED_S
        return self._has_work() and not (is_stranded and self._get_connection()[0].is_sandbox)

    def _has_work(self) -> bool:
        with self._lock:
            return bool(self._launching) or any(record.is_active for record in self._records.values())

    def resume(self) -> None:
        """Read the records of an earlier process, and go on with them."""
        now = self._get_connection()[1].now()
        for record in list_alert_records(self._folder):
            self._records[record.id] = record
            try:
                self._resume_one(record, now)
            except Exception as error:  # noqa: BLE001 - another version wrote it; guards start all the same
                trouble = str(error) if isinstance(error, PodsError) else "its record cannot be read"
                self._change(record.id, state="failed", trouble=trouble[:_MAX_TROUBLE_CHARS])
        self._begin_polling()

    def _resume_one(self, record: AlertRecord, now: datetime) -> None:
        if not record.is_active and record.since < now - timedelta(days=_KEPT_DAYS):
            self._forget(record.id)
            return
        if record.order is not None and record.order.has_secrets and record.is_active:
            self._conclude(record.id, "lost", _describe_lost(record))
            return
        spec = self._specs[record.id] = PodSpec(**record.fields)
        if record.attempted_at is not None and record.is_active:
            # It was cut off: its launch record says whether there is a pod. No other one is rented, as that
            # pod may have been ended since.
            self._begin_launch(record, spec, is_late=True)

    # Requests of kernels

    def do_add_alert(self, fields: dict[str, Any], notify: str) -> dict[str, Any]:
        spec = PodSpec(**fields)
        for record in list(self._records.values()):
            if record.order is None and self._specs.get(record.id) == spec and record.notify == notify:
                return {"record": record.model_dump(mode="json")}
        return {"record": self._add(spec, state="watching", notify=notify).model_dump(mode="json")}

    def do_await_stock(self, fields: dict[str, Any], order: dict[str, Any]) -> dict[str, Any]:
        spec, given = PodSpec(**fields), StockOrder.model_validate(order)
        with self._lock:
            for record in list(self._records.values()):
                other = record.order
                team_id = spec.team or given.team_id
                if other is None or other.name != given.name or not is_same_payer(record.team_id, team_id):
                    continue
                is_same = record.is_active and other == given and self._specs.get(record.id) == spec
                if is_same or record.id in self._launching:
                    return {"record": record.model_dump(mode="json"), "is_new": False}
                # The newest cell of a name counts.
                self._forget(record.id)
            until = self._get_connection()[1].now() + timedelta(seconds=given.span_s)
            record = self._add(spec, state="waiting", order=given, until=until)
        return {"record": record.model_dump(mode="json"), "is_new": True}

    def do_end_alert(self, alert_id: str) -> dict[str, Any]:
        with self._lock:
            if alert_id in self._launching:
                raise PodsError(
                    "Its pod is being launched at this moment. Nothing was ended. Look again soon"
                )
            self._forget(alert_id)
        return {}

    def do_settle_stock(self, alert_id: str) -> dict[str, Any]:
        """End the waiting for a pod that was launched otherwise; a launch here ends by itself."""
        with self._lock:
            if alert_id not in self._launching:
                self._forget(alert_id)
        return {}

    # Records

    def _add(self, spec: PodSpec, *, order: StockOrder | None = None, **fields: Any) -> AlertRecord:
        is_checked = threading.Event()
        pod = f", to launch '{sanitize(order.name)}'" if order is not None else ""
        with self._lock:
            record = AlertRecord(
                id=secrets.token_hex(4),
                what=f"{describe_wanted(spec)}{pod}",
                since=self._get_connection()[1].now(),
                fields=remove_secrets(spec),
                order=order,
                **fields,
            )
            write_alert(self._folder, record)
            self._records[record.id], self._specs[record.id] = record, spec
            self._unchecked[record.id] = is_checked
        self._answered_s = time.monotonic()
        self._begin_polling()
        if record.order is None:
            is_checked.wait(_FIRST_CHECK_S)
        with self._lock:
            return self._records.get(record.id, record)

    def _change(self, alert_id: str, **fields: Any) -> AlertRecord | None:
        with self._lock:
            record = self._records.get(alert_id)
            # One that was ended meanwhile stays ended.
            if record is None:
                return None
            record = self._records[alert_id] = record.model_copy(update=fields)
            with suppress(OSError):
                write_alert(self._folder, record)
            return record

    def _forget(self, alert_id: str) -> None:
        self._records.pop(alert_id, None)
        self._specs.pop(alert_id, None)
        delete_alert(self._folder, alert_id)

    def _conclude(self, alert_id: str, state: str, text: str, *, pod_id: str = "", trouble: str = "") -> None:
        """End the waiting of a launch, and report it; its secrets are forgotten."""
        trouble = trouble[:_MAX_TROUBLE_CHARS]
        record = self._change(alert_id, state=state, pod_id=pod_id, trouble=trouble, attempted_at=None)
        if record is not None and record.order is not None:
            self._specs.pop(alert_id, None)
            self._tell(record, state, f"'{sanitize(record.order.name)}' {text}")

    # Polls

    def _begin_polling(self) -> None:
        with self._lock:
            is_running = self._thread is not None and self._thread.is_alive()
            if not is_running and self._has_work():
                self._thread = threading.Thread(target=self._poll_forever, daemon=True)
                self._thread.start()
        self._wake.set()

    def _poll_forever(self) -> None:
        next_s = 0.0
        while True:
            self._wake.clear()
            is_round = time.monotonic() >= next_s
            with self._lock:
                unchecked, self._unchecked = self._unchecked, {}
                specs = {
                    alert_id: spec
                    for alert_id, spec in self._specs.items()
                    if self._records[alert_id].is_active and (is_round or alert_id in unchecked)
                }
            connection, clock = self._get_connection()
            if is_round:
                self._reader.begin_round()
            if specs:
                self._check_all(connection, clock, specs)
            if specs or is_round:
                # What a new alert has asked for is not asked for again before its time either.
                next_s = time.monotonic() + self._reader.find_delay_s(is_sandbox=connection.is_sandbox)
            for event in unchecked.values():
                event.set()
            rest_s = max(_SHORTEST_WAIT_S, next_s - time.monotonic())
            self._wake.wait(rest_s if self._has_work() else None)

    def _check_all(self, connection: Connection, clock: GuardClock, specs: dict[str, PodSpec]) -> None:
        try:
            found = self._reader.read(connection.client, specs)
            if not all(isinstance(answer, PodsError) for answer in found.values()):
                self._answered_s = time.monotonic()
            for alert_id, answer in found.items():
                self._check_one(alert_id, specs[alert_id], answer, clock.now())
        except Exception:  # noqa: BLE001 - one mistake must not end the alerts
            log_exception()

    def _check_one(
        self, alert_id: str, spec: PodSpec, answer: Quote | PodsError | None, now: datetime
    ) -> None:
        record = self._records.get(alert_id)
        if record is None or alert_id in self._launching:
            return
        if record.until is not None and record.until <= now:
            tried = f". {record.trouble}" if record.trouble else ""
            self._conclude(
                alert_id,
                "over",
                f"waits no more for stock: no offer was rented by {describe_end(record.until)}. Nothing was "
                f"created{tried}",
            )
        elif isinstance(answer, PodsError):
            # This is not evidence of absence.
            self._change(alert_id, trouble=str(answer)[:_MAX_TROUBLE_CHARS])
        elif record.order is not None:
            self._check_waiting(record, spec, answer, now)
        else:
            self._check_alert(record, answer, now)

    def _check_alert(self, record: AlertRecord, quote: Quote | None, now: datetime) -> None:
        if quote is None:
            misses = self._misses[record.id] = self._misses.get(record.id, 0) + 1
            is_gone = record.state == "offered" and misses >= _MISSES_UNTIL_GONE
            state = "watching" if is_gone else record.state
            self._change(record.id, state=state, checked_at=now, trouble="")
            return
        self._misses[record.id] = 0
        changed = self._change(record.id, state="offered", **_describe_seen(quote, now))
        if changed is not None and record.state != "offered":
            self._tell(changed, "offer", f"An offer fits the alert for {changed.what}: {quote}", quote)

    def _check_waiting(self, record: AlertRecord, spec: PodSpec, quote: Quote | None, now: datetime) -> None:
        if quote is None:
            self._change(record.id, checked_at=now)
            return
        with self._lock:
            try:
                # Before the launch, and for certain: after a restart it is not launched again.
                write_alert(self._folder, record.model_copy(update={"attempted_at": now}))
            except OSError as error:
                trouble = f"nothing is launched, as this cannot be noted on disk ({error.strerror})"
                self._change(record.id, checked_at=now, trouble=trouble)
                return
            changed = self._change(record.id, **_describe_seen(quote, now), attempted_at=now)
            if changed is not None:
                self._begin_launch(changed, spec)

    def _begin_launch(self, record: AlertRecord, spec: PodSpec, *, is_late: bool = False) -> None:
        self._launching.add(record.id)
        threading.Thread(target=self._launch, args=(record, spec, is_late), daemon=True).start()

    def _launch(self, record: AlertRecord, spec: PodSpec, is_late: bool) -> None:
        assert record.order is not None
        connection, clock = self._get_connection()
        notices: list[str] = []
        is_late = is_late or (record.until is not None and record.until <= clock.now())
        try:
            attempt = launch_waiting(connection.settings, record.order, spec, notices.append, is_late=is_late)
            if attempt.pod is not None:
                price = format_usd_hr(attempt.pod.price_usd_hr)
                more = "".join(f". {text}" for text in notices)
                text = f"was launched: an offer was there. It is billed{f', {price}' if price else ''}{more}"
                self._conclude(record.id, "launched", text, pod_id=attempt.pod.id)
            elif attempt.is_over:
                text = f"waits no more for stock: {attempt.why}"
                self._conclude(record.id, "failed", text, trouble=attempt.why)
            else:
                self._change(record.id, trouble=attempt.why[:_MAX_TROUBLE_CHARS], attempted_at=None)
        finally:
            with self._lock:
                self._launching.discard(record.id)

    def _tell(self, record: AlertRecord, event: str, text: str, quote: Quote | None = None) -> None:
        now = self._get_connection()[1].now()
        facts: dict[str, Any] = {
            "event": event,
            "alert": record.id,
            "what": record.what,
            "at": now.isoformat(),
            "pod": record.order and record.order.name,
            "pod_id": record.pod_id or None,
        }
        if quote is not None:
            offer = quote.offer
            facts |= {
                "gpu": offer.gpu_type,
                "gpu_count": offer.gpu_count,
                "provider": offer.provider,
                "data_center": offer.data_center,
                "country": offer.country,
                "cloud_id": offer.cloud_id,
                "price_usd_hr": quote.price_usd_hr,
            }
        with suppress(OSError):
            add_news(self._folder, f"{format_instant(now)}: {text}".replace("\n", " "))
        send_notice(record.notify, text, facts)


def _describe_lost(record: AlertRecord) -> str:
    is_open = record.attempted_at is not None
    outcome = "It may have been created and be billed" if is_open else "Nothing was created"
    return (
        "waits no more for stock: the process on this computer was ended, and it alone had the secrets of "
        f"the spec. {outcome}. Run the launch again"
    )


def _describe_seen(quote: Quote, now: datetime) -> dict[str, Any]:
    offer = quote.offer
    text = f"{offer.gpu_count} × {sanitize(offer.gpu_type)}{describe_nodes(offer)} at {quote.place}"
    return {
        "checked_at": now,
        "seen_at": now,
        "offer": shorten(text, _MAX_TROUBLE_CHARS),
        "price_usd_hr": quote.price_usd_hr,
        "trouble": "",
    }
