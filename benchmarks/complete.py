"""What Tab costs, at every position of typical lines, with 1,000 pods and all offers in memory."""

from __future__ import annotations

import os
import statistics
import tempfile
import time

from IPython.core.completer import provisionalcompleter

from primepods_magic.api.models import PodDetails
from primepods_magic.notebook.completion import completions_at
from primepods_magic.pods.connection.current import in_use
from tests.support.sandbox_control import controlled
from tests.support.shell import recording_shell

_LINES = (
    "df = %pods ls --status ACTIVE --sort price_usd_hr",
    "%pods show pod-99",
    "%pods avail --gpu H100_80GB --region eu_north --provider hyperstack",
    "%pod_create --gpu H100_80GB --count 8 --max-price 20 --name train",
    "%%pod_create\nname: train\ngpu: H100_80GB\nprovider: hyperstack\nimage: ubuntu_22_cuda_12",
)


def complete() -> str:
    """Lines of text: each key as our matcher takes it, and as IPython's whole completer does."""
    pods = [PodDetails(id=f"{number:032x}", name=f"pod-{number}", status="ACTIVE") for number in range(1000)]
    with tempfile.TemporaryDirectory() as home, controlled(clock="stepped") as control:
        os.environ |= {"HOME": home, "PRIMEPODS_SANDBOX_URL": control.url}
        with recording_shell(f"{home}/ipython") as shell, provisionalcompleter():
            shell.run("%load_ext primepods_magic")
            shell.run("%pods connect --sandbox")
            shell.run("%pods avail")
            connection = in_use()
            assert connection is not None
            connection.completion_cache.update_pods(pods)
            ours, whole = [], []
            for text in (line[:end] for line in _LINES for end in range(4, len(line) + 1)):
                lines = text.split("\n")
                start = time.perf_counter()
                completions_at(lines, len(lines) - 1, lines[-1])
                ours.append(time.perf_counter() - start)
                start = time.perf_counter()
                list(shell.Completer.completions(text, len(text)))
                whole.append(time.perf_counter() - start)
            shell.run("%unload_ext primepods_magic")
    rows = [f"complete: {len(ours)} keys, 1,000 pods"]
    for name, seconds in (("our matcher", ours), ("IPython's completer with it", whole)):
        median, worst = statistics.median(seconds) * 1e3, max(seconds) * 1e3
        rows.append(f"  {name:<28} median {median:6.3f} ms   worst {worst:6.3f} ms")
    return "\n".join(rows)
