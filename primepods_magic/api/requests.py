"""Request bodies, validated before anything is sent, with every problem in one message.

Source: the specification's page. The fields beyond it (``sshKeyId``, ``prepaidForHr`` and the sharing keys)
are in the published OpenAPI document, which forbids unknown keys inside ``pod``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    PlainSerializer,
    SerializationInfo,
    StringConstraints,
    Tag,
    ValidationError,
)
from pydantic.alias_generators import to_camel
from pydantic_core import ErrorDetails, PydanticCustomError
from typing_extensions import LiteralString

from primepods_magic.api.secrets.secret_text import Secret
from primepods_magic.api.text.short_repr import ShortRepr
from primepods_magic.api.validation.bounds import check_flags, plain_number
from primepods_magic.api.validation.size_limits import MAX_NUMBER, check_size, shorten_word
from primepods_magic.api.validation.suggest import suggest

from .enums import SECURITIES
from .errors import InvalidRequest

__all__ = [
    "LONGEST_NAME",
    "CreateRequest",
    "EnvVar",
    "Names",
    "PodFields",
    "PodRequest",
    "ProviderRequest",
    "TeamRequest",
    "describe_problems",
    "join_names",
    "join_problems",
    "list_names",
]


def _check_number(kind: LiteralString) -> BeforeValidator:
    """Refuse true and ``2_5``, which Python and pydantic read as numbers."""

    def check(value: object) -> object:
        if isinstance(value, bool):
            raise PydanticCustomError("flag", f"Input should be a valid {kind}")
        if isinstance(value, str) and plain_number(value.strip(" ")) is None:
            raise PydanticCustomError("digits", f"Input should be a valid {kind} in plain digits")
        return value

    return BeforeValidator(check)


def _check_blank(text: str) -> str:
    """Refuse text without a visible character: services trim names, and an empty name is none."""
    if not any(char.isprintable() and not char.isspace() for char in text):
        raise PydanticCustomError("blank", "String should have at least 1 character that is not blank")
    return text


def _serialize_secret(secret: Secret, info: SerializationInfo) -> str:
    return secret.get_secret_value() if info.context is _REVEALED else "***"


LONGEST_NAME = 1000
"""Maximum length of a text in a request, except for environment values."""

Name = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_NAME), AfterValidator(_check_blank)]
ONE, SEVERAL = "one", "several"
"""Parts of the place of an error in `Names`, which name no field."""


def list_names(given: str | Iterable[str] | None) -> tuple[str, ...]:
    """Return the values of a field that may have several; none if it is None."""
    return (given,) if isinstance(given, str) else tuple(given or ())


def join_names(names: Iterable[str]) -> str | tuple[str, ...] | None:
    """Return the value of a field that may have several: sorted, each once, and a single one as it is.

    >>> join_names(["b", "a", "b"]), join_names(["a"]), join_names([])
    (('a', 'b'), 'a', None)
    """
    each = tuple(sorted(set(names)))
    return each if len(each) > 1 else next(iter(each), None)


def _split_names(given: object) -> object:
    items = given if isinstance(given, (list, tuple, set, frozenset)) else [given]
    texts = [item for item in items if isinstance(item, str)]
    if len(texts) < len(items) or (given in texts and "," not in str(given)) or not texts:
        return given
    parts = [part.strip(" ") for text in texts for part in text.split(",")]
    # An empty part is a mistake, which the type names.
    return parts if len(parts) > 1 and "" in parts else join_names(parts)


Names = Annotated[
    Annotated[Name, Tag(ONE)] | Annotated[tuple[Name, ...], Field(min_length=1), Tag(SEVERAL)],
    Discriminator(lambda given: SEVERAL if isinstance(given, (list, tuple, set, frozenset)) else ONE),
    BeforeValidator(_split_names),
]
"""One name, or several of which any will do: a list, or names with commas between them."""

PositiveInt = Annotated[int, _check_number("integer"), Field(gt=0, le=MAX_NUMBER)]
PositiveNumber = Annotated[float, _check_number("number"), Field(gt=0, le=MAX_NUMBER, allow_inf_nan=False)]
SentSecret = Annotated[Secret, PlainSerializer(_serialize_secret)]
"""A secret that a dump masks, except that of the body to send."""

_REVEALED = object()
_MAX_PROBLEMS = 10
TEMPLATE_IMAGE = "custom_template"


class Request(ShortRepr, BaseModel):
    """Base of everything we send: camelCase on the wire, without unknown keys."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
    )

    __str__ = ShortRepr.__repr__


class EnvVar(Request):
    """An environment variable of the pod, whose value is a secret."""

    key: Name
    value: SentSecret


