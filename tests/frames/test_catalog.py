"""Every column is declared once, and its frame, files, docs and shown formats follow that declaration."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from primepods_magic import costs
from primepods_magic.frames import load_frame, save_frame
from primepods_magic.frames.rendering.column_formats import views_of
from primepods_magic.frames.tables.catalog import COLUMNS, SHOWN, TABLES, meaning
from primepods_magic.frames.tables.schema import names_of
from tests.documents.frames import FRAMES

EMPTY = {frame.kind: frame.build() for frame in FRAMES}


@pytest.mark.parametrize("kind", TABLES)
def test_builds_a_frame_with_the_declared_names_and_dtypes(kind: str) -> None:
    dtypes = {column.name: column.dtype for column in TABLES[kind]}
    built = {name: str(dtype) for name, dtype in EMPTY[kind].dtypes.items()}
    if kind == "costs":
        # The columns of `compared` and `running` come in the order of the calls.
        assert built.items() <= dtypes.items()
    else:
        assert list(built.items()) == list(dtypes.items())


@pytest.mark.parametrize("kind", EMPTY)
def test_describes_and_formats_every_column(kind: str) -> None:
    names = [str(name) for name in EMPTY[kind].columns]
    assert all(meaning(name, kind) for name in names)
    views = views_of(kind, names)
    headings = [view.heading for view in views]
    assert set(headings) <= set(names)
    assert [view.rank for view in views] == [*range(len(views))]
    if kind in SHOWN:
        always, _, others = SHOWN[kind].partition("|")
        assert headings == [*always.split(), *others.split()]
        assert [view.heading for view in views if not view.may_hide] == always.split()


@pytest.mark.parametrize("name", [name for name, column in COLUMNS.items()])
def test_gives_columns_of_one_name_one_dtype(name: str) -> None:
    dtypes = {column.dtype for table in TABLES.values() for column in table if column.name == name}
    # Of a disk, `pods` are ids.
    assert len(dtypes) == 1 or name == "pods"


@pytest.mark.parametrize("kind", [kind for kind in EMPTY if kind != "disks"])
def test_loads_every_column_with_its_dtype(kind: str, tmp_path: Path) -> None:
    # A CSV file has no dtypes: without rows, only the name of a column says its dtype.
    loaded = load_frame(save_frame(EMPTY[kind], tmp_path / "frame.csv"))
    assert loaded.dtypes.astype(str).to_dict() == EMPTY[kind].dtypes.astype(str).to_dict()


@pytest.mark.parametrize(
    ("function", "kind"),
    [
        (costs.ledger, "ledger"),
        (costs.breakdown, "costs"),
        (costs.to_focus, "focus"),
        (costs.compared, "costs"),
        (costs.month, "month"),
        (costs.gpu_hour_prices, "prices"),
        (costs.spot_savings, "spot"),
        (costs.waste, "waste"),
    ],
)
def test_lists_the_columns_in_docstrings(function: object, kind: str) -> None:
    text = function.__doc__ or ""
    listed = [name for name in names_of(TABLES[kind]) if f"``{name}``  " in text or f"``{name}`` " in text]
    assert "{columns}" not in text
    assert listed
    for name in listed[-3:]:
        assert meaning(name, kind) in text


def test_declares_costs_that_add_no_other_columns() -> None:
    frame = pd.DataFrame({"period": pd.to_datetime([], utc=True), "cost_usd": pd.array([], "Float64")})
    assert set(costs.running(frame)) | set(costs.compared(frame, "M")) <= set(names_of(TABLES["costs"]))
