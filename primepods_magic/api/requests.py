"""What we may ask of the service: checked before anything is sent, every problem in one message.

Source: the specification's page; the fields beyond it (``sshKeyId``, ``prepaidForHr`` and the sharing
keys) are in the published OpenAPI document, which forbids unknown keys inside ``pod``.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
)
from pydantic.alias_generators import to_camel
from pydantic_core import ErrorDetails, PydanticCustomError
from typing_extensions import LiteralString

from primepods_magic.api.secrets.secret_text import Secret
from primepods_magic.api.text.sanitize import sanitize
from primepods_magic.api.validation.bounds import check_flags, plain_number
from primepods_magic.api.validation.size_limits import LARGEST_NUMBER, check_size, shorten_word

from .enums import SECURITIES
from .errors import InvalidRequest

__all__ = [
    "LONGEST_NAME",
    "CreateRequest",
    "EnvVar",
    "PodRequest",
    "ProviderRequest",
    "TeamRequest",
    "describe_problems",
    "did_you_mean",
    "join_problems",
    "nearest",
]


def _check_number(kind: LiteralString) -> BeforeValidator:
    """Refuse what Python and pydantic read as a number and a person does not: true, and ``2_5``."""

    def check(value: object) -> object:
        if isinstance(value, bool):
            raise PydanticCustomError("flag", f"Input should be a valid {kind}")
        if isinstance(value, str) and plain_number(value.strip(" ")) is None:
            raise PydanticCustomError("digits", f"Input should be a valid {kind} in plain digits")
        return value

    return BeforeValidator(check)


def _check_blank(text: str) -> str:
    """Refuse a text of which nothing is seen: services trim names, and what is then empty cannot be named."""
    if not any(char.isprintable() and not char.isspace() for char in text):
        raise PydanticCustomError("blank", "String should have at least 1 character that is not blank")
    return text


LONGEST_NAME = 1000
"""Characters in a text of a request, environment values aside."""

Name = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_NAME), AfterValidator(_check_blank)]
PositiveInt = Annotated[int, _check_number("integer"), Field(gt=0, le=LARGEST_NUMBER)]
PositiveNumber = Annotated[
    float, _check_number("number"), Field(gt=0, le=LARGEST_NUMBER, allow_inf_nan=False)
]

_MOST_PROBLEMS = 10
_LONGEST_LIKENESS = 100
TEMPLATE_IMAGE = "custom_template"


class Request(BaseModel):
    """Base of everything we send: camelCase on the wire, unknown keys are refused."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
    )


class EnvVar(Request):
    """One environment variable of the pod; its value is a secret to us."""

    key: Name
    value: Secret


class PodRequest(Request):
    """The ``pod`` of a create request: memory and disk in GB, prices in USD per hour."""

    name: Name | None = None
    cloud_id: Name
    gpu_type: Name
    socket: Name
    gpu_count: PositiveInt
    image: Name | None = None
    custom_template_id: Name | None = None
    data_center_id: Name | None = None
    country: Name | None = None
    security: Name | None = None
    disk_size: PositiveInt | None = None
    vcpus: PositiveInt | None = None
    memory: PositiveInt | None = None
    max_price: PositiveNumber | None = None
    env_vars: list[EnvVar] | None = None
    jupyter_password: Secret | None = None
    ssh_key_id: Name | None = None
    auto_restart: bool | None = None
    prepaid_for_hr: PositiveNumber | None = None


class ProviderRequest(Request):
    """Who is to provide the pod."""

    type: Name


class TeamRequest(Request):
    """Which team is billed."""

    team_id: Name


