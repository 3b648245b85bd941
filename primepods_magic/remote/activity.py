from __future__ import annotations
from dataclasses import dataclass
from primepods_magic.api.errors import SshFailed
@dataclass(frozen=True)
class Signal:
    name: str; state: str; value: str; age_s: float|None; quiet_s: float|None; reason: str
@dataclass(frozen=True)
class Activity:
    signals: tuple[Signal,...]; idle_s: float; watched_s: float; unused_gpus: tuple[int,...]; why_busy: str
def read_activity(connection, pod): raise SshFailed("stub", reason="lost")
