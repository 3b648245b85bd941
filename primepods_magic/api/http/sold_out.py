"""Recognition of refusals for lack of machines, by the service's words: its statuses do not say.

Unknown wording is not treated as lack of machines; the error then repeats it.
"""

from __future__ import annotations

import re

__all__ = ["names_capacity"]

_MODEL = r"[a-z]{1,4}\d{2,4}[a-z]*"
_MACHINES = (
    r"(?:instances?|gpus?|machines?|nodes?|hosts?|offers?|vms?|hardware|resources|inventory|stock|capacity|"
    rf"accelerators?|cloud ids?|{_MODEL})"
)
_OTHER_THINGS = (
    r"(?:services?|servers?|api|endpoints?|routes?|methods?|features?|options?|fields?|parameters?|teams?|"
    r"users?|accounts?|pods?|sites?|pages?|systems?)"
)
_PLACES = r"(?:regions?|zones?|locations?|data ?cent(?:er|re)s?|clusters?)"
_TAKEN = r"(?:taken|rented|booked|reserved|occupied|claimed|in use|leased)"
# Refusals despite free machines: another offer would be refused as well.
_OTHER_REASON = re.compile(
    r"quota|(?:limit|maximum|cap)s? (?:\w+ ){0,6}(?:exceeded|reached|hit)|(?:exceed|reach)\w* (?:\w+ ){0,4}"
    r"(?:limit|maximum)|rate.?limit|\byou(?:r|rs|'ve| have)\b(?: \w+){0,3} (?:limit|maximum|plan)|"
    r"\b(?:balance|funds|credits?|payments?|billing|wallets?|budget|prices?|bids?|spend(?:ing)?)\b|[$€]|"
    r"permission|not (?:allowed|authenticated|authorized)|"
    r"\b(?:your|this|the) (?:\w+ )?(?:account|country|team|plan|organi[sz]ation|subscription|reservation|"
    r"user)\b|"
    r"(?<!gpu )\b\w*names?\b(?: \S+){0,4} (?:taken|in use|used|exists?|reserved|(?:un)?available)\b|"
    r"already exists|in use by (?:\w+ )?pod|"
    r"\b(?:disks?|disk ?size|volumes?|storage|snapshots?|images?|templates?|environments?|versions?|"
    r"drivers?|ssh|keys?)\b|"
    r"\bno such\b|\binvalid\b|\b(?:no more than|at most|at least|must be|requires)\b|\bgpu count\W*:|"
    r"\bgpu hours?\b|capacity reservation|\bverif(?:y|ied|ication)\b|"
    r"unsupported|not support|\bsupports\b|compatible|"
    r"\b(?:idempotency|connections?|threads?|workers?|databases?|sessions?|sockets?)\b"
)
# A refusal (4xx) in these words alone is about the machines; a failing service (5xx) may mean its own
# resources.
_REFUSED_FOR_CAPACITY = re.compile(
    rf"^(?:(?:error|the) )?(?:(?:{_MACHINES}|{_PLACES}|providers?|regional|zonal) ){{0,3}}quotas? "
    r"(?:\w+ ){0,2}exceeded\b|\bresource (?:\w+ ){0,2}exhausted\b|"
    r"^(?:(?:it|this) (?:is |was )?)?no longer (?:available|offered)\b"
)
# An overloaded service, or its edge, means its own machines.
_ITSELF = re.compile(
    r"\b(?:services?|servers?|gateways?|upstreams?|backends?|clusters?|api|healthy|systems?)\b|"
    r"\bmaintenance\b|request was aborted"
)
_NONE_LEFT = re.compile(
    rf"\bout of (?:(?!\d)\w+ ){{0,2}}{_MACHINES}\b|\bsold ?out\b|\bstock ?out\b|\bstock\W+0\b|"
    r"\bfully (?:booked|occupied|reserved)|\bnot in stock|"
    r"\b(?:no|zero|without|insufficient|lacks?(?: of)?) (?:\w+ ){0,3}(?:stock|capacity)\b|"
    r"\b(?:capacity|stock|inventory|resources|resource pool) (?:\w+ ){0,3}"
    r"(?:exhausted|depleted|full|empty|gone)\b|\bcapacity (?:\w+ ){0,2}exceeded\b|"
    rf"\b(?:{_MACHINES}|{_PLACES}|providers?)(?: \S+){{0,3}} (?:is|are) (?:at|over)(?: \w+)? capacity\b|"
    rf"\b(?:{_MACHINES}|{_PLACES}|providers?) (?:is|are) (?:\w+ )?full\b|"
    rf"\b(?:{_MACHINES}|providers?|we)(?: \w+)? (?:has|have|had|'ve) run out\b(?! of)|"
    rf"\b(?:insufficient|too few|lack of) (?:[\w.]+[ /]){{0,3}}{_MACHINES}\b|"
    rf"(?:\bnot|n't|\bnever|\bwithout) (?:(?:\w+ ){{0,2}}(?:sufficient|enough)|have the) (?:[\w.]+ ){{0,3}}"
    rf"{_MACHINES}\b|"
    rf"\b(?:no|zero|any) (?:more|available|free|spare|idle|suitable|matching|remaining) "
    rf"(?:\w+ ){{0,2}}{_MACHINES}\b|"
    rf"\b(?:no|zero|none of the|not any|no longer any) (?:[\w-]+ ){{0,5}}{_MACHINES} (?:\w+ ){{0,4}}"
    r"(?:available|left|free|remaining|match(?:es|ed)?|can be (?:allocated|provided))\b|"
    rf"\b(?:offer|machine|instance|gpu|node|host)s? (?:\w+ ){{0,3}}(?:{_TAKEN}|gone)\b|"
    rf"\ball (?:\S+ ){{0,3}}{_MACHINES} (?:\w+ ){{0,3}}(?:busy|{_TAKEN}|allocated)\b|"
    r"\bnone (?:\w+ ){0,3}(?:available|left)\b"
)
_UNAVAILABLE = re.compile(
    r"unavailable|(?:\bnot|n't|\bno longer)(?: \w+){0,3} (?:available|offered)|\bno availability"
)
_SUBJECT = re.compile(rf"\b(?:(?P<machine>{_MACHINES})|{_OTHER_THINGS})\b")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_JOINED = re.compile(r"(?<=\w)[-_](?=\w)|_")
# A machine with less disk does not help.
_ROOM = re.compile(r"\bwith (?:enough|sufficient|the requested|that much) (?:\w+ )?disk(?: space| size)?\b")


