"""The commands of ``%pods`` for a script: the same modules and parsers, without IPython's shell."""

from __future__ import annotations

import re
import sys
from argparse import ArgumentTypeError, Namespace
from typing import TYPE_CHECKING, Any, NoReturn

from primepods_magic.notebook.input.arguments import ArgumentParser
from primepods_magic.notebook.magics import PodsMagics, parser_of
from primepods_magic.notebook.shell.output import write_result

from .shell import ScriptShell

if TYPE_CHECKING:
    from primepods_magic.pods.connection.connection import Connection

__all__ = ["ScriptMagics", "read_settings"]

_MAX_SPEC_BYTES = 2**20
# Lines of a help text that need variables of a notebook.
_VARIABLES = re.compile(r"^ +(?:[\w, ]+ = )%pods?.*\n|^ +%pods .*[{$].*\n", re.MULTILINE)
_FOR_NOTEBOOKS = re.compile(r"\nLike every command that takes a POD.*\n")

_CREATE_HELP = """Rent one or more pods, by a file with a spec, or by flags.

  primepods create train.yaml --wait -y
  primepods create --gpu H100_80GB --name big --count 8 --max-price 20 --dry-run
  echo 'gpu: L4_24GB' | primepods create - -y -o json

FILE is a few lines of YAML, or the API's own JSON body; '-' reads stdin. It has the same fields as the flags
below, with underscores (max_price) or in the API's camelCase, and env as a mapping. The cheapest matching
offer fills in everything you leave out. 'pods' is the number of pods, with numbered names; a YAML list of
specs rents different pods at once. ${NAME} inserts an environment variable, and keeps a secret out of the
file.

-y, or max_price in the spec, confirms the price. Without either, a person at a terminal is asked; without a
terminal, the launch is refused. Running the command again returns the existing pod, also after Ctrl-C. --new
rents another pod of the same name. --replace terminates the old one if it has failed or differs. Ctrl-C stops
the wait, never the pod."""

_EXEC_HELP = """Run a shell command on a pod, and show its output as it arrives.

  primepods exec train -- nvidia-smi -L
  primepods exec train --timeout 600 -- 'df -h ~ | tail -1'

One word after ' -- ' is a line for the pod's shell; several are a command and its arguments, which the shell
there does not change. The exit code is that of the command. With -o json, its output is shown at the end.

Ctrl-C interrupts the command; pressing it twice within two seconds stops waiting for it. If the connection is
lost, the command keeps running on the pod."""

_HELPS = {
    "create": _CREATE_HELP,
    "exec": _EXEC_HELP,
    "wait": "Wait until pods are ready (or active, or terminated), and list them.\n\n"
    "  primepods wait train --timeout 10m\n  primepods wait train eval --for active\n\n"
    "--timeout covers all pods and phases together. Ctrl-C stops the wait, never a pod.",
    "connect": "Show the connection in use, and where its key, URL and team come from.\n\n"
    "The PRIME_… variables and the files of 'prime' decide. '--sandbox', '--live' and '--context NAME'\n"
    "choose for the command after them.",
}
_INSTEAD = {
    "launcher": "The launcher needs a notebook. Use 'primepods avail' and 'primepods create'",
    "connect": "A choice would end with this command. Put it before the next one, as in 'primepods --sandbox "
    "ls', '--live' or '--context NAME'",
    "wait": "'--async' needs Python. Leave it out to wait here",
    "env": "A script has imported nothing. Name the packages, as in 'primepods env train numpy'",
    "costs": "A plot needs a file here: '--save plot.png' instead of '--plot', and with '--budget'",
    "logs": "'--follow' prints lines as they appear. Leave out '-o'",
}


