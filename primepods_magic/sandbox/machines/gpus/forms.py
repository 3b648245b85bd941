"""The command line and the output of `nvidia-smi`, as of driver 570."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from .usage import Gpu, GpuProcess

__all__ = ["Query", "UsageError", "format_answer", "parse_words"]

_DRIVER, _CUDA = "570.86.15", "12.8"
_WIDTH = 89
_UNKNOWN = "[N/A]"
_INVALID_OPTION, _INVALID_FIELD = 2, 2


class UsageError(Exception):
    """A command line that nvidia-smi refuses; the message is what it prints."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Query:
    """A parsed command line."""

    kind: str = "table"
    """`table`, `list`, `help`, `gpu` or `compute-apps`."""
    fields: tuple[str, ...] = ()
    has_header: bool = True
    has_units: bool = True
    every_s: float | None = None
    ids: tuple[str, ...] | None = None


@dataclass(frozen=True)
class _Field:
    heading: str
    unit: str
    show: Callable[[Gpu], object]
    is_measured: bool = False
    """Whether it is unknown if the GPU does not report its use."""


# Aliases have the heading of the name that they stand for.
_GPU_FIELDS = {
    "index": _Field("index", "", lambda gpu: gpu.index),
    "count": _Field("count", "", lambda gpu: gpu.count),
    "name": _Field("name", "", lambda gpu: gpu.name),
    "gpu_name": _Field("name", "", lambda gpu: gpu.name),
    "uuid": _Field("uuid", "", lambda gpu: gpu.uuid),
    "gpu_uuid": _Field("uuid", "", lambda gpu: gpu.uuid),
    "pci.bus_id": _Field("pci.bus_id", "", lambda gpu: gpu.bus_id),
    "gpu_bus_id": _Field("pci.bus_id", "", lambda gpu: gpu.bus_id),
    "driver_version": _Field("driver_version", "", lambda gpu: _DRIVER),
    "persistence_mode": _Field("persistence_mode", "", lambda gpu: "Enabled"),
    "compute_mode": _Field("compute_mode", "", lambda gpu: "Default"),
    "mig.mode.current": _Field("mig.mode.current", "", lambda gpu: "Disabled"),
    "pstate": _Field("pstate", "", lambda gpu: gpu.performance),
    "fan.speed": _Field("fan.speed", "%", lambda gpu: _UNKNOWN),
    "temperature.gpu": _Field("temperature.gpu", "", lambda gpu: gpu.degrees_c, True),
    "utilization.gpu": _Field("utilization.gpu", "%", lambda gpu: gpu.utilization_percent, True),
    "utilization.memory": _Field(
        "utilization.memory", "%", lambda gpu: round(100 * gpu.used_mb / (gpu.memory_mb or 1)), True
    ),
    "memory.total": _Field("memory.total", "MiB", lambda gpu: gpu.memory_mb),
    "memory.used": _Field("memory.used", "MiB", lambda gpu: gpu.used_mb, True),
    "memory.free": _Field("memory.free", "MiB", lambda gpu: gpu.memory_mb - gpu.used_mb, True),
    "power.draw": _Field("power.draw", "W", lambda gpu: f"{gpu.power_w:.2f}", True),
    "power.limit": _Field("power.limit", "W", lambda gpu: f"{gpu.power_limit_w:.2f}"),
}
_APP_FIELDS: dict[str, tuple[str, str, Callable[[Gpu, GpuProcess], object]]] = {
    "pid": ("pid", "", lambda gpu, process: process.pid),
    "process_name": ("process_name", "", lambda gpu, process: process.name),
    "name": ("process_name", "", lambda gpu, process: process.name),
    "used_memory": ("used_gpu_memory", "MiB", lambda gpu, process: process.memory_mb),
    "used_gpu_memory": ("used_gpu_memory", "MiB", lambda gpu, process: process.memory_mb),
    "gpu_name": ("gpu_name", "", lambda gpu, process: gpu.name),
    "gpu_uuid": ("gpu_uuid", "", lambda gpu, process: gpu.uuid),
    "gpu_bus_id": ("gpu_bus_id", "", lambda gpu, process: gpu.bus_id),
}
_APPS = "compute-apps"


