"""The public keys that new pods accept."""

from __future__ import annotations

import base64
import binascii

from fastapi import APIRouter, HTTPException
from fastapi.exceptions import RequestValidationError

from primepods_magic.sandbox.docs.error_responses import refusals
from primepods_magic.sandbox.domain.clock import iso
from primepods_magic.sandbox.domain.records import SshKey
from primepods_magic.sandbox.domain.users import Person
from primepods_magic.sandbox.http.api_keys import TheKey
from primepods_magic.sandbox.schemas.account import Done, PublicKey, PublicKeyChanged, PublicKeyList
from primepods_magic.sandbox.schemas.requests import KeyChange, KeyOrder
from primepods_magic.sandbox.service.service import SandboxService, ServiceDep

from .pagination import Limit, Offset, cut, envelope
from .response import ApiResponse

router = APIRouter(prefix="/ssh_keys")

_KINDS = ("ssh-ed25519", "ssh-rsa", "ecdsa-sha2-", "sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-")


@router.get("")
async def list_keys(
    key: TheKey, world: ServiceDep, offset: Offset = 0, limit: Limit = 100
) -> ApiResponse[PublicKeyList]:
    """The account's public keys, oldest first."""
    limit = world.page(limit)
    with world.reading():
        found = world.store.account.keys(key.person.user_id)
    data = [_key_json(row) for row in cut(found, offset, limit)]
    return ApiResponse({**envelope(len(found), offset, limit), "data": data})


@router.post("", responses=refusals(409))
async def add_key(order: KeyOrder, key: TheKey, world: ServiceDep) -> ApiResponse[PublicKey]:
    """Add a public key; the first one is the primary one."""
    public_key = " ".join(order.public_key.split())
    if not _is_public_key(public_key):
        problem = {"loc": ("body", "publicKey"), "msg": "Not an OpenSSH public key", "type": "public_key"}
        raise RequestValidationError([problem])
    with world.writing() as now_ms:
        there = world.store.account.keys(key.person.user_id)
        twin = next((row for row in there if row.public_key.split()[:2] == public_key.split()[:2]), None)
        if twin is not None:
            raise HTTPException(409, f"This key is already there as {twin.name!r}")
        row = SshKey(
            id=f"c{world.store.token('ssh key', world.store.next_number())[:24]}",
            user_id=key.person.user_id,
            name=order.name,
            public_key=public_key,
            is_primary=not there,
            created_ms=now_ms,
            updated_ms=now_ms,
        )
        world.store.account.add_key(row)
    return ApiResponse(_key_json(row))


@router.patch("/{key_id}", responses=refusals(404))
async def change_key(
    key_id: str, change: KeyChange, key: TheKey, world: ServiceDep
) -> ApiResponse[PublicKeyChanged]:
    """Make a key the primary one."""
    with world.writing() as now_ms:
        row = _found(world, key_id, key.person)
        if not change.is_primary or row.is_primary:
            return ApiResponse({"message": "Nothing to change", "updated_fields": {}})
        world.store.account.make_primary(key.person.user_id, key_id, now_ms)
    return ApiResponse({"message": "SSH key updated", "updated_fields": {"isPrimary": True}})


@router.delete("/{key_id}", responses=refusals(404))
async def delete_key(key_id: str, key: TheKey, world: ServiceDep) -> ApiResponse[Done]:
    """Forget a key. When it was the primary one, the oldest that is left becomes it."""
    with world.writing() as now_ms:
        row = _found(world, key_id, key.person)
        world.store.account.delete_key(key_id)
        left = world.store.account.keys(key.person.user_id)
        if row.is_primary and left:
            world.store.account.make_primary(key.person.user_id, left[0].id, now_ms)
    return ApiResponse({"message": "SSH key deleted"})


def _found(world: SandboxService, key_id: str, person: Person) -> SshKey:
    rows = world.store.account.keys(person.user_id)
    found = next((row for row in rows if row.id == key_id), None)
    if found is None:
        raise HTTPException(404, f"SSH key not found: {key_id}")
    return found


def _is_public_key(text: str) -> bool:
    words = text.split(" ")
    if len(words) < 2 or not words[0].startswith(_KINDS):
        return False
    try:
        blob = base64.b64decode(words[1], validate=True)
    except (binascii.Error, ValueError):
        return False
    # What the key says of itself begins with the length of its kind, and the kind.
    return blob[4 : 4 + len(words[0])] == words[0].encode() and len(blob) > 4 + len(words[0])


def _key_json(key: SshKey) -> PublicKey:
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
