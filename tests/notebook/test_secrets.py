"""Keys, passwords and values of the environment are in nothing that comes out: cells, logs, files."""

from __future__ import annotations

import io
import json
import logging
import os
import pickle
import signal
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from traceback import walk_tb
from typing import Any

import httpx
import nbformat
import pytest
from IPython.core.ultratb import VerboseTB
from nbclient import NotebookClient

from primepods_magic import Client, Pod, Settings, connect
from primepods_magic.api.errors import InvalidRequest, NotConfigured, OutcomeUnknown, PodsError
from primepods_magic.api.requests import CreateRequest
from primepods_magic.api.settings import load_settings
from primepods_magic.frames import history_frame, offers_frame, pods_frame, status_frame
from primepods_magic.notebook.command_list import COMMANDS
from primepods_magic.notebook.magics import PodsMagics
from primepods_magic.pods.connection.current import current, disconnect
from primepods_magic.pods.launching.plan import plan_launch
from primepods_magic.pods.spec.spec import PodSpec, parse_spec
from primepods_magic.pods.watching.snapshot import Snapshot
from tests.support.kernels import notebook_of
from tests.support.relay import Relay, relayed
from tests.support.sandbox_control import SandboxControl
from tests.support.scripted import Answered, Asked, scripted
from tests.support.secret_cells import (
    CASES,
    JUPYTER,
    KEY,
    LOOKED_FOR,
    PROXY,
    SECRETS,
    SETUP,
    STATUSES,
    WANDB,
    body,
    cells,
)
from tests.support.secrets import SLICE, Search, forms_of
from tests.support.soak import SOAK, pick
from tests.support.terminal import ipython


@pytest.fixture
def search() -> Search:
    return Search(SECRETS)


@pytest.fixture
def relay(sandbox: SandboxControl, monkeypatch: pytest.MonkeyPatch) -> Iterator[Relay]:
    """An environment full of secrets, in which the client truly holds the planted key."""
    with relayed(sandbox.url, KEY) as relay:
        for name, value in {
            "PRIME_API_KEY": KEY,
            "PRIME_API_BASE_URL": relay.url,
            "WANDB_API_KEY": WANDB,
            "JUPYTER_PASSWORD": JUPYTER,
            "HTTPS_PROXY": f"http://ada:{PROXY}@127.0.0.1:9",
        }.items():
            monkeypatch.setenv(name, value)
        yield relay
    disconnect()


@contextmanager
def everything_logged() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    root, level = logging.getLogger(), logging.getLogger().level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield stream
    finally:
        root.setLevel(level)
        root.removeHandler(handler)


class FrontEnd(NotebookClient):
    """Runs a notebook as a person's front end does: somebody is there, and widgets are kept."""

    async def async_start_new_kernel_client(self) -> Any:
        client = await super().async_start_new_kernel_client()
        client.allow_stdin = True
        client.session.metadata = {"cellId": "one"}
        return client


@pytest.mark.parametrize("client", pick([FrontEnd], [FrontEnd, NotebookClient]))
def test_nothing_of_a_notebook_holds_a_secret(
    client: type[NotebookClient], relay: Relay, home: Path, tmp_path: Path, search: Search
) -> None:
    log = tmp_path / "everything.log"
    # Errors are the same in both. In a quick run, each has half of the statuses, and one prints every detail.
    has_front_end = client is FrontEnd
    run = cells(with_details=has_front_end or SOAK, statuses=pick(STATUSES[has_front_end::4], STATUSES))
    notebook = notebook_of([SETUP, *run])
    client(
        notebook,
        timeout=120,
        kernel_name="python3",
        allow_errors=True,
        store_widget_state=True,
        extra_arguments=["--log-level=ERROR"],
        resources={"metadata": {"path": str(tmp_path)}},
    ).execute(env={**os.environ, "LOG_FILE": str(log)})
    saved = tmp_path / "saved.ipynb"
    nbformat.write(notebook, saved)
    for number, cell in enumerate(notebook.cells):
        search.look(f"cell {number}: {cell.source.splitlines()[0]}", json.dumps(cell.outputs))
        for output in cell.outputs:
            for key in ("text", "evalue", "traceback", "data"):
                search.look(f"{key} of cell {number}: {cell.source[:60]}", str(output.get(key, "")))
    search.look_at_files(home)
    search.look_at_files(tmp_path)
    errors = [output.ename for cell in notebook.cells for output in cell.outputs if "ename" in output]
    expected = {"InvalidRequest", "NotFound", "ServiceUnavailable", "RuntimeError"}
    expected |= {"PaymentRequired"} if has_front_end else set()
    assert expected <= set(errors)
    assert relay.creates > len(STATUSES)
    assert log.stat().st_size > 100_000
    assert ("widgets" in notebook.metadata) == (client is FrontEnd)
    search.verdict(least=4 * len(run))