class PodFields(Request):
    """Everything that a pod can be asked with: memory and disk in GB, prices in USD per hour."""

    name: Name | None = None
    cloud_id: Name | None = None
    gpu_type: Names | None = None
    socket: Name | None = None
    gpu_count: PositiveInt | None = None
    image: Name | None = None
    custom_template_id: Name | None = None
    data_center_id: Names | None = None
    country: Names | None = None
    security: Name | None = None
    disk_size: PositiveInt | None = None
    vcpus: PositiveInt | None = None
    memory: PositiveInt | None = None
    max_price: PositiveNumber | None = None
    env_vars: list[EnvVar] | None = None
    jupyter_password: SentSecret | None = None
    ssh_key_id: Name | None = None
    auto_restart: bool | None = None
    prepaid_for_hr: PositiveNumber | None = None

    def reveal(self) -> dict[str, Any]:
        """Return the fields that are set as JSON, with secrets: for a pipe, never for a file."""
        return self.model_dump(mode="json", exclude_none=True, context=_REVEALED)


class PodRequest(PodFields):
    """The ``pod`` of a create request, with the fields that the service needs."""

    cloud_id: Name
    gpu_type: Name
    socket: Name
    gpu_count: PositiveInt
    data_center_id: Name | None = None
    country: Name | None = None


class ProviderRequest(Request):
    """The provider of the pod."""

    type: Name


class TeamRequest(Request):
    """The team that is billed."""

    team_id: Name


class CreateRequest(Request):
    """The body of ``POST /pods``.

    >>> request = CreateRequest.model_validate({"pod": {"cloudId": "n3-H100x1", "gpuType": "H100_80GB",
    ...     "socket": "PCIe", "gpuCount": 1}, "provider": {"type": "hyperstack"}})
    >>> request.wire()["pod"]["gpuCount"]
    1
    """

    pod: PodRequest
    provider: ProviderRequest
    disks: list[Name] | None = None
    team: TeamRequest | None = None
    team_member_ids: Annotated[list[Name] | None, Field(alias="team_member_ids")] = None
    shared_with_team: Annotated[bool | None, Field(alias="shared_with_team")] = None

    def wire(self) -> dict[str, Any]:
        """Return the JSON to send, with secrets and without unset fields."""
        return self.model_dump(by_alias=True, exclude_none=True, context=_REVEALED)

    def masked(self) -> dict[str, Any]:
        """Return the same JSON with every secret as ``"***"``, for display."""
        return self.model_dump(by_alias=True, exclude_none=True)


def problems_between(pod: PodFields, name_field: Callable[[str], str] = to_camel) -> list[str]:
    """Return the problems of a pod whose fields are each valid; ``name_field`` names one in the message."""
    problems = []
    if pod.image == TEMPLATE_IMAGE and pod.custom_template_id is None:
        problems.append(f"{name_field('image')} '{TEMPLATE_IMAGE}' needs {name_field('custom_template_id')}")
    if pod.custom_template_id is not None and pod.image != TEMPLATE_IMAGE:
        problems.append(f"{name_field('custom_template_id')} needs image '{TEMPLATE_IMAGE}'")
    if pod.security is not None and pod.security not in SECURITIES:
        given = f"not '{shorten_word(pod.security)}'{suggest(pod.security, SECURITIES)}"
        problems.append(f"{name_field('security')} must be {' or '.join(SECURITIES)}, {given}")
    return problems


def create_request(body: object, *, strict: bool = True) -> CreateRequest:
    """Validate a body for ``POST /pods``; ``strict`` refuses ``"1"`` for a number.

    The InvalidRequest names all problems, and the nearest valid key for an unknown one.
    """
    check_flags(strict=strict)
    check_size(body)
    try:
        request = CreateRequest.model_validate(body, strict=strict)
    except ValidationError as error:
        problems = describe_problems(error, CreateRequest)
    else:
        problems = problems_between(request.pod)
        if not problems:
            return request
    raise InvalidRequest(f"{join_problems(problems)}. Nothing was sent")


def join_problems(problems: list[str]) -> str:
    """Join problems into one text; of very many, only the first."""
    more = len(problems) - _MAX_PROBLEMS
    return "; ".join([*problems[:_MAX_PROBLEMS], *([f"and {more} more"] if more > 0 else [])])


def describe_problems(error: ValidationError, model: type[BaseModel]) -> list[str]:
    """Describe each problem of a failed validation, without the values: they may be secrets."""
    return [
        _describe_problem(problem, model) for problem in error.errors(include_url=False, include_input=False)
    ]


def _describe_problem(problem: ErrorDetails, model: type[BaseModel]) -> str:
    path = ".".join(str(part) if isinstance(part, int) else shorten_word(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        return unknown_key(str(problem["loc"][-1]), path, _list_keys_at(model, problem["loc"][:-1]))
    if problem["type"] == "missing":
        return f"'{path}' is required"
    message = problem["msg"]
    field = f"'{path}'" if path else "the body"
    return f"{field}: {message[:1].lower()}{message[1:]}"


def unknown_key(key: str, path: str, known: Iterable[str]) -> str:
    """Describe an unknown key, with the nearest valid one."""
    return f"'{path}' is not a field{suggest(key, known)}"


def _list_keys_at(model: type[BaseModel], path: Iterable[int | str]) -> list[str]:
    for part in path:
        for name, field in model.model_fields.items():
            if part in (name, field.alias):
                model = _find_model(field.annotation) or model
    return [field.alias or name for name, field in model.model_fields.items()]


def _find_model(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for inner in getattr(annotation, "__args__", ()):
        model = _find_model(inner)
        if model:
            return model
    return None
