"""Show where the money went, as a DataFrame: costs of past and live pods and disks, spread over time.

  %pods costs
  %pods costs --by gpu,provider --since last-month --until month
  %pods costs --by provisioned_by --freq W --tz Europe/Berlin --plot
  %pods costs --by 'name~^[a-z]+' --freq M --compare
  %pods costs --freq D --since month --budget 500 --plot
  %pods costs last-month --plot
  %pods costs dearest --save dearest.csv
  %pods costs --since last-month --until month --focus september.csv

--by takes any column of the history, 'team', 'COLUMN~REGEX' (its first group, or the whole match; it must
be the last item of its --by) and, with --projects, 'project'. --since and --until count the part of each
cost that lies between them, excluding the day of --until. Costs that are not final are marked as estimates.
Everything your key can see is counted, unless --mine or --team is given. --focus saves the charges by the
FinOps specification FOCUS 1.0: a row for each pod or disk and day (UTC), whatever --by and --freq are.
QUESTION is one of:

  last-month  cost of the last month, by person and GPU
  month       cost of this month so far and projected to its end, and how long the balance lasts
  dearest     the ten most expensive pods
  prices      past price of a GPU-hour, compared with today's offers
  spot        cost of the same GPU-hours on today's spot offers
  waste       charges for pods and disks that were probably not used
  timeline    times at which each pod ran
"""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING, Any

from primepods_magic.notebook.input.arguments import ArgumentParser, add_range, add_save, price

if TYPE_CHECKING:
    from primepods_magic.notebook.magics import PodsMagics

QUESTIONS = ("last-month", "month", "dearest", "prices", "spot", "waste", "timeline")
_SELECTING_FLAGS = "by freq since until tz mine team projects running compare round budget focus".split()
"""Flags that select or group costs; `_QUESTION_FLAGS` has those that each question accepts."""
_OWNER_FLAGS = {"mine", "team"}
_QUESTION_FLAGS = {
    "last-month": {*_OWNER_FLAGS, "by", "projects", "round", "tz"},
    "month": set[str](),
    "dearest": _OWNER_FLAGS,
    "prices": _OWNER_FLAGS,
    "spot": _OWNER_FLAGS,
    "waste": _OWNER_FLAGS,
    "timeline": {*_OWNER_FLAGS, "since", "until"},
}


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("question", nargs="?", choices=QUESTIONS, metavar="QUESTION", help="see above")
    parser.add_argument(
        "--by", action="append", default=[], metavar="COL,…", help="one line for each value; may be repeated"
    )
    parser.add_argument(
        "--freq",
        choices=["H", "D", "W", "M", "Q"],
        help="one line for each hour, day, week, month or quarter",
    )
    add_range(parser)
    parser.add_argument("--tz", default="UTC", metavar="Z", help="time zone of days and months (default UTC)")
    whose = parser.add_mutually_exclusive_group()
    whose.add_argument("--mine", action="store_true", help="only what you launched")
    whose.add_argument("--team", metavar="T", help="only what is billed to this team (name or id)")
    parser.add_argument(
        "--projects",
        metavar="NAME",
        help="projects by pod name, such as 'llama-*': the name of a dict, or a YAML file",
    )
    parser.add_argument("--running", action="store_true", help="add a running total")
    parser.add_argument("--compare", action="store_true", help="add the previous period and the change")
    parser.add_argument("--round", action="store_true", help="round to cents that add up to the total")
    parser.add_argument("--plot", action="store_true", help="also plot the result")
    parser.add_argument(
        "--budget", type=price, metavar="USD", help="plot the running total against this budget, by day"
    )
    parser.add_argument("--refresh", action="store_true", help="read everything again")
    parser.add_argument(
        "--focus", metavar="FILE", help="save the charges by FOCUS 1.0, as .csv or .parquet: one row per day"
    )
    add_save(parser, "the table as .csv, .parquet or .xlsx, or the plot as .png, .svg or .pdf")


def run(magics: PodsMagics, args: Namespace) -> Any:
    """Return the costs, after plotting or saving them if asked to."""
    _check_flags(args)
    from primepods_magic.api.errors import InvalidRequest

    from .costs_report import CostsReport

    report = CostsReport(magics.connection, args, magics.shell)
    try:
        return report.present(report.compute())
    except ValueError as error:
        raise InvalidRequest(f"%pods costs: {error}") from None


def _check_flags(args: Namespace) -> None:
    from primepods_magic.api.errors import InvalidRequest
    from primepods_magic.api.text.sanitize import sanitize

    if args.focus is not None and not args.focus.lower().endswith((".csv", ".parquet")):
        raise InvalidRequest(f"'--focus {sanitize(args.focus)}' does not end in .csv or .parquet")
    if args.question:
        accepted = _QUESTION_FLAGS[args.question]
        given = {flag for flag in _SELECTING_FLAGS if getattr(args, flag) not in (None, False, [])}
        given -= {"tz"} if args.tz == "UTC" else set()
        wrong = next((flag for flag in _SELECTING_FLAGS if flag in given - accepted), None)
        if wrong:
            raise InvalidRequest(f"'%pods costs {args.question}' does not take '--{wrong}'")
        return
    is_by_period = bool(args.freq or args.budget or not (args.by or args.projects))
    if (args.running or args.compare) and not is_by_period:
        flag = "running" if args.running else "compare"
        raise InvalidRequest(f"'--{flag}' needs periods. Add '--freq M', or D, W, Q or H")
    if args.budget and args.freq not in (None, "H", "D"):
        raise InvalidRequest("'--budget' needs '--freq D' or '--freq H'")
