"""Sorting, filtering and paging of an HTML table, by a script in the output itself.

Front ends run it in trusted notebooks; anywhere else, the table is whole and plain. The script reads nothing
but the table, loads nothing, writes text only as text, and defines no names. Views of one output have their
own state.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .formatting import is_missing

__all__ = ["MAX_RANKED_ROWS", "PAGE_ROWS", "SCRIPT", "rank_values"]

PAGE_ROWS = 20
MAX_RANKED_ROWS = 36 * 36 - 1

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_MISSING = "zz"
_LEVELS = ("available", "high", "medium", "low", "unavailable")

# `data-o` has two characters for each row, its rank by this column in base 36; "zz" comes last either way.
_SOURCE = """<script>(() => {
for (const box of document.querySelectorAll(".primepods")) {
  const table = box.querySelector("table[data-page]");
  if (!table || box.primepods) continue;
  box.primepods = true;
  box.dataset.lmSuppressShortcuts = "true";
  const body = table.tBodies[0], all = [...body.rows], size = +table.dataset.page;
  const part = table.dataset.part ?? "";
  const heads = [...table.tHead.rows[0].cells], bar = document.createElement("div");
  let rows = all, words = [], page = table.dataset.end ? 1e9 : 0, sorted = null, down = false;
  const read = row => [...row.cells].map(cell => cell.textContent).join("\\n").toLowerCase();
  const texts = new Map(all.map(row => [row, read(row)]));
  const make = (tag, text, label) => {
    const made = bar.appendChild(document.createElement(tag));
    made.textContent = text;
    if (label) made.setAttribute("aria-label", label);
    return made;
  };
  const draw = () => {
    const found = rows.filter(row => words.every(word => texts.get(row).includes(word)));
    const last = Math.max(0, Math.ceil(found.length / size) - 1);
    page = Math.max(0, Math.min(page, last));
    const first = page * size, end = Math.min(first + size, found.length);
    body.replaceChildren(...found.slice(first, end));
    const shown = first + 1 + "–" + end + " of " + found.length;
    count.textContent = (found.length ? shown : "no rows match") + part;
    back.disabled = !page;
    next.disabled = page === last;
  };
  bar.className = "pp-bar";
  const find = make("input", "", "Filter rows");
  find.type = "search";
  find.placeholder = "Filter rows";
  const back = make("button", "‹", "Previous page"), count = make("span", "");
  const next = make("button", "›", "Next page");
  count.setAttribute("aria-live", "polite");
  find.oninput = () => { words = find.value.toLowerCase().split(/\\s+/); page = 0; draw(); };
  back.onclick = () => { page--; draw(); };
  next.onclick = () => { page++; draw(); };
  for (const head of heads) {
    const ranks = (head.dataset.o || "").match(/../g);
    if (!ranks) continue;
    const rank = new Map(all.map((row, index) => [row, ranks[index]]));
    const button = document.createElement("button");
    button.append(...head.childNodes);
    head.append(button);
    button.onclick = () => {
      if (sorted && sorted !== head) sorted.removeAttribute("aria-sort");
      down = sorted === head && !down;
      const again = sorted === head && !down;
      sorted = again ? null : head;
      if (again) head.removeAttribute("aria-sort");
      else head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const lost = row => rank.get(row) === "zz";
      rows = again ? all : [...all].sort((a, b) => lost(a) - lost(b) ||
        (down ? -1 : 1) * (parseInt(rank.get(a), 36) - parseInt(rank.get(b), 36)));
      page = 0;
      draw();
    };
  }
  for (const cell of body.querySelectorAll("td"))
    if (!cell.title && cell.scrollWidth > cell.clientWidth) cell.title = cell.textContent;
  if (all.length > size) {
    // Pages of different rows are equally wide.
    for (const head of heads) if (head.offsetWidth) head.style.minWidth = head.offsetWidth + "px";
    table.parentNode.before(bar);
  }
  draw();
}
})()</script>"""
SCRIPT = "\n".join(line.strip() for line in _SOURCE.splitlines() if not line.strip().startswith("//"))


def rank_values(values: Sequence[Any]) -> str:
    """Return the ranks of values as the script reads them; empty if there is nothing to sort.

    >>> rank_values([2.5, None, 10, 2.5]), rank_values(["Low", "High"]), rank_values([1, 1])
    ('00zz0100', '0100', '')
    """
    known = [value for value in values if not is_missing(value)]
    key = _choose_key(known)
    distinct = sorted({key(value) for value in known})
    if len(distinct) + (len(known) < len(values)) < 2 or len(distinct) > MAX_RANKED_ROWS:
        return ""
    ranks = {each: _DIGITS[number // 36] + _DIGITS[number % 36] for number, each in enumerate(distinct)}
    return "".join(_MISSING if is_missing(value) else ranks[key(value)] for value in values)


def _choose_key(values: Sequence[Any]) -> Callable[[Any], Any]:
    """Return how to sort values: levels from high to low, others by themselves or, if mixed, as text."""
    if all(isinstance(value, str) for value in values):
        texts = {value.casefold() for value in values if isinstance(value, str)}
        return _rank_level if texts <= set(_LEVELS) else _fold_text
    try:
        sorted(set(values))
    except TypeError:
        return _fold_text
    return lambda value: value


def _rank_level(value: object) -> int:
    return _LEVELS.index(str(value).casefold())


def _fold_text(value: object) -> str:
    return str(value).casefold()
