"""What a person does first, by the package that is installed and nothing of the checkout.

Run by the Python that it is installed for, in an empty folder and with an empty home. With ``--extras``,
plots, Parquet and Excel files are tried as well. Prints one line.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import httpx
from IPython.core.interactiveshell import InteractiveShell

import primepods_magic

NAME = "primepods_magic"
# The sandbox's pods take about ten seconds to come up; nobody waits for that here.
COMES_UP_WITHIN_S = 30


class Cells:
    """Runs cells in an IPython of their own, quietly."""

    def __init__(self) -> None:
        self._shell: Any = InteractiveShell.instance()
        self.said = ""

    def run(self, code: str) -> Any:
        """What the cell answers; raises what it raised."""
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            outcome = self._shell.run_cell(code)
        self.said = said.getvalue()
        outcome.raise_error()
        return outcome.result


def is_what_was_installed() -> str:
    """Its version, once it is sure that this is not a checkout."""
    version = metadata.version(NAME)
    place = Path(primepods_magic.__file__)
    assert place.is_relative_to(sys.prefix), f"{place} is not in {sys.prefix}"
    assert primepods_magic.__version__ == version, f"{primepods_magic.__version__} calls itself {version}"
    return version


def a_pod(cells: Cells) -> str:
    """Rent one, wait until it is ready, end it."""
    offers = cells.run("%pods avail --gpu H100_80GB")
    assert len(offers) > 0, "nothing to rent"
    pod = cells.run("%%pod_create\nname: smoke\ngpu: H100_80GB\n")
    assert pod.name == "smoke", pod
    url = primepods_magic.connect(sandbox=True).settings.base_url
    moved = httpx.post(f"{url}/sandbox/clock", json={"advance_s": COMES_UP_WITHIN_S}, trust_env=False)
    assert moved.is_success, moved.text
    waited = cells.run("%pods wait smoke --timeout 30")
    assert list(waited["installation_status"]) == ["COMPLETE"], waited
    ended = cells.run("%pods rm smoke")
    assert list(ended["outcome"]) == ["terminated"], ended
    return f"{len(offers)} offers, 1 pod"


def its_cost(cells: Cells, with_extras: bool) -> str:
    """Find it in the history, and where the money went."""
    history = cells.run("%pods history")
    assert "smoke" in set(history["name"]), history
    costs = cells.run(f"%pods costs --freq M {'--plot' if with_extras else ''}")
    assert costs["cost_usd"].sum() > 0, costs
    for file in ("history.csv", "history.parquet") if with_extras else ("history.csv",):
        cells.run(f"%pods history --save {file}")
        back = primepods_magic.costs.load_frame(file)
        assert list(back["name"]) == list(history["name"]), file
    if with_extras:
        cells.run("%pods history --save history.xlsx")
        assert Path("history.xlsx").stat().st_size > 0
    return f"{len(history)} rows of history, ${costs['cost_usd'].sum():,.2f}"


def main(with_extras: bool) -> None:
    version = is_what_was_installed()
    for extra in ("matplotlib", "pyarrow", "openpyxl") if with_extras else ():
        assert importlib.util.find_spec(extra), f"{extra} is not installed"
    cells = Cells()
    cells.run(f"%load_ext {NAME}")
    cells.run("%pods connect --sandbox")
    assert "nothing is billed" in cells.said, cells.said
    done = [a_pod(cells), its_cost(cells, with_extras)]
    cells.run(f"%unload_ext {NAME}")
    python = ".".join(str(part) for part in sys.version_info[:3])
    print(f"{NAME} {version} on Python {python}: {', '.join(done)}")


if __name__ == "__main__":
    main("--extras" in sys.argv[1:])
