"""What a user asks for: the API's own JSON body, or the short, flat YAML form, read into one spec."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any

import yaml
from pydantic import BeforeValidator, ValidationError, field_validator
from pydantic.alias_generators import to_camel

from primepods_magic.api.errors import InvalidRequest
from primepods_magic.api.requests import (
    CreateRequest,
    EnvVar,
    Name,
    PodRequest,
    PositiveInt,
    create_request,
    describe_problems,
    problems_between,
    unknown_key,
)
from primepods_magic.api.vocabulary import GPU_TYPES

__all__ = ["PodSpec", "parse_spec", "spec_from_mapping"]

SHORT_NAMES = {
    "gpu": "gpu_type",
    "count": "gpu_count",
    "disk": "disk_size",
    "template": "custom_template_id",
    "env": "env_vars",
}
_VARIABLE = re.compile(r"\$(\$\{)|\$\{([^{}]*)\}")
_HALF_PAIR = re.compile("[\ud800-\udfff]")
_SECRET_NAME = re.compile(r"(?i)token|secret|password|passwd|credential|api_?key|access_?key|private")


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _env_list(value: object) -> object:
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
    env_vars: Annotated[list[EnvVar] | None, BeforeValidator(_env_list)] = None
    provider: Name | None = None
    region: Name | None = None
    disks: Annotated[list[Name] | None, BeforeValidator(_as_list)] = None
    team: Name | None = None
    team_member_ids: Annotated[list[Name] | None, BeforeValidator(_as_list)] = None
    shared_with_team: bool | None = None

    @field_validator("gpu_type")
    @classmethod
    def _as_the_api_spells_it(cls, gpu_type: str | None) -> str | None:
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
    """Read the body of a ``%%pod_create`` cell.

    A body that begins with ``{`` is the API's own JSON body, exactly as documented; anything else is the
    short, flat YAML form, whose values are read as text and converted by the type of their field.

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
    >>> parse_spec("gpu: H100_80GB\\ncount: 8\\ncountry: NO").country
    'NO'
    """
    is_json = text.lstrip().startswith("{")
    body = _load_json(text, first_line) if is_json else _load_yaml(text, first_line)
    body = _fill_in(body, variable or _no_variables)
    if is_json:
        return _from_request(create_request(body))
    if body is None:
        raise InvalidRequest("the cell has no spec; the shortest is 'gpu: H100_80GB'. Nothing was sent")
    if not isinstance(body, dict):
        raise InvalidRequest("a spec is lines of 'key: value', such as 'gpu: H100_80GB'. Nothing was sent")
    return spec_from_mapping(body)


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
    given: dict[str, object] = {}
    key_of: dict[str, str] = {}
    problems: list[str] = []
    for key, value in mapping.items():
        field = _FIELD_OF_KEY.get(key)
        if field is None:
            problems.append(unknown_key(key, key, _FIELD_OF_KEY))
        elif field in given:
            problems.append(f"'{key_of[field]}' and '{key}' are the same field")
        else:
            given[field], key_of[field] = value, key
    try:
        spec = PodSpec.model_validate(given)
    except ValidationError as error:
        problems += [_in_users_words(problem, key_of) for problem in describe_problems(error, PodSpec)]
    else:
        problems += problems_between(spec)
        if needs_gpu and not spec.gpu_type and not spec.cloud_id and not problems:
            problems.append("'gpu' is required, such as 'gpu: H100_80GB'")
        if not problems:
            return spec
    raise InvalidRequest(f"{'; '.join(problems)}. Nothing was sent")


def literal_secrets(text: str) -> list[str]:
    """Names in a body whose values look like secrets written out, where ``${NAME}`` would keep them out of
    the notebook.

    >>> literal_secrets("env: {WANDB_API_KEY: abc123, EPOCHS: 3}")
    ['WANDB_API_KEY']
    """
    pattern = re.compile(r"""["']?([A-Za-z][\w-]*)["']?\s*:\s*["']?([^\s"',{}]+)""")
    pairs = [match.groups() for match in pattern.finditer(text)]
    pairs += re.findall(r'"key"\s*:\s*"([^"]+)"\s*,\s*"value"\s*:\s*"([^"]+)"', text)
    return [
        name
        for name, value in pairs
        if _SECRET_NAME.search(name) and not value.startswith("$") and name not in ("sshKeyId", "ssh_key_id")
    ]


def _in_users_words(problem: str, key_of: Mapping[str, str]) -> str:
    match = re.match(r"'([^'.]+)", problem)
    if match and match[1] in key_of:
        return f"'{key_of[match[1]]}{problem[match.end() :]}"
    return problem


def _from_request(request: CreateRequest) -> PodSpec:
    return PodSpec(
        **{name: getattr(request.pod, name) for name in PodRequest.model_fields},
        provider=request.provider.type,
        disks=request.disks,
        team=request.team.team_id if request.team else None,
        team_member_ids=request.team_member_ids,
        shared_with_team=request.shared_with_team,
    )


def _load_json(text: str, first_line: int) -> Any:
    def no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        keys = [key for key, _ in pairs]
        for key in keys:
            if keys.count(key) > 1:
                raise InvalidRequest(f"'{key}' is given twice. Nothing was sent")
        return dict(pairs)

    try:
        return json.loads(text, object_pairs_hook=no_duplicates)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno + first_line - 1}, column {error.colno}"
        raise InvalidRequest(f"the JSON does not parse at {place}: {error.msg}. Nothing was sent") from None
    except RecursionError:
        raise InvalidRequest("the JSON is nested too deeply. Nothing was sent") from None


class _TextLoader(yaml.SafeLoader):
    """YAML whose scalars are text, so that ``NO`` is Norway and ``08`` keeps its zero; only an empty value,
    ``~`` and ``null`` are nothing."""

    yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag == "tag:yaml.org,2002:null"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    yaml_constructors = {  # `!!int` and its kind are refused: the field says what a value is.
        tag: construct
        for tag, construct in yaml.SafeLoader.yaml_constructors.items()
        if tag is None or tag.rpartition(":")[2] in ("str", "null", "map", "seq")
    }

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.composer.ComposerError(None, None, "aliases (*name) are not used here", mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(None, None, "a key must be a word", key.start_mark)
            if key.value in seen:
                problem = f"'{key.value}' is given twice"
                raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep=deep)


def _load_yaml(text: str, first_line: int) -> Any:
    try:
        return yaml.load(text, Loader=_TextLoader)  # noqa: S506 - a SafeLoader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f" at line {mark.line + first_line}, column {mark.column + 1}" if mark else ""
        hint = "; quote '${…}' inside braces" if re.search(r"\{[^}\n]*\$\{", text) else ""
        raise InvalidRequest(
            f"the YAML does not parse{place}: {error.problem}{hint}. Nothing was sent"
        ) from None
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        place = f"line {before.count(chr(10)) + first_line}, column {error.position - before.rfind(chr(10))}"
        raise InvalidRequest(f"a character at {place} cannot be in YAML. Nothing was sent") from None
    except RecursionError:
        raise InvalidRequest("the YAML is nested too deeply. Nothing was sent") from None


def _fill_in(value: Any, variable: Callable[[str], str]) -> Any:
    if isinstance(value, dict):
        return {key: _fill_in(item, variable) for key, item in value.items()}
    if isinstance(value, list):
        return [_fill_in(item, variable) for item in value]
    if not isinstance(value, str):
        return value
    if _HALF_PAIR.search(value):
        raise InvalidRequest("a text holds half of a character (a lone surrogate). Nothing was sent")

    def replace(match: re.Match[str]) -> str:
        if match[1]:
            return match[1]
        name = match[2].strip()
        try:
            return variable(name)
        except KeyError:
            raise InvalidRequest(
                f"${{{name}}} is neither a notebook variable nor an environment variable. Nothing was sent"
            ) from None

    return _VARIABLE.sub(replace, value)


def _no_variables(name: str) -> str:
    raise KeyError(name)
