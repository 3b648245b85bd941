"""What people read: values as words, the columns shown, and text that is the same everywhere."""

from __future__ import annotations

import os
import re
import time
import unicodedata
from datetime import datetime, timezone
from html.parser import HTMLParser

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from primepods_magic.api.models import HistoryRow, Offer, PodDetails
from primepods_magic.api.text.sanitize import sanitize
from primepods_magic.frames import history_frame, offers_frame, pods_frame, status_frame
from primepods_magic.frames.rendering import DisplayTable, as_text, read_sheet, sheet_html, sheet_text
from primepods_magic.frames.rendering.as_html import _FILL, _TINT, MAX_BYTES
from primepods_magic.frames.rendering.interaction import SCRIPT, rank_values

from . import examples

NOW = datetime(2026, 9, 14, 8, 0, tzinfo=timezone.utc)


def sheet_of(
    frame: pd.DataFrame, kind: str, caption: str | None = None, total: int | None = None
) -> DisplayTable:
    return read_sheet(frame, kind, caption, total, list(frame.columns))


ALL = {
    "pods": pods_frame(examples.pods()),
    "status": status_frame(examples.statuses()),
    "offers": offers_frame(examples.offers()),
    "history": history_frame(examples.history(), NOW),
    "teams": pd.DataFrame({"name": ["a"], "team_id": ["b" * 25], "role": ["ADMIN"]}),
}


