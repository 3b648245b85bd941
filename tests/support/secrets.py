"""Secrets that were planted, and the search for any part or form of them in what came out."""

from __future__ import annotations

import base64
import copy
import dataclasses
import json
import pickle
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

SLICE = 12
# Wherever a slice begins in a text, one that begins at a multiple of its length is within it.
_STEP = SLICE // 2


def forms_of(secret: str) -> set[str]:
    """The secret as it is, and as it looks quoted, escaped and encoded."""
    raw = secret.encode()
    forms = {secret, quote(secret, safe=""), quote_plus(secret), quote(secret)}
    forms |= {json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
    forms |= {repr(secret)[1:-1], repr(raw)[2:-1], json.dumps(json.dumps(secret))[3:-3], raw.hex()}
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        for before in range(3):
            # Whatever stands in front moves the letters, and the first and last ones are mixed with it.
            coded = encode(b"\0" * before + raw + b"\0\0").decode()
            forms.add(coded[(before * 8 + 5) // 6 : -4])
    return forms


class Search:
    """Looks for secrets in texts, and counts both.

    Parameters
    ----------
    secrets : mapping of str to str
        What each is called, and the secret.
    """

    def __init__(self, secrets: Mapping[str, str]) -> None:
        self._slices = {
            form[start : start + SLICE]: name
            for name, secret in secrets.items()
            for form in forms_of(secret)
            for start in range(len(form) - SLICE + 1)
        }
        self._steps = {
            part[start : start + _STEP] for part in self._slices for start in range(SLICE - _STEP + 1)
        }
        self.texts = 0
        self.characters = 0
        self.hits: list[str] = []

    def look(self, where: str, text: str | bytes) -> None:
        """Search one text; bytes are searched as they are."""
        if isinstance(text, bytes):
            text = text.decode("utf-8", "surrogateescape")
        self.texts += 1
        self.characters += len(text)
        # Most texts have nothing, and that is seen by one look-up a step, whatever the secrets.
        if self._steps.isdisjoint(text[start : start + _STEP] for start in range(0, len(text), _STEP)):
            return
        windows = {text[start : start + SLICE] for start in range(len(text) - SLICE + 1)}
        for found in windows & self._slices.keys():
            around = text.index(found)
            self.hits.append(
                f"{self._slices[found]} in {where}: …{text[max(0, around - 60) : around]}[{found}]…"
            )

    def look_at_files(self, folder: Path) -> None:
        """Search every file below a folder, its name included."""
        for path in folder.rglob("*"):
            self.look("the name of a file", str(path))
            if path.is_file():
                self.look(str(path), path.read_bytes())

    def look_at_object(self, name: str, thing: object) -> None:
        """Search everything that a user, a debugger or a notebook would make of an object."""
        for how, text in ways_to_show(thing):
            self.look(f"{how} of {name}", text)

    def verdict(self, *, least: int) -> None:
        """Fail where something was found, or where too little was searched to say so."""
        first = {hit.partition(": …")[0]: hit for hit in reversed(self.hits)}
        told = "\n".join(first[place] for place in list(first)[-40:])
        assert not self.hits, f"{len(self.hits)} hits, such as:\n{told}"
        assert self.texts >= least, f"only {self.texts} texts were searched, {least} were to be"


def ways_to_show(thing: object) -> Iterable[tuple[str, str | bytes]]:
    """Each way in which an object is turned into text, and the text; a refusal has its own words."""
    ways = {
        "repr": repr,
        "str": str,
        "format": format,
        "vars": lambda one: repr(_public(vars(one))),
        "pickle": pickle.dumps,
        "copy": lambda one: repr(copy.copy(one)),
        "asdict": lambda one: repr(dataclasses.asdict(one)),
        "model_dump": lambda one: repr(one.model_dump()),
        "model_dump_json": lambda one: one.model_dump_json(),
        "to_json": lambda one: one.to_json(date_format="iso"),
        "to_csv": lambda one: one.to_csv(),
        "to_html": lambda one: one.to_html(),
    }
    for how, way in ways.items():
        try:
            yield how, way(thing)  # type: ignore[no-untyped-call]
        except Exception as error:  # noqa: BLE001 - a refusal is an answer, too
            yield f"{how} (refused)", f"{type(error).__name__}: {error}"


def _public(attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in attributes.items() if not name.startswith("_")}
