"""Whatever a service says, in whatever field: nothing of it is evaluated, and nothing is shown unescaped."""

from __future__ import annotations

import builtins
import io
import re
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from ipywidgets.widgets import widget as widget_module

from primepods_magic.api import errors
from primepods_magic.api.errors import PodsError
from primepods_magic.frames.rendering.interaction import SCRIPT
from primepods_magic.notebook.launcher.state.flow import LaunchSettings
from primepods_magic.notebook.launcher.state.model import LauncherModel
from primepods_magic.notebook.launcher.state.offers import OfferKey
from primepods_magic.notebook.launcher.view.app import LauncherView
from primepods_magic.notebook.launcher.view.static import launcher_static_html, launcher_static_text
from primepods_magic.notebook.progress.html import COPY_BUTTONS, COPY_SCRIPT
from primepods_magic.notebook.progress.terminal import TerminalView
from primepods_magic.notebook.progress.widget import WidgetView
from primepods_magic.notebook.shell.output import ask_line
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.connection.current import current
from primepods_magic.pods.watching.snapshot import Snapshot, changes_between
from tests.support.hostile import FORGED, HOSTILE, Hostile, hostile
from tests.support.sandbox_control import SandboxControl
from tests.support.soak import pick

# Everything that acts in a terminal, turns text around, or has no shape, but for the end of a line.
ACTS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
    "|[\U000e0000-\U000e0fff]"
)
TAGS = set(
    "a article b bdi br button code details div h3 li p pre span strong style summary table tbody td th "
    "thead time tr ul wbr".split()
)

COMMANDS = """
%pods
%pods ls --all
%pods show train
%pods show broken
%pods show nobody
%pods status
%pods status train broken
%pods avail
%pods avail --gpu L4_24GB --max-price 5
%pods avail --gpu NOPE
%pods watch --timeout 1s
%pods wait train --timeout 1s
%pods wait broken --timeout 1s
%pods logs train
%pods logs train --tail 3
%pods logs train --follow --timeout 1s
%pods ssh train
%pods ssh broken
%pods ssh train --config
%pods rm nobody
%pods history
%pods history --limit 3
%pods costs --by name,provisioned_by,team,gpu
%pods costs timeline
%pods costs dearest
%pods costs waste
%pods costs prices
%pods wallet
%pods wallet --team nobody
%pods disks
%pods keys
%pods keys primary nobody
%pods teams
%pods teams nobody
%pods teams 'Analytical Engines'
%pods connect
%pods doctor
%pods cache
%pods launcher
%pod_create --gpu L4_24GB --name train
%pod_create --gpu L4_24GB --name train --image other
%pod_create --gpu L4_24GB --name broken
%pod_create --gpu L4_24GB --name other --dry-run
%pod_create --gpu L4_24GB --name other
%pod_create --gpu L4_24GB --name dear --max-price 0.001
pod = %pods show train
print(pod); pod
pod.details
pod.logs()
pod.connections, pod.ports, pod.ssh
%pods rm train -y
%pods rm broken other -y
""".strip().splitlines()


VSCODE = re.compile(r"vscode://vscode-remote/ssh-remote\+[\w.-]+@[\w.:\[\]-]+:\d+/\?windowId=_blank")


