"""Routes of public keys."""

from __future__ import annotations

import base64
import binascii

from fastapi import APIRouter, HTTPException
from fastapi.exceptions import RequestValidationError

from primepods_magic.sandbox.domain.clock import iso
from primepods_magic.sandbox.domain.records import SshKey
from primepods_magic.sandbox.domain.users import Person
from primepods_magic.sandbox.http.api_keys import KeyDep
from primepods_magic.sandbox.schemas.account import Done, PublicKey, PublicKeyChanged, PublicKeyList
from primepods_magic.sandbox.schemas.requests import KeyChange, KeyOrder
from primepods_magic.sandbox.service.service import SandboxService, ServiceDep

from .pagination import Limit, Offset, cut, envelope
from .response import ApiResponse, ApiRoute, error_responses

__all__ = ["router"]

router = APIRouter(prefix="/ssh_keys", route_class=ApiRoute)

_KINDS = ("ssh-ed25519", "ssh-rsa", "ecdsa-sha2-", "sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-")


@router.get("")
async def list_keys(
    key: KeyDep, service: ServiceDep, offset: Offset = 0, limit: Limit = 100
) -> ApiResponse[PublicKeyList]:
    """List the public keys of the account, oldest first."""
    limit = service.page(limit)
    with service.reading():
        keys = service.store.account.keys(key.person.user_id)
    data = [_serialize_key(row) for row in cut(keys, offset, limit)]
    return ApiResponse({**envelope(len(keys), offset, limit), "data": data})


@router.post("", responses=error_responses(409))
async def add_key(order: KeyOrder, key: KeyDep, service: ServiceDep) -> ApiResponse[PublicKey]:
    """Add a public key. The first one becomes the primary key."""
    public_key = " ".join(order.public_key.split())
    if not _is_public_key(public_key):
        problem = {"loc": ("body", "publicKey"), "msg": "Not an OpenSSH public key", "type": "public_key"}
        raise RequestValidationError([problem])
    with service.writing() as now_ms:
        existing = service.store.account.keys(key.person.user_id)
        duplicate = next(
            (row for row in existing if row.public_key.split()[:2] == public_key.split()[:2]), None
        )
        if duplicate is not None:
            raise HTTPException(409, f"This key is already there as {duplicate.name!r}")
        row = SshKey(
            id=f"c{service.store.token('ssh key', service.store.next_number())[:24]}",
            user_id=key.person.user_id,
            name=order.name,
            public_key=public_key,
            is_primary=not existing,
            created_ms=now_ms,
            updated_ms=now_ms,
        )
        service.store.account.add_key(row)
    service.refresh_machines()
    return ApiResponse(_serialize_key(row))


@router.patch("/{key_id}", responses=error_responses(404))
async def change_key(
    key_id: str, change: KeyChange, key: KeyDep, service: ServiceDep
) -> ApiResponse[PublicKeyChanged]:
    """Make a key the primary key."""
    with service.writing() as now_ms:
        row = _find_key(service, key_id, key.person)
        if not change.is_primary or row.is_primary:
            return ApiResponse({"message": "Nothing to change", "updated_fields": {}})
        service.store.account.make_primary(key.person.user_id, key_id, now_ms)
    return ApiResponse({"message": "SSH key updated", "updated_fields": {"isPrimary": True}})


@router.delete("/{key_id}", responses=error_responses(404))
async def delete_key(key_id: str, key: KeyDep, service: ServiceDep) -> ApiResponse[Done]:
    """Delete a key. If it was the primary key, the oldest remaining key becomes primary."""
    with service.writing() as now_ms:
        row = _find_key(service, key_id, key.person)
        service.store.account.delete_key(key_id)
        left = service.store.account.keys(key.person.user_id)
        if row.is_primary and left:
            service.store.account.make_primary(key.person.user_id, left[0].id, now_ms)
    service.refresh_machines()
    return ApiResponse({"message": "SSH key deleted"})


def _find_key(service: SandboxService, key_id: str, person: Person) -> SshKey:
    rows = service.store.account.keys(person.user_id)
    match = next((row for row in rows if row.id == key_id), None)
    if match is None:
        raise HTTPException(404, f"SSH key not found: {key_id}")
    return match


def _is_public_key(text: str) -> bool:
    words = text.split(" ")
    if len(words) < 2 or not words[0].startswith(_KINDS):
        return False
    try:
        blob = base64.b64decode(words[1], validate=True)
    except (binascii.Error, ValueError):
        return False
    # The blob begins with the length and the name of the key type.
    return blob[4 : 4 + len(words[0])] == words[0].encode() and len(blob) > 4 + len(words[0])


def _serialize_key(key: SshKey) -> PublicKey:
    return {
        "id": key.id,
        "userId": key.user_id,
        "name": key.name,
        "publicKey": key.public_key,
        "isPrimary": key.is_primary,
        "isUserKey": True,
        "createdAt": iso(key.created_ms),
        "updatedAt": iso(key.updated_ms),
    }
