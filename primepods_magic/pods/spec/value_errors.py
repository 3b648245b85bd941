"""Values of a spec that do not fit their fields: a sentence for each, in the words of whoever wrote it."""

from __future__ import annotations

import re
from collections.abc import Mapping

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from primepods_magic.api.requests import ONE, SEVERAL, unknown_key
from primepods_magic.api.validation.size_limits import MAX_NUMBER, shorten_word

from .fields import SECRET_FIELDS, SPEC_FIELDS, SpecField
from .keys import SpecKey, describe_place, name_key

__all__ = ["NAMES_WITH_UNITS", "describe_comment", "describe_value", "describe_values", "remove_unit"]

_FIELD_OF_ATTRIBUTE = {field.name: field for field in SPEC_FIELDS.values()}
_UNITS = {
    "max_price": re.compile(r"\$? ?([0-9.]+) ?(?:\$|USD)?(?: ?/ ?(?:h|hr|hour))?", re.IGNORECASE),
    **dict.fromkeys(
        ("disk_size", "memory", "min_vram_gb", "min_total_vram_gb", "min_memory_gb", "min_disk_gb"),
        re.compile(r"([0-9]+) ?GB?", re.IGNORECASE),
    ),
    "max_total_usd": re.compile(r"\$? ?([0-9.]+) ?(?:\$|USD)?", re.IGNORECASE),
    "prepaid_for_hr": re.compile(r"([0-9.]+) ?(?:h|hr|hrs|hours?)", re.IGNORECASE),
}

NAMES_WITH_UNITS = tuple(_UNITS)
"""Attributes of `PodSpec` whose values may have a unit."""


def remove_unit(attribute: str | None, value: object) -> object:
    """Return a number without the unit that its field has anyway; anything else stays as it is.

    >>> remove_unit("max_price", "$3/h"), remove_unit("disk_size", "500 GB"), remove_unit("disk_size", "1TB")
    ('3', '500', '1TB')
    """
    pattern = _UNITS.get(attribute or "")
    match = pattern.fullmatch(value.strip(" ")) if pattern and isinstance(value, str) else None
    return match[1] if match else value


def describe_comment(key: str, value: object) -> str:
    """Describe a comment that is part of a value, as YAML needs a space before it; empty if there is none.

    >>> describe_comment("gpu", "H100_80GB#fast")
    "gpu has a '#' in its value 'H100_80GB#fast'. A comment needs a space before it"
    """
    if not isinstance(value, str) or not re.match(r"[^\s#]+#", value):
        return ""
    start = f"{describe_place(key)}{name_key(key)}"
    return f"{start} has a '#' in its value '{shorten_word(value)}'. A comment needs a space before it"


def describe_values(
    error: ValidationError, given: Mapping[str, object], key_of: Mapping[str, str]
) -> list[str]:
    """Describe each value that did not fit, by the keys that the user gave; no secret is repeated."""
    problems = error.errors(include_url=False)
    return list(dict.fromkeys(_describe_problem(problem, given, key_of) for problem in problems))


def describe_value(key: str, field: SpecField, value: object) -> str:
    """Describe a value that is not what its field needs.

    >>> describe_value("count", SPEC_FIELDS["count"], "two"), describe_value("disk", SPEC_FIELDS["disk"], 1.5)
    ("count must be a whole number, not 'two'", 'disk must be a whole number of GB, such as 500, not 1.5')
    """
    start = f"{describe_place(key)}{name_key(key)}"
    return f"{start} must be {_describe_form(key, field)}{_show_value(field, value)}"


def _describe_problem(problem: ErrorDetails, given: Mapping[str, object], key_of: Mapping[str, str]) -> str:
    attribute, *rest = (part for part in problem["loc"] if part not in (ONE, SEVERAL))
    field = _FIELD_OF_ATTRIBUTE.get(str(attribute))
    if field is None:
        return unknown_key(str(attribute), shorten_word(str(attribute)), _FIELD_OF_ATTRIBUTE)
    key, value, kind = key_of.get(field.name, field.name), given[field.name], problem["type"]
    start = f"{describe_place(key)}{name_key(key)}"
    if rest and field.name == "env_vars" and isinstance(given["env_vars"], Mapping):
        variable = list(given["env_vars"])[int(rest[0])]
        place = describe_place(variable) or f"{start}: "
        what = "a name" if rest[-1] == "key" else f"the value of {name_key(variable)}"
        return f"{place}{what} must be one text"
    if rest and field.name != "env_vars":
        return f"{start}: each item must be a text that is not empty"
    comment = "" if field.name in SECRET_FIELDS else describe_comment(key, value)
    if comment:
        return comment
    if kind in ("string_too_short", "too_short", "blank"):
        return f"{start} is empty"
    if kind == "string_too_long":
        return f"{start} is longer than {problem['ctx']['max_length']:,} characters"
    if kind == "greater_than":
        return f"{start} must be above 0{_show_value(field, value)}"
    if kind == "less_than_equal":
        return f"{start} must be at most {MAX_NUMBER:,}{_show_value(field, value)}"
    return describe_value(key, field, value)


def _describe_form(key: str, field: SpecField) -> str:
    is_python = not isinstance(key, SpecKey)
    if field.form:
        return field.form
    if "true" in field.words:
        return "True or False" if is_python else "true or false"
    if field.kind == "choice":
        return " or ".join(field.words)
    if field.kind == "mapping":
        return "a dict of names and values" if is_python else "names with values, such as {EPOCHS: 3}"
    return "a list of ids" if field.kind == "list" or field.name == "team_member_ids" else "one text"


def _show_value(field: SpecField, value: object) -> str:
    if isinstance(value, (list, tuple, set, frozenset)):
        return ", not a list"
    if isinstance(value, Mapping):
        return ", not a mapping"
    if field.name in SECRET_FIELDS:
        return ""
    if isinstance(value, str):
        return f", not '{shorten_word(value)}'"
    if value is None or isinstance(value, (bool, int, float)):
        return f", not {value}"
    return f", not a {type(value).__name__}"
