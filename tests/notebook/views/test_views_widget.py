"""The widget: what is sent, what is said, and that nothing of it is left."""

from __future__ import annotations

import os
import re
import threading
from html.parser import HTMLParser
from typing import Any

import comm
import ipywidgets
import pytest
from comm.base_comm import BaseComm
from jupyter_client.manager import start_new_kernel

from primepods_magic.notebook.progress.html import static_html, static_text
from primepods_magic.notebook.progress.open_view import open_view
from primepods_magic.notebook.progress.view import View
from primepods_magic.pods.watching.snapshot import Estimate, changes_between
from tests.notebook.views.snapshots import EIGHT, FrontEnd, failed, pod, ready, snapshot

WIDGET = "application/vnd.jupyter.widget-view+json"
HOSTILE = '</div><script>alert(1)</script>"\' onmouseover="x'


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, Any]]]:
    """Every message that a widget sends to the front end."""
    messages: list[tuple[str, dict[str, Any]]] = []

    class Recorded(BaseComm):
        def publish_msg(self, msg_type: str, data: Any = None, *_: Any, **__: Any) -> None:
            messages.append((msg_type, data or {}))

    monkeypatch.setattr(comm, "create_comm", Recorded)
    return messages


def updates(sent: list[tuple[str, dict[str, Any]]]) -> list[dict[str, Any]]:
    return [data["state"] for kind, data in sent if kind == "comm_msg"]


def last_html(front_end: FrontEnd) -> str:
    html: str = front_end.shown[-1][0]["text/html"]
    return html


def open_widgets() -> int:
    return len(ipywidgets.widgets.widget._instances)


