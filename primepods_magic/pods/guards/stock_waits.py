"""Launches that wait for stock: handed to the guard process, which launches once, within what was agreed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta

from primepods_magic.api.errors import InvalidRequest, LaunchRefused, OutOfStock, PodsError, StockAwaited
from primepods_magic.api.text.money import format_usd_hr
from primepods_magic.api.text.sanitize import sanitize
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.launching.limits import Limits
from primepods_magic.pods.launching.naming import team_of
from primepods_magic.pods.short_names import resolve_names
from primepods_magic.pods.spec.fields import SECRET_FIELDS
from primepods_magic.pods.spec.spec import PodSpec
from primepods_magic.pods.support.name_matching import is_same_payer

from .alert_records import AlertRecord, StockOrder, list_alert_records
from .process import open_process
from .records import find_account_folder
from .rules import check_span
from .times import describe_end, parse_end

__all__ = ["Span", "awaiting_stock", "end_stock_wait"]

Span = str | timedelta | float
"""A length of time, such as ``"2h"``; a number is in seconds."""


@contextmanager
def awaiting_stock(
    connection: Connection,
    specs: Sequence[PodSpec],
    span: Span | None,
    *,
    yes: bool = False,
    is_agreed: bool = False,
    is_plain: bool = True,
    limits: Limits | None = None,
    settle_s: float,
) -> Iterator[None]:
    """Hand a launch in this block to the guard process if it fails for lack of stock; then StockAwaited.

    Without a ``span``, nothing is handed over. ``yes`` agrees to prepaid hours, too, and ``is_agreed`` to
    prices up to the ceiling for one pod. ``is_plain`` is false for a launch that replaces pods, rents another
    one, or rents none.

    Raises InvalidRequest or LaunchRefused before the block if such a launch cannot be handed over, and
    GuardNotArmed if nothing can wait on this computer.
    """
    if span is None:
        yield
        return
    span_s = check_span(span, "wait_for_stock")
    if len(specs) != 1 or not is_plain:
        raise InvalidRequest(
            "Only a launch of one pod can wait for stock, without --new, --replace and --dry-run. "
            "Nothing was sent"
        )
    usd_hr = _find_agreed_price(specs[0], is_agreed=yes or is_agreed, limits=limits)
    try:
        yield
    except OutOfStock as error:
        if error.may_be_billed:
            raise
        sold_out = error
    else:
        return
    raise _await_stock(
        connection,
        specs[0],
        sold_out,
        usd_hr=usd_hr,
        span_s=span_s,
        yes=yes,
        limits=limits or Limits(),
        settle_s=settle_s,
    )


def _find_agreed_price(spec: PodSpec, *, is_agreed: bool, limits: Limits | None) -> float:
    """Return the USD per hour that a launch without a person may cost; refuse one without any limit."""
    ceiling = limits.max_price_usd_hr if limits else None
    if spec.max_price is None and not (is_agreed and ceiling is not None):
        raise LaunchRefused(
            "No one is there to confirm the price of a launch that waits for stock, so it must be agreed to "
            "now. Nothing was created. Set max_price in the spec, or confirm in advance by -y (in Python: "
            "yes=True) with the ceiling max_price_usd_hr"
        )
    return min(price for price in (spec.max_price, ceiling) if price is not None)


def _await_stock(
    connection: Connection,
    spec: PodSpec,
    sold_out: OutOfStock,
    *,
    usd_hr: float,
    span_s: float,
    yes: bool,
    limits: Limits,
    settle_s: float,
) -> StockAwaited:
    """Have the guard process wait, and return the error that says so.

    One that waits for the same already stays as it is; another one of the name is replaced.
    """
    (spec,) = resolve_names(connection, [spec], lambda _: None)
    update: dict[str, object] = {"max_price": usd_hr}
    if spec.until is not None:
        # A time of day is the next one now, not the next one when the pod is launched.
        update["until"] = parse_end(spec.until, connection.now()).isoformat()
    order = StockOrder(
        name=spec.pod_name,
        span_s=span_s,
        team_id=connection.settings.team_id,
        shares_with_team=connection.settings.shares_with_team,
        is_agreed=yes,
        max_price_usd_hr=limits.max_price_usd_hr,
        max_burn_usd_hr=limits.max_burn_usd_hr,
        max_month_usd=limits.max_month_usd,
        settle_s=settle_s,
        has_secrets=any(getattr(spec, field) is not None for field in SECRET_FIELDS),
    )
    # Secrets go through the socket into the memory of the process, never into a file.
    answer = open_process(connection).ask(
        "await_stock",
        fields=spec.model_copy(update=update).reveal(),
        order=order.model_dump(mode="json"),
    )
    record = AlertRecord.model_validate(answer["record"])
    return _describe_waiting(record, sold_out, usd_hr, is_new=bool(answer["is_new"]))


def _describe_waiting(
    record: AlertRecord, sold_out: OutOfStock, usd_hr: float, *, is_new: bool
) -> StockAwaited:
    name = sanitize(record.order.name if record.order else "")
    verb = "waits" if is_new else "already waits"
    until = f" until {describe_end(record.until)}" if record.until else ""
    return StockAwaited(
        f"'{name}' {verb} for stock{until}, and is launched once as soon as an offer of at most "
        f"{format_usd_hr(usd_hr)} fits. This goes on without this notebook, while this computer is on. "
        "Run this again to get the pod. '%pods alert' shows the waiting; "
        f"'%pods alert --off {record.id}' ends it. Until now: {sold_out}",
        detail=sold_out.detail,
    )


def end_stock_wait(connection: Connection, spec: PodSpec, tell: Callable[[str], object]) -> None:
    """End the waiting for a pod that was launched otherwise, so that it is not launched again later."""
    team_id, folder = team_of(connection, spec), find_account_folder(connection)
    for record in list_alert_records(folder):
        order = record.order
        if order is None or not record.is_active or order.name != spec.pod_name:
            continue
        if not is_same_payer(record.team_id, team_id):
            continue
        try:
            open_process(connection).ask("settle_stock", alert_id=record.id)
        except PodsError as error:
            tell(
                f"A waiting for stock would launch '{sanitize(order.name)}' again once it is terminated, and "
                f"could not be ended: {error}. '%pods alert --off {record.id}' ends it"
            )
