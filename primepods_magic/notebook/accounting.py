"""What ``%pods costs`` answers: a frame, its caption and its picture."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from primepods_magic.api.errors import InvalidRequest
from primepods_magic.frames import (
    disks_frame,
    offers_frame,
    overlapping,
    overview_frame,
    pods_frame,
    save_frame,
)
from primepods_magic.frames.costs import breakdown, compared, mapping, pattern, rounded, running
from primepods_magic.frames.costs.labels import By
from primepods_magic.frames.costs.questions import dearest, gpu_hour_prices, last_month, month, spot_savings
from primepods_magic.frames.costs.waste import waste
from primepods_magic.frames.rendering.words import money
from primepods_magic.notebook.display import present
from primepods_magic.notebook.moments import moment
from primepods_magic.pods.connection import Connection
from primepods_magic.pods.overview import overview
from primepods_magic.pods.spending import Spending
from primepods_magic.pods.teams import find_team

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Accounting", "limited"]

_PICTURES = (".png", ".svg", ".pdf")
_TIMELINE = "name gpu gpu_count begin_at end_at cost_usd provisioned_by team state estimated id".split()
_WORDS = {"H": "hour", "D": "day", "W": "week", "M": "month", "Q": "quarter"}


def limited(
    connection: Connection, ledger: pd.DataFrame, *, mine: bool = False, team: str | None = None
) -> pd.DataFrame:
    """The lines of a ledger that are mine, or a team's; all of them unless asked for."""
    chosen = None
    if team is not None:
        chosen = ledger["team_id"] == find_team(connection, team).team_id
    elif mine and connection.user_id is not None:
        chosen = ledger["user_id"] == connection.user_id
    if chosen is None:
        return ledger
    part: pd.DataFrame = ledger[chosen.fillna(False)].reset_index(drop=True)
    return part


