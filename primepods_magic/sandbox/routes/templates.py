"""Routes of custom images and registry credentials."""

from __future__ import annotations

import re

from fastapi import APIRouter, HTTPException

from primepods_magic.sandbox.domain.users import JOINED_AT
from primepods_magic.sandbox.http.api_keys import KeyDep
from primepods_magic.sandbox.schemas.account import Credentials, ImageVerdict
from primepods_magic.sandbox.schemas.requests import ImageCheck

from .response import ApiResponse, ApiRoute, error_responses

__all__ = ["router"]

router = APIRouter(prefix="/template", route_class=ApiRoute)

CREDENTIALS_ID = "cmreg000000000000000000001"

# [host[:port]/]name[/name…][:tag][@digest]
_NAME = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_HOST = r"(?:(?:localhost|[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+|[A-Za-z0-9-]+(?=:))(?::\d{1,5})?/)?"
_IMAGE = re.compile(rf"{_HOST}{_NAME}(?:/{_NAME})*(?::[\w][\w.-]{{0,127}})?(?:@sha256:[0-9a-f]{{64}})?")


@router.post("/check-docker-image", responses=error_responses(404))
async def check_image(check: ImageCheck, key: KeyDep) -> ApiResponse[ImageVerdict]:
    """Check the syntax of an image name. No registry is contacted."""
    if check.registry_credentials_id not in (None, CREDENTIALS_ID):
        raise HTTPException(404, f"Registry credentials not found: {check.registry_credentials_id}")
    if _IMAGE.fullmatch(check.image):
        return ApiResponse({"valid": True, "details": "The image can be pulled"})
    return ApiResponse({"valid": False, "details": "This is not the name of an image"})


@router.get("/registry-credentials")
async def registry_credentials(key: KeyDep) -> ApiResponse[Credentials]:
    """List registry credentials without their secrets."""
    return ApiResponse(
        {
            "credentials": [
                {
                    "id": CREDENTIALS_ID,
                    "name": "team registry",
                    "server": "registry.example.org",
                    "createdAt": JOINED_AT,
                    "updatedAt": JOINED_AT,
                    "userId": key.person.user_id,
                    "teamId": None,
                }
            ]
        }
    )
