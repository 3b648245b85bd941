"""Variables around a cell on a pod: those that it gets from this notebook, and those that come back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import wait
from contextlib import contextmanager
from typing import Any

from primepods_magic.api.errors import InvalidRequest, PodsError, RemoteError, WaitInterrupted
from primepods_magic.api.text.sanitize import sanitize
from primepods_magic.api.validation.suggest import suggest
from primepods_magic.notebook.progress.download_bar import show_transfer
from primepods_magic.notebook.shell.output import say, write_stream
from primepods_magic.notebook.shell.prompt import confirm
from primepods_magic.remote.agent.frames import Header
from primepods_magic.remote.files.streams import StreamWatch
from primepods_magic.remote.job import Job
from primepods_magic.remote.link import PodLink
from primepods_magic.remote.values.calls import await_answer
from primepods_magic.remote.values.remote_value import RemoteValue, check_name
from primepods_magic.remote.values.transfer import (
    Terms,
    forget_file,
    make_get_call,
    prepare_values,
    send_values,
    take_values,
)

from .run_cell import LinkNotes

__all__ = ["CellValues", "read_names"]

_ANSWER_S = 2.0


def read_names(text: str) -> tuple[str, ...]:
    """Return the names of variables in a list with commas; raise InvalidRequest if one cannot be a name.

    >>> read_names("a,b")
    ('a', 'b')
    """
    names = tuple(check_name(name.strip()) for name in text.split(","))
    if len(set(names)) < len(names):
        raise InvalidRequest(f"'{sanitize(text)}' names a variable twice. Nothing was sent")
    return names


class CellValues:
    """The variables that a cell gets, and those that it gives.

    Parameters
    ----------
    shell : InteractiveShell
    sent, fetched : sequence of str
        Names of variables.
    is_confirmed : bool
        Whether to send and fetch without a question.

    Raises
    ------
    InvalidRequest
        A variable does not exist here, or cannot be sent.
    """

    def __init__(
        self, shell: Any, sent: Sequence[str], fetched: Sequence[str], *, is_confirmed: bool
    ) -> None:
        self._shell = shell
        self._fetched = fetched
        self._is_confirmed = is_confirmed
        self._notes = LinkNotes("Nothing that has arrived is lost")
        missing = [name for name in sent if name not in shell.user_ns]
        if missing:
            names = [name for name in shell.user_ns if not name.startswith("_")]
            raise InvalidRequest(
                f"There is no variable '{missing[0]}' in this notebook{suggest(missing[0], names)}. Nothing "
                "was sent or run"
            )
        main = shell.user_module.__name__
        values = {name: shell.user_ns[name] for name in sent}
        self._outgoing = prepare_values(values, main=main) if sent else None
        self._sent: Header | None = None
        self.before: list[Header] = []
        self.after: list[Header] = [make_get_call(fetched)] if fetched else []

    def send(self, link: PodLink, session: str) -> None:
        """Send the values to a file of the pod; `before` then makes variables of them."""
        if self._outgoing is None:
            return
        with self._make_terms(link, f"Sending {', '.join(self._outgoing.names)}", "--yes") as terms:
            self._sent = send_values(link, session, self._outgoing, terms)
            self.before.append(self._sent)

    def forget(self, link: PodLink) -> None:
        """Remove what was sent for a cell that does not run."""
        if self._sent is not None:
            forget_file(link, self._sent)

    def await_sent(self, job: Job) -> None:
        """Wait until the cell has its variables; if that fails, it is not run."""
        for call in self.before:
            try:
                answer = await_answer(job.link, call["id"], _print_note)
                if self._outgoing is not None:
                    self._outgoing.note_kept(job.link, answer, _print_note)
            except WaitInterrupted as error:
                error.prepend(_interrupt_job(job))
                raise
            except PodsError as error:
                error.prepend("The cell was not run")
                raise

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Say that nothing is fetched if the cell fails."""
        try:
            yield
        except RemoteError as error:
            if self._fetched and error.traceback:
                error.traceback.append(f"{', '.join(self._fetched)}: not fetched, because the cell failed.")
            raise

    def store(self, job: Job) -> None:
        """Fetch the values, and make variables of them here."""
        for call in self.after:
            answer = await_answer(job.link, call["id"], _print_note)
            how = f"yes=True to get_pod('{job.pod_name}').pull('{self._fetched[0]}')"
            with self._make_terms(job.link, f"Fetching {', '.join(self._fetched)}", how) as terms:
                values = take_values(job.link, job.session, self._fetched, answer, terms)
            self._shell.push(values)
            for name, value in values.items():
                if isinstance(value, RemoteValue):
                    say(f"{name} stays on '{job.pod_name}': {value.reason}. {name}.fetch(…) fetches a part.")

    @contextmanager
    def _make_terms(self, link: PodLink, doing: str, how: str) -> Iterator[Terms]:
        with show_transfer(self._shell, doing) as report:

            def note_progress(done: int, total: int) -> None:
                self._notes.check(link)
                if report is not None:
                    report(done, total)

            yield Terms(
                confirm=lambda question: self._is_confirmed or confirm(self._shell, question),
                how=how,
                on_note=_print_note,
                on_wait=_print_note,
                watch=StreamWatch(on_progress=note_progress),
            )


def _interrupt_job(job: Job) -> str:
    """Interrupt a cell, and return how far it was."""
    answer = job.link.request("interrupt", job=job.id)
    wait([answer], timeout=_ANSWER_S)
    state = answer.result().get("state") if answer.done() and not answer.exception() else None
    if state in ("queued", "cancelled"):
        return "The cell was not run"
    begun = "The cell had begun" if state == "running" else "The cell may have begun"
    return f"{begun}, and is interrupted there ('%pods attach {job.id}')"


def _print_note(text: str) -> None:
    write_stream("stderr", f"{text}\n")