class CreateRequest(Request):
    """The body of ``POST /pods``.

    Examples
    --------
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
        """The JSON to send, secrets included; what is unset is left out."""
        return _dump(self, reveal=True)

    def masked(self) -> dict[str, Any]:
        """The same with every secret as ``"***"``, to be shown."""
        return _dump(self, reveal=False)


def _dump(request: Request, *, reveal: bool) -> dict[str, Any]:
    return {
        key: _plain(value, reveal=reveal)
        for key, value in request.model_dump(by_alias=True, exclude_none=True).items()
    }


def _plain(value: object, *, reveal: bool) -> object:
    if isinstance(value, Secret):
        return value.get_secret_value() if reveal else "***"
    if isinstance(value, dict):
        return {key: _plain(item, reveal=reveal) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item, reveal=reveal) for item in value]
    return value


def problems_between(pod: PodRequest) -> list[str]:
    """What is wrong with a pod although each field by itself is not."""
    problems = []
    if pod.image == TEMPLATE_IMAGE and pod.custom_template_id is None:
        problems.append("image 'custom_template' needs customTemplateId")
    if pod.custom_template_id is not None and pod.image != TEMPLATE_IMAGE:
        problems.append("customTemplateId needs image 'custom_template'")
    if pod.security is not None and pod.security not in SECURITIES:
        problems.append(f"'security' is {' or '.join(SECURITIES)}{did_you_mean(pod.security, SECURITIES)}")
    return problems


def create_request(body: object, *, strict: bool = True) -> CreateRequest:
    """Check a create body as the specification documents it.

    Parameters
    ----------
    body : object
        What ``POST /pods`` is to be sent, with the documented keys.
    strict : bool
        Refuse values of another type, such as ``"1"`` for a number.

    Raises
    ------
    InvalidRequest
        Anything is wrong with it. All problems are named, with the nearest valid key where a key is
        unknown. Nothing was sent.
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
    """Return problems as one text; of very many, the first."""
    more = len(problems) - _MOST_PROBLEMS
    return "; ".join([*problems[:_MOST_PROBLEMS], *([f"and {more} more"] if more > 0 else [])])


def describe_problems(error: ValidationError, model: type[BaseModel]) -> list[str]:
    """Each problem of a failed check in words, without the value that was given: it may be a secret."""
    return [_describe(problem, model) for problem in error.errors(include_url=False, include_input=False)]


def _describe(problem: ErrorDetails, model: type[BaseModel]) -> str:
    place = ".".join(str(part) if isinstance(part, int) else shorten_word(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        return unknown_key(str(problem["loc"][-1]), place, _keys_at(model, problem["loc"][:-1]))
    if problem["type"] == "missing":
        return f"'{place}' is required"
    message = problem["msg"]
    where = f"'{place}'" if place else "the body"
    return f"{where}: {message[:1].lower()}{message[1:]}"


def unknown_key(key: str, place: str, known: Iterable[str]) -> str:
    """Say that a key is not a field, with the nearest that is."""
    return f"'{place}' is not a field{did_you_mean(key, known)}"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`` (did you mean …?)`` where a known word is near, else nothing."""
    close = nearest(word, known)
    return f" (did you mean '{sanitize(close)}'?)" if close else ""


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word most like this one, whatever the case, or ``None``.

    >>> nearest("gpucout", ["gpuCount", "gpuType"])
    'gpuCount'
    """
    by_fold = {_fold(candidate): candidate for candidate in known}
    folded = _fold(word[:_LONGEST_LIKENESS])
    close = difflib.get_close_matches(folded, by_fold, n=1, cutoff=0.6)
    close = close or [candidate for candidate in by_fold if folded and candidate.startswith(folded)]
    return by_fold[close[0]] if close else None


def _fold(word: str) -> str:
    return word.casefold().replace("_", "").replace("-", "")


def _keys_at(model: type[BaseModel], path: Iterable[int | str]) -> list[str]:
    for part in path:
        for name, field in model.model_fields.items():
            if part in (name, field.alias):
                model = _model_in(field.annotation) or model
    return [field.alias or name for name, field in model.model_fields.items()]


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for inner in getattr(annotation, "__args__", ()):
        found = _model_in(inner)
        if found:
            return found
    return None
