"""Commands, cells and values of a pod: the methods of `Pod` that run code on it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from primepods_magic.api.errors import InvalidRequest
from primepods_magic.api.text.sanitize import join_first, sanitize
from primepods_magic.api.tracebacks import shorten_tracebacks
from primepods_magic.api.validation.bounds import check_flags, check_kind
from primepods_magic.pods.support.progress import OnProgress, show_transfer

from .reachable import Reachable

if TYPE_CHECKING:
    from primepods_magic.remote.command import CommandResult
    from primepods_magic.remote.files.streams import StreamWatch
    from primepods_magic.remote.job import Job

__all__ = ["CellMethods"]

_MAX_NAMES = 5


@shorten_tracebacks
class CellMethods(Reachable):
    """Runs commands and cells, and sends and fetches variables."""

    def exec(
        self,
        command: str | Sequence[str],
        *,
        check: bool = True,
        node: int = 1,
        timeout_s: float | None = None,
        on_output: Callable[[Any, bytes], object] | None = None,
    ) -> CommandResult:
        """Run a command on it over SSH, and return its output and exit code.

        It runs in `/bin/sh` and in the home folder, without input. If the connection is lost, it keeps
        running. Ctrl-C sends SIGINT to it; pressing it twice within two seconds stops waiting.

        Parameters
        ----------
        command : str or sequence of str
            A line for the shell, or the words of one command, passed on exactly as they are.
        check : bool
            Raise CommandFailed if the exit code is not 0.
        node : int
            The node to run it on, if the pod has several.
        timeout_s : float, optional
            Terminate it after this many seconds.
        on_output : callable, optional
            Called with ``"stdout"`` or ``"stderr"`` and the bytes as they arrive, which are then not kept.

        Raises
        ------
        CommandFailed
            The exit code is not 0. Its ``result`` is what this would have returned.
        SshFailed
            The connection failed; the message says why and whether the command was run.
        WaitTimedOut
            It took longer than ``timeout_s``.
        WaitInterrupted
            Ctrl-C.

        Examples
        --------
        >>> print(pod.exec("nvidia-smi -L").stdout)                          # doctest: +SKIP
        GPU 0: NVIDIA H100 80GB HBM3 (UUID: GPU-7f…)
        >>> pod.exec(["python3", "train.py", "--note", "it's $5"]).exit_code  # doctest: +SKIP
        0
        """
        from primepods_magic.remote.command import check_exit_code, run_command

        pod = self._read_reachable(node)
        result = run_command(
            self._connection, pod, command, node=node, timeout_s=timeout_s, on_output=on_output
        )
        if check:
            check_exit_code(pod, result)
        return result

    def run(self, code: str, *, session: str = "main", again: bool = False) -> Job:
        r"""Run Python code in an IPython kernel on it, as ``%%pod`` does, and return its job at once.

        The kernel keeps its variables from one call to the next. Code sent while other code runs waits for
        its turn. If the connection is lost, or this process ends, the code keeps running.

        Parameters
        ----------
        code : str
            A cell: Python, with IPython's magics and ``!`` for the shell.
        session : str
            The kernel to run it in; every notebook shares ``"main"``.
        again : bool
            Run it even if the same code is already running; otherwise, that job is returned.

        Raises
        ------
        SshFailed
            The connection failed.
        InvalidRequest
            The pod is not running, or the name of the session is not valid.

        Examples
        --------
        >>> job = get_pod("train").run("import torch; print(torch.cuda.device_count())")  # doctest: +SKIP
        >>> job.result().state, job.output                                   # doctest: +SKIP
        ('ok', '8\n')
        """
        from primepods_magic.remote.job import start_job

        check_flags(again=again)
        job, _ = start_job(self._connection, self._read_reachable(), code, session=session, again=again)
        return job

    def push(
        self,
        values: Mapping[str, Any] | None = None,
        /,
        *,
        session: str = "main",
        yes: bool = False,
        on_progress: OnProgress | None = None,
        **named: Any,
    ) -> None:
        """Set variables of a session on it: ``pod.push(data=frame)``.

        Built-in types, dates, arrays of NumPy, objects of pandas and tensors arrive with the same value and
        dtype, whatever versions there are. Functions and classes of a notebook are sent as source, with what
        they need. Nothing is pickled. Either all variables are set, or none.

        Parameters
        ----------
        values : mapping of str to object, optional
            More values by name.
        session : str
            The session of the variables; code that runs in it is waited for.
        yes : bool
            Also send what may hold a secret, and more than 100 MB.
        on_progress : callable, optional
            Called with the bytes that have arrived, and those of all values; by default, a bar shows them.
        **named
            Values by name.

        Raises
        ------
        InvalidRequest
            A value cannot be sent, or is not confirmed. Nothing was sent.
        SshFailed
            The connection failed.
        PodsError
            The pod could not take them; no variable was changed.

        Examples
        --------
        >>> get_pod("train").push(rate=0.1, data=frame)                      # doctest: +SKIP
        """
        from primepods_magic.remote.files.streams import StreamWatch

        push = self._start_push(values, named, session, yes)
        with show_transfer(f"Sending {_join_names([*(values or {}), *named])}", on_progress) as report:
            push(StreamWatch(on_progress=report))

    async def push_async(
        self,
        values: Mapping[str, Any] | None = None,
        /,
        *,
        session: str = "main",
        yes: bool = False,
        **named: Any,
    ) -> None:
        """Set variables as `push` does, without blocking the event loop. Cancelling it ends the transfer.

        Do not change the values before it has returned.
        """
        from primepods_magic.remote.files.transfers import run_in_thread

        await run_in_thread(self._start_push(values, named, session, yes))

    def pull(
        self,
        *names: str,
        session: str = "main",
        yes: bool = False,
        on_progress: OnProgress | None = None,
    ) -> Any:
        """Fetch a variable of a session from it, or several as a tuple.

        Nothing that it sends is run here. What cannot be sent, such as a model, stays there: a description
        is returned, whose ``fetch`` returns its parts.

        Parameters
        ----------
        *names : str
            Variables, or parts of them, such as ``"model.state_dict()"``.
        session : str
            The session of the variables; code that runs in it is waited for.
        yes : bool
            Also fetch more than 100 MB.
        on_progress : callable, optional
            Called with the bytes that have arrived, and those of all values; by default, a bar shows them.

        Raises
        ------
        RemoteNameError
            There is no such variable; the message names the nearest one.
        InvalidRequest
            More than 100 MB are not confirmed.
        SshFailed
            The connection failed.
        PodsError
            They cannot be fetched.

        Examples
        --------
        >>> losses, model = get_pod("train").pull("losses", "model")         # doctest: +SKIP
        """
        from primepods_magic.remote.files.streams import StreamWatch

        pull = self._start_pull(names, session, yes)
        with show_transfer(f"Fetching {_join_names(names)}", on_progress) as report:
            return pull(StreamWatch(on_progress=report))

    async def pull_async(self, *names: str, session: str = "main", yes: bool = False) -> Any:
        """Fetch variables as `pull` does, without blocking the event loop. Cancelling it ends that."""
        from primepods_magic.remote.files.transfers import run_in_thread

        return await run_in_thread(self._start_pull(names, session, yes))

    def _start_push(
        self, values: Mapping[str, Any] | None, named: Mapping[str, Any], session: str, yes: bool
    ) -> Callable[[StreamWatch], None]:
        from primepods_magic.remote.links import open_link
        from primepods_magic.remote.values.transfer import Terms, prepare_values, push_values

        check_flags(yes=yes)
        check_kind("values", values, is_right=isinstance(values, Mapping), form="a mapping by name")

        def push(watch: StreamWatch) -> None:
            outgoing = prepare_values({**(values or {}), **named})
            link = open_link(self._connection, self._read_reachable())
            push_values(link, session, outgoing, Terms(confirm=lambda question: yes, watch=watch))

        return push

    def _start_pull(self, names: Sequence[str], session: str, yes: bool) -> Callable[[StreamWatch], Any]:
        from primepods_magic.remote.links import open_link
        from primepods_magic.remote.values.transfer import Terms, pull_values

        check_flags(yes=yes)
        if not names or len(set(names)) < len(names) or not all(isinstance(name, str) for name in names):
            raise InvalidRequest("Name each variable to fetch once: pod.pull('x', 'y'). Nothing was fetched")

        def pull(watch: StreamWatch) -> Any:
            link = open_link(self._connection, self._read_reachable())
            found = pull_values(link, session, names, Terms(confirm=lambda question: yes, watch=watch))
            return found[names[0]] if len(names) == 1 else tuple(found.values())

        return pull


def _join_names(names: Iterable[Any]) -> str:
    return join_first([sanitize(str(name)) for name in names], _MAX_NAMES)
