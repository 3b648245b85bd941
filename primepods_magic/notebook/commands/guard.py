"""End pods by themselves: at a time, when idle, or at a sum; show and end their guards.

  %pods guard train --for 4h --idle 30m --max-total-usd 25
  %pods guard train --until 18:00 --get runs/best.pt
  %pods guard eval --for 12h --on pod
  %pods guard
  %pods guard train
  %pods guard train --off
  %pods guard --log

A guard is a process on this computer that outlives notebooks and kernels. It works while this computer is on;
after sleep, it acts on waking. Before it says that it is armed, it has tested from where it runs that it can
read this pod and has the permission to terminate; the test is repeated every hour.

A deadline and a sum end the pod whatever runs on it: ten minutes before, the guard warns, also in cells that
run there; then cells get Ctrl-C and 30 s, --get fetches files, --on-end runs a command on the pod, and the
pod is terminated and verified to be gone. Idleness needs every signal to be idle all that time; what cannot
be read counts as busy. The signals are cells and jobs, every GPU, CPU, disk, network, logins and transfers;
with a pod alone, the command lists them.

With '--on pod' the guard is a process on the pod: it works while the pod's network works, also while this
computer is off. It needs an API key there: PRIMEPODS_GUARD_KEY, or one that you type when asked. The owner of
the machine can read the key and do what it may do: with the Instances permission, that includes renting pods
and terminating your others. Make a key for this alone, with no other permission, and with an expiry date
after the deadline. On the pod it is kept in memory only, and deleted when the guard ends. '--get' does not
work from there. This computer watches the guard while it is on, and says so if the pod outlives its end.

What is not given stays as it is, and 'off' removes a rule. '%pods hold train 2h' keeps a pod longer.
"""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING, Any

from primepods_magic.notebook.input.arguments import ArgumentParser

if TYPE_CHECKING:
    from primepods_magic.notebook.magics import PodsMagics
    from primepods_magic.pods.connection.connection import Connection
    from primepods_magic.pods.pod import Pod


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("pod", metavar="POD", nargs="?", help="name, id, or beginning of an id")
    parser.add_argument("--for", metavar="T", help="end it after this time from now, such as 4h or 1h30m")
    parser.add_argument("--until", metavar="T", help="end it at this time, such as 18:00 or 'tomorrow 9:00'")
    parser.add_argument("--idle", metavar="T", help="end it once everything on it is idle for this long")
    parser.add_argument("--max-total-usd", metavar="X", help="end it once it has cost this much")
    parser.add_argument(
        "--end-at-budget", action="store_true", help="end it once the month's budget (max_month_usd) is spent"
    )
    parser.add_argument(
        "--get", action="append", metavar="PATH", help="fetch a file or folder before; repeatable"
    )
    parser.add_argument(
        "--to", default=".", metavar="FOLDER", help="local folder for these (default: this one)"
    )
    parser.add_argument("--on-end", metavar="CMD", help="run a command on the pod before")
    parser.add_argument(
        "--if-unsaved",
        metavar="T",
        help="how long to keep it, once, if that fails (default 2h), or 'end' to end it all the same",
    )
    parser.add_argument(
        "--notify", metavar="CMD", help="run a command here for each event, with JSON on its input"
    )
    parser.add_argument(
        "--on", choices=("here", "pod"), help="where the guard runs (default: where it does, or here)"
    )
    parser.add_argument(
        "--off", action="store_true", help="end the guard; the pod is billed until you end it"
    )
    parser.add_argument(
        "--systemd",
        action="store_true",
        help="write a systemd unit that starts the guards with this computer",
    )
    parser.add_argument("--log", action="store_true", help="show how guarded pods have ended")


_SETTINGS = ("for", "until", "idle", "max_total_usd", "get", "on_end", "if_unsaved", "notify", "on")


def run(magics: PodsMagics, args: Namespace) -> Any:
    """Return the guards, the activity on a pod, or the endings."""
    from primepods_magic.api.errors import InvalidRequest
    from primepods_magic.notebook.shell.output import say
    from primepods_magic.pods.find import find_pod
    from primepods_magic.pods.guards.rules import PLACES
    from primepods_magic.pods.pod import Pod

    connection = magics.connection
    given = {name: getattr(args, name) for name in _SETTINGS if getattr(args, name) is not None}
    if args.end_at_budget:
        if magics.max_month_usd is None:
            raise InvalidRequest(
                "--end-at-budget needs a budget: %config PodsMagics.max_month_usd = 500. Nothing was changed"
            )
        given["max_month_usd"] = magics.max_month_usd
    if args.systemd:
        return _write_unit(connection)
    if args.log:
        return _show_endings(connection, args.pod)
    if args.pod is None:
        if given or args.off:
            raise InvalidRequest("Name a pod, as in '%pods guard train --for 4h'. Nothing was changed")
        return _show_guards(connection, None)
    pod = Pod(connection, find_pod(connection, args.pod, to_change=bool(given or args.off)))
    if args.off:
        if given:
            raise InvalidRequest("Use either '--off' or rules. Nothing was changed")
        pod.end_guard()
        say(f"The guard of '{pod.details.cli_name}' has ended. The pod is billed until you terminate it")
        return _show_guards(connection, None)
    if not given:
        return _show_activity(pod)
    price = given.pop("max_total_usd", None)
    if args.on == "pod":
        given["key"] = _ask_key(magics, pod)
    record = pod.guard(
        run_for=given.pop("for", None),
        max_total_usd=price if price in (None, "off") else _read_price(price),
        to=args.to,
        **given,
    )
    say(
        f"Armed: '{pod.details.cli_name}' ends by itself {record.rules.describe()}. It was tested from "
        f"{'there' if record.where == 'pod' else 'here'}; the guard {PLACES[record.where]}"
    )
    return _show_guards(connection, pod.id)


