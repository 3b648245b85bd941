"""Alerts: the guard process of this computer notifies you when an offer fits, and never rents it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from primepods_magic.api.errors import NotFound
from primepods_magic.api.tracebacks import shorten_tracebacks
from primepods_magic.pods.choose_offer import find_offers
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.connection.current import choose_connection
from primepods_magic.pods.short_names import resolve_names
from primepods_magic.pods.spec.spec import PodSpec, spec_from_mapping
from primepods_magic.pods.support.notices import note

from .alert_records import AlertRecord, list_alert_records, remove_secrets
from .process import open_process
from .records import find_account_folder
from .rules import check_command

__all__ = ["add_alert", "add_spec_alert", "end_alert", "list_alerts"]


@shorten_tracebacks
def add_alert(*, notify: str = "", connection: Connection | None = None, **filters: Any) -> AlertRecord:
    """Notify me when an offer fits, from now on and without this kernel; nothing is ever rented.

    I am notified once when an offer appears, and again only after there was none: by the next command, and by
    the desktop. The offers are requested every 30 s or so, while this computer is on. An equal alert that
    exists is returned.

    Parameters
    ----------
    notify : str, optional
        A shell command here that gets the offer as JSON on its input.
    connection : Connection, optional
        The account to use; else the current connection.
    **filters
        ``gpu`` or ``min_vram_gb``, one of which is required, ``count`` (1 by default), ``max_price`` (USD per
        hour), ``region``, ``country``, ``provider``, ``security``, ``socket``, or another field of a spec.
        Several GPU types, regions, countries or providers are a list, of which any will do.

    Returns
    -------
    AlertRecord

    Raises
    ------
    InvalidRequest
        A filter is not valid. No alert was added.
    GuardNotArmed
        The process that watches cannot be started on this computer.

    Examples
    --------
    >>> add_alert(gpu=["H100_80GB", "A100_80GB"], max_price=2.5).what           # doctest: +SKIP
    '1 × A100_80GB or H100_80GB, up to $2.50/h'
    """
    return add_spec_alert(choose_connection(connection), spec_from_mapping(filters), notify=notify)


def add_spec_alert(
    connection: Connection, spec: PodSpec, *, notify: str = "", tell: Any = note
) -> AlertRecord:
    """Add an alert for a spec. Errors as `add_alert`; ``tell`` shows the whole names of short ones."""
    check_command("notify", notify)
    (spec,) = resolve_names(connection, [spec], tell)
    # It is of no pod.
    spec = spec.model_copy(update={"name": None})
    # A name that no offer has would never be found.
    find_offers(connection.client, spec)
    answer = open_process(connection).ask("add_alert", fields=remove_secrets(spec), notify=notify)
    return AlertRecord.model_validate(answer["record"])


@shorten_tracebacks
def list_alerts(*, connection: Connection | None = None) -> list[AlertRecord]:
    """Return the alerts and the launches that wait for stock, the earliest first, as last checked.

    Parameters
    ----------
    connection : Connection, optional
        The account to use; else the current connection.

    Raises
    ------
    GuardNotArmed
        Their process was killed, and cannot be started again.

    Examples
    --------
    >>> [alert.state for alert in list_alerts()]                                # doctest: +SKIP
    ['watching', 'offered']
    """
    connection = choose_connection(connection)
    folder = find_account_folder(connection)
    if any(record.is_active for record in list_alert_records(folder)):
        open_process(connection)
    return list_alert_records(folder)


@shorten_tracebacks
def end_alert(alert: AlertRecord | str, *, connection: Connection | None = None) -> None:
    """End an alert, or a launch that waits for stock; a pod that it has launched stays.

    Parameters
    ----------
    alert : AlertRecord or str
        The alert, its id, or the beginning of its id.
    connection : Connection, optional
        The account to use; else the current connection.

    Raises
    ------
    NotFound
        There is no such alert, or there are several.
    PodsError
        Its pod is being launched at this moment.

    Examples
    --------
    >>> for alert in list_alerts():                                             # doctest: +SKIP
    ...     end_alert(alert)
    """
    connection = choose_connection(connection)
    folder = find_account_folder(connection)
    given = alert.id if isinstance(alert, AlertRecord) else str(alert)
    record = _find_alert(folder, given)
    open_process(connection).ask("end_alert", alert_id=record.id)


def _find_alert(folder: Path | None, given: str) -> AlertRecord:
    records = list_alert_records(folder)
    found = [record for record in records if given and record.id.startswith(given.lower())]
    if len(found) == 1:
        return found[0]
    what = f"{len(found)} alerts begin with this" if found else "There is no such alert"
    raise NotFound(f"{what}. Nothing was ended. '%pods alert' lists them")
