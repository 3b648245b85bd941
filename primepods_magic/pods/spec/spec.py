"""What a user asks for: the API's own JSON body, or the short, flat YAML form, read into one spec."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from typing import Annotated

from pydantic import BeforeValidator, ValidationError, field_validator
from pydantic.alias_generators import to_camel

from primepods_magic.api.enums import GPU_TYPES
from primepods_magic.api.errors import InvalidRequest
from primepods_magic.api.requests import (
    CreateRequest,
    EnvVar,
    Name,
    PodRequest,
    PositiveInt,
    create_request,
    describe_problems,
    join_problems,
    problems_between,
    unknown_key,
)
from primepods_magic.api.validation.size_limits import check_size, shorten_word

from .parser import load_text, reject_variable, substitute_variables

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
"""How many pods one spec can ask for: a slip of the finger must not rent thousands."""

SHORT_NAMES = {
    "gpu": "gpu_type",
    "count": "gpu_count",
    "disk": "disk_size",
    "template": "custom_template_id",
    "env": "env_vars",
}


def _wrap_in_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _list_env_vars(value: object) -> object:
    if isinstance(value, Mapping):
        return [{"key": str(key), "value": item} for key, item in value.items()]
    return value


class PodSpec(PodRequest):
    """A pod as a user asks for it. What is ``None`` is taken from the cheapest offer that fits.

    The fields are those of `PodRequest`, and beside them ``provider``, ``region``, ``disks``, ``team`` and
    the sharing keys. ``memory`` and ``disk_size`` are in GB, ``max_price`` in USD per hour.

    Examples
    --------
    >>> parse_spec("gpu: H100_80GB\\nname: train").gpu_type
    'H100_80GB'
    """

    cloud_id: Name | None = None  # type: ignore[assignment]
    gpu_type: Name | None = None  # type: ignore[assignment]
    socket: Name | None = None  # type: ignore[assignment]
    gpu_count: PositiveInt | None = None  # type: ignore[assignment]
    env_vars: Annotated[list[EnvVar] | None, BeforeValidator(_list_env_vars)] = None
    provider: Name | None = None
    region: Name | None = None
    disks: Annotated[list[Name] | None, BeforeValidator(_wrap_in_list)] = None
    team: Name | None = None
    team_member_ids: Annotated[list[Name] | None, BeforeValidator(_wrap_in_list)] = None
    shared_with_team: bool | None = None

    @field_validator("gpu_type")
    @classmethod
    def _normalize_gpu_type(cls, gpu_type: str | None) -> str | None:
        return _SPELLING.get((gpu_type or "").casefold(), gpu_type)

    @property
    def count(self) -> int | None:
        """GPUs in the pod: one unless said otherwise; ``None`` where the offer of ``cloud_id`` decides."""
        return self.gpu_count or (None if self.cloud_id else 1)

    @property
    def pod_name(self) -> str:
        """The name asked for, or one made from the spec, so that the same spec has the same name."""
        if self.name:
            return self.name
        # What it is, and not what it may cost or which secrets it gets.
        machine = {**self.model_dump(include=_MACHINE, exclude_none=True), "gpu_count": self.count}
        digest = hashlib.sha256(json.dumps(machine, sort_keys=True).encode()).hexdigest()[:6]
        gpu = (self.gpu_type or self.cloud_id or "pod").lower().replace("_", "-").replace(" ", "-")
        return f"{gpu}-{self.count or 'any'}-{digest}"


_SPELLING = {gpu_type.casefold(): gpu_type for gpu_type in GPU_TYPES}
_MACHINE = set(PodSpec.model_fields) - {"name", "max_price", "env_vars", "jupyter_password", "ssh_key_id"}
_FIELD_OF_KEY = {
    **{name: name for name in PodSpec.model_fields},
    **{to_camel(name): name for name in PodSpec.model_fields},
    **SHORT_NAMES,
}


def parse_spec(text: str, *, variable: Callable[[str], str] | None = None, first_line: int = 1) -> PodSpec:
    """Read the body of a ``%%pod_create`` cell that describes one pod. Parameters and errors as
    `parse_specs`.

    Examples
    --------
    >>> parse_spec("gpu: H100_80GB\\ncount: 8\\ncountry: NO").country
    'NO'
    """
    specs = parse_specs(text, variable=variable, first_line=first_line)
    if len(specs) != 1:
        raise InvalidRequest(f"{len(specs)} pods are described where one belongs. Nothing was sent")
    return specs[0]


def parse_specs(
    text: str, *, variable: Callable[[str], str] | None = None, first_line: int = 1
) -> list[PodSpec]:
    """Read the body of a ``%%pod_create`` cell: one pod, or several.

    A body that begins with ``{`` is the API's own JSON body, exactly as documented; anything else is the
    short, flat YAML form, whose values are read as text and converted by the type of their field. Several
    pods are a YAML list of such forms, or one with ``pods: 4``, whose names are numbered.

    Parameters
    ----------
    text : str
        The body.
    variable : callable, optional
        Gives the value of a name used as ``${name}``, or raises ``KeyError``.
    first_line : int
        The number of the body's first line, for messages.

    Raises
    ------
    InvalidRequest
        It does not parse (with line and column), a key is unknown (with the nearest valid one) or given
        twice, a value is of the wrong type, or a ``${name}`` is not known. Nothing was sent.

    Examples
    --------
    >>> [spec.name for spec in parse_specs("name: worker\\ngpu: L4_24GB\\npods: 2")]
    ['worker-1', 'worker-2']
    """
    is_json = text.removeprefix("\ufeff").lstrip().startswith("{")
    body = load_text(text, first_line)
    check_size(body)
    body = substitute_variables(body, variable or reject_variable)
    if is_json:
        return [_build_spec(create_request(body))]
    if body is None:
        raise InvalidRequest("the cell has no spec; the shortest is 'gpu: H100_80GB'. Nothing was sent")
    forms = body if isinstance(body, list) else [body]
    if not forms or not all(isinstance(form, dict) for form in forms):
        raise InvalidRequest("a spec is lines of 'key: value', such as 'gpu: H100_80GB'. Nothing was sent")
    specs: list[PodSpec] = []
    for form in forms:
        specs += specs_from_mapping(form)
        if len(specs) > MAX_PODS:
            raise InvalidRequest(f"More than {MAX_PODS} pods are described. Nothing was sent")
    return with_own_names(specs)


def specs_from_mapping(
    mapping: Mapping[str, object], *, variable: Callable[[str], str] | None = None
) -> list[PodSpec]:
    """Make specs from keys and values as `spec_from_mapping`, where ``pods`` says how many, and their names
    are then numbered.

    Parameters
    ----------
    mapping : mapping
        The keys and values.
    variable : callable, optional
        Gives the value of a name used as ``${name}``, as for `parse_specs`.

    Raises
    ------
    InvalidRequest
        As `parse_specs`.

    Examples
    --------
    >>> [spec.pod_name for spec in specs_from_mapping({"gpu": "L4_24GB", "name": "a", "pods": 2})]
    ['a-1', 'a-2']
    """
    check_size(mapping)
    fields = substitute_variables(dict(mapping), variable) if variable else dict(mapping)
    wanted = fields.pop("pods", None)
    spec = spec_from_mapping(fields)
    if wanted is None:
        return [spec]
    names = [f"{spec.pod_name}-{place}" for place in range(1, _read_count(wanted) + 1)]
    return [spec.model_copy(update={"name": name}) for name in names]


def _read_count(wanted: object) -> int:
    """Return how many pods are wanted, as given in Python or in text."""
    text = str(wanted) if isinstance(wanted, (str, int)) and not isinstance(wanted, bool) else ""
    digits = text.strip().lstrip("0")
    if (
        digits.isascii()
        and digits.isdigit()
        and len(digits) <= len(str(MAX_PODS))
        and int(digits) <= MAX_PODS
    ):
        return int(digits)
    given = shorten_word(text) if text else f"a {type(wanted).__name__}"
    raise InvalidRequest(f"'pods' is a number from 1 to {MAX_PODS}, not '{given}'. Nothing was sent")


def with_own_names(specs: list[PodSpec]) -> list[PodSpec]:
    """The specs, whose names differ.

    Raises
    ------
    InvalidRequest
        Two would have the same name.
    """
    seen: set[str] = set()
    for spec in specs:
        name = spec.pod_name
        if name in seen:
            hint = "" if spec.name else "; give them names, or say 'pods: 2'"
            raise InvalidRequest(
                f"two of these pods would be called '{shorten_word(name)}'{hint}. Nothing was sent"
            )
        seen.add(name)
    return specs


def spec_from_mapping(mapping: Mapping[str, object], *, needs_gpu: bool = True) -> PodSpec:
    """Make a spec from keys and values, in the short names, snake_case or camelCase.

    Parameters
    ----------
    mapping : mapping
        The keys and values.
    needs_gpu : bool
        A GPU type or a cloud id must be among them, as for a launch.

    Raises
    ------
    InvalidRequest
        As `parse_spec`.

    Examples
    --------
    >>> spec_from_mapping({"gpu": "H100_80GB", "diskSize": "200"}).disk_size
    200
    """
    check_size(mapping)
    given: dict[str, object] = {}
    key_of: dict[str, str] = {}
    problems: list[str] = []
    for key, value in mapping.items():
        field = _FIELD_OF_KEY.get(key)
        if field is None:
            problems.append(unknown_key(key, shorten_word(key), {**_FIELD_OF_KEY, "pods": "pods"}))
        elif field in given:
            problems.append(f"'{key_of[field]}' and '{key}' are the same field")
        else:
            given[field], key_of[field] = value, key
    try:
        spec = PodSpec.model_validate(given)
    except ValidationError as error:
        problems += [_use_given_keys(problem, key_of) for problem in describe_problems(error, PodSpec)]
    else:
        problems += problems_between(spec)
        if needs_gpu and not spec.gpu_type and not spec.cloud_id and not problems:
            problems.append("'gpu' is required, such as 'gpu: H100_80GB'")
        if not problems:
            return spec
    raise InvalidRequest(f"{join_problems(problems)}. Nothing was sent")


def _use_given_keys(problem: str, key_of: Mapping[str, str]) -> str:
    match = re.match(r"'([^'.]+)", problem)
    if match and match[1] in key_of:
        return f"'{key_of[match[1]]}{problem[match.end() :]}"
    return problem


def _build_spec(request: CreateRequest) -> PodSpec:
    return PodSpec(
        **{name: getattr(request.pod, name) for name in PodRequest.model_fields},
        provider=request.provider.type,
        disks=request.disks,
        team=request.team.team_id if request.team else None,
        team_member_ids=request.team_member_ids,
        shared_with_team=request.shared_with_team,
    )