def names_capacity(text: str, status: int) -> bool:
    """Return whether a refusal says that no machine is left; with 5xx the service may mean its own.

    >>> names_capacity("no longer any instances available", 400)
    True
    >>> names_capacity("Service temporarily unavailable", 503), names_capacity("your quota is exceeded", 400)
    (False, False)
    """
    # Normalize to plain words, also codes such as ZONE_RESOURCE_POOL_EXHAUSTED, InsufficientInstanceCapacity.
    words = _JOINED.sub(" ", _CAMEL.sub(" ", text.replace("’", "'"))).casefold()
    words = _ROOM.sub("", " ".join(words.split()))
    if status < 500:
        words = _REFUSED_FOR_CAPACITY.sub("sold out", words)
    if _OTHER_REASON.search(words) or (status >= 500 and _ITSELF.search(words)):
        return False
    if _NONE_LEFT.search(words) or (status == 409 and "capacity" in words):
        return True
    missing = _UNAVAILABLE.search(words)
    if missing is None:
        return False
    # The unavailable thing is the last one named before the verdict, or else the first one after it.
    subjects = list(_SUBJECT.finditer(words, 0, missing.start())) or list(
        _SUBJECT.finditer(words, missing.end())
    )
    if not subjects:
        return False
    before = subjects[-1] if subjects[0].start() < missing.start() else subjects[0]
    return before["machine"] is not None
