"""Create a disk once, whatever happens to the request and to this kernel."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress

from primepods_magic.api.disks import Disk, DiskOffer
from primepods_magic.api.errors import (
    BudgetExceeded,
    InvalidRequest,
    LaunchRefused,
    NameInUse,
    OutcomeUnknown,
    PodsError,
    RateLimited,
    WaitInterrupted,
)
from primepods_magic.api.text.money import format_usd_hr
from primepods_magic.api.text.sanitize import as_word, join_sanitized, sanitize
from primepods_magic.api.tracebacks import shorten_tracebacks
from primepods_magic.api.validation.bounds import (
    check_count,
    check_flags,
    check_kind,
    check_price,
    check_seconds,
)
from primepods_magic.pods.audit import AuditEvent, note_event
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.connection.current import choose_connection
from primepods_magic.pods.support.name_matching import fold_name, has_changed
from primepods_magic.pods.support.notices import note
from primepods_magic.pods.watching.backoff import BELIEVED_S, SETTLE_S

from .find import list_named
from .journal import DiskJournal, DiskRecord, hold_disk_name
from .offers import DiskPlace, choose_disk_offer, describe_rate, price_disk_usd_hr
from .search import search_disk

__all__ = ["create_disk"]

_MAX_NAME_CHARS = 255
_MAX_GB = 1_000_000
# Some services act on a create that they then call too much.
_RATE_LIMIT_SETTLE_S = 10.0
_ROUNDING = 1 + 1e-6


@shorten_tracebacks
def create_disk(
    name: str,
    size_gb: int,
    *,
    provider: str | None = None,
    country: str | None = None,
    region: str | None = None,
    data_center: str | None = None,
    max_price_usd_hr: float | None = None,
    yes: bool = False,
    confirm: Callable[[str], bool] | None = None,
    tell: Callable[[str], object] | None = None,
    connection: Connection | None = None,
    settle_s: float = SETTLE_S,
) -> Disk:
    """Create a disk at the cheapest place that fits, or return mine of this name.

    It is billed from now on, attached or not, until it is deleted. Running this again returns it, also if
    the first run was cut off: a create that the service may have acted on is not sent again.

    Parameters
    ----------
    name : str
        At most 255 characters.
    size_gb : int
        Size in GB.
    provider, country, region, data_center : str, optional
        Where it is to be. Pods that use it must be there, too.
    max_price_usd_hr : float, optional
        The most it may cost, in USD per hour for the whole disk.
    yes : bool
        Agree to the price in advance.
    confirm : callable, optional
        Asks a person a question; by default no one is asked, and the disk must be agreed to in advance.
    tell : callable, optional
        Receives notices, instead of stderr.
    connection : Connection, optional
        The account to use; else the current connection.
    settle_s : float
        How long to look for a disk whose create had no clear outcome.

    Raises
    ------
    LaunchRefused
        No one agreed. Nothing was created.
    BudgetExceeded
        It would cost more than `max_price_usd_hr`. Nothing was created.
    NameInUse
        A disk of this name differs, or there are several.
    OutcomeUnknown
        It may exist and be billed. Run this again to look for it.
    OutOfStock
        No place has room now.

    Examples
    --------
    >>> create_disk("datasets", 500, country="US", yes=True).status           # doctest: +SKIP
    <PodStatus.PROVISIONING: 'PROVISIONING'>
    """
    name, size_gb = _check_order(name, size_gb)
    place = DiskPlace(provider, country, region, data_center)
    for field, value in vars(place).items():
        check_kind(field, value, is_right=isinstance(value, str), form="a name")
    check_flags(yes=yes)
    check_price("max_price_usd_hr", max_price_usd_hr)
    check_seconds("settle_s", settle_s, may_be_zero=True)
    connection = choose_connection(connection)

    def say(text: str) -> None:
        # A closed stream must not hide a disk that is billed.
        with suppress(Exception):
            (tell or note)(text)

    with hold_disk_name(connection, name) as journal:
        if not journal.is_locked:
            say("Creates cannot be locked on this computer, so do not run this twice at the same time")
        try:
            existing = _find_existing(connection, journal, name, settle_s)
        except KeyboardInterrupt:
            raise _describe_interrupt(name, journal) from None
        if existing is not None:
            _compare_disk(existing, size_gb, place)
            rate = describe_rate(existing.price_hr)
            say(f"The disk '{sanitize(name)}' exists already, and is billed {rate}")
            return existing
        offer = choose_disk_offer(connection, place, size_gb)
        usd_hr = price_disk_usd_hr(offer, size_gb)
        _check_price(name, usd_hr, max_price_usd_hr)
        _require_consent(connection, name, size_gb, offer, usd_hr, yes=yes, confirm=confirm)
        record = _note_create(connection, journal, name, size_gb, offer)
        ordered = Disk(name=name, size=size_gb, price_hr=usd_hr)
        note_event(connection, "create sent", disk=ordered)
        try:
            disk = _send_create(connection, journal, record, offer, settle_s)
            note_event(connection, "created", disk=disk)
        except PodsError as error:
            event: AuditEvent = "create unknown" if error.may_be_billed else "create refused"
            note_event(connection, event, disk=ordered, detail=type(error).__name__)
            raise
        except KeyboardInterrupt:
            note_event(connection, "create unknown", disk=ordered, detail="interrupted")
            raise OutcomeUnknown(
                f"Interrupted while the disk '{sanitize(name)}' was being created. It may exist and be "
                "billed. Run this again to look for it"
            ) from None
    agreed_usd_hr = max_price_usd_hr if max_price_usd_hr is not None else usd_hr
    if None not in (disk.price_hr, agreed_usd_hr) and disk.price_hr > agreed_usd_hr * _ROUNDING:  # type: ignore[operator]
        say(
            f"The disk '{sanitize(name)}' costs {format_usd_hr(disk.price_hr)}, and not "
            f"{format_usd_hr(agreed_usd_hr)}. '%pods disks rm {as_word(disk.id)}' deletes it"
        )
    return disk


def _describe_interrupt(name: str, journal: DiskJournal) -> PodsError:
    if journal.read() is None:
        return WaitInterrupted(f"Interrupted. The disk '{sanitize(name)}' was not created")
    return OutcomeUnknown(
        f"Interrupted while an earlier disk '{sanitize(name)}' was looked for. It may exist and be billed. "
        "Nothing was created now. Run this again to look for it"
    )


def _check_order(name: str, size_gb: int) -> tuple[str, int]:
    if not isinstance(name, str):
        raise InvalidRequest("The name of a disk is a text. Nothing was created")
    is_plain = name.encode("utf-8", "replace").decode() == name == name.strip()
    if not is_plain or not fold_name(name) or len(name) > _MAX_NAME_CHARS:
        raise InvalidRequest(
            f"The name of a disk has 1 to {_MAX_NAME_CHARS} characters, and no spaces around it. "
            "Nothing was created"
        )
    size = check_count("size_gb", size_gb)
    if size is None or size > _MAX_GB:
        raise InvalidRequest(f"size_gb: a disk has 1 to {_MAX_GB:,} GB. Nothing was created")
    return name, size


def _find_existing(connection: Connection, journal: DiskJournal, name: str, settle_s: float) -> Disk | None:
    """Find the live disk of the name, also one whose create was cut off.

    Raise NameInUse if there are several, and OutcomeUnknown if it cannot be known whether there is one.
    """
    record = journal.read()
    disks = connection.client.list_disks()
    named = list_named(connection, disks, name, connection.settings.team_id)
    if len(named) > 1:
        ids = join_sanitized(disk.id for disk in named)
        raise NameInUse(f"{len(named)} disks are called '{sanitize(name)}' ({ids}). Nothing was created")
    if named:
        if record is not None and record.disk_id in (None, named[0].id):
            journal.note_disk(record, named[0], is_seen=True)
        return named[0]
    if record is None:
        return None
    # One of the two clocks may have jumped.
    age_s = connection.clock.least_age_s(record.sent_at, record.noted_at_s)
    found = search_disk(connection, journal, record, max(0.0, settle_s - age_s))
    if found is not None and _has_name(found, record):
        journal.note_disk(record, found, is_seen=True)
        return found
    if found is None and record.disk_id is not None and not record.is_seen and age_s < BELIEVED_S:
        raise OutcomeUnknown(
            f"The service has confirmed the disk '{sanitize(name)}' ({sanitize(record.disk_id)}) "
            f"{age_s / 60:.0f} min ago, and does not show it. It may exist and be billed. Nothing was "
            "created now. Run this again to look again"
        )
    journal.clear()
    return None


def _has_name(disk: Disk, record: DiskRecord) -> bool:
    """Return whether a disk still has the name of its create; one that was renamed is another one."""
    return not disk.name or fold_name(disk.name) in {fold_name(record.name), fold_name(record.shown_name)}


def _compare_disk(disk: Disk, size_gb: int, place: DiskPlace) -> None:
    """Raise NameInUse if the disk of a name is not the one that is asked for."""
    differences = [
        f"{what} {sanitize(str(has))} instead of {sanitize(str(wanted))}"
        for what, has, wanted in (
            ("size", disk.size and f"{disk.size:g} GB", f"{size_gb} GB"),
            ("provider", disk.provider_type, place.provider),
            ("country", disk.info.country, place.country),
            ("data center", disk.info.data_center_id, place.data_center),
        )
        if has_changed(has, wanted)
    ]
    if differences:
        raise NameInUse(
            f"A disk '{sanitize(disk.name)}' exists ({sanitize(disk.id)}), but has {'; '.join(differences)}. "
            "Nothing was created. Choose another name"
        )


def _check_price(name: str, usd_hr: float | None, most_usd_hr: float | None) -> None:
    if most_usd_hr is not None and (usd_hr is None or usd_hr > most_usd_hr * _ROUNDING):
        raise BudgetExceeded(
            f"The disk '{sanitize(name)}' would cost {describe_rate(usd_hr)}, above the limit of "
            f"{format_usd_hr(most_usd_hr)}. Nothing was created"
        )


def _require_consent(
    connection: Connection,
    name: str,
    size_gb: int,
    offer: DiskOffer,
    usd_hr: float | None,
    *,
    yes: bool,
    confirm: Callable[[str], bool] | None,
) -> None:
    if yes or connection.is_sandbox:
        return
    where = join_sanitized(part for part in (offer.provider, offer.data_center, offer.country) if part)
    order = (
        f"Create the disk '{sanitize(name)}' of {size_gb:,} GB at {where} for {describe_rate(usd_hr)}, until "
        "it is deleted"
    )
    if confirm is None:
        raise LaunchRefused(
            f"No one can confirm this here (not interactive): {order}. Nothing was created. To confirm in "
            "advance, pass -y (in Python: yes=True)"
        )
    # Any text is true, also "n": only True itself agrees.
    if confirm(f"{order}?") is not True:
        raise LaunchRefused(f"The disk '{sanitize(name)}' was not confirmed. Nothing was created")


def _note_create(
    connection: Connection, journal: DiskJournal, name: str, size_gb: int, offer: DiskOffer
) -> DiskRecord:
    """Store that a create is about to be sent."""
    record = DiskRecord(
        name=name,
        size_gb=size_gb,
        provider=str(offer.provider),
        known_ids=tuple(disk.id for disk in connection.client.list_disks() if disk.id),
        sent_at=connection.now(),
        noted_at_s=time.time(),
    )
    journal.write(record)
    return record


def _send_create(
    connection: Connection, journal: DiskJournal, record: DiskRecord, offer: DiskOffer, settle_s: float
) -> Disk:
    """Send the create once; if its outcome is not clear, look for the disk."""
    failure: PodsError
    try:
        disk = connection.client.create_disk(
            record.name,
            record.size_gb,
            provider=record.provider,
            country=offer.country,
            data_center_id=offer.data_center,
            cloud_id=offer.cloud_id,
            team_id=connection.settings.team_id,
        )
        if disk.id not in record.known_ids:
            journal.note_disk(record, disk, is_seen=False)
            return disk
        failure = OutcomeUnknown("The response names a disk that existed before")
    except (OutcomeUnknown, RateLimited) as error:
        failure = error
        if isinstance(error, RateLimited):
            settle_s = min(settle_s, _RATE_LIMIT_SETTLE_S)
    except PodsError as error:
        # A proxy may have sent it twice, of which one was acted on: one look.
        failure, settle_s = error, 0.0
    try:
        found = search_disk(connection, journal, record, settle_s)
    except OutcomeUnknown:
        if not isinstance(failure, OutcomeUnknown):
            raise failure from None
        raise
    if found is not None:
        return found
    if not isinstance(failure, OutcomeUnknown):
        if not isinstance(failure, RateLimited):
            journal.clear()
        raise failure
    raise OutcomeUnknown(
        f"It appears that the disk '{sanitize(record.name)}' was not created: {failure}. No such disk "
        f"appeared within {settle_s:g} s. It may still appear and be billed. Run this again to look for it "
        "before another one is created",
        status_code=failure.status_code,
        request_id=failure.request_id,
        detail=failure.detail,
    )
