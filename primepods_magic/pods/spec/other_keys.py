"""Keys and flags that people try: the field that each means, or how to get what it asks for."""

from __future__ import annotations

from collections.abc import Iterable

from primepods_magic.api.requests import unknown_key

from .fields import FIELD_OF_KEY
from .keys import describe_place, name_key

__all__ = ["describe_other_key", "explain_key", "find_key"]

_OTHER_KEYS = {
    "gpu": "type gpuname gpumodel model accelerator instancetype machinetype card",
    "count": "gpus numgpus ngpus gpunum gpunumber num n",
    "max_price": "price pricelimit maxpricehr maxusdhr budget bid",
    "name": "podname label title",
    "image": "imagename",
    "disk": "diskgb storage",
    "vcpus": "cpu cpus cores",
    "memory": "ram mem memorygb",
    "min_vram": "vram gpumemory gpuram mingpumemory mingpuram gpumem",
    "min_total_vram": "totalvram",
    "min_memory": "minram minmem",
    "min_vcpus": "mincpus mincpu",
    "min_disk": "minstorage",
    "env": "environment envvar e",
    "region": "location zone",
    "data_center_id": "datacenter dc",
    "cloud_id": "offer offerid",
    "ssh_key_id": "sshkey",
    "pods": "replicas copies",
    "for": "ttl duration hours maxhours lifetime maxduration autoterminate",
    "until": "deadline endsat",
    "idle": "idletimeout idlefor inactivity autostop",
    "max_total_usd": "maxtotal maxcost maxusd totalusd",
}
_KEY_OF_WORD = {word: key for key, words in _OTHER_KEYS.items() for word in words.split()}
_SPOT = frozenset("spot isspot preemptible interruptible".split())
_HOW_TO_GET_SPOT = (
    "A spot machine is rented by its cloud_id. '%pods avail --spot' lists them, and {cloud_id} rents one"
)


def find_key(word: str) -> str | None:
    """Return the key of the field that another word or flag means.

    >>> find_key("--gpus"), find_key("numGpus"), find_key("gpu-type"), find_key("spot")
    ('count', 'count', 'gpu', None)
    """
    folded = _fold_key(word)
    own = next((field.key for key, field in FIELD_OF_KEY.items() if _fold_key(key) == folded), None)
    return own or _KEY_OF_WORD.get(folded)


def explain_key(word: str, *, cloud_id: str = "'cloud_id: ID'") -> str:
    """Return how to get what a word asks for that no field does, or nothing.

    >>> explain_key("spot")
    "A spot machine is rented by its cloud_id. '%pods avail --spot' lists them, and 'cloud_id: ID' rents one"
    """
    return _HOW_TO_GET_SPOT.format(cloud_id=cloud_id) if _fold_key(word) in _SPOT else ""


def describe_other_key(key: str, known: Iterable[str]) -> str:
    """Describe a key that is not a field, with the one that it means or how to get what it asks for."""
    place, shown = describe_place(key), name_key(key)
    if meant := find_key(key):
        return f"{place}'{shown}' is not a field (did you mean '{meant}'?)"
    if how := explain_key(key):
        return f"{place}'{shown}' is not a field. {how}"
    return f"{place}{unknown_key(key, shown, known)}"


def _fold_key(word: str) -> str:
    return word.casefold().replace("-", "").replace("_", "")
