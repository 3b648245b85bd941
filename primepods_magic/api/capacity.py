"""Tell a refusal for want of machines from others, by the words of the service: its statuses do not say."""

from __future__ import annotations

import re

__all__ = ["names_capacity"]

_THINGS = (
    r"(?:instances?|gpus?|machines?|nodes?|hosts?|offers?|pods?|vms?|hardware|resources?|configurations?|"
    r"specifications?|specs|inventory|stock|capacity|units?|slots?|accelerators?|devices?|availability|"
    r"data ?cent(?:er|re)s?|regions?|zones?|locations?|cloud ?ids?|[a-z]{1,4}\d{2,4}[a-z]*)"
)
_OTHER_THINGS = (
    r"(?:services?|servers?|gateways?|upstreams?|databases?|backends?|api|endpoints?|routes?|methods?|images?|"
    r"templates?|environments?|versions?|features?|options?|fields?|parameters?|disks?|volumes?|snapshots?|"
    r"keys?|ssh|teams?|names?|users?|accounts?|payments?|wallets?|countr(?:y|ies)|sites?|pages?|systems?)"
)
# One's own limit is reached with machines to spare; another offer would be refused as well.
_OWN_LIMIT = re.compile(
    r"quota|(?:limit|maximum|cap)s? (?:\w+ ){0,6}(?:exceeded|reached|hit)|(?:exceed|reach)\w* (?:\w+ ){0,4}"
    r"(?:limit|maximum)|rate.?limit|\byou(?:r|rs|'ve| have)\b(?: \w+){0,3} (?:limit|maximum|plan)|"
    r"balance|funds|credits?\b|payment|billing|permission|not (?:allowed|authenticated|authorized)"
)
_NONE_LEFT = re.compile(
    r"out of (?:stock|capacity|gpus?|resources?)|sold ?out|stock ?out|\bstock\W+0\b|"
    r"fully (?:booked|occupied|reserved)|\bnot in stock|"
    r"\b(?:no|zero|without|insufficient|lacks?(?: of)?) (?:\w+ ){0,3}(?:stock|capacity)|"
    r"\b(?:capacity|stock|resources?|pool) (?:\w+ ){0,3}(?:exhausted|exceeded|depleted|full|empty|gone)|"
    rf"\b(?:insufficient|too few|lack of|run out of|ran out of) (?:\w+ ){{0,3}}{_THINGS}\b|"
    rf"(?:\bnot|n't|\bnever|\bwithout) (?:\w+ ){{0,2}}(?:sufficient|enough) (?:[\w.]+ ){{0,3}}{_THINGS}\b|"
    rf"\b(?:no|zero|any) (?:more|available|free|spare|idle|suitable|matching|remaining) "
    rf"(?:\w+ ){{0,2}}{_THINGS}\b|"
    rf"\b(?:no|zero|none of the|not any|no longer any) (?:[\w-]+ ){{0,5}}{_THINGS} (?:\w+ ){{0,4}}"
    r"(?:available|left|free|remaining|can be (?:allocated|provided))|"
    r"\b(?:offer|machine|instance|gpu|node|host|slot|unit|device)s? (?:\w+ ){0,3}"
    r"(?:taken|rented|booked|reserved|occupied|claimed|in use|leased|gone)\b|"
    r"\bnone (?:\w+ ){0,3}(?:available|left)|"
    rf"(?:try|choose|select|use) (?:another|a different) (?:\w+ ){{0,2}}{_THINGS}\b"
)
_UNAVAILABLE = re.compile(r"unavailable|(?:\bnot|n't|\bno longer)(?: \w+){0,3} available|\bno availability")
_SUBJECT = re.compile(rf"\b(?:(?P<thing>{_THINGS})|{_OTHER_THINGS})\b")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_CLEARLY_SAID = frozenset({409, 503})


def names_capacity(said: str, status: int) -> bool:
    """Return whether a refusal says that there is no machine left.

    Parameters
    ----------
    said : str
        What the service said.
    status : int
        With which status. A 503 of few words is the service itself that is unavailable.

    Examples
    --------
    >>> names_capacity("no longer any instances available", 400)
    True
    >>> names_capacity("Service temporarily unavailable", 503), names_capacity("quota exceeded", 400)
    (False, False)
    """
    # As plain words, also those of a code: ZONE_RESOURCE_POOL_EXHAUSTED, InsufficientInstanceCapacity.
    words = _CAMEL.sub(" ", said.replace("_", " ").replace("’", "'")).casefold()
    words = " ".join(words.split())
    if _OWN_LIMIT.search(words):
        return False
    if _NONE_LEFT.search(words) or (status in _CLEARLY_SAID and "capacity" in words):
        return True
    missing = _UNAVAILABLE.search(words)
    if missing is None:
        return False
    # What is unavailable stands before it, or else after it.
    subjects = list(_SUBJECT.finditer(words, 0, missing.start())) or list(
        _SUBJECT.finditer(words, missing.end())
    )
    if not subjects:
        return status != 503
    before = subjects[-1] if subjects[0].start() < missing.start() else subjects[0]
    return before["thing"] is not None
