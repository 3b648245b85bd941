"""Pod specs: the API's own JSON body or the short, flat YAML form, parsed into one type."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, ValidationError, ValidationInfo, field_validator

from primepods_magic.api.enums import GPU_TYPES
from primepods_magic.api.errors import InvalidRequest
from primepods_magic.api.requests import (
    CreateRequest,
    EnvVar,
    Name,
    Names,
    PodFields,
    PositiveInt,
    PositiveNumber,
    create_request,
    join_names,
    join_problems,
    list_names,
    problems_between,
)
from primepods_magic.api.validation.size_limits import check_size, shorten_word
from primepods_magic.pods.guards.times import parse_seconds

from .fields import FIELD_OF_KEY, GUARD_FIELDS, PODS, SPEC_FIELDS
from .keys import describe_place, name_key
from .other_keys import describe_other_key
from .parser import load_text, reject_variable, substitute_variables
from .value_errors import NAMES_WITH_UNITS, describe_comment, describe_value, describe_values, remove_unit

__all__ = [
    "MAX_PODS",
    "PodSpec",
    "parse_spec",
    "parse_specs",
    "spec_from_mapping",
    "specs_from_mapping",
    "with_own_names",
]

MAX_PODS = 100
"""Maximum number of pods in one spec: a typing error must not rent thousands."""

_ONE_POD = (
    "'pods' rents several pods: pass it to launch_many, as in launch_many([{'gpu': 'L4_24GB', 'pods': 2}])"
)


def _wrap_in_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _list_env_vars(value: object) -> object:
    if isinstance(value, Mapping):
        return [{"key": str(key), "value": item} for key, item in value.items()]
    return value


Seconds = Annotated[float, BeforeValidator(parse_seconds)]
"""A length of time, such as ``"4h"``."""


class PodSpec(PodFields):
    r"""A pod as a user asks for it; the cheapest fitting offer supplies what is None.

    `SPEC_FIELDS` has the keys and the meaning of its fields. Of several GPU types, providers, regions or
    countries any will do; `list_names` yields them, whether there are several or not.

    >>> parse_spec("gpu: H100_80GB\nname: train").gpu_type
    'H100_80GB'
    >>> parse_spec("gpu: [H100_80GB, A100_80GB]").gpu_type
    ('A100_80GB', 'H100_80GB')
    """

    env_vars: Annotated[list[EnvVar] | None, BeforeValidator(_list_env_vars)] = None
    provider: Names | None = None
    region: Names | None = None
    disks: Annotated[list[Name] | None, BeforeValidator(_wrap_in_list)] = None
    team: Name | None = None
    team_member_ids: Annotated[list[Name] | None, BeforeValidator(_wrap_in_list)] = None
    shared_with_team: bool | None = None
    min_vram_gb: PositiveInt | None = None
    min_total_vram_gb: PositiveInt | None = None
    min_memory_gb: PositiveInt | None = None
    min_vcpus: PositiveInt | None = None
    min_disk_gb: PositiveInt | None = None
    run_for: Seconds | None = None
    until: Name | None = None
    idle: Seconds | None = None
    max_total_usd: PositiveNumber | None = None

    if not TYPE_CHECKING:  # Type checkers see the fields.

        def __init__(self, **fields: Any) -> None:
            try:
                super().__init__(**fields)
            except ValidationError as error:
                raise _refuse_values(describe_values(error, fields, {})) from None

    @field_validator(*NAMES_WITH_UNITS, mode="before")
    @classmethod
    def _remove_unit(cls, value: object, info: ValidationInfo) -> object:
        return remove_unit(info.field_name, value)

    @field_validator("gpu_type")
    @classmethod
    def _normalize_gpu_type(cls, gpu_type: str | tuple[str, ...] | None) -> str | tuple[str, ...] | None:
        return join_names(_SPELLING.get(name.casefold(), name) for name in list_names(gpu_type))

    @property
    def count(self) -> int | None:
        """GPUs in the pod, one by default; None if the offer decides, by ``cloud_id`` or total memory."""
        return self.gpu_count or (None if self.cloud_id or self.min_total_vram_gb else 1)

    @property
    def pod_name(self) -> str:
        """The requested name, or one derived from the spec, so that equal specs have equal names."""
        if self.name:
            return self.name
        # Only the machine, not its price limit or secrets.
        machine = {**self.model_dump(include=_MACHINE, exclude_none=True), "gpu_count": self.count}
        digest = hashlib.sha256(json.dumps(machine, sort_keys=True).encode()).hexdigest()[:6]
        gpu = "-or-".join(list_names(self.gpu_type)[:_MAX_NAMED]) or self.cloud_id or "pod"
        gpu = gpu.lower().replace("_", "-").replace(" ", "-")
        return f"{gpu}-{self.count or 'any'}-{digest}"


# The digest tells the rest apart.
_MAX_NAMED = 2
_SPELLING = {gpu_type.casefold(): gpu_type for gpu_type in GPU_TYPES}
_MACHINE = set(PodSpec.model_fields) - {
    *("name", "max_price", "env_vars", "jupyter_password", "ssh_key_id"),
    *GUARD_FIELDS,
}


def parse_spec(text: str, *, variable: Callable[[str], str] | None = None, first_line: int = 1) -> PodSpec:
    r"""Parse the body of a ``%%pod_create`` cell that describes one pod, as `parse_specs`.

    >>> parse_spec("gpu: H100_80GB\ncount: 8\ncountry: NO").country
    'NO'
    """
    specs = parse_specs(text, variable=variable, first_line=first_line)
    if len(specs) != 1:
        raise InvalidRequest(f"Expected one pod, got {len(specs)}. Nothing was sent")
    return specs[0]


def parse_specs(
    text: str, *, variable: Callable[[str], str] | None = None, first_line: int = 1
) -> list[PodSpec]:
    r"""Parse the body of a ``%%pod_create`` cell: one pod, or several.

    A body that begins with ``{`` is the API's own JSON body. Anything else is the flat YAML form, whose
    values are read as text and converted by their fields' types; several pods are a YAML list of forms, or a
    form with ``pods: 4``. ``variable`` returns the value of ``${name}``, or raises KeyError; ``first_line``
    is for messages. Raises InvalidRequest, with line and column or the nearest key, if anything is wrong.

    >>> [spec.name for spec in parse_specs("name: worker\ngpu: L4_24GB\npods: 2")]
    ['worker-1', 'worker-2']
    """
    is_json = text.removeprefix("\ufeff").lstrip().startswith("{")
    body = load_text(text, first_line)
    check_size(body)
    body = substitute_variables(body, variable or reject_variable)
    if is_json:
        return [_build_spec(create_request(body))]
    if body is None:
        raise InvalidRequest("The cell has no spec. The shortest is 'gpu: H100_80GB'. Nothing was sent")
    forms = body if isinstance(body, list) else [body]
    if not forms or not all(isinstance(form, dict) for form in forms):
        raise InvalidRequest(
            "A spec consists of lines of 'key: value', such as 'gpu: H100_80GB'. Nothing was sent"
        )
    specs: list[PodSpec] = []
    for form in forms:
        specs += specs_from_mapping(form)
        if len(specs) > MAX_PODS:
            raise InvalidRequest(f"A cell can describe at most {MAX_PODS} pods. Nothing was sent")
    return with_own_names(specs)


def specs_from_mapping(
    mapping: Mapping[str, object], *, variable: Callable[[str], str] | None = None
) -> list[PodSpec]:
    """Make specs from keys and values as `spec_from_mapping`; ``pods`` is their number, and numbers names.

    ``variable`` and errors are as for `parse_specs`.

    >>> [spec.pod_name for spec in specs_from_mapping({"gpu": "L4_24GB", "name": "a", "pods": 2})]
    ['a-1', 'a-2']
    """
    check_size(mapping)
    fields = substitute_variables(dict(mapping), variable) if variable else dict(mapping)
    key = next((key for key in fields if key == PODS), PODS)
    count = fields.pop(PODS, None)
    spec = spec_from_mapping(fields)
    if count is None:
        return [spec]
    names = [f"{spec.pod_name}-{number}" for number in range(1, _read_count(key, count) + 1)]
    return [spec.model_copy(update={"name": name}) for name in names]


def _read_count(key: str, wanted: object) -> int:
    """Return the number of pods, as given in Python or as text."""
    text = str(wanted) if isinstance(wanted, (str, int)) and not isinstance(wanted, bool) else ""
    digits = text.strip().lstrip("0")
    if (
        digits.isascii()
        and digits.isdigit()
        and len(digits) <= len(str(MAX_PODS))
        and int(digits) <= MAX_PODS
    ):
        return int(digits)
    raise _refuse_values([describe_value(key, SPEC_FIELDS[PODS], wanted)])


def with_own_names(specs: list[PodSpec]) -> list[PodSpec]:
    """Return the specs; raise InvalidRequest if two have the same name."""
    seen: set[str] = set()
    for spec in specs:
        name = spec.pod_name
        if name in seen:
            hint = "" if spec.name else ". Name them, or use 'pods: 2'"
            raise InvalidRequest(
                f"Two of these pods would be called '{shorten_word(name)}'{hint}. Nothing was sent"
            )
        seen.add(name)
    return specs


def spec_from_mapping(mapping: Mapping[str, object], *, needs_gpu: bool = True) -> PodSpec:
    """Make a spec from keys and values, in the short names, snake_case or camelCase.

    ``needs_gpu`` requires a GPU type, a cloud id or a minimum of GPU memory, as for a launch. Raises
    InvalidRequest as `parse_spec`.

    >>> spec_from_mapping({"gpu": "H100_80GB", "diskSize": "200"}).disk_size
    200
    """
    check_size(mapping)
    given: dict[str, Any] = {}
    key_of: dict[str, str] = {}
    problems: list[str] = []
    for key, value in mapping.items():
        field = FIELD_OF_KEY.get(key)
        if field is None:
            problems.append(describe_other_key(key, FIELD_OF_KEY))
        elif field.key == PODS:
            problems.append(_ONE_POD)
        elif field.name in given:
            problems.append(f"{describe_place(key)}'{key_of[field.name]}' and '{key}' are the same field")
        else:
            given[field.name], key_of[field.name] = value, key
            if field.words and field.kind == "text" and (comment := describe_comment(key, value)):
                problems.append(comment)
    try:
        spec = _validate_fields(given)
    except ValidationError as error:
        problems += describe_values(error, given, key_of)
    else:
        problems += problems_between(spec, lambda name: _name_field(name, key_of))
        chooses = spec.gpu_type or spec.cloud_id or spec.min_vram_gb or spec.min_total_vram_gb
        if needs_gpu and not chooses and not problems:
            problems.append("'gpu' is required, such as 'gpu: H100_80GB'")
        if not problems:
            return spec
    raise _refuse_values(problems)


def _validate_fields(given: dict[str, Any]) -> PodSpec:
    # The spec's own constructor would name the fields, instead of the user's keys.
    spec = PodSpec.__new__(PodSpec)
    PodFields.__init__(spec, **given)
    return spec


def _name_field(name: str, key_of: Mapping[str, str]) -> str:
    key = key_of.get(name)
    return (
        next(field.key for field in SPEC_FIELDS.values() if field.name == name)
        if key is None
        else f"{describe_place(key)}{name_key(key)}"
    )


def _refuse_values(problems: list[str]) -> InvalidRequest:
    return InvalidRequest(f"{join_problems(problems)}. Nothing was sent")


def _build_spec(request: CreateRequest) -> PodSpec:
    return PodSpec(
        **dict(request.pod),
        provider=request.provider.type,
        disks=request.disks,
        team=request.team.team_id if request.team else None,
        team_member_ids=request.team_member_ids,
        shared_with_team=request.shared_with_team,
    )
