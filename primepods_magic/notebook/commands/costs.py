"""Where the money went, as a DataFrame: the history, and the pods and disks that live, each spread over its
life.

  %pods costs
  %pods costs --by gpu,provider --since last-month --until month
  %pods costs --by provisioned_by --freq W --tz Europe/Berlin --plot
  %pods costs --by 'name~^[a-z]+' --freq M --compare
  %pods costs --freq D --since month --budget 500 --plot
  %pods costs last-month --plot
  %pods costs dearest --save dearest.csv

--by takes any column of the history, 'team', 'COLUMN~REGEX' (its first group, else the match; nothing may
follow it in its --by) and, with --projects, 'project'. --since and --until take the part of each cost that
lies between them, the day of --until left out. What is not final is an estimate, and marked so. Everything
that your key can see is counted unless --mine or --team says otherwise. A QUESTION is one that people ask:

  last-month  what it cost, by whom and on what
  month       what this month costs so far, and by its end at this rate; how long the balance lasts
  dearest     the ten most expensive pods
  prices      what a GPU-hour has cost, against today's offers
  spot        what the same GPU-hours would cost on today's spot offers
  waste       what was paid for and probably not used
  timeline    what ran when
"""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING, Any

from primepods_magic.notebook.input.arguments import ArgumentParser, add_range, add_save, price

if TYPE_CHECKING:
    from primepods_magic.notebook.magics import PodsMagics

QUESTIONS = ("last-month", "month", "dearest", "prices", "spot", "waste", "timeline")
_CHOOSING = "by freq since until tz mine team projects running compare round budget".split()
"""Flags that choose what is counted; those that a question takes are below."""
_WHOSE = {"mine", "team"}
_TAKEN = {
    "last-month": {*_WHOSE, "by", "projects", "round", "tz"},
    "month": set[str](),
    "dearest": _WHOSE,
    "prices": _WHOSE,
    "spot": _WHOSE,
    "waste": _WHOSE,
    "timeline": {*_WHOSE, "since", "until"},
}


def add_arguments(parser: ArgumentParser) -> None:
    """The flags of ``%pods costs``."""
    parser.add_argument("question", nargs="?", choices=QUESTIONS, metavar="QUESTION", help="see above")
    parser.add_argument(
        "--by", action="append", default=[], metavar="COL,…", help="a line for each value; may be repeated"
    )
    parser.add_argument(
        "--freq", choices=["H", "D", "W", "M", "Q"], help="by hour, day, week, month, quarter"
    )
    add_range(parser)
    parser.add_argument("--tz", default="UTC", metavar="Z", help="time zone of days and months (default UTC)")
    whose = parser.add_mutually_exclusive_group()
    whose.add_argument("--mine", action="store_true", help="what you launched")
    whose.add_argument("--team", metavar="T", help="what is billed to this team, by its name or id")
    parser.add_argument(
        "--projects",
        metavar="NAME",
        help="which names of pods, such as 'llama-*', are which project: a dict of yours, or a YAML file",
    )
    parser.add_argument("--running", action="store_true", help="add the running sum")
    parser.add_argument("--compare", action="store_true", help="add the period before, and the change")
    parser.add_argument("--round", action="store_true", help="to the cent, so that it adds up to the total")
    parser.add_argument("--plot", action="store_true", help="draw it as well")
    parser.add_argument("--budget", type=price, metavar="USD", help="draw the running sum against it, by day")
    parser.add_argument("--refresh", action="store_true", help="read everything anew")
    add_save(parser, "the answer as .csv or .parquet, or its picture as .png, .svg or .pdf")


def run(magics: PodsMagics, args: Namespace) -> Any:
    """The frame of ``%pods costs``."""
    _refuse_what_does_not_go_together(args)
    from primepods_magic.api.errors import InvalidRequest

    from .costs_report import CostsReport

    accounting = CostsReport(magics.connection, args, magics.shell)
    try:
        return accounting.presented(accounting.answer())
    except ValueError as error:
        raise InvalidRequest(f"%pods costs: {error}") from None


def _refuse_what_does_not_go_together(args: Namespace) -> None:
    from primepods_magic.api.errors import InvalidRequest

    if args.question:
        taken = _TAKEN[args.question]
        given = {flag for flag in _CHOOSING if getattr(args, flag) not in (None, False, [])}
        given -= {"tz"} if args.tz == "UTC" else set()
        wrong = next((flag for flag in _CHOOSING if flag in given - taken), None)
        if wrong:
            raise InvalidRequest(f"'--{wrong}' does not go with '%pods costs {args.question}'")
        return
    is_by_period = bool(args.freq or args.budget or not (args.by or args.projects))
    if (args.running or args.compare) and not is_by_period:
        flag = "running" if args.running else "compare"
        raise InvalidRequest(f"'--{flag}' needs periods: add '--freq M', or D, W, Q, H")
    if args.budget and args.freq not in (None, "H", "D"):
        raise InvalidRequest("'--budget' is drawn by days, or hours: '--freq D' or H")