def test_nothing_of_a_shell_holds_a_secret(
    relay: Relay, bare_shell: Any, home: Path, search: Search, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LOG_FILE", str(tmp_path / "unused.log"))
    failures = 0
    with everything_logged() as log:
        for line in SETUP.replace("logging.basicConfig", "dict").strip().split("\n%"):
            bare_shell.run(line if line.startswith("import") else f"%{line}")
        try:
            for cell in cells():
                try:
                    value = bare_shell.run(cell)
                except Exception as error:  # noqa: BLE001 - whatever comes is searched
                    failures += 1
                    look_at_error(search, error, cell)
                else:
                    search.look_at_object(f"the value of {cell.splitlines()[0]}", value)
                output = bare_shell.output
                search.look(f"the output of {cell}", output.text)
                for shown in output.shown:
                    search.look(f"what {cell} showed", repr(shown))
        finally:
            bare_shell.run("%unload_ext primepods_magic")
    search.look("the log", log.getvalue())
    search.look_at_files(home)
    assert failures > 5 * len(STATUSES)
    assert len(log.getvalue()) > 100_000
    search.verdict(least=6 * len(cells()))


def test_a_terminal_shows_no_secret(relay: Relay, home: Path, tmp_path: Path, search: Search) -> None:
    create = f"get_ipython().run_cell_magic('pod_create', '--wait', {body('train')!r})"
    lines = ["%xmode Verbose", "%load_ext primepods_magic", create, "%pods ls", "%pods show train", "%tb"]
    service = f"import httpx; httpx.post({relay.url!r} + '/relay/post-422', trust_env=False)"
    with ipython(os.environ, tmp_path) as session:
        for line in [*lines, service, create.replace("name: train", "name: refused"), "%tb"]:
            search.look(line, session.run(line, timeout=60))
    search.look_at_files(home)
    search.verdict(least=9)


def look_at_error(search: Search, error: BaseException, where: str) -> None:
    """Everything that is commonly printed of an error, variables of our frames included."""
    search.look_at_object(f"the error of {where}", error)
    search.look(f"the arguments of {where}", repr((error.args, vars(error))))
    frames = error.__traceback__
    while frames is not None and "primepods_magic" not in Path(frames.tb_frame.f_code.co_filename).parts:
        frames = frames.tb_next
    told = traceback.TracebackException(type(error), error, frames, capture_locals=True, compact=True)
    search.look(f"the traceback of {where}", "".join(told.format()))
    search.look(f"%xmode Verbose of {where}", VerboseTB().text(type(error), error, frames))


def test_what_the_service_is_asked_for_is_not_repeated_by_an_error(
    relay: Relay, bare_shell: Any, search: Search
) -> None:
    bare_shell.run("%load_ext primepods_magic")
    for spec in LOOKED_FOR:
        with pytest.raises(PodsError) as caught:
            bare_shell.run(f"%%pod_create\n{spec}")
        look_at_error(search, caught.value, spec)
        search.look("the output", bare_shell.output.text)
    bare_shell.run("%unload_ext primepods_magic")
    search.verdict(least=12 * len(LOOKED_FOR))


def variable(name: str) -> str:
    return os.environ[name]


def test_the_sandbox_on_this_computer_keeps_no_secret(
    bare_shell: Any, home: Path, search: Search, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", WANDB)
    monkeypatch.setenv("JUPYTER_PASSWORD", JUPYTER)
    bare_shell.run("%load_ext primepods_magic\n%pods connect --sandbox")
    try:
        bare_shell.run(f"%%pod_create\n{body('train')}")
        search.look_at_files(home)
        for command in ("ls", "show train", "logs train"):
            search.look_at_object(command, bare_shell.run(f"%pods {command}"))
            search.look(f"the output of {command}", bare_shell.output.text + bare_shell.output.html)
    finally:
        bare_shell.run("%unload_ext primepods_magic")
    search.look_at_files(home)
    assert list(home.rglob("sandbox.db"))
    search.verdict(least=40)


def test_no_object_holds_a_secret_where_it_is_shown_copied_or_kept(relay: Relay, search: Search) -> None:
    connection = connect()
    client = connection.client
    spec = parse_spec(body("train"), variable=variable)
    plan = plan_launch(connection, spec)
    details = client.create_pod(plan.request)  # type: ignore[arg-type]
    (entry,) = client.pod_status([details.id or ""])
    whole = CreateRequest.model_validate(plan.request.wire())  # type: ignore[union-attr]
    things = {
        "Client": client,
        "Transport": client.session,
        "Connection": connection,
        "clock": connection.clock,
        "poller": connection.poller,
        "Settings": client.settings,
        "settings as found": load_settings(),
        "PodSpec": spec,
        "LaunchPlan": plan,
        "Quote": plan.quote,
        "CreateRequest": plan.request,
        "what is sent": whole,
        "PodRequest": whole.pod,
        "EnvVar": (whole.pod.env_vars or [])[0],
        "masked": whole.masked(),
        "PodDetails": details,
        "PodStatusEntry": entry,
        "Pod": Pod(connection, details),
        "Snapshot": Snapshot((details,), connection.now()),
        "pods": pods_frame([details]),
        "status": status_frame([entry]),
        "offers": offers_frame(client.list_offers(gpu_type="L4_24GB")),
        "history": history_frame(client.pod_history(limit=3).items, connection.now()),
        "account": connection.account,
    }
    for name, thing in things.items():
        search.look_at_object(name, thing)
    search.verdict(least=8 * len(things))


def test_a_service_that_sends_secrets_back_is_not_repeated(relay: Relay, search: Search) -> None:
    def answer(asked: Asked) -> Answered:
        told = relay(asked)
        said = json.loads(told.content or b"{}")
        for pod in said.get("data", [said]) if isinstance(said, dict) else []:
            if isinstance(pod, dict) and "gpuName" in pod:
                pod |= {
                    "envVars": [{"key": "WANDB_API_KEY", "value": WANDB}],
                    "jupyterPassword": JUPYTER,
                    "primePortMapping": [
                        {
                            "internal": "8888",
                            "external": f"https://pod.test/lab?token={PROXY}",
                            "protocol": "TCP",
                        }
                    ],
                }
        return Answered(told.status, json.dumps(said).encode(), told.headers)

    with scripted(answer) as url:
        connection = connect(settings=Settings(url, KEY))
        details = connection.client.create_pod(_request(connection))
        for pod in (details, connection.client.get_pod(details.id or "")):
            search.look_at_object("the pod", pod)
            search.look_at_object("the handle", Pod(connection, pod))
            search.look_at_object("the frame", pods_frame([pod]))
        disconnect()
    search.verdict(least=60)


def _request(connection: Any) -> CreateRequest:
    request = plan_launch(connection, parse_spec(body("train"), variable=variable)).request
    assert request is not None
    return request


def test_a_refusal_that_is_cut_short_holds_no_beginning_of_a_secret(relay: Relay, search: Search) -> None:
    request = _request(connect())
    # In steps in which at least one cut leaves so much of a secret that it would be found.
    lengths = range(230, 320, pick(18, 6))
    for length in lengths:
        for secret in (KEY, WANDB, JUPYTER):
            told = json.dumps({"detail": "x" * length + secret + " is refused"}).encode()
            with (
                scripted(lambda asked, told=told: Answered(400, told)) as url,
                Client(Settings(url, KEY)) as client,
            ):
                with pytest.raises(PodsError) as caught:
                    client.create_pod(request)
                look_at_error(search, caught.value, f"a refusal of {length} characters")
    search.verdict(least=len(lengths) * 3 * 8)


@pytest.mark.parametrize(
    ("stop", "seen"), [(KeyboardInterrupt, KeyboardInterrupt), (RuntimeError, OutcomeUnknown)]
)
def test_what_breaks_off_a_create_shows_no_secret(
    relay: Relay, search: Search, stop: type[BaseException], seen: type[BaseException]
) -> None:
    request = _request(connect())

    class Stopping(httpx.HTTPTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            raise stop("now")

    with Client(current().settings, http=Stopping()) as client, pytest.raises(seen) as caught:
        client.create_pod(request)
    look_at_error(search, caught.value, stop.__name__)
    search.verdict(least=8)


@pytest.mark.parametrize(
    "address", ["http://ada:{}@[::1", "ftp://ada:{}@127.0.0.1:1", "socks9://{}@127.0.0.1:1"]
)
def test_a_proxy_that_cannot_be_used_is_told_without_its_password(
    relay: Relay, search: Search, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", address.format(PROXY))
    with pytest.raises(NotConfigured, match="proxy") as caught:
        connect(settings=Settings("https://pods.test", KEY))
    look_at_error(search, caught.value, address)
    search.verdict(least=8)


@pytest.mark.parametrize("status", [None, 407, 502])
def test_a_proxy_that_refuses_is_told_without_its_password(
    relay: Relay, search: Search, monkeypatch: pytest.MonkeyPatch, status: int | None
) -> None:
    request = _request(connect())
    with (
        everything_logged() as log,
        scripted(lambda asked: Answered(status or 200, b"" if status else None)) as url,
    ):
        monkeypatch.setenv("HTTPS_PROXY", url.replace("//", f"//ada:{PROXY}@"))
        with Client(Settings("https://pods.test", KEY)) as client:
            search.look_at_object("the client", client)
            for call in (lambda: client.create_pod(request), lambda: client.list_all_pods(budget_s=0)):
                with pytest.raises(PodsError) as caught:
                    call()
                look_at_error(search, caught.value, f"a proxy that answers {status}")
    search.look("the log", log.getvalue())
    assert log.getvalue()
    search.verdict(least=25)


def test_every_command_has_its_cases() -> None:
    assert set(CASES) == set(COMMANDS)


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_is_found_in_every_form_and_by_any_part_of_it(name: str) -> None:
    secret = SECRETS[name]
    for form in forms_of(secret):
        for start in range(len(form) - SLICE + 1):
            search = Search({name: secret})
            search.look("a text", f"{'before'[: start % 6]} {form[start : start + SLICE]} after")
            with pytest.raises(AssertionError, match="hits, such as"):
                search.verdict(least=1)
    blind = Search({name: secret})
    blind.look("a text", f"before {secret[: SLICE - 1]} after")
    blind.verdict(least=1)
    with pytest.raises(AssertionError, match="only 1 texts"):
        blind.verdict(least=2)


def test_what_is_planted_in_an_object_or_a_file_is_found(tmp_path: Path) -> None:
    class Leaky:
        def __init__(self) -> None:
            self.note = WANDB

    (tmp_path / "kept.bin").write_bytes(b"\x00\xff" + pickle.dumps({"key": KEY}))
    for look in (
        lambda search: search.look_at_object("an object", Leaky()),
        lambda search: search.look_at_object("a model", PodSpec(name=WANDB)),
        lambda search: search.look_at_files(tmp_path),
        lambda search: look_at_error(search, InvalidRequest("no", detail=KEY), "an error"),
    ):
        search = Search(SECRETS)
        look(search)
        with pytest.raises(AssertionError, match="hits, such as"):
            search.verdict(least=1)


KEPT, TYPED = "kept-0123456789", "typed-0123456789"


@pytest.mark.parametrize(
    "cell",
    [
        "%pods ls",
        f"%pod_create --gpu L4_24GB --env A={TYPED}",
        f"%%pod_create\ngpu: L4_24GB\njupyter_password: {TYPED}",
    ],
)
def test_a_traceback_of_an_interrupt_shows_no_variable(bare_shell: Any, cell: str) -> None:
    main = threading.main_thread().ident or 0
    is_ready = False

    def answer(asked: Asked) -> Answered:
        if is_ready:
            signal.pthread_kill(main, signal.SIGINT)
        return Answered(503, b"", {"Retry-After": "30"})

    with scripted(answer) as url:
        bare_shell.run(f"%load_ext primepods_magic\nimport os\nos.environ['PRIME_API_BASE_URL'] = {url!r}")
        bare_shell.run(f"%xmode Verbose\nos.environ['PRIME_API_KEY'] = {KEY!r}\nmine = '{KEPT}'")
        is_ready = True
        with pytest.raises(KeyboardInterrupt) as caught:
            bare_shell.run(cell)
    assert KEPT not in bare_shell.output.error
    held = repr([frame.f_locals for frame in our_frames(caught.value)])
    assert [secret for secret in (KEPT, TYPED) if secret in held] == []
    bare_shell.run("%unload_ext primepods_magic")


def our_frames(error: BaseException) -> list[Any]:
    frames = [frame for frame, _ in walk_tb(error.__traceback__)]
    return [frame for frame in frames if "primepods_magic" in Path(frame.f_code.co_filename).parts]


def test_a_traceback_of_a_fault_keeps_its_lines_and_no_value(bare_shell: Any) -> None:
    class Faulty(PodsMagics):
        def _run_line(self, line: str, *rest: Any, **named: Any) -> Any:
            held = [line]
            try:
                raise ValueError(held)
            except ValueError:
                raise RuntimeError from None

    def fail() -> None:
        mine = [KEPT]
        raise KeyError(len(mine))

    seen: list[BaseException] = []
    try:
        fail()
    except KeyError as handled:
        with pytest.raises(RuntimeError) as caught:
            Faulty(bare_shell).pods(KEPT, local_ns={"mine": KEPT})
        seen += [handled, caught.value]
    users, ours = ([frame for frame, _ in walk_tb(error.__traceback__)] for error in seen)
    ours = [frame for frame in ours if frame.f_code.co_name in ("pods", "_run_line")]
    assert [frame.f_code.co_name for frame in ours] == ["pods", "_run_line"]
    assert KEPT not in repr([frame.f_locals for frame in ours])
    # What the user's code was handling is the user's.
    assert users[-1].f_locals == {"mine": [KEPT]}
