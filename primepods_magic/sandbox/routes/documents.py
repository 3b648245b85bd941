"""What is served here, told to programs and to people."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, JSONResponse

from primepods_magic.sandbox.docs.page import CONTENT_SECURITY_POLICY, page

router = APIRouter()


@router.get(
    "/openapi.json", responses={200: {"content": {"application/json": {"schema": {"type": "object"}}}}}
)
async def openapi(request: Request) -> JSONResponse:
    """The OpenAPI document that this page is made from."""
    return JSONResponse(request.app.state.document)


@router.get("/docs", response_class=HTMLResponse)
async def docs(request: Request) -> HTMLResponse:
    """The same to read: one page that loads nothing else."""
    headers = {"Content-Security-Policy": CONTENT_SECURITY_POLICY, "X-Content-Type-Options": "nosniff"}
    return HTMLResponse(page(request.app.state.document, str(request.base_url).rstrip("/")), headers=headers)
