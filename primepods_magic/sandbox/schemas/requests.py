"""Request bodies, as strict as the service."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from .enums import GpuType, Image, ProviderType, SecurityType, Socket

_Amount = Annotated[int, Field(gt=0, le=2**31)]


class _Body(BaseModel):
    """A body with strict types whose validation errors hide the input, which may hold secrets."""

    model_config = ConfigDict(strict=True, hide_input_in_errors=True, alias_generator=to_camel)


class EnvVar(_Body):
    """An environment variable. Its value is never stored; a machine keeps it in memory."""

    key: str
    value: str = Field(repr=False)


class PodOrder(_Body):
    """The requested pod. Unknown keys are rejected, as on the service."""

    model_config = ConfigDict(extra="forbid")

    # `name` and `image` are optional but not nullable.
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
    def _check_template(self) -> PodOrder:
        if self.image == "custom_template" and self.custom_template_id is None:
            raise PydanticCustomError("missing_template", "image 'custom_template' needs a customTemplateId")
        if self.image != "custom_template" and self.custom_template_id is not None:
            raise PydanticCustomError("unused_template", "customTemplateId needs image 'custom_template'")
        return self


class ProviderOrder(_Body):
    type: ProviderType


class TeamOrder(_Body):
    team_id: str


class CreateBody(_Body):
    """The body of `POST /pods`. Unknown keys beside `pod` are allowed, as on the service."""

    pod: PodOrder
    provider: ProviderOrder
    disks: list[str] | None = None
    team: TeamOrder | None = None
    # Both the published spelling and the official CLI's.
    team_member_ids: list[str] | None = Field(
        None, validation_alias=AliasChoices("team_member_ids", "teamMemberIds")
    )
    shared_with_team: bool | None = Field(
        None, validation_alias=AliasChoices("shared_with_team", "sharedWithTeam")
    )


class DiskOrderItself(_Body):
    """The requested disk. Unknown keys are rejected."""

    model_config = ConfigDict(extra="forbid")

    size: _Amount
    name: Annotated[str, Field(max_length=255)] | None = None
    country: str | None = None
    cloud_id: str | None = None
    data_center_id: str | None = None


class DiskOrder(_Body):
    disk: DiskOrderItself
    provider: ProviderOrder
    team: TeamOrder | None = None


class DiskName(_Body):
    name: Annotated[str, Field(min_length=1, max_length=255)]


class KeyOrder(_Body):
    name: Annotated[str, Field(min_length=1, max_length=255)]
    public_key: Annotated[str, Field(max_length=16_384)]


class KeyChange(_Body):
    """The body of `PATCH /ssh_keys/{id}`: a key can become primary, but not cease to be."""

    is_primary: Literal[True] | None = None


class ImageCheck(BaseModel):
    model_config = ConfigDict(strict=True, hide_input_in_errors=True)

    image: Annotated[str, Field(min_length=1, max_length=1024)]
    registry_credentials_id: str | None = None


class SlugChange(_Body):
    slug: Annotated[str, Field(pattern="^[a-z0-9-]+$", min_length=3, max_length=30)]