def _write_unit(connection: Connection) -> Any:
    from primepods_magic.api.local.folders import shorten_path
    from primepods_magic.pods.guards.systemd import write_unit
    from primepods_magic.pods.pod import LogText

    unit = write_unit(connection)
    start, linger, stop = unit.commands
    return LogText(
        f"{shorten_path(unit.path)} starts the guards with this computer once you run:\n  {start}\n"
        f"To keep it running while you are logged out:\n  {linger}\nTo stop it:\n  {stop}"
    )


def _ask_key(magics: PodsMagics, pod: Pod) -> str | None:
    """Return the key for a guard on a pod as a person types it, or None if none is needed or possible."""
    import getpass
    import os

    from primepods_magic.notebook.shell.kernel import has_front_end
    from primepods_magic.pods.guards.records import find_record
    from primepods_magic.pods.methods.guards import GUARD_KEY

    earlier = find_record(magics.connection, pod.id)
    has_key = GUARD_KEY in os.environ or (earlier is not None and earlier.where == "pod")
    if has_key or not has_front_end(magics.shell):
        return None
    return getpass.getpass("API key for the guard on the pod, made for this alone (hidden): ").strip()


def _read_price(text: str) -> float:
    import argparse

    from primepods_magic.api.errors import InvalidRequest
    from primepods_magic.notebook.input.arguments import price

    try:
        return price(text.removeprefix("$"))
    except argparse.ArgumentTypeError as error:
        raise InvalidRequest(f"--max-total-usd: {error}. Nothing was changed") from None


def _show_guards(connection: Connection, pod_id: str | None) -> Any:
    from primepods_magic.frames import guards_frame
    from primepods_magic.notebook.display.captions import caption
    from primepods_magic.notebook.display.frames import mark_for_display
    from primepods_magic.pods.guards.arming import check_guards

    guards = [guard for guard in check_guards(connection) if pod_id in (None, guard.pod_id)]
    texts = {
        "here": "those 'here' run on this computer, while it is on",
        "pod": "those on the pod also run while this computer is off",
    }
    places = {guard.where for guard in guards}
    notes = [text for place, text in texts.items() if place in places] or ["nothing ends a pod by itself"]
    return mark_for_display(
        guards_frame(guards),
        kind="guards",
        caption=caption(connection, len(guards), len(guards), "guard", *notes),
    )


def _show_activity(pod: Pod) -> Any:
    """Show each signal of activity; a pod that cannot be asked counts as busy."""
    from primepods_magic.api.errors import PodsError
    from primepods_magic.frames import signals_frame
    from primepods_magic.notebook.display.frames import mark_for_display
    from primepods_magic.notebook.shell.output import say

    guards = _show_guards(pod.connection, pod.id)
    try:
        activity = pod.read_activity()
    except PodsError as error:
        say(f"Its activity cannot be read, which counts as busy: {error}")
        return guards
    for text in guards["rule"].str.cat(guards["setting"], ": ") if len(guards) else ():
        say(f"Guard: {text}")
    notes = [pod.connection.label, pod.details.cli_name, activity.why_busy or "idle"]
    notes += _describe_unused(pod, activity.unused_gpus, activity.watched_s)
    return mark_for_display(signals_frame(activity.signals), kind="signals", caption=" · ".join(notes))


def _describe_unused(pod: Pod, unused: tuple[int, ...], watched_s: float) -> list[str]:
    """Return a note on the GPUs that are paid for and were never used, and what they cost."""
    from datetime import timedelta

    from primepods_magic.api.text.instants import duration
    from primepods_magic.api.text.money import format_usd_hr

    count, rate = pod.details.total_gpus, pod.price_usd_hr
    if not unused or not count or count == 1:
        return []
    names = ", ".join(map(str, unused))
    cost = f": you pay {format_usd_hr(rate * len(unused) / count)} for them" if rate is not None else ""
    return [f"GPUs {names} not used for {duration(timedelta(seconds=watched_s))}{cost}"]


def _show_endings(connection: Connection, name: str | None) -> Any:
    from primepods_magic.frames import endings_frame
    from primepods_magic.notebook.display.captions import caption
    from primepods_magic.notebook.display.frames import mark_for_display
    from primepods_magic.pods.guards.arming import read_endings

    endings = [each for each in read_endings(connection) if name in (None, each.pod, each.pod_id)]
    return mark_for_display(
        endings_frame(endings),
        kind="endings",
        caption=caption(connection, len(endings), len(endings), "ending"),
    )