class _Checked(HTMLParser):
    """Fails where tags are not closed, and collects what is in the page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open += [tag] if tag != "wbr" else []
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


HOSTILE = "<img src=x onerror=alert(1)>\"'&<script>alert(2)</script>"  # longer than any column


@pytest.mark.parametrize("hostile", [HOSTILE, "<hr>'\"&"], ids=["long", "short"])
def test_what_the_service_says_cannot_become_markup(hostile: str) -> None:
    pod = PodDetails(
        name=hostile, status=hostile, id=hostile, gpu_name=hostile, provider_type=hostile,
        installation_status=hostile, ssh_connection="root@203.0.113.1 -p 22", gpu_count=1, price_hr=1,
    )  # fmt: skip
    offer = Offer(
        gpu_type=hostile, provider=hostile, region=hostile, stock_status=hostile, cloud_id=hostile,
        prices={"onDemand": 1.0, "currency": hostile},
    )  # fmt: skip
    page = _Checked(
        sheet_html(sheet_of(pods_frame([pod]), "pods", caption=hostile))
        + sheet_html(sheet_of(offers_frame([offer]), "offers"))
        + sheet_html(sheet_of(pd.DataFrame({hostile: [hostile]}), hostile, total=7))
    )
    assert page.tags <= set("div table thead tbody tr th td span bdi style wbr".split())
    ours = {"class", "style", "title", "scope", "tabindex", "role", "aria-label"}
    assert page.attributes <= ours
    assert hostile in page.text


@pytest.mark.parametrize("kind", ALL)
def test_html_needs_nothing_from_elsewhere_and_runs_our_script_alone(kind: str) -> None:
    html = sheet_html(sheet_of(ALL[kind], kind))
    _Checked(html)
    assert html.count("<script") == html.count(SCRIPT) == (len(ALL[kind]) >= 6)
    rest = html.replace(SCRIPT, "").partition("<tbody>")[0]
    assert not re.search(r"<link|url\(|https?:|@import| on\w+=", rest)


@pytest.mark.parametrize("kind", ALL)
def test_no_color_is_put_together_of_variables(kind: str) -> None:
    """euporie shows no output any more after one that it cannot read."""
    assert not re.search(r"\brgba?\([^)]*var\(", sheet_html(sheet_of(ALL[kind], kind)))


def test_the_script_is_small_and_makes_no_markup_of_text() -> None:
    assert len(SCRIPT.encode()) < 3_000
    source = SCRIPT.removeprefix("<script>").removesuffix("</script>")
    assert "<" not in re.sub(r"<=? ", "", source)
    assert not re.search(r"HTML|eval|Function|import|fetch|XML|window|localStorage|http|cookie", source)
    # Everything is within one function, so that no name stays behind.
    assert source.startswith("(() => {")
    assert source.endswith("})()")


def test_an_output_has_as_many_rows_as_fit_and_says_how_many_are_missing() -> None:
    pods = [PodDetails(name=f"pod-{n}", id=f"{n:032}", price_hr=n, gpu_name="é" * n) for n in range(1_000)]
    frame = pods_frame(pods)
    html = sheet_html(read_sheet(frame, "pods", "sandbox", None, list(frame.columns), 250))
    shown = html.count("<tr><td>")
    assert 27_000 < len(html.encode()) <= MAX_BYTES
    assert 50 < shown < 250
    assert f">… {1_000 - shown} more rows<" in html
    # The filter does not search the others, and says so.
    assert f' data-part=" (first {shown} of 1,000 rows)">' in html
    assert html == sheet_html(read_sheet(frame, "pods", "sandbox", None, list(frame.columns), 250))


def test_the_newest_rows_fit_if_the_oldest_are_first() -> None:
    days = pd.date_range("2020-01-01", periods=1_000, tz="UTC")
    frame = pd.DataFrame({"period": days, "cost_usd": range(1_000), "project": ["a project " * 9] * 1_000})
    html = sheet_html(read_sheet(frame, "costs", None, None, list(frame.columns), 250))
    assert f"<td>{days[-1]:%Y-%m-%d}</td>" in html
    assert 'data-end="1"' in html
    assert re.search(r"… \d+ earlier rows", html)
    assert re.search(r' data-part=" \(last \d+ of 1,000 rows\)"', html)


@pytest.mark.parametrize(
    ("values", "ranks"),
    [
        ([3, 1, 2], "020001"),
        ([1.5, None, float("nan"), -1.0], "01zzzz00"),
        (["b", "A", "c"], "010002"),
        (["Low", "Available", "high", "LOW"], "02000102"),
        ([pd.Timestamp(2026, 1, 2), pd.NaT, pd.Timestamp(2026, 1, 1)], "01zz00"),
        ([1, "one", 2], "000201"),
        ([[2], [1]], "0100"),
        ([7, 7], ""),
        ([None, None], ""),
        ([], ""),
    ],
)
def test_rows_are_sorted_by_values_not_by_what_is_shown(values: list[object], ranks: str) -> None:
    assert rank_values(values) == ranks


@pytest.mark.parametrize("kind", ALL)
def test_text_does_not_depend_on_the_computer(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = sheet_text(sheet_of(ALL[kind], kind))
    monkeypatch.setattr(os, "get_terminal_size", lambda *_: os.terminal_size((20, 5)))
    monkeypatch.setenv("COLUMNS", "20")
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    with pd.option_context("display.width", 20, "display.max_columns", 1, "display.max_rows", 1):
        assert sheet_text(sheet_of(ALL[kind], kind)) == usual


@pytest.mark.parametrize("kind", ALL)
def test_a_line_of_text_fits_and_has_no_blanks_at_its_end(kind: str) -> None:
    for line in sheet_text(sheet_of(ALL[kind], kind, caption="sandbox")).splitlines():
        assert len(line) <= 110
        assert line == line.rstrip()


@pytest.mark.parametrize("width", [60, 80, 200])
@pytest.mark.parametrize("kind", ALL)
def test_text_fits_into_a_terminal_without_cutting_a_word(kind: str, width: int) -> None:
    sheet = sheet_of(ALL[kind], kind, caption="sandbox · " + "a caption of several words, " * 9)
    lines = sheet_text(sheet, width).splitlines()
    assert all(as_text._count_cells(line) <= width for line in lines)
    rule = next(index for index, line in enumerate(lines) if line.startswith("─"))
    # The parts of folded headings end with an underscore.
    words = re.findall(r"[^\s_]+_?", "\n".join([*lines[:rule], *lines[rule + 1 :][: sheet.rows]]))
    assert words
    assert set(words) <= set(re.findall(r"[^\s_]+_?", sheet_text(sheet, 10_000)))


def test_columns_that_do_not_fit_are_named() -> None:
    frame = pods_frame([PodDetails(name="train", provider_type="runpod", id="f" * 10)])
    sheet = sheet_of(frame, "pods")
    assert sheet_text(sheet, 40).endswith("not shown: provider, id and 30 more\n  columns: _.columns")
    assert "not shown" not in sheet_text(sheet, 80)


def test_pods_read_as_meant() -> None:
    pods = [
        PodDetails.model_validate(
            {
                "name": "m-7b", "status": "ACTIVE", "installationStatus": "FINISHED", "id": "f" * 32,
                "gpuName": "H100_80GB", "gpuCount": 8, "priceHr": 18.7168, "providerType": "runpod",
                "installationProgress": 100, "sshConnection": "me@192.0.2.9 -p 22",
                "createdAt": "2026-09-14T08:00:31Z",
            }
        ),
        PodDetails(
            name="eval", status="PROVISIONING", installation_status="IN_PROGRESS", installation_progress=42.5
        ),
    ]  # fmt: skip
    text = sheet_text(sheet_of(pods_frame(pods), "pods", "sandbox · 2 pods · $18.72/h", total=143))
    assert text == "\n".join(
        [
            "sandbox · 2 pods · $18.72/h",
            "",
            "                                gpu_  price_",
            "name  status        gpu        count  usd_hr  ssh                     "
            "installation_status  created_at UTC",
            "────  ────────────  ─────────  ─────  ──────  ──────────────────────  "
            "───────────────────  ────────────────",
            "m-7b  ACTIVE        H100_80GB      8   18.72  ssh me@192.0.2.9 -p 22  "
            "COMPLETE             2026-09-14 08:00",
            "eval  PROVISIONING  –              –       –  –                       IN_PROGRESS 42.5 %   –",
            "2 of 143 pods · not shown: provider, id and 26 more columns: _.columns",
        ]
    )
    html = sheet_html(sheet_of(pods_frame(pods), "pods"))
    assert "2026-09-14 08:00<" in html
    assert ">UTC</span></th>" in html
    assert "width:42.5%" in html


def test_awkward_history_reads_as_meant() -> None:
    folded, head, _, *lines = sheet_text(sheet_of(ALL["history"], "history")).splitlines()
    assert (folded.split()[0], head.split()[0]) == ("gpu_", "name")
    assert "8 h" in lines[0]
    assert "-5 s" not in lines[2]
    assert "31 d" in lines[3]


def test_prices_in_another_currency_say_so() -> None:
    offers = [
        Offer(prices={"onDemand": price, "currency": sign})
        for price, sign in ((2.1, "USD"), (1.2, "EUR"), (3, "SEK"))
    ]
    text = sheet_text(sheet_of(offers_frame(offers), "offers"))
    assert "$2.10" in text
    assert "€1.20" in text
    assert "3.00 SEK" in text


@pytest.mark.parametrize(("rows", "shown"), [(60, 60), (61, 50), (143, 50)])
def test_long_frames_are_cut_and_say_by_how_much(rows: int, shown: int) -> None:
    sheet = sheet_of(pods_frame([PodDetails(name=f"pod-{n}") for n in range(rows)]), "pods")
    html, text = sheet_html(sheet), sheet_text(sheet)
    assert html.count("<tr><td>") == shown
    assert sum(line.startswith("pod-") for line in text.splitlines()) == shown
    said = f"… {rows - shown} more rows"
    assert (said in html, said in text) == ((True, True) if rows > shown else (False, False))


def test_the_points_of_a_column_line_up() -> None:
    rows = [
        HistoryRow(name=name, gpu_count=1, price_hr=price, total_billed_price=price / 3,
                   created_at="2026-09-01T00:00:00Z", terminated_at=end)
        for name, price, end in (
            ("large", 1234.5, "2026-09-08T08:30:00Z"),
            ("small", 0.069, "2026-09-01T12:00:00Z"),
        )
    ]  # fmt: skip
    lines = sheet_text(sheet_of(history_frame(rows, NOW), "history"), 200).splitlines()
    head, *rows_shown = (re.split(r"\s{2,}", line) for line in (lines[0], *lines[2:4]))
    cells = [dict(zip(head, row, strict=True)) for row in rows_shown]
    assert [cell["price_usd_hr"] for cell in cells] == ["1,234.50", "0.07"]
    assert [cell["gpu_hours"] for cell in cells] == ["176.50", "12.00"]
    for large, small in zip(re.finditer(r"\d\.\d", lines[2]), re.finditer(r"\d\.\d", lines[3]), strict=True):
        assert large.start() == small.start()


def test_a_balance_that_lasts_for_years_says_years() -> None:
    frame = pd.DataFrame({"wallet": ["mine", "team"], "hours_left": [28_570.22, 46.31]})
    text = sheet_text(read_sheet(frame, "month", None, None, list(frame.columns)))
    assert re.search(r"mine +3\.3 years\nteam +46\.3 h", text)


def test_nothing_is_said_once() -> None:
    empty = pods_frame([])
    assert sheet_text(sheet_of(empty, "pods")) == "no pods"
    assert sheet_text(sheet_of(empty, "pods", "sandbox")) == "sandbox\nno pods"
    assert sheet_text(sheet_of(empty, "pods", "sandbox · no pods")) == "sandbox · no pods"
    assert "no pods" in sheet_html(sheet_of(empty, "pods"))


def test_a_heading_tells_what_its_column_means_and_one_of_the_users_does_not() -> None:
    frame = pods_frame([PodDetails(name="train", price_hr=2.0)]).assign(mine=[1])
    html = sheet_html(read_sheet(frame, "pods", None, None, known=list(frame.columns[:-1])))
    plain = html.replace("<wbr>", "")
    heads = dict(re.findall(r'<th scope="col"(?: title="([^"]*)")?>([^<]*)</th>', plain))
    titles = {name: title for title, name in heads.items()}
    assert titles["price_usd_hr"] == "USD per hour, in total"
    assert titles["mine"] == ""


def test_columns_that_the_user_added_are_shown() -> None:
    frame = pods_frame([PodDetails(name="train")])
    known = list(frame.columns)
    frame["my_note"] = ["keep"]
    assert "keep" in sheet_text(read_sheet(frame, "pods", None, None, known))


def test_columns_that_the_user_dropped_or_changed_do_no_harm() -> None:
    frame = pods_frame(examples.pods())
    known = list(frame.columns)
    frame["price_usd_hr"] = "dear"
    frame["installation_progress"] = [["a", "list"]] * len(frame)
    del frame["gpu_count"], frame["status"]
    text = sheet_text(read_sheet(frame, "pods", None, None, known))
    assert "dear" in text
    assert "H100_80GB" in text


def test_names_cannot_move_the_cursor_or_turn_the_line_around() -> None:
    said = sanitize("a\x1b[31m\nb\u202ec\ud800\x00")
    assert said == "a\ufffd[31m b\ufffdc\ufffd\ufffd"
    said.encode("utf-8")


def test_wide_characters_keep_the_columns_in_line() -> None:
    frame = pods_frame(
        [PodDetails(name="実験モデル", status="ACTIVE"), PodDetails(name="e\u0301tude", status="ERROR")]
    )
    head, rule, wide, narrow = sheet_text(sheet_of(frame, "pods")).splitlines()[:4]
    place = head.index("status")
    assert rule[place - 1 : place + 1] == " ─"
    assert len(wide.partition("ACTIVE")[0]) == place - 5
    assert len(narrow.partition("ERROR")[0]) == place + 1


def _luminance(colour: tuple[float, ...]) -> float:
    parts = [c / 255 for c in colour]
    red, green, blue = (p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _contrast(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _over(below: tuple[float, ...], above: tuple[float, ...], share: float) -> tuple[float, ...]:
    return tuple(b * (1 - share) + a * share for b, a in zip(below, above, strict=True))


@pytest.mark.parametrize(
    ("text", "strength", "ground"), [(0, 0.87, 245), (255, 1.0, 33)], ids=["light", "dark"]
)
def test_text_and_bars_stand_out_on_light_and_on_dark(text: int, strength: float, ground: int) -> None:
    # JupyterLab's text on its darker (in the dark: lighter) stripe of a table.
    below = (ground,) * 3
    html = sheet_html(sheet_of(ALL["pods"], "pods"))
    tints = re.findall(r"--t:rgba\((\d+),(\d+),(\d+),\.16\)", html)
    assert len(tints) == len(_TINT)
    for tint in tints:
        badge = _over(below, tuple(map(float, tint)), 0.16)
        assert _contrast(_over(badge, (text,) * 3, strength), badge) >= 4.5
    assert _contrast(_over(below, (text,) * 3, strength * 0.75), below) >= 4.5
    for colour in _FILL.values():
        fill = tuple(int(colour[at : at + 2], 16) for at in (1, 3, 5))
        assert _contrast(fill, below) >= 2.9


def test_every_colour_goes_with_a_word() -> None:
    badges = re.findall(r'class="b [^>]*>([^<]*)<', sheet_html(sheet_of(ALL["pods"], "pods")))
    assert badges
    for badge in badges:
        assert any(unicodedata.category(character).startswith("L") for character in badge)


def cut_one_by_one(text: str, most: int) -> str:
    """What is shown of a long text, by the plainest way to find it."""
    if as_text._count_cells(text) <= most:
        return text
    while as_text._count_cells(text) > most - 1:
        text = text[:-1]
    return text.rstrip() + "…"


@given(st.text(st.sampled_from("ab 日é\u0301\u0300🚀") | st.characters(), max_size=40), st.integers(1, 12))
def test_a_text_is_cut_where_it_no_longer_fits(text: str, most: int) -> None:
    assert as_text._shorten_text(text, most) == cut_one_by_one(text, most)


@pytest.mark.parametrize("character", ["E", "日", "\u0301"])
def test_cutting_looks_at_each_character_once_or_twice(
    character: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = 0
    cells = as_text._measure_character

    def count(character: str) -> int:
        nonlocal looked
        looked += 1
        return cells(character)

    monkeypatch.setattr(as_text, "_measure_character", count)
    as_text._shorten_text(character * 100_000, 24)
    assert looked <= 200_000


def test_a_very_long_text_is_not_shown_whole() -> None:
    frame = pods_frame([PodDetails(id="a", name="n" * 1_000_000, installationFailure="E" * 1_000_000)])
    sheet = read_sheet(frame, "pods", "c" * 1_000_000, None, list(frame.columns))
    assert len(sheet_text(sheet)) < 10_000
    assert len(sheet_html(sheet)) < 20_000


def test_columns_are_left_out_in_linear_time() -> None:
    frame = pd.DataFrame({f"column{n}": ["value"] for n in range(3_000)})
    sheet = read_sheet(frame, "pods", None, None, [])
    began = time.process_time()
    lines = sheet_text(sheet).splitlines()
    assert time.process_time() - began < 0.5
    assert lines[0].split() == [f"column{n}" for n in range(12)]
    assert lines[-1].endswith("and 2982 more columns: _.columns")