@dataclass
class Accounting:
    """One call of ``%pods costs``.

    Parameters
    ----------
    connection : Connection
        Whose costs.
    spending : Spending
        What the service told.
    ledger : pandas.DataFrame
        What of it is asked about.
    args : Namespace
        The flags.
    where : tzinfo
        The time zone of days and months.
    names : mapping
        The notebook's variables, for ``--projects``.
    """

    connection: Connection
    spending: Spending
    ledger: pd.DataFrame
    args: Namespace
    where: tzinfo
    names: Mapping[str, Any]

    @cached_property
    def since(self) -> datetime | None:
        """Where the range begins."""
        return self._moment(self.args.since)

    @cached_property
    def until(self) -> datetime | None:
        """Where the range ends."""
        return self._moment(self.args.until)

    @cached_property
    def freq(self) -> str | None:
        """The length of periods: months, where nothing is said."""
        if self.args.budget and not self.args.freq:
            return "D"
        return self.args.freq or (None if self.args.by or self.args.projects else "M")

    def answer(self) -> pd.DataFrame:
        """The frame.

        Raises
        ------
        ValueError, PodsError
            There is no such column, or what else is needed cannot be had.
        """
        if self.args.question:
            return self._questions[self.args.question]()
        frame = breakdown(
            self.ledger, self.by, freq=self.freq, since=self.since, until=self.until, tz=self.where
        )
        if self.args.round:
            frame = rounded(frame)
        if self.args.running:
            frame = running(frame)
        if self.args.compare and self.freq:
            frame = compared(frame, self.freq)
        return frame

    @cached_property
    def by(self) -> list[By]:
        """What makes a line of its own."""
        asked = [item for text in self.args.by for item in ([text] if "~" in text else text.split(","))]
        chosen: list[By] = []
        for item in map(str.strip, asked):
            column, tilde, regex = item.partition("~")
            if tilde:
                chosen.append(pattern(column, regex))
            elif item == "project" and self.args.projects:
                continue
            elif item:
                chosen.append(item)
        if self.args.projects:
            chosen.insert(0, mapping("name", self._projects()))
        return chosen

    def presented(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Show the picture and write the file, where asked for; the frame with its caption."""
        save = self.args.save
        is_picture = bool(save) and Path(save).suffix.lower() in _PICTURES
        if self.args.plot or is_picture:
            figure = self._figure(frame)
            if is_picture:
                _save_picture(figure, save)
            if self.args.plot:
                from IPython.display import display

                display(figure)  # type: ignore[no-untyped-call]
        if save and not is_picture:
            save_frame(frame, save)
        parts = [self.connection.label, *self._said(frame), *([f"saved as {save}"] if save else [])]
        return present(frame, kind=self.args.question or "costs", caption=" · ".join(parts))

    @property
    def _questions(self) -> dict[str, Callable[[], pd.DataFrame]]:
        now = self.spending.now
        return {
            "last-month": lambda: last_month(
                self.ledger, now, self.args.tz, self.by or ("provisioned_by", "gpu")
            ),
            "month": lambda: month(overview_frame(overview(self.connection).wallets), now),
            "dearest": lambda: dearest(self.ledger),
            "prices": lambda: gpu_hour_prices(self.ledger, self._offers()),
            "spot": lambda: spot_savings(self.ledger, self._offers()),
            "waste": lambda: waste(
                self.ledger,
                pods=pods_frame(self.spending.pods),
                disks=disks_frame(self.spending.disks),
                now=now,
            ),
            "timeline": self._timeline,
        }

    def _timeline(self) -> pd.DataFrame:
        ledger = self.ledger
        lived = overlapping(ledger, self.since, self.until)
        pods = lived[lived["type"].fillna("Instance") == "Instance"]
        frame: pd.DataFrame = pods.sort_values("begin_at", kind="stable")[_TIMELINE].reset_index(drop=True)
        return frame

    def _figure(self, frame: pd.DataFrame) -> Figure:
        from primepods_magic.frames.plots import plot, plot_budget, plot_timeline

        if self.args.question == "timeline":
            return plot_timeline(frame, self.since, self.until)
        if self.args.budget:
            return plot_budget(frame, self.args.budget, self.freq)
        return plot(frame, self.freq)

    def _said(self, frame: pd.DataFrame) -> list[str]:
        """What the caption says: the sum, how much of it is an estimate, and the range with its time zone."""
        question = self.args.question
        zone = f"times in {self.args.tz}"
        if question and question != "last-month":
            return [f"{len(frame)} {'line' if len(frame) == 1 else 'lines'}", zone]
        is_estimate = self.ledger["estimated"].fillna(False)
        since, until = self.since, self.until
        if question:
            since, until = self._moment("last-month"), self._moment("month")
        guessed = breakdown(self.ledger[is_estimate], since=since, until=until)["cost_usd"].sum()
        parts = [money(frame["cost_usd"].sum(), "USD")]
        parts += [f"{money(guessed, 'USD')} of it estimated"] if guessed else []
        parts += [f"by {_WORDS[self.freq]}"] if self.freq and not question else []
        return [*parts, *_range(since, until, self.where), zone]

    def _offers(self) -> pd.DataFrame:
        return offers_frame(self.connection.client.list_offers())

    def _moment(self, text: str | None) -> datetime | None:
        return moment(text, self.spending.now, self.where) if text else None

    def _projects(self) -> Mapping[str, str]:
        """The table that ``--projects`` names: a variable of the notebook, or a file."""
        name = self.args.projects
        told = self.names.get(name)
        if isinstance(told, Mapping):
            return {str(key): str(value) for key, value in told.items()}
        import yaml

        try:
            told = yaml.safe_load(Path(name).expanduser().read_text(encoding="utf-8"))
        except (OSError, ValueError, yaml.YAMLError):
            told = None
        if not isinstance(told, Mapping):
            raise InvalidRequest(
                f"'{name}' is neither a dict of yours nor a file of lines such as 'llama-*: language models'"
            )
        return {str(key): str(value) for key, value in told.items()}


def _range(since: datetime | None, until: datetime | None, where: tzinfo) -> list[str]:
    limits = (("from", since), ("to", until))
    said = [f"{word} {_day(limit, where)}" for word, limit in limits if limit is not None]
    return [" ".join(said)] if said else []


def _day(limit: datetime, where: tzinfo) -> str:
    local = limit.astimezone(where)
    return local.strftime("%Y-%m-%d" if (local.hour, local.minute) == (0, 0) else "%Y-%m-%d %H:%M")


def _save_picture(figure: Figure, path: str) -> None:
    try:
        figure.savefig(Path(path).expanduser(), dpi=200)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise InvalidRequest(f"'{path}' cannot be written: {reason}") from None
