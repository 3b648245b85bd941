"""The bodies that clients send, as strictly as the service reads them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from .vocabulary import GpuType, Image, ProviderType, SecurityType, Socket

_Amount = Annotated[int, Field(gt=0, le=2**31)]


class _Body(BaseModel):
    """Strict about types, and silent about values: they may be secrets."""

    model_config = ConfigDict(strict=True, hide_input_in_errors=True, alias_generator=to_camel)


class EnvVar(_Body):
    """One environment variable. Its value is checked and forgotten."""

    key: str
    value: str = Field(repr=False)


class PodOrder(_Body):
    """What is to be rented. Unknown keys are refused, as the service refuses them."""

    model_config = ConfigDict(extra="forbid")

    # Optional, but not nullable: a pod without a name gets one, a name of null is a mistake. So is image.
    name: Annotated[str, Field(max_length=255)] = ""
    cloud_id: str
    gpu_type: GpuType
    socket: Socket
    gpu_count: _Amount
    disk_size: _Amount | None = None
    vcpus: _Amount | None = None
    memory: _Amount | None = None
    max_price: float | None = None
    image: Image = "ubuntu_22_cuda_12"
    custom_template_id: Annotated[str, Field(min_length=1)] | None = None
    data_center_id: str | None = None
    country: str | None = None
    security: SecurityType | None = None
    env_vars: list[EnvVar] | None = Field(None, repr=False)
    jupyter_password: str | None = Field(None, repr=False)
    ssh_key_id: str | None = None
    auto_restart: bool | None = False
    prepaid_for_hr: Annotated[float, Field(gt=0)] | None = None

    @model_validator(mode="after")
    def _template_and_image_agree(self) -> PodOrder:
        if self.image == "custom_template" and self.custom_template_id is None:
            raise PydanticCustomError("missing_template", "image 'custom_template' needs a customTemplateId")
        if self.image != "custom_template" and self.custom_template_id is not None:
            raise PydanticCustomError("unused_template", "customTemplateId needs image 'custom_template'")
        return self


class ProviderOrder(_Body):
    """Who is to provide it."""

    type: ProviderType


class TeamOrder(_Body):
    """Who is to pay for it."""

    team_id: str


class Order(_Body):
    """The body of ``POST /pods``. Unknown keys beside ``pod`` are allowed, as the service allows them."""

    pod: PodOrder
    provider: ProviderOrder
    disks: list[str] | None = None
    team: TeamOrder | None = None
    # The published spelling and the official CLI's.
    team_member_ids: list[str] | None = Field(
        None, validation_alias=AliasChoices("team_member_ids", "teamMemberIds")
    )
    shared_with_team: bool | None = Field(
        None, validation_alias=AliasChoices("shared_with_team", "sharedWithTeam")
    )


def problems(errors: Iterable[Any]) -> list[dict[str, Any]]:
    """Validation errors without what was sent: it may hold a password."""
    return [
        {"loc": list(error["loc"]), "msg": str(error["msg"]), "type": str(error["type"])} for error in errors
    ]