def parse_words(words: Sequence[str]) -> Query:
    """Parse the arguments; raise UsageError as nvidia-smi does."""
    query = Query()
    has_format = False
    for name, value in _split_options(words):
        if name in ("-h", "--help"):
            return Query("help")
        if name in ("-L", "--list-gpus"):
            query = replace(query, kind="list")
        elif name in ("-i", "--id"):
            query = replace(query, ids=tuple(value.split(",")))
        elif name in ("-l", "--loop", "-lms", "--loop-ms"):
            query = replace(query, every_s=_parse_interval(name, value))
        elif name in ("--query-gpu", f"--query-{_APPS}"):
            kind = name.removeprefix("--query-")
            query = replace(query, kind=kind, fields=_parse_fields(kind, value))
        elif name == "--format":
            parts = [part.strip() for part in value.split(",")]
            has_format = "csv" in parts
            query = replace(query, has_header="noheader" not in parts, has_units="nounits" not in parts)
        else:
            raise UsageError(
                f"Invalid combination of input arguments. Please run 'nvidia-smi -h' for help.\n\n{name}",
                _INVALID_OPTION,
            )
    if query.fields and not has_format:
        raise UsageError('"--format=" switch is missing. "csv" is its only format here.', _INVALID_OPTION)
    return query


def format_answer(
    query: Query, gpus: Sequence[Gpu], now: datetime, *, has_heading: bool = True, is_unknown: bool = False
) -> str:
    """Return the text that nvidia-smi prints; `is_unknown` replaces what is measured by N/A."""
    if query.ids is not None:
        gpus = [gpu for gpu in gpus if {str(gpu.index), gpu.uuid, gpu.bus_id} & set(query.ids)]
        if not gpus:
            return "No devices were found\n"
    if query.kind == "help":
        return (
            f"NVIDIA System Management Interface -- v{_DRIVER} (sandbox)\n\nnvidia-smi [OPTION1 [ARG1]] ...\n"
        )
    if query.kind == "list":
        return "".join(f"GPU {gpu.index}: {gpu.name} (UUID: {gpu.uuid})\n" for gpu in gpus)
    if query.kind == "table":
        return _format_table(gpus, now, is_unknown)
    rows = (
        _list_apps(query, gpus, is_unknown)
        if query.kind == _APPS
        else _list_gpus(query, gpus, now, is_unknown)
    )
    heading = [_format_headings(query)] if query.has_header and has_heading else []
    return "".join(f"{line}\n" for line in [*heading, *rows])