class Elements(HTMLParser):
    """The tags of a piece of HTML with their attributes, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    @property
    def bars(self) -> list[dict[str, str | None]]:
        return [attributes for _, attributes in self.tags if attributes.get("role") == "progressbar"]


def test_it_is_displayed_once_with_text_for_whoever_has_no_widgets(sent):
    front_end = FrontEnd()
    view = open_view(front_end)
    for progress in (10, 20):
        view.show(snapshot(pod("train", "ACTIVE", "IN_PROGRESS", progress)))
    (widget, _, _), (static, transient, update), (later, same, is_update) = front_end.shown
    assert widget[WIDGET]["model_id"] in ipywidgets.widgets.widget._instances
    assert widget["text/plain"] == ""
    said = static["text/plain"].splitlines()
    assert said[:2] == ["train  installing 10 %", "as of 08:00 UTC"]
    assert "train was still running, and is billed until terminated. Run %load_ext primepods_magic" in said[2]
    assert "as of 08:00 UTC" in Elements(static["text/html"]).text
    assert transient["display_id"] == same["display_id"]
    assert (update, is_update) == (False, True)
    assert later["text/plain"].startswith("train  installing 20 %")
    view.finish(snapshot(ready()))


def test_only_the_row_that_changed_is_sent(sent):
    view = open_view(FrontEnd())
    others = [ready("a", createdAt=None), failed("c", createdAt=None)]

    def at(progress: int) -> Any:
        return snapshot(others[0], pod("b", "ACTIVE", "IN_PROGRESS", progress, createdAt=None), others[1])

    view.show(at(40))
    sent.clear()
    view.show(at(40))
    assert sent == []
    view.show(at(46))
    row, totals = [Elements(state["value"]) for state in updates(sent)]
    assert row.bars[0]["data-pod"] == "b"
    assert row.bars[0]["aria-valuenow"] == "46"
    assert totals.bars[0]["data-pod"] == "3 pods"
    sent.clear()
    view.show(at(46))
    assert sent == []
    view.finish(at(46))


def test_the_passing_of_time_is_one_message_for_all_rows_and_replaces_none(sent):
    """Somebody may be selecting a command."""
    view = open_view(FrontEnd())
    pods = [ready("a"), pod("b", "ACTIVE", "IN_PROGRESS", 40), failed("c")]
    view.show(snapshot(*pods))
    sent.clear()
    left = {pods[1].id: Estimate(left_s=42, cost_usd=0.123)}
    view.show(snapshot(*pods, after=75, outlooks=left))
    (state,) = updates(sent)
    said = re.findall(r'-(\d)-(.)::after\{content:"(.*?)"\}', state["value"])
    assert said == [
        *[("1", "t", "1 min 15 s"), ("1", "c", "")],
        *[("2", "t", "1 min 15 s · about 40 s left"), ("2", "c", "≈ $0.12")],
        *[("3", "t", "1 min 15 s"), ("3", "c", "")],
    ]
    view.finish(snapshot(*pods))
    view.close()


def test_messages_are_as_many_as_the_rows_that_changed_and_not_as_those_shown(sent):
    view = open_view(FrontEnd())

    def at(*progress: int) -> Any:
        return snapshot(*(pod(f"pod-{n}", "ACTIVE", "IN_PROGRESS", p) for n, p in enumerate(progress)))

    view.show(at(*[10] * 200))
    rows = len(ipywidgets.widgets.widget._instances[view.view._box.model_id].children)
    assert rows < 30
    said = str(ipywidgets.widgets.widget._instances)
    shown = [n for n in range(200) if f"pod-{n}<" in said]
    assert len(shown) == 20
    for changed in (1, 5, 15):
        sent.clear()
        view.show(at(*(20 + changed if n in shown[:changed] else 10 for n in range(200))))
        assert len(updates(sent)) <= changed + 3
    view.close()


def test_what_failed_has_a_row_and_the_rest_is_counted(sent):
    view = open_view(FrontEnd())
    pods = [ready(f"pod-{n}") for n in range(100)]
    view.show(snapshot(*pods))
    pods[40] = failed("pod-40")
    view.show(snapshot(*pods))
    said = [state.get("value", "") for state in updates(sent)]
    assert any("pod-40" in value and "no space left" in value for value in said)
    assert any("and 80 more: 80 ready" in value for value in said)
    view.finish(snapshot(*pods))
    view.close()


def test_a_screen_reader_hears_of_each_change_of_state_once(sent):
    view = open_view(FrontEnd())
    view.show(snapshot(pod("a", "PENDING"), pod("b", "PENDING")))
    steps = [
        (pod("a", "ACTIVE", "IN_PROGRESS", 10), "a is installing 10 %"),
        (pod("a", "ACTIVE", "IN_PROGRESS", 20), None),
        (pod("a", "ACTIVE", "IN_PROGRESS", 30), None),
        (ready("a"), "a is ready"),
        (pod("a", "TERMINATED"), "a is terminated"),
    ]
    before, heard = pod("a", "PENDING"), []
    for now, _ in steps:
        sent.clear()
        changes = changes_between({before.id: before}, [now], EIGHT)
        view.show(snapshot(now, pod("b", "PENDING"), changes=changes))
        said = [Elements(state.get("value", "")) for state in updates(sent)]
        status = [one for one in said if any(a.get("role") == "status" for _, a in one.tags)]
        heard.append(status[0].text if status else None)
        assert len(status) <= 1
        before = now
    assert heard == [said for _, said in steps]
    view.close()


def test_who_does_not_want_to_watch_any_more_can_say_so(sent):
    asked: list[bool] = []
    before = open_widgets()
    view = open_view(FrontEnd(), on_stop=lambda: asked.append(True))
    view.show(snapshot(pod("a")))
    (button,) = [w for w in ipywidgets.widgets.widget._instances.values() if isinstance(w, ipywidgets.Button)]
    button.click()
    assert asked == [True]
    assert button.disabled
    view.finish(snapshot(pod("a")))
    view.close()
    assert open_widgets() == before


def test_a_bar_says_what_it_is_to_a_screen_reader(sent):
    view = open_view(FrontEnd())
    view.show(snapshot(pod("train", "ACTIVE", "IN_PROGRESS", 40)))
    view.show(snapshot(pod("train", "ACTIVE", "IN_PROGRESS", 60)))
    row = Elements(updates(sent)[-1]["value"])
    wanted = {"aria-label": "train", "aria-valuemin": "0", "aria-valuemax": "100", "aria-valuenow": "60"}
    assert wanted.items() <= row.bars[0].items()
    assert "installing 60 %" in row.text
    assert any("--primepods-from:40%" in (attributes.get("style") or "") for _, attributes in row.tags)
    view.finish(snapshot(ready()))


def test_a_bar_of_unknown_reach_claims_no_value():
    (bar,) = Elements(static_html(snapshot(pod("train", "ACTIVE", "REBOOTING")))).bars
    assert "aria-valuenow" not in bar


@pytest.mark.parametrize(
    "watched",
    [
        pod(HOSTILE, HOSTILE, HOSTILE, gpuName=HOSTILE),
        failed(HOSTILE, reason=HOSTILE),
        ready(sshConnection=f"root@{HOSTILE}"),
    ],
)
def test_what_the_service_says_is_text_and_never_markup(watched):
    shown = Elements(static_html(snapshot(watched, pod("b"), trouble=HOSTILE)))
    assert {tag for tag, _ in shown.tags} <= {"div", "span", "b", "bdi", "code", "time"}
    assert not any("onmouseover" in attributes for _, attributes in shown.tags)
    assert HOSTILE in shown.text


def test_the_last_state_replaces_the_widget_and_closing_leaves_no_widget(sent):
    before = open_widgets()
    front_end = FrontEnd()
    view = open_view(front_end)
    view.show(snapshot(pod("a"), pod("b"), trouble="no answer"))
    assert open_widgets() > before
    for _ in range(2):
        view.finish(snapshot(ready("a"), failed("b"), after=60))
    view.show(snapshot(pod("a")))
    # A page that was loaded again shows the widget still, which says the same.
    box = ipywidgets.widgets.widget._instances[view.view._box.model_id]
    (remaining,) = box.children
    texts = [re.sub("<style>.*?</style>", "", html) for html in (remaining.value, last_html(front_end))]
    assert Elements(texts[0]).text == Elements(texts[1]).text
    assert open_widgets() <= before + 5
    view.close()
    assert open_widgets() == before
    widget, first, emptied, last = front_end.shown
    assert emptied == ({"text/plain": ""}, widget[1], True)
    assert first[1] == last[1]
    assert last[2]
    assert set(last[0]) == {"text/html", "text/plain"}
    assert last[0]["text/plain"].startswith(
        "a  ready  ssh root@203.0.113.7 -p 22\nb  failed  no space left\nas of 08:01 UTC\n"
    )
    opened = [kind for kind, _ in sent].count("comm_open")
    assert [kind for kind, _ in sent].count("comm_close") == opened


def test_widgets_are_closed_even_when_the_front_end_refuses_the_last_state(sent, monkeypatch):
    before = open_widgets()
    front_end = FrontEnd()
    view = open_view(front_end)
    view.show(snapshot(pod()))
    monkeypatch.setattr(view.view, "_publisher", None)
    view.finish(snapshot(ready()))
    view.close()
    assert open_widgets() == before


def test_pods_that_join_and_leave_get_and_lose_their_rows(sent):
    view = open_view(FrontEnd())
    view.show(snapshot(pod("a")))
    view.show(snapshot(pod("a"), pod("b")))
    joined = updates(sent)[-1]["children"]
    view.show(snapshot(pod("a")))
    assert len(updates(sent)[-1]["children"]) == len(joined) - 2
    view.show(snapshot(pod("a"), pod("c", "PENDING")))
    assert any("starting" in state.get("value", "") for state in updates(sent))
    view.finish(snapshot(ready()))


def test_trouble_comes_and_goes_above_the_rows(sent):
    view = open_view(FrontEnd())
    view.show(snapshot(pod("a")))
    calm = ipywidgets.widgets.widget._instances[view.view._box.model_id].children
    view.show(snapshot(pod("a"), trouble="no answer"))
    troubled = ipywidgets.widgets.widget._instances[view.view._box.model_id].children
    (added,) = set(troubled) - set(calm)
    assert "<b>Not up to date since 08:00:00 UTC</b>: no answer" in added.value
    view.show(snapshot(pod("a")))
    assert ipywidgets.widgets.widget._instances[view.view._box.model_id].children == calm
    view.finish(snapshot(ready()))


def test_two_threads_may_show_and_finish_at_once(sent):
    before = open_widgets()
    view: View = open_view(FrontEnd())
    view.show(snapshot(pod("a")))

    def poll() -> None:
        for progress in range(200):
            view.show(snapshot(pod("a", "ACTIVE", "IN_PROGRESS", progress / 2)))

    threads = [threading.Thread(target=poll) for _ in range(3)]
    for thread in threads:
        thread.start()
    view.finish(snapshot(ready("a")))
    for thread in threads:
        thread.join()
    view.close()
    assert open_widgets() == before


def test_the_text_form_says_that_it_is_not_up_to_date():
    shown = static_text(snapshot(pod("train", "PENDING"), trouble="no answer"))
    assert shown == "Not up to date since 08:00:00 UTC: no answer\ntrain  starting\nas of 08:00 UTC"


def test_in_a_real_kernel_the_display_is_replaced_from_a_thread_after_its_cell():
    cells = [
        "import threading\n"
        "from primepods_magic.notebook.progress.open_view import open_view\n"
        "from tests.notebook.views.snapshots import *\n"
        "view = open_view(get_ipython())\n"
        "view.show(snapshot(pod('train', 'PENDING')))",
        "def work():\n"
        "    view.show(snapshot(pod('train', 'ACTIVE', 'IN_PROGRESS', 40)))\n"
        "    view.finish(snapshot(ready())); view.close()\n"
        "thread = threading.Thread(target=work); thread.start(); thread.join()",
        "import ipywidgets; print(len(ipywidgets.widgets.widget._instances))",
    ]
    seen: list[tuple[str, Any]] = []
    manager, client = start_new_kernel(env=dict(os.environ), cwd=os.getcwd())
    client.session.metadata = {"cellId": "one"}
    try:
        for cell in cells:
            request = client.execute(cell, allow_stdin=True)
            # Everything is kept, for the update belongs to a cell that ended long ago.
            while True:
                message = client.get_iopub_msg(timeout=60)
                seen.append((message["msg_type"], message["content"]))
                idle = message["content"].get("execution_state") == "idle"
                if idle and message["parent_header"].get("msg_id") == request:
                    break
            reply = client.get_shell_msg(timeout=60)
            assert reply["content"]["status"] == "ok", reply["content"]
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
        manager.cleanup_resources()
    widget, static = [content for kind, content in seen if kind == "display_data"]
    installing, emptied, update = [content for kind, content in seen if kind == "update_display_data"]
    assert widget["transient"] == emptied["transient"]
    assert static["transient"] == installing["transient"] == update["transient"]
    assert WIDGET in widget["data"]
    assert emptied["data"] == {"text/plain": ""}
    assert set(update["data"]) == {"text/html", "text/plain"}
    assert "train  ready  ssh root@203.0.113.7 -p 22" in update["data"]["text/plain"]
    kinds = [kind for kind, _ in seen]
    assert kinds.count("comm_close") == kinds.count("comm_open") > 0
    assert [content["text"] for kind, content in seen if kind == "stream"] == ["0\n"]
