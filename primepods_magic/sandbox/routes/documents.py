"""Routes of the documentation."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, JSONResponse

from primepods_magic.sandbox.docs.page import CONTENT_SECURITY_POLICY, render_page

router = APIRouter()


@router.get(
    "/openapi.json", responses={200: {"content": {"application/json": {"schema": {"type": "object"}}}}}
)
async def openapi(request: Request) -> JSONResponse:
    """Return the OpenAPI document of this sandbox."""
    return JSONResponse(request.app.state.document)


@router.get("/docs", response_class=HTMLResponse)
async def docs(request: Request) -> HTMLResponse:
    """Show the OpenAPI document as one page without scripts."""
    page = render_page(request.app.state.document, str(request.base_url).rstrip("/"))
    headers = {"Content-Security-Policy": CONTENT_SECURITY_POLICY, "X-Content-Type-Options": "nosniff"}
    return HTMLResponse(page, headers=headers)
