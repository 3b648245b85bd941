"""The result of ``%pods costs``: a frame, its caption and its plot."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Mapping
from datetime import datetime, tzinfo
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from primepods_magic.api.errors import InvalidRequest
from primepods_magic.api.local.atomic_files import describe_error, read_plain_file, replace_users_file
from primepods_magic.api.local.folders import expand_path
from primepods_magic.api.text.money import format_usd
from primepods_magic.api.text.sanitize import sanitize
from primepods_magic.costs import compared, mapping, pattern, rounded, running, to_focus
from primepods_magic.costs.breakdowns import breakdown
from primepods_magic.costs.coerce import is_pod
from primepods_magic.costs.labels import By
from primepods_magic.costs.load import ledger_of
from primepods_magic.costs.periods import FREQUENCIES, period_of
from primepods_magic.costs.reports import dearest, gpu_hour_prices, last_month, month, spot_savings
from primepods_magic.costs.unused import waste
from primepods_magic.frames import (
    cells_frame,
    disks_frame,
    offers_frame,
    overlapping,
    overview_frame,
    pods_frame,
    save_frame,
)
from primepods_magic.notebook.display.captions import DISKS_UNSEEN, describe_unknown_costs
from primepods_magic.notebook.display.frames import mark_for_display
from primepods_magic.notebook.input.dates import parse_time, zone
from primepods_magic.notebook.progress.download_bar import show_download
from primepods_magic.pods.account.overview import overview
from primepods_magic.pods.account.spending import Spending, read_spending
from primepods_magic.pods.account.teams import find_team
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.support.name_matching import is_same_id
from primepods_magic.pods.support.rates import burn_usd_hr
from primepods_magic.remote.cells import read_cells

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["TIMELINE", "CostsReport"]

_PICTURES = (".png", ".svg", ".pdf")
# Other answers also have rows that are neither.
_NOUNS = {"dearest": "pod", "timeline": "pod", "prices": "GPU type", "spot": "GPU type"}
TIMELINE = "name gpu gpu_count begin_at end_at cost_usd provisioned_by team state estimated id".split()


class CostsReport:
    """One call of ``%pods costs``; raises InvalidRequest or NotFound if a flag is not valid."""

    def __init__(self, connection: Connection, args: Namespace, shell: Any) -> None:
        self.connection, self.args, self._shell = connection, args, shell
        self.zone: tzinfo = zone(args.tz)
        self.now = connection.now()
        self.since, self.until = self._parse_time(args.since), self._parse_time(args.until)
        if self.since and self.until and self.since > self.until:
            raise InvalidRequest(f"--since {args.since} is later than --until {args.until}")
        self.freq: str | None = args.freq or ("D" if args.budget else None)
        if not (self.freq or args.by or args.projects is not None):
            self.freq = "D" if self._lies_within_month() else "M"
        self.by = self._parse_by()
        self._team = find_team(connection, args.team) if args.team else None
        if args.mine and connection.user_id is None:
            raise InvalidRequest(
                "Your key cannot read who you are. Use '--by provisioned_by' to tell people apart"
            )

    def _lies_within_month(self) -> bool:
        """Return whether the report begins and ends within one month, whose name would say too much."""
        if self.since is None:
            return False
        begin, end = (moment.astimezone(self.zone) for moment in (self.since, self.until or self.now))
        is_whole = (begin.day, begin.hour, begin.minute) == (1, 0, 0)
        return not is_whole and (begin.year, begin.month) == (end.year, end.month)

    @cached_property
    def spending(self) -> Spending:
        """The past and live pods and disks, read once."""
        with show_download(self._shell, "history") as progress:
            return read_spending(self.connection, refresh=self.args.refresh, progress=progress)

    @cached_property
    def ledger(self) -> pd.DataFrame:
        """The lines to report: mine, a team's, or all."""
        whole = ledger_of(self.spending)
        is_chosen: Callable[[str | None], bool]
        if self._team is not None:
            column, is_chosen = "team_id", partial(is_same_id, self._team.team_id)
        elif self.args.mine:
            column, is_chosen = "user_id", self.connection.is_my_id
        else:
            return whole
        # Each id once: a history has few of them.
        chosen = [each for each in whole[column].dropna().unique() if is_chosen(each)]
        part: pd.DataFrame = whole[whole[column].isin(chosen)].reset_index(drop=True)
        return part

    def compute(self) -> pd.DataFrame:
        """Return the frame; raises ValueError if a column does not exist."""
        if self.args.question:
            frame = self._questions[self.args.question]()
            return rounded(frame) if self.args.round else frame
        frame = self._break_down(self._find_start())
        if self.args.compare and self.freq:
            frame = compared(frame, self.freq)
            if self.since is not None:
                # The period before is only for the comparison.
                frame = frame[frame["period"] >= self.since].reset_index(drop=True)
        if self.args.round:
            frame = rounded(frame)
        return running(frame) if self.args.running else frame

    def present(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Show the plot and write the file if asked to; return the frame with its caption."""
        save = self.args.save
        is_picture = save is not None and Path(save).suffix.lower() in _PICTURES
        if self.args.plot or self.args.budget or is_picture:
            figure = self._draw_figure(frame)
            if is_picture:
                _save_picture(figure, save)
            if self.args.plot or not is_picture:
                from IPython.display import display

                display(figure)  # type: ignore[no-untyped-call]
        if save is not None and not is_picture:
            save_frame(frame, save)
        saved = [f"saved as {save}"] if save else []
        if self.args.focus is not None:
            save_frame(to_focus(self.ledger, since=self.since, until=self.until), self.args.focus)
            saved.append(f"FOCUS 1.0 saved as {self.args.focus}")
        totals = self._describe_totals(frame, self.args.question)
        parts = [self.connection.label, *self._name_owner(), *totals, *saved]
        return mark_for_display(frame, kind=self.args.question or "costs", caption=" · ".join(parts))

    @property
    def _questions(self) -> dict[str, Callable[[], pd.DataFrame]]:
        return {
            "last-month": lambda: last_month(
                self.ledger, self.now, self.args.tz, self.by or ("provisioned_by", "gpu")
            ),
            "month": lambda: month(overview_frame(overview(self.connection).wallets), self.now),
            "dearest": lambda: dearest(self.ledger),
            "prices": lambda: gpu_hour_prices(self.ledger, self._read_offers()),
            "spot": lambda: spot_savings(self.ledger, self._read_offers()),
            "waste": self._find_waste,
            "timeline": self._list_timeline,
        }

    def _break_down(self, since: datetime | None) -> pd.DataFrame:
        return breakdown(self.ledger, self.by, freq=self.freq, since=since, until=self.until, tz=self.zone)

    def _find_start(self) -> datetime | None:
        """Return the time from which costs count; a comparison needs the period before as well."""
        if self.since is None or not (self.args.compare and self.freq):
            return self.since
        begin, before = period_of(self.since, self.freq, self.zone)
        if begin != self.since:
            raise InvalidRequest(
                f"'--compare' needs whole {FREQUENCIES[self.freq]}s, but {self.args.since} is within one. "
                f"Use --since {_format_day(begin, self.zone)}"
            )
        return before

    def _find_waste(self) -> pd.DataFrame:
        pods, disks = pods_frame(self.spending.pods), disks_frame(self.spending.disks)
        asked = self.ledger["id"].dropna()
        return waste(
            self.ledger,
            pods=pods[pods["id"].isin(asked)],
            disks=disks[disks["id"].isin(asked)],
            cells=cells_frame(read_cells(self.connection)),
            now=self.spending.now,
        )

    def _list_timeline(self) -> pd.DataFrame:
        lived = overlapping(self.ledger, self.since, self.until)
        pods = lived[is_pod(lived)].sort_values("begin_at", kind="stable")
        frame: pd.DataFrame = pods[TIMELINE].reset_index(drop=True)
        return frame

    def _read_offers(self) -> pd.DataFrame:
        return offers_frame(self.connection.client.list_offers())

    def _draw_figure(self, frame: pd.DataFrame) -> Figure:
        from primepods_magic.costs.plots import plot, plot_budget, plot_timeline

        if self.args.question == "timeline":
            return plot_timeline(frame, self.since, self.until)
        if self.args.budget:
            return plot_budget(frame, self.args.budget, self.freq, **self._find_pace())
        return plot(frame, self.freq)

    def _find_pace(self) -> dict[str, Any]:
        """Return the time and the hourly cost from which to project; nothing if the report ends earlier."""
        if self.until is not None and self.until <= self.now:
            return {}
        live = set(self.ledger["id"][self.ledger["state"] == "live"].dropna())
        pods = [pod for pod in self.spending.pods if pod.id in live]
        disks = [disk for disk in self.spending.disks if disk.id in live]
        return {"now": self.now, "burn_usd_hr": burn_usd_hr([*pods, *disks], self.now)}

    def _name_owner(self) -> list[str]:
        if self._team is not None:
            return [sanitize(self._team.name or self._team.team_id)]
        return ["mine"] if self.args.mine else []

    def _describe_totals(self, frame: pd.DataFrame, question: str | None) -> list[str]:
        """Return the parts of the caption: total, estimated part, omissions and range."""
        parts = [format_usd(frame["cost_usd"].sum())] if "cost_usd" in frame.columns else []
        if question and question != "last-month":
            if {"cost_usd", "estimated"} <= {*frame.columns}:
                parts += _describe_estimated(frame["cost_usd"][frame["estimated"].fillna(False)])
            parts += self._describe_unknown() if question != "month" else []
            noun = _NOUNS.get(question, "line")
            return [f"{len(frame)} {noun}{'' if len(frame) == 1 else 's'}", *parts]
        since, until = self.since, self.until
        if question:
            since, until = self._parse_time("last-month"), self._parse_time("month")
        estimated = breakdown(self.ledger[self.ledger["estimated"].fillna(False)], since=since, until=until)
        parts += _describe_estimated(estimated["cost_usd"])
        parts += self._describe_unknown()
        parts += [] if self.spending.may_list_disks else [DISKS_UNSEEN]
        parts += self._describe_undated() if since or until else []
        parts += [f"by {FREQUENCIES[self.freq]}"] if self.freq and not question else []
        return [*parts, *_format_range(since, until, self.zone), f"times in {self.args.tz}"]

    def _describe_undated(self) -> list[str]:
        """Describe the cost of lines without any time, which no range can include."""
        is_undated = self.ledger["begin_at"].isna() & self.ledger["end_at"].isna()
        usd = self.ledger.loc[is_undated, "cost_usd"].sum()
        return [f"{format_usd(usd)} of unknown time not counted"] if usd else []

    def _describe_unknown(self) -> list[str]:
        """Describe the live pods and disks whose cost so far is not known."""
        rows = self.ledger[self.ledger["cost_usd"].isna()]
        return describe_unknown_costs(zip(rows["name"], rows["price_usd_hr"], strict=True))

    def _parse_time(self, text: str | None) -> datetime | None:
        return parse_time(text, self.now, self.zone) if text is not None else None

    def _parse_by(self) -> list[By]:
        """Return the columns and patterns that group the costs."""
        has_projects = self.args.projects is not None
        chosen: list[By] = [mapping("name", self._read_projects())] if has_projects else []
        for text in self.args.by:
            # Commas separate columns; after a '~' they belong to the regular expression.
            plain, tilde, regex = text.partition("~")
            columns = [column.strip() for column in plain.split(",")]
            matched_column = columns.pop() if tilde else ""
            if "project" in columns and not has_projects:
                raise InvalidRequest(
                    "'--by project' needs '--projects NAME': the name of a dict from pod names to projects, "
                    "such as {'llama-*': 'chat'}, or a YAML file"
                )
            chosen += [name for name in columns if name and not (name == "project" and has_projects)]
            if tilde:
                try:
                    chosen.append(pattern(matched_column, regex))
                except ValueError as error:
                    raise InvalidRequest(f"--by: {error}") from None
        return chosen

    def _read_projects(self) -> Mapping[str, str]:
        """Read the table that ``--projects`` names: a variable of the notebook, or a file."""
        name = self.args.projects
        table = self._shell.user_ns.get(name)
        if not isinstance(table, Mapping):
            table = _read_table(expand_path(name))
        if not isinstance(table, Mapping):
            raise InvalidRequest(
                f"'{name}' is neither a dict in the notebook nor a file with lines such as "
                "'llama-*: language models'"
            )
        return {str(key): str(value) for key, value in table.items()}


def _describe_estimated(costs: pd.Series) -> list[str]:
    return [f"{format_usd(costs.sum())} of it estimated"] if len(costs) else []


def _read_table(path: Path) -> object:
    import yaml

    try:
        return yaml.safe_load(read_plain_file(path).decode("utf-8"))
    except (OSError, ValueError, RecursionError, yaml.YAMLError):
        return None


def _format_range(since: datetime | None, until: datetime | None, tz: tzinfo) -> list[str]:
    limits = (("from", since), ("until", until))
    texts = [f"{word} {_format_day(limit, tz)}" for word, limit in limits if limit is not None]
    return [" ".join(texts)] if texts else []


def _format_day(limit: datetime, tz: tzinfo) -> str:
    local = limit.astimezone(tz)
    return local.strftime("%Y-%m-%d" if (local.hour, local.minute) == (0, 0) else "%Y-%m-%d %H:%M")


def _save_picture(figure: Figure, path: str) -> None:
    target = expand_path(path)
    try:
        with replace_users_file(target) as file:
            figure.savefig(file, dpi=200, format=target.suffix.lower()[1:])
    except OSError as error:
        raise InvalidRequest(f"'{path}' cannot be written: {describe_error(error)}") from None
