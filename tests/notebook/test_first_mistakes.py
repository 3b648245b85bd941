"""First mistakes: each gets an answer that says what to do instead, or simply works."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from primepods_magic.api import errors
from primepods_magic.notebook.command_list import COMMANDS
from primepods_magic.notebook.input.command_words import (
    _COMMAND_OF_WORD,
    _HINT_OF_WORD,
    _STOPPING,
    CREATE_WORDS,
)
from primepods_magic.notebook.shell.cell_placement import place_cell_magic


@pytest.mark.parametrize("above", ["# rent my pod\n", "\n\n# one\n   # two\n\n", "#!important\n"])
def test_comments_may_stand_above_a_cell_magic(shell: Any, above: str) -> None:
    assert shell.run(f"{above}%%pod_create\nname: a\ngpu: L4_24GB").name == "a"


def test_a_json_body_may_have_comments_above_its_cell_magic(shell: Any) -> None:
    with pytest.raises(errors.InvalidRequest, match=r"pod\.cloudId"):
        shell.run('# rent\n%%pod_create\n{"pod": {"name": "a", "gpuType": "L4_24GB"}}')


def test_a_line_number_counts_the_comments_above(shell: Any) -> None:
    with pytest.raises(errors.InvalidRequest, match="Line 4 is indented more"):
        shell.run("# rent\n%%pod_create\nname: a\n gpu: L4_24GB")


@pytest.mark.parametrize(
    "above", ["x = 1\n", "%load_ext primepods_magic\n", "def f():\n    return 1\n\n", "!true\n"]
)
def test_code_above_a_cell_magic_is_refused_with_the_reason(shell: Any, above: str) -> None:
    with pytest.raises(SyntaxError, match="%%pod_create must be in the first line of its cell"):
        shell.run(f"{above}%%pod_create\nname: a\n gpu: L4_24GB")
    assert len(shell.run("%pods ls")) == 0


def test_a_text_that_contains_a_cell_magic_stays_as_it_is(shell: Any) -> None:
    assert shell.run('s = """\n%%pod_create\n"""\ns') == "\n%%pod_create\n"


def test_the_transformer_goes_with_the_extension(shell: Any) -> None:
    shell.run("%unload_ext primepods_magic")
    assert place_cell_magic not in shell.input_transformers_cleanup


@pytest.mark.parametrize(
    ("cell", "answer"),
    [
        (
            "%%pod_create\nname: a\n gpu: H100_80GB",
            "Line 3 is indented more than the line above it: ' gpu: H100_80GB'. Remove the leading space",
        ),
        ("%%pod_create\ngpu: A\ngpu_count: two", "Line 3: gpu_count must be a whole number, not 'two'"),
        ("# mine\n%%pod_create\ngpu: A\ncount: two", "Line 4: count must be a whole number, not 'two'"),
        ("%%pod_create\nname:a\ngpu: A", "Line 2 has no space after the colon: 'name:a'. Write 'name: a'"),
        ("%pod_create --gpu A --count two", "--count must be a whole number, not 'two'"),
        ("%pod_create --gpu A --disk 1TB", "--disk must be a whole number of GB, such as 500, not '1TB'"),
        ("%pod_create --gpu A --max-price free", "--max-price must be a number in USD per hour"),
    ],
)
def test_a_wrong_cell_is_answered_in_its_words(shell: Any, cell: str, answer: str) -> None:
    with pytest.raises(errors.InvalidRequest) as caught:
        shell.run(cell)
    assert str(caught.value).startswith(answer)
    assert len(shell.run("%pods ls")) == 0


@pytest.mark.parametrize("field", ["count", "max_price", "disk", "auto_restart", "pods", "security"])
def test_a_wrong_value_from_a_secret_variable_is_not_repeated(shell: Any, field: str) -> None:
    shell.user_ns["MY_TOKEN"] = "hunter2 hunter3"
    with pytest.raises(errors.InvalidRequest, match=r"not '\$\{MY_TOKEN\}'"):
        shell.run(f"%%pod_create\ngpu: A\n{field}: ${{MY_TOKEN}}")
    assert "hunter" not in shell.output.text


def test_a_price_and_a_size_may_have_their_unit(shell: Any) -> None:
    request = shell.run("%pod_create --gpu L4_24GB --max-price '$3/h' --disk 120GB --dry-run")
    assert (request["pod"]["maxPrice"], request["pod"]["diskSize"]) == (3.0, 120)


@pytest.mark.parametrize(
    ("word", "ours"),
    [
        ("list", "ls"),
        ("ps", "ls"),
        ("price", "avail"),
        ("gpu", "gpus"),
        ("availability", "avail"),
        ("queue", "jobs"),
        ("cost", "costs"),
        ("balance", "wallet"),
        ("LIST", "ls"),
    ],
)
def test_other_words_for_a_command_run_it_and_say_so(shell: Any, word: str, ours: str) -> None:
    assert isinstance(shell.run(f"%pods {word}"), pd.DataFrame)
    assert f"'%pods {word}' is '%pods {ours}'" in shell.output.stdout


@pytest.mark.parametrize("word", ["terminate", "delete", "kill", "remove"])
def test_other_words_for_terminating_terminate(shell: Any, word: str) -> None:
    shell.run("%pods create --gpu L4_24GB --name a")
    assert "'%pods create' is '%pod_create'" in shell.output.stdout
    assert list(shell.run(f"%pods {word} a").outcome) == ["terminated"]


def test_help_is_help(shell: Any) -> None:
    shell.run("%pods help")
    assert "%pods COMMAND -h" in shell.output.stdout


@pytest.mark.parametrize("word", ["stop", "start", "pause", "resume", "DOWN"])
def test_stopping_does_nothing_and_says_how_to_keep_the_data(shell: Any, word: str) -> None:
    pod = shell.run("%pod_create --gpu L4_24GB --name a")
    with pytest.raises(errors.InvalidRequest, match="this service cannot stop a pod") as caught:
        shell.run(f"%pods {word} a")
    said = str(caught.value)
    for part in (
        "Nothing was done",
        "'%pods rm a'",
        "disk is then lost",
        "'%pods get a:PATH'",
        "'%pods disks create'",
    ):
        assert part in said
    assert ("can be started in the dashboard" in said) == (word in ("start", "resume"))
    assert list(shell.run("%pods ls").id) == [pod.id]


@pytest.mark.parametrize("given", ["", "--all", "'my pod'", "$secret", "{names}", "a;b"])
def test_the_advice_names_a_pod_only_as_it_was_typed(shell: Any, given: str) -> None:
    shell.user_ns.update(secret="hunter2", names=["hunter3"])
    with pytest.raises(errors.InvalidRequest, match="'%pods rm train' terminates it"):
        shell.run(f"%pods stop {given}")
    assert "hunter" not in shell.output.text


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("connect train", "'%pods ssh train' logs in to a pod"),
        ("login train", "'%pods ssh train' logs in to a pod"),
        ("connect work", "Did you mean: --context work?"),
        ("connect sandbox", "Did you mean: --sandbox?"),
        ("run train", "'%pods exec train -- COMMAND' runs a shell command"),
        ("autostop train", "'%pods guard train --for 4h --idle 30m' ends it"),
        ("jupyter train", "'%pods kernel train'"),
        ("snapshot train", "'%pods get train:PATH'"),
        ("metrics train", "'%pods exec train -- nvidia-smi'"),
        ("ports train", "'%pods show train'"),
        ("regions", "'%pods avail' lists the offers"),
        ("switch", "'%pods connect --context NAME'"),
        ("availability list", "'%pods avail' alone is the list"),
        ("availability gpu-types", "Did you mean '%pods gpus'?"),
        ("pods list", "'%pods ls' alone is the list"),
    ],
)
def test_words_of_other_tools_lead_to_the_command(shell: Any, home: Path, line: str, answer: str) -> None:
    context = home / ".prime" / "environments" / "work.json"
    context.parent.mkdir(parents=True)
    context.write_text("{}")
    with pytest.raises(errors.InvalidRequest) as caught:
        shell.run(f"%pods {line}")
    assert answer in str(caught.value)


@pytest.mark.parametrize("word", ["shell", "terminal", "console"])
def test_other_words_for_logging_in_show_how(shell: Any, word: str) -> None:
    shell.run("%pod_create --gpu L4_24GB --name a --wait")
    assert shell.run(f"%pods {word} a").startswith("ssh ")
    assert f"'%pods {word}' is '%pods ssh'" in shell.output.stdout


def test_no_other_word_is_a_command_or_has_two_meanings() -> None:
    words = [*_COMMAND_OF_WORD, *CREATE_WORDS, *_STOPPING, *_HINT_OF_WORD]
    assert len(words) == len(set(words))
    assert set(words).isdisjoint(COMMANDS)
    assert set(_COMMAND_OF_WORD.values()) <= COMMANDS.keys()


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("rm", "Which pod? For example: '%pods rm train', or '%pods rm --all'"),
        ("rm all", "To terminate all your pods, use '%pods rm --all'. Nothing was done"),
        ("rm --all train", "Name pods, or use '--all' for all your pods. Nothing was done"),
        ("show", "Which pod? For example: '%pods show train'"),
        ("logs", "Which pod? For example: '%pods logs train'"),
        ("wait", "Which pod? For example: '%pods wait train'"),
        ("statu", "did you mean 'status'?"),
        ("terminat", "did you mean 'terminate'?"),
    ],
)
def test_answers_a_mistake(shell: Any, line: str, answer: str) -> None:
    with pytest.raises(errors.PodsError) as caught:
        shell.run(f"%pods {line}")
    assert answer in str(caught.value)


def test_all_pods_are_terminated_and_an_empty_account_is_no_error(shell: Any) -> None:
    shell.run("%%pod_create\nname: w\ngpu: L4_24GB\npods: 2")
    assert set(shell.run("%pods rm --all").name) == {"w-1", "w-2"}
    for line in ("%pods rm --all", "mine = %pods ls\n%pods rm {mine.id}"):
        assert len(shell.run(line)) == 0
        assert "nothing to terminate" in shell.output.text


def test_a_wrong_name_of_the_magic_that_creates_gets_the_right_one() -> None:
    with pytest.raises(SyntaxError, match=r"There is no %pods_create\. Use %pod_create\. Nothing was"):
        place_cell_magic(["%pods_create --gpu H100"])