class ScriptMagics(PodsMagics):
    """The magics as the command ``primepods`` calls them.

    Parameters
    ----------
    config : Config
        The settings ``c.PodsMagics`` of the person's ``ipython_config.py``.

    Attributes
    ----------
    stored : object
        The result of a command with ``-o``, also if the command has failed since.
    form : str or None
        ``json`` or ``csv``, or None for a table.
    """

    def __init__(self, config: Any) -> None:
        super().__init__(ScriptShell(), config=config)
        self.stored: Any = None
        self.form: str | None = None

    @property
    def connection(self) -> Connection:
        """The connection in use; without a key, no sandbox takes its place, unlike for a person."""
        from primepods_magic.pods.connection.current import current

        connection = current()
        connection.poll_interval_s = self.poll_interval_s
        return connection

    def find_command(self, name: str) -> tuple[Any, ArgumentParser]:
        """Return the module of a command and its parser, in the words of a shell."""
        command, parser = parser_of(name, _add_format)
        text = _VARIABLES.sub("", parser.description or "")
        parser.description = _HELPS.get(name, _FOR_NOTEBOOKS.sub("", text).replace("DataFrame", "table"))
        if name == "create":
            parser.add_argument("file", metavar="FILE", nargs="?", help="YAML or JSON; '-' is stdin")
        return command, parser

    def show_help(self, text: str) -> None:
        """Write a help text to stdout."""
        from primepods_magic.api.text.python_words import use_shell_words

        write_result(use_shell_words(text))

    def prepare(self, name: str, args: Namespace, extra: dict[str, Any]) -> None:
        """Refuse what needs a notebook, and read the spec of a launch."""
        self.form = args.out
        is_plotting = name == "costs" and (args.plot or (args.budget and not args.save))
        is_refused = {
            "launcher": True,
            "connect": name == "connect" and (args.sandbox or args.live or args.context or args.machines),
            "wait": name == "wait" and args.is_async,
            "env": name == "env" and not args.packages,
            "costs": is_plotting,
            "logs": name == "logs" and args.follow and args.out,
        }
        if is_refused.get(name):
            _refuse_command(f"{_INSTEAD[name]}. Nothing was done")
        if name == "create":
            extra["source"] = "command" if args.file is None else "file"
            extra["cell"] = None if args.file is None else _read_spec(args.file)

    def store(self, result: Any, out: str | None) -> None:
        """Hold the result until it is written."""
        if out:
            self.stored = result


def read_settings() -> Any:
    """Read the settings ``c.PodsMagics`` of IPython's default profile: limits hold in scripts as well.

    Raises NotConfigured if the file cannot be read: a limit that it sets must not be ignored.
    """
    import os
    from pathlib import Path

    from traitlets.config import Config
    from traitlets.config.loader import ConfigFileNotFound, PyFileConfigLoader

    from primepods_magic.api.errors import NotConfigured
    from primepods_magic.api.local.folders import find_home, shorten_path

    home = find_home()
    folder = os.environ.get("IPYTHONDIR") or (home and home / ".ipython")
    if folder is None:
        return Config()
    path = Path(folder, "profile_default", "ipython_config.py")
    try:
        return PyFileConfigLoader(path.name, path=str(path.parent)).load_config()
    except ConfigFileNotFound:
        return Config()
    except Exception as error:  # noqa: BLE001 - the file is a program of the user's
        raise NotConfigured(
            f"{shorten_path(path)} cannot be read ({type(error).__name__}), and may set limits. Nothing was "
            "done"
        ) from None


def _add_format(parser: ArgumentParser) -> None:
    flags = ["-o"] if "--out" in parser._option_string_actions else ["-o", "--out"]
    parser.add_argument(
        *flags, dest="out", type=_read_format, metavar="FORMAT", help="json, csv or table (default table)"
    )


def _read_format(text: str) -> str | None:
    if text not in ("json", "csv", "table"):
        raise ArgumentTypeError(f"{text!r} is not json, csv or table")
    return None if text == "table" else text


def _read_spec(name: str) -> str:
    """Read a spec from a file, or from stdin."""
    from primepods_magic.api.local.atomic_files import describe_error
    from primepods_magic.api.text.sanitize import sanitize

    try:
        if name == "-":
            data = sys.stdin.buffer.read(_MAX_SPEC_BYTES + 1)
        else:
            with open(name, "rb") as file:
                data = file.read(_MAX_SPEC_BYTES + 1)
    except (OSError, ValueError, AttributeError) as error:
        reason = describe_error(error) if isinstance(error, OSError) else "it is not a file"
        _refuse_command(f"'{sanitize(name)}' cannot be read: {reason}. Nothing was sent")
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = ""
    if len(data) > _MAX_SPEC_BYTES or not text.strip():
        _refuse_command(f"'{sanitize(name)}' is not a spec, such as 'gpu: H100_80GB'. Nothing was sent")
    return text


def _refuse_command(message: str) -> NoReturn:
    from primepods_magic.api.errors import InvalidRequest

    raise InvalidRequest(message)