class Markup(HTMLParser):
    """What a page would make of a piece of HTML."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.wrong: list[str] = []
        self._open: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._open.append(tag)
        self.wrong += [tag] * (tag not in TAGS)
        # The one script of ours is the same for every pod.
        known = unescape(COPY_SCRIPT)
        self.wrong += [name for name, value in attrs if name.startswith("on") and value != known]
        self.wrong += [
            f"{name}={value}"
            for name, value in attrs
            if name in ("href", "src")
            and not (value or "").startswith(("http://", "https://"))
            and not VSCODE.fullmatch(value or "")
        ]

    def handle_endtag(self, tag: str) -> None:
        if self._open and self._open[-1] == tag:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        if "pre" not in self._open and (data.count("$") > 1 or re.search(r"\\[(\[b]", data)):
            self.wrong.append(f"is typeset: {data}")


def check_text(text: str, *, is_log: bool = False, is_wrapped: bool = False) -> None:
    found = ACTS.search(text)
    assert not found, f"{found[0]!a} in {text[max(found.start() - 80, 0) : found.end() + 20]!a}"
    lines = (line if is_wrapped else line.strip() for line in text.splitlines())
    forged = [line for line in lines if line.startswith(FORGED)]
    assert is_log or not forged, forged


def check_html(html: str) -> None:
    # The script and the styles of a table are ours.
    html = re.sub(r"<style>[^<]*</style>", "", html.replace(SCRIPT, "").replace(COPY_BUTTONS, ""))
    assert not Markup(html).wrong, (Markup(html).wrong, html)
    found = ACTS.search(html)
    assert not found, f"{found[0]!a} in {html[max(found.start() - 80, 0) : found.end() + 20]!a}"


def check_output(output: Any, *, is_log: bool = False, is_wrapped: bool = False) -> None:
    for text in (output.stdout, output.stderr, output.error):
        check_text(text, is_log=is_log)
    for shown in output.shown:
        check_text(shown.data.get("text/plain", ""), is_log=is_log, is_wrapped=is_wrapped)
        check_html(shown.data.get("text/html", ""))


@contextmanager
def connected(shell: Any, sandbox: SandboxControl, patch: pytest.MonkeyPatch) -> Iterator[Hostile]:
    """A shell that is connected to the sandbox by way of a service that spoils nothing yet."""
    with hostile(sandbox.url, lambda endpoint, place: False) as (url, service):
        patch.setenv("PRIMEPODS_SANDBOX_URL", url)
        shell.run("%load_ext primepods_magic")
        shell.run("%pods connect --sandbox")
        # The clock is stepped, so only the number of polls takes time.
        shell.run("%config PodsMagics.poll_interval_s = 20")
        try:
            broken = shell.run("broken = %pod_create --gpu L4_24GB --name broken\nbroken.id")
            sandbox.advance(5)
            sandbox.event(broken, "fail_installation")
            shell.run("%pod_create --gpu L4_24GB --name train --wait")
            yield service
        finally:
            service.spoils = lambda endpoint, place: False
            shell.run("%unload_ext primepods_magic")


def run_all(shell: Any, commands: list[str]) -> None:
    for command in commands:
        try:
            with warnings.catch_warnings():
                # A pod whose id is spoilt cannot be asked for; the warning is among what is checked.
                warnings.filterwarnings("always", "Could not determine whether your pod")
                shell.run(command)
        except (PodsError, NameError) as error:
            # A pod that was not found is no variable.
            check_text(str(error))
        try:
            # Texts of the doctor go on in the next line of their column.
            check_output(shell.output, is_log="log" in command, is_wrapped="doctor" in command)
        except AssertionError as error:
            raise AssertionError(f"{command}: {error}") from None


def check_widgets() -> None:
    for widget in list(widget_module._instances.values()):
        state = widget.get_state()
        name = type(widget).__name__
        if name == "HTML":
            check_html(re.sub(r"<style\b.*?</style>", "", state["value"], flags=re.DOTALL))
        # Fields have a space without a width as their placeholder unless given another.
        said = [state.get(key) for key in ("description", "tooltip", "placeholder")]
        said += [state.get("value")] if name != "HTML" else []
        said = [text for text in said if text != "\u200b"]
        said += state.get("_options_labels", ()) or ()
        said += state.get("options", ()) or ()
        for text in said:
            check_text(text if isinstance(text, str) else "")
        assert str(state.get("description") or "").count("$") <= 1, state["description"]


def check_launcher(connection: Connection) -> None:
    """Find, configure, review, and look after pods."""
    model = LauncherModel(connection, {}, LaunchSettings)
    view = LauncherView(model, "x", lambda: None)
    model.listen(view.render)
    try:
        model.open()
        assert model.wait_until_idle(20)
        for row in model.results.rows[:1]:
            model.choose(OfferKey.of(row.offer))
        model.review()
        for pod in model.pod_list.pods:
            model.do(model.pod_list.toggle_logs, pod.id or "")
            model.do(model.pod_list.request_termination, pod.id or "")
        assert model.wait_until_idle(20)
        check_widgets()
        check_text(launcher_static_text(model))
        check_html(launcher_static_html(model))
        check_text(model.cell)
        assert "${HOME}" not in model.cell.replace("$${HOME}", "")
    finally:
        model.pod_list.stop()
        model.wait_until_idle(20)
        model.close()
        view.settle()
        view.close()


def check_views(connection: Connection, shell: Any, patch: pytest.MonkeyPatch) -> None:
    """The live widget, and the bars in a terminal."""
    pods = tuple(connection.client.list_all_pods())
    snapshot = Snapshot(
        pods, connection.now(), trouble=HOSTILE, changes=changes_between({}, pods, connection.now())
    )
    view = WidgetView(shell, lambda: None)
    view.show(snapshot)
    check_widgets()
    view.finish(snapshot)
    check_widgets()
    check_output(shell.output)
    view.close()
    screen = Screen()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", screen)
        bars = TerminalView(None)
        bars.show(snapshot)
        bars.finish(snapshot)
    drawn = re.sub(r"\x1b\[(\?25[hl]|[0-9;]*m|[12]K|\d*[AB])|\r", "", screen.getvalue())
    # A long text goes on in the next line of the screen.
    check_text(drawn, is_log=True)
    assert "[red]" in drawn


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


def check_ssh_files(home: Path) -> None:
    """Lines of a configuration and nothing else, whatever a pod is called."""
    for path in (path for path in home.rglob("*") if path.is_file() and "ssh" in path.name):
        text = path.read_text(encoding="utf-8")
        check_text(text)
        for line in text.splitlines():
            assert re.fullmatch(
                r"|#[^\n]*|Host pod-[\w.-]+|    [A-Z]\w+ [\w@:/.,~\"%-]+( [\w/\".-]+)*|Include .*", line
            )


NAMES = (
    "name providerType provider socket environmentType images additionalInfo provisionedBy slug role email "
    "publicKey userName userEmail region dataCenter security resource_type currency detail.msg logs message "
    "installationFailure product description"
).split()
STATES = (
    "status installationStatus installationFailure sshConnection ip external internal protocol usedBy".split()
)
IDS = "id podId userId teamId team_id walletId wallet_id cloudId resource_id instance".split()
KINDS = "gpuName gpuType stockStatus country security dataCenterId type dialect".split()
QUICK = [NAMES, STATES, IDS, KINDS]
ALONE = [[place] for places in QUICK for place in places]


@pytest.mark.parametrize("places", pick(QUICK, QUICK + ALONE), ids=lambda places: "-".join(places)[:40])
def test_nothing_hostile_is_evaluated_or_shown_unescaped(
    bare_shell: Any,
    sandbox: SandboxControl,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    places: list[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    with connected(bare_shell, sandbox, monkeypatch) as service:
        service.spoils = lambda endpoint, place: f".{place}".endswith(tuple(f".{name}" for name in places))
        check_views(current(), bare_shell, monkeypatch)
        check_launcher(current())
        run_all(bare_shell, COMMANDS)
        check_ssh_files(home)
    assert not hasattr(builtins, "was_evaluated")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("turn", "status"), list(enumerate([400, 401, 402, 403, 404, 405, 409, 422, 429, 500, 503, 302]))
)
def test_no_refusal_is_evaluated_or_shown_unescaped(
    bare_shell: Any, sandbox: SandboxControl, monkeypatch: pytest.MonkeyPatch, turn: int, status: int
) -> None:
    problem = {
        "loc": ["body", HOSTILE],
        "msg": HOSTILE,
        "param": HOSTILE,
        "details": HOSTILE,
        "type": HOSTILE,
    }
    bodies: list[Any] = [
        {"detail": HOSTILE},
        {"detail": [problem]},
        {"detail": {"message": HOSTILE}},
        {"errors": [problem]},
        {"error": HOSTILE},
        {"error": {"message": HOSTILE}},
        {"title": HOSTILE},
        HOSTILE,
    ]
    acting = "<b>[red]$x$"
    headers = {"Retry-After": "3600", "X-Request-Id": acting, "Location": f"http://127.0.0.1/{acting}"}
    with connected(bare_shell, sandbox, monkeypatch) as service:
        # In a quick run each status has two of the bodies, and each body three of the statuses.
        for body in pick(bodies[turn % 4 :: 4], bodies):
            service.refuse_with(status, body, headers)
            run_all(
                bare_shell,
                [
                    "%pods ls",
                    "%pods show train",
                    "%pods history",
                    "%pods doctor",
                    "%pods rm train -y",
                    "%pods logs train",
                    "%pod_create --gpu L4_24GB --name another --settle 0",
                ],
            )
        service.refuse_with(None)


def test_a_saved_notebook_holds_nothing_hostile(
    run_notebook: Any, sandbox: SandboxControl, home: Path
) -> None:
    places = (*NAMES, *KINDS[2:])
    with hostile(sandbox.url, lambda endpoint, place: place.rpartition(".")[2] in places) as (url, _):
        cells = [
            "%load_ext primepods_magic\n%pods connect --sandbox",
            *(command for command in COMMANDS if command.split()[-1] != "--timeout"),
        ]
        notebook = run_notebook(cells, {"PRIMEPODS_SANDBOX_URL": url}, allow_errors=True)
    for cell in notebook.cells:
        for output in cell.outputs:
            data = output.get("data", {})
            error = "\n".join(output.get("traceback", ()))
            for text in (
                output.get("text", ""),
                data.get("text/plain", ""),
                re.sub("\x1b\\[[0-9;]*m", "", error),
            ):
                check_text(text, is_log="log" in cell.source)
            check_html(data.get("text/html", ""))
            if output.get("ename") not in (None, "NameError"):
                assert output.ename in errors.__all__, (cell.source, error)


def test_a_question_is_asked_in_clean_text(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = io.StringIO()
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    monkeypatch.setattr(sys, "stdout", asked)
    assert ask_line(f"End {HOSTILE}? ") == "y"
    assert not ACTS.search(asked.getvalue())
