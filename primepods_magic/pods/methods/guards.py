"""The guard of a pod: the methods of `Pod` that end it by itself, or keep it."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from primepods_magic.api.errors import InvalidRequest, PodsError
from primepods_magic.api.local.folders import complete_path
from primepods_magic.api.text.sanitize import sanitize
from primepods_magic.api.tracebacks import shorten_tracebacks
from primepods_magic.api.validation.bounds import check_kind
from primepods_magic.pods.guards.records import GuardRecord, find_record
from primepods_magic.pods.guards.rules import (
    DEFAULT_HOLD_S,
    PLACES,
    GuardRules,
    Place,
    check_span,
    make_rules,
)
from primepods_magic.pods.support.notices import warn

from .reachable import Reachable

if TYPE_CHECKING:
    from primepods_magic.api.models import PodDetails
    from primepods_magic.pods.connection.connection import Connection
    from primepods_magic.remote.guards.activity import Activity

__all__ = ["GUARD_KEY", "GuardMethods", "arm_rules"]

_OFF = "off"
GUARD_KEY = "PRIMEPODS_GUARD_KEY"
"""The environment variable with the key for guards on pods."""
_KEY = re.compile(r"[!-~]{4,1000}")


@shorten_tracebacks
class GuardMethods(Reachable):
    """Arms and ends its guard."""

    def guard(
        self,
        *,
        run_for: str | timedelta | float | None = None,
        until: str | datetime | None = None,
        idle: str | timedelta | float | None = None,
        max_total_usd: float | str | None = None,
        max_month_usd: float | str | None = None,
        on_end: str | None = None,
        get: str | Sequence[str] | None = None,
        to: str | os.PathLike[str] = ".",
        if_unsaved: str | timedelta | None = None,
        notify: str | None = None,
        on: Place | None = None,
        key: str | None = None,
    ) -> GuardRecord:
        """End it by itself from now on, and return its guard, which a test has proven able to do that.

        What is not given stays as it is; ``"off"`` removes a rule. The guard is a process on this computer:
        it outlives kernels, and works while this computer is on. With ``on="pod"`` it is a process on the
        pod, and works while the pod's network works, also while this computer is off.

        Parameters
        ----------
        run_for : str, timedelta or float, optional
            End it after this time from now, such as ``"4h"``; a number is in seconds.
        until : str or datetime, optional
            End it at this time, such as ``"18:00"``.
        idle : str, timedelta or float, optional
            End it once everything on it has been idle for this long.
        max_total_usd : float, optional
            End it once it has cost this many USD, by its price.
        max_month_usd : float, optional
            End it once all my pods and disks have cost this many USD in a month (UTC).
        on_end : str, optional
            A shell command to run on it before it ends, for at most 15 minutes.
        get : str or sequence of str, optional
            Files and folders to fetch from it before it ends, for at most 4 hours.
        to : str or path
            The local folder for them.
        if_unsaved : str or timedelta, optional
            How long it is kept, once, if the command or a file fails: ``"2h"`` by default, or ``"end"``.
        notify : str, optional
            A shell command here that gets each event as JSON on its input.
        on : str, optional
            Where the guard runs: ``"here"``, which is the default, or ``"pod"``.
        key : str, optional
            The API key of a guard on the pod; by default `PRIMEPODS_GUARD_KEY`, or the one that it has.
            The owner of the pod's machine can read it there, and do with it what it may do, such as renting
            pods. Make one for this, with the Instances permission alone and an expiry date
            after the deadline. There it is kept in memory only, and deleted when the guard ends.

        Raises
        ------
        GuardNotArmed
            The guard could not end it. An earlier guard stays as it is.
        InvalidRequest
            A value has no sense, or is in the past.

        Examples
        --------
        >>> pod.guard(run_for="4h", idle="30m")                              # doctest: +SKIP
        GuardRecord(pod_id='0a3f…', pod='train', rules=GuardRules(ends_at=2026-09-14 12:00 UTC, …), …)
        """
        connection = self._connection
        earlier = find_record(connection, self._details.id)
        limits = {
            "run_for": run_for,
            "until": until.isoformat() if isinstance(until, datetime) else until,
            "idle": idle,
            "max_total_usd": max_total_usd,
            "max_month_usd": max_month_usd,
        }
        removed = {_RULE_OF[name]: None for name, value in limits.items() if value == _OFF}
        wanted: dict[str, Any] = {name: value for name, value in limits.items() if value != _OFF}
        wanted["lasts"] = wanted.pop("run_for", None)
        if on_end is not None:
            wanted["on_end"] = on_end
        if get is not None:
            wanted |= {"get": _list_paths(get), "folder": complete_path(to)}
        if if_unsaved is not None:
            wanted["hold_s"] = _read_hold_s(if_unsaved)
        if notify is not None:
            wanted["notify"] = notify
        new = make_rules(now=connection.now(), names={"lasts": "run_for"}, **wanted)
        given = {name: value for name, value in new if name in new.model_fields_set and value is not None}
        rules = GuardRules(**{**dict(earlier.rules if earlier else ()), **removed, **given})
        if rules.is_empty:
            raise InvalidRequest(
                f"Nothing would end '{sanitize(self._details.name)}': give run_for, until, idle or "
                "max_total_usd. Nothing was changed"
            )
        return arm_rules(connection, self._details, rules, earlier, on, key)

    def end_guard(self) -> None:
        """End its guard: from now on it is billed until it is terminated. A key on it is deleted.

        Raises
        ------
        PodsError
            It has no guard, or the guard on it cannot be reached.
        """
        from primepods_magic.pods.guards.arming import end_guard

        record = self._find_guard()
        if record.where == "pod":
            from primepods_magic.remote.guards.on_pod import end_on_pod

            end_on_pod(self._connection, self._details)
        end_guard(self._connection, record.pod_id)

    def hold(self, lasts: str | timedelta | float) -> GuardRecord:
        """Keep it for at least this long, whatever its deadline or idleness; a sum still ends it.

        Parameters
        ----------
        lasts : str, timedelta or float
            Such as ``"2h"``, from now; a number is in seconds.

        Raises
        ------
        PodsError
            It has no guard, is being terminated already, or the guard on it cannot be reached.

        Examples
        --------
        >>> get_pod("train").hold("2h").held_until                           # doctest: +SKIP
        datetime.datetime(2026, 9, 14, 14, 0, tzinfo=datetime.timezone.utc)
        """
        from primepods_magic.pods.guards.arming import hold_pod

        until = self._connection.now() + timedelta(seconds=check_span(lasts))
        record = self._find_guard()
        if record.where == "pod":
            from primepods_magic.remote.guards.on_pod import hold_on_pod

            hold_on_pod(self._connection, self._details, until)
        return hold_pod(self._connection, record.pod_id, until)

    def read_activity(self) -> Activity:
        """Return what is going on on it: cells, GPUs, CPU, disk, network, logins and transfers.

        The first call begins the watching, so nothing has been idle for long then.

        Raises
        ------
        SshFailed
            The connection failed.

        Examples
        --------
        >>> get_pod("train").read_activity().why_busy                        # doctest: +SKIP
        'GPU 3 at 97 %'
        """
        from primepods_magic.remote.guards.activity import read_activity

        return read_activity(self._connection, self._read_reachable())

    def _find_guard(self) -> GuardRecord:
        record = find_record(self._connection, self._details.id)
        if record is None:
            raise PodsError(
                f"'{sanitize(self._details.name)}' has no guard on this computer. Nothing was changed. "
                f"'%pods guard {self._details.cli_name} --for 4h' arms one"
            )
        return record


def arm_rules(
    connection: Connection,
    pod: PodDetails,
    rules: GuardRules,
    earlier: GuardRecord | None,
    on: Place | None = None,
    key: str | None = None,
) -> GuardRecord:
    """Arm the guard of a pod where it is to run: by default where it runs already.

    Raises GuardNotArmed if it could not end the pod, and InvalidRequest if it cannot run there.
    """
    from primepods_magic.pods.guards.arming import arm_guard, refuse_idle

    if rules.idle_s is not None and pod.nodes != 1:
        raise refuse_idle(f"'{sanitize(pod.name)}'", "Nothing was changed")
    before = earlier.where if earlier else "here"
    where = before if on is None else on
    if where not in PLACES:
        raise InvalidRequest(f"on: '{sanitize(where)[:40]}' is neither 'here' nor 'pod'. Nothing was changed")
    if where == "here":
        record = arm_guard(connection, pod, rules)
        if before == "pod":
            from primepods_magic.remote.guards.on_pod import end_on_pod

            # Two are better than none.
            end_on_pod(connection, pod)
        return record
    if rules.get:
        raise InvalidRequest(
            "Files cannot reach this computer from a guard on the pod. Use '--on here', or '--get off' and "
            "'--on-end' with a command that saves them. Nothing was changed"
        )
    from primepods_magic.remote.guards.on_pod import arm_on_pod

    given = key if key is not None else os.environ.get(GUARD_KEY)
    check_kind("key", given, is_right=isinstance(given, str), form="an API key")
    if given is None and before != "pod":
        raise InvalidRequest(
            f"A guard on the pod needs an API key of its own. Set {GUARD_KEY} to one that was made for this, "
            "with the Instances permission alone and an expiry date after the deadline. Nothing was changed"
        )
    if given is not None and not _KEY.fullmatch(given):
        raise InvalidRequest(f"The key for the guard ({GUARD_KEY}) is not an API key. Nothing was changed")
    if given is not None and given == connection.settings.api_key:
        warn(
            "The guard gets the key of this connection, which can do on the pod whatever you can do. A key "
            "made for it, with the Instances permission alone, is safer"
        )
    return arm_on_pod(connection, pod, rules, given or "")


_RULE_OF = {
    "run_for": "ends_at",
    "until": "ends_at",
    "idle": "idle_s",
    "max_total_usd": "max_total_usd",
    "max_month_usd": "max_month_usd",
}


def _list_paths(get: str | Sequence[str]) -> tuple[str, ...]:
    paths = (get,) if isinstance(get, str) else get
    is_right = isinstance(paths, Sequence) and all(isinstance(path, str) for path in paths)
    check_kind("get", get, is_right=is_right, form="a path on the pod, or a list of paths")
    return () if tuple(paths) == (_OFF,) else tuple(paths)


def _read_hold_s(given: str | timedelta) -> float:
    if given == "end":
        return 0.0
    return DEFAULT_HOLD_S if given == "hold" else check_span(given, "if_unsaved")
