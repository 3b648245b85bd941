"""Tables and bars in a real terminal: as wide as the window, and no wider."""

from __future__ import annotations

from tests.support.terminal import Terminal

COMMANDS = ("%pods ls", "%pods avail --gpu H100_80GB", "%pods history --limit 5", "%pods", "%pods doctor")


def test_tables_fit_into_the_window_and_follow_its_width(terminal: Terminal) -> None:
    terminal.run("%load_ext primepods_magic")
    terminal.run("%pods connect --sandbox")
    terminal.run("pod = %pod_create --gpu H100_80GB --name train")
    shown: dict[int, dict[str, str]] = {}
    for width in (80, 60):
        terminal.resize(width)
        shown[width] = {command: terminal.run(command) for command in COMMANDS}
        for command, text in shown[width].items():
            assert max(map(len, text.splitlines())) <= width, (command, text)
            # A line that went on in the next one would leave the rule in two pieces.
            rules = sum(line.startswith("─") for line in text.splitlines())
            assert rules == (command != "%pods doctor"), (command, text)
    assert "provider" in shown[80]["%pods avail --gpu H100_80GB"]
    assert "not shown: cloud_id, region" in shown[60]["%pods avail --gpu H100_80GB"]


def test_a_bar_fits_into_the_window_and_stays_with_its_last_state(terminal: Terminal) -> None:
    terminal.run("%load_ext primepods_magic")
    terminal.run("%pods connect --sandbox")
    for width in (80, 60):
        terminal.resize(width)
        lines = terminal.run(f"%pod_create --gpu L4_24GB --name w{width} --wait").splitlines()
        bars = [line for line in lines if line.lstrip().startswith(f"w{width} ")]
        assert {"provisioning", "installing", "ready"} <= set(" ".join(bars).split()), lines
        assert max(map(len, bars)) <= width, lines
        assert "ready" in bars[-1], lines
