"""Notify you when an offer fits, and never rent it; list and end alerts, and launches that wait for stock.

  %pods alert --gpu H100_80GB --max-price 2
  %pods alert --gpu H100_80GB,A100_80GB --count 8 --region eu_north
  %pods alert --min-vram 80 --max-price 1.50
  %pods alert --gpu H200_141GB --notify 'cat >> offers.jsonl'
  %pods alert
  %pods alert --off --all

An alert notifies you once when an offer appears, and again only after there was none: the next command shows
it, and so does the desktop. --notify runs a command here, with the offer as JSON on its input. A process on
this computer asks for the offers every 30 s or so; it outlives notebooks and kernels, and works while this
computer is on.

'%%pod_create --wait-for-stock 2h' launches the pod once an offer fits. Such a launch is listed and ended here
as well: '--off ID' takes the id, or its beginning. A pod that was launched stays.
"""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING, Any

from primepods_magic.notebook.input.arguments import ArgumentParser, add_field
from primepods_magic.pods.spec.fields import MINIMUMS, SPEC_FIELDS

if TYPE_CHECKING:
    from primepods_magic.notebook.magics import PodsMagics
    from primepods_magic.pods.connection.connection import Connection

_NO_ID = "-"
_FILTERS = ("gpu", "count", "max_price", "region", "country", "provider", "security", "socket", *MINIMUMS)


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the command."""
    for key in _FILTERS:
        add_field(parser, SPEC_FIELDS[key])
    parser.add_argument(
        "--notify", metavar="CMD", help="run a command here for each offer, with JSON on its input"
    )
    parser.add_argument(
        "--off", nargs="?", const=_NO_ID, metavar="ID", help="end an alert, or a launch that waits for stock"
    )
    parser.add_argument("--all", action="store_true", help="with --off: end all of them")


def run(magics: PodsMagics, args: Namespace) -> Any:
    """Return the alerts, after adding or ending one."""
    from primepods_magic.api.errors import InvalidRequest
    from primepods_magic.notebook.shell.output import say
    from primepods_magic.pods.guards.alerts import add_spec_alert, end_alert, list_alerts
    from primepods_magic.pods.spec.keys import use_flags
    from primepods_magic.pods.spec.spec import spec_from_mapping

    connection = magics.connection
    given = {name: getattr(args, name) for name in _FILTERS if getattr(args, name) is not None}
    is_ending = args.off is not None or args.all
    if is_ending and (given or args.notify):
        raise InvalidRequest("Use either '--off' or an offer to look for. Nothing was changed")
    if is_ending:
        if args.off is None or (args.off != _NO_ID) == args.all:
            raise InvalidRequest("'--off' needs the id of an alert, or '--all'. Nothing was changed")
        for alert in list_alerts(connection=connection) if args.all else [args.off]:
            end_alert(alert, connection=connection)
    elif given or args.notify:
        spec = spec_from_mapping(use_flags(given))
        alert = add_spec_alert(connection, spec, notify=args.notify or "", tell=say)
        now = " One does now." if alert.state == "offered" else ""
        say(
            f"The alert for {alert.what} watches: it notifies you when an offer fits, and rents nothing.{now}"
        )
    return _show_alerts(connection)


def _show_alerts(connection: Connection) -> Any:
    from primepods_magic.frames import alerts_frame
    from primepods_magic.notebook.display.captions import caption
    from primepods_magic.notebook.display.frames import mark_for_display
    from primepods_magic.pods.guards.alerts import list_alerts

    alerts = list_alerts(connection=connection)
    notes = ["these run on this computer, while it is on"] if alerts else []
    return mark_for_display(
        alerts_frame(alerts),
        kind="alerts",
        caption=caption(connection, len(alerts), len(alerts), "alert", *notes),
    )