def _split_options(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield options with their values: `--loop=5`, `-l 5`, `-l`, `--query-gpu index`."""
    left = list(words)
    while left:
        name, has_value, value = left.pop(0).partition("=")
        if not has_value and left and not left[0].startswith("-") and name not in ("-L", "-h"):
            value = left.pop(0)
        yield name, value


def _parse_interval(name: str, value: str) -> float:
    is_ms = name.endswith("ms")
    if not value and not is_ms:
        return 5.0
    try:
        number = int(value)
    except ValueError:
        number = 0
    if number <= 0:
        raise UsageError(f'Invalid argument "{value}" for {name}', _INVALID_OPTION)
    return number / 1000 if is_ms else float(number)


def _parse_fields(kind: str, value: str) -> tuple[str, ...]:
    known = {"timestamp", *_GPU_FIELDS} if kind == "gpu" else {"timestamp", *_APP_FIELDS}
    fields = tuple(field.strip() for field in value.split(","))
    for field in fields:
        if field not in known:
            raise UsageError(f'Field "{field}" is not a valid field to query.\n', _INVALID_FIELD)
    return fields


def _format_headings(query: Query) -> str:
    headings = []
    for field in query.fields:
        heading, unit = "timestamp", ""
        if query.kind == _APPS and field in _APP_FIELDS:
            heading, unit, _ = _APP_FIELDS[field]
        elif field in _GPU_FIELDS:
            heading, unit = _GPU_FIELDS[field].heading, _GPU_FIELDS[field].unit
        headings.append(f"{heading} [{unit}]" if unit else heading)
    return ", ".join(headings)


def _list_gpus(query: Query, gpus: Sequence[Gpu], now: datetime, is_unknown: bool) -> Iterator[str]:
    for gpu in gpus:
        cells = []
        for name in query.fields:
            if name == "timestamp":
                cells.append(_format_timestamp(now))
                continue
            field = _GPU_FIELDS[name]
            value = _UNKNOWN if is_unknown and field.is_measured else field.show(gpu)
            cells.append(_format_cell(value, field.unit, query.has_units))
        yield ", ".join(cells)


def _list_apps(query: Query, gpus: Sequence[Gpu], is_unknown: bool) -> Iterator[str]:
    now = datetime.now()
    for gpu in gpus:
        for process in gpu.processes:
            cells = []
            for name in query.fields:
                if name == "timestamp":
                    cells.append(_format_timestamp(now))
                    continue
                _, unit, show = _APP_FIELDS[name]
                value = _UNKNOWN if is_unknown and unit else show(gpu, process)
                cells.append(_format_cell(value, unit, query.has_units))
            yield ", ".join(cells)


def _format_timestamp(now: datetime) -> str:
    return f"{now:%Y/%m/%d %H:%M:%S}.{now.microsecond // 1000:03d}"


def _format_cell(value: object, unit: str, has_units: bool) -> str:
    return f"{value} {unit}" if unit and has_units and value != _UNKNOWN else str(value)


def _format_table(gpus: Sequence[Gpu], now: datetime, is_unknown: bool) -> str:
    rule = f"+{'-' * _WIDTH}+"
    columns = f"{'-' * 41}+{'-' * 24}+{'-' * 22}"
    title = f" NVIDIA-SMI {_DRIVER:<22} Driver Version: {_DRIVER:<14} CUDA Version: {_CUDA:<9}"
    lines = [
        f"{now:%a %b %e %H:%M:%S %Y}       ",
        rule,
        f"|{title:<{_WIDTH}}|",
        f"|{columns}|",
        "| GPU  Name                 Persistence-M | Bus-Id          Disp.A | Volatile Uncorr. ECC |",
        "| Fan  Temp   Perf          Pwr:Usage/Cap |           Memory-Usage | GPU-Util  Compute M. |",
        "|                                         |                        |               MIG M. |",
        f"|{columns.replace('-', '=')}|",
    ]
    for gpu in gpus:
        lines += [*_format_gpu_rows(gpu, is_unknown), f"+{columns}+"]
    lines += [
        " " * _WIDTH,
        rule,
        f"| {'Processes:':<{_WIDTH - 1}}|",
        "|  GPU   GI   CI              PID   Type   Process name                        GPU Memory |",
        "|        ID   ID                                                               Usage      |",
        f"|{'=' * _WIDTH}|",
    ]
    apps = [(gpu, process) for gpu in gpus for process in gpu.processes]
    for gpu, process in apps:
        lines.append(
            f"| {gpu.index:>4}   N/A  N/A {process.pid:>16}      C   {process.name[:33]:<33}"
            f"{f'{process.memory_mb}MiB':>12} |"
        )
    if not apps:
        lines.append(f"|  {'No running processes found':<{_WIDTH - 2}}|")
    return "\n".join([*lines, rule, ""])


def _format_gpu_rows(gpu: Gpu, is_unknown: bool) -> list[str]:
    degrees = "N/A" if is_unknown else f"{gpu.degrees_c}C"
    power = "N/A" if is_unknown else f"{gpu.power_w:.0f}W"
    used = "N/A" if is_unknown else f"{gpu.used_mb}MiB"
    utilization = "N/A" if is_unknown else f"{gpu.utilization_percent}%"
    left = f" N/A {degrees:>5} {gpu.performance:>5} {f'{power} / {gpu.power_limit_w:>4.0f}W':>23} "
    middle = f"{f'{used} / {gpu.memory_mb:>6}MiB':>23} "
    return [
        f"|{gpu.index:>4}  {gpu.name[:26]:<26}{'On':>7}  |   {gpu.bus_id} Off |{'0':>21} |",
        f"|{left:<41}|{middle:>24}|{utilization:>8}{'Default':>13} |",
        f"|{'':41}|{'':24}|{'Disabled':>21} |",
    ]
