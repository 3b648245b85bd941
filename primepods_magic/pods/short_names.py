"""Short names in a spec, such as ``gpu: H100``: the whole names that the service knows."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager

from primepods_magic.api.client import Client
from primepods_magic.api.errors import InvalidRequest
from primepods_magic.api.models import Offer
from primepods_magic.api.requests import TEMPLATE_IMAGE
from primepods_magic.api.requests import join_names as join_values
from primepods_magic.api.requests import list_names as list_values
from primepods_magic.api.text.sanitize import brief, join_first
from primepods_magic.api.validation.size_limits import shorten_word
from primepods_magic.api.validation.suggest import format_suggestions, suggest_words
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.spec.fields import SPEC_FIELDS, SpecField
from primepods_magic.pods.spec.spec import PodSpec
from primepods_magic.pods.support.part_matching import is_same_word, match_part

__all__ = [
    "describe_unknown",
    "join_names",
    "list_all_offers",
    "list_names",
    "list_offered",
    "nothing_created",
    "resolve_names",
]

_NAMED = tuple(
    SPEC_FIELDS[key] for key in ("gpu", "provider", "region", "country", "data_center_id", "socket", "image")
)
_NOUNS = {"gpu": "GPU type", "data_center_id": "data center"}
_COUNTRY_CODE_CHARS = 2
# As in "8x H100" or "H100 SXM5".
_SEPARATORS = re.compile(r"[\W_]+|(?<=[0-9])[xX×](?=[\W_A-Za-z])")
_MAX_SHOWN = 15
_MAX_NEAR = 3


def resolve_names(
    connection: Connection, specs: Iterable[PodSpec], tell: Callable[[str], object]
) -> list[PodSpec]:
    """Return specs with whole names, and show each that a part of it stands for.

    An exact name costs no request if it is known or was seen in an offer. A part is compared with all that
    the service offers, so that it never means another name later. A pod without a name keeps the one that is
    derived from the spec as it was given. A word that is part of no name stays, for `find_offers` to refuse.
    Raises InvalidRequest, with the names, if there are several.
    """
    offers: list[Offer] = []

    def list_known(field: SpecField) -> list[str]:
        nonlocal offers
        # A closed list needs no request.
        if field.key != "region":
            offers = offers or list_all_offers(connection.client)
        return list_names(field, offers)

    return [_resolve_spec(connection, spec, list_known, tell) for spec in specs]


def _resolve_spec(
    connection: Connection,
    spec: PodSpec,
    list_known: Callable[[SpecField], list[str]],
    tell: Callable[[str], object],
) -> PodSpec:
    whole: dict[str, object] = {}
    for field in _NAMED:
        given = getattr(spec, field.name)
        seen = {*field.words, *connection.completion_cache.words(field.key)}
        names = join_values(
            _complete_word(field, word, seen, list_known, tell) for word in list_values(given)
        )
        if names != given:
            whole[field.name] = names
    # What the service offers may change, but not the name of the pod that a cell rents.
    return spec.model_copy(update={**whole, "name": spec.pod_name}) if whole else spec


def _complete_word(
    field: SpecField,
    given: str,
    seen: Collection[str],
    list_known: Callable[[SpecField], list[str]],
    tell: Callable[[str], object],
) -> str:
    """Return the whole name that a word stands for, or the word if it is part of none."""
    is_code = field.key == "country" and len(given) == _COUNTRY_CODE_CHARS
    if given in seen or is_code:
        return given
    same = [word for word in field.words if is_same_word(given, word)]
    names = same or match_part(given, list_known(field))
    if len(names) > 1:
        raise InvalidRequest(f"'{shorten_word(given)}' matches {join_names(names)}: name one")
    if names and not is_same_word(given, names[0]):
        tell(f"{shorten_word(given)} → {brief(names[0])}")
    return names[0] if names else given


def list_all_offers(client: Client) -> list[Offer]:
    """List all offers; an empty list has been seen although there was stock, so believe only the second."""
    return client.list_offers() or client.list_offers()


def list_offered(field: SpecField, offers: Iterable[Offer]) -> list[str]:
    """List the words that offers have for a field of a spec, sorted."""
    words: set[str | None] = set()
    for offer in offers:
        value = getattr(offer, field.offer)
        words.update(value if isinstance(value, list) else [value])
    # A template is chosen by its id.
    return sorted(word for word in words if word and word != TEMPLATE_IMAGE)


def list_names(field: SpecField, offers: Iterable[Offer]) -> list[str]:
    """List the names that a field can have: those known, then others that offers have."""
    offered = [
        word
        for word in list_offered(field, offers)
        if not any(is_same_word(word, known) for known in field.words)
    ]
    return [*(word for word in field.words if word != TEMPLATE_IMAGE), *offered]


def describe_unknown(field: SpecField, word: str, known: Iterable[str]) -> str:
    """Describe an unknown value of a field, with the nearest names, or else the first."""
    names = list(known)
    what = f"There is no {_NOUNS.get(field.key, field.key)}"
    if field.key == "country":
        what = "No offer is in the country"
    near = suggest_words(word, names, max_words=_MAX_NEAR)
    near = near or [name for part in _SEPARATORS.split(word) for name in match_part(part, names)]
    known_words = f". Known: {join_names(names)}" if names else ""
    return f"{what} '{shorten_word(word)}'{format_suggestions(near[:_MAX_NEAR]) or known_words}"


@contextmanager
def nothing_created() -> Iterator[None]:
    """Add to the InvalidRequest of a launch that nothing was created."""
    try:
        yield
    except InvalidRequest as error:
        refusal = InvalidRequest(
            f"{error}. Nothing was created",
            status_code=error.status_code,
            request_id=error.request_id,
            detail=error.detail,
        )
    else:
        return
    raise refusal


def join_names(names: Iterable[str]) -> str:
    """Join the first of several names, and count the others."""
    return join_first([brief(name) for name in names], _MAX_SHOWN)
