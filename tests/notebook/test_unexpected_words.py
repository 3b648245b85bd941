"""Words and flags that a command does not take: the answer is the flag that was meant, or another command."""

from __future__ import annotations

from typing import Any

import pytest

from primepods_magic.api import errors
from primepods_magic.notebook.command_list import COMMANDS
from primepods_magic.notebook.input.expansion import Word
from primepods_magic.notebook.magics import parser_of
from primepods_magic.pods.spec.fields import FIELD_OF_KEY, SPEC_FIELDS
from primepods_magic.pods.spec.other_keys import _KEY_OF_WORD, _OTHER_KEYS, _SPOT


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        (
            "avail H100",
            "Unexpected argument 'H100'. Did you mean: --gpu H100_80GB? Run '%pods avail",
        ),
        ("avail A100", "Unexpected argument 'A100'. Did you mean: --gpu A100_40GB or --gpu A100_80GB?"),
        ("avail 4090 8", "Unexpected argument '4090'. Did you mean: --gpu RTX4090_24GB --count 8?"),
        ("avail L4", "Did you mean: --gpu L4_24GB?"),
        ("avail 8", "Did you mean: --count 8?"),
        ("avail eu_north", "Did you mean: --region eu_north?"),
        ("avail us", "Did you mean: --region united_states?"),
        ("avail NO", "Did you mean: --country NO?"),
        ("avail runpodd", "Did you mean: --provider runpod?"),
        ("avail community", "Did you mean: --security community_cloud?"),
        ("avail spot", "Did you mean: --spot?"),
        ("avail max-price", "Did you mean: --max-price X?"),
        (
            "avail --gpu H100_80GB A100_80GB",
            "Did you mean: --gpu A100_80GB?",
        ),
        (
            "ls train",
            "'%pods ls' takes no names. '%pods show train' shows one pod. Run '%pods",
        ),
        ("ls all", "Did you mean: --all?"),
        ("ls active", "Did you mean: --status ACTIVE?"),
        ("ls 10", "Did you mean: --limit 10?"),
        ("ls price", "Did you mean: --sort price_usd_hr or --sort "),
        ("history 7d", "Did you mean: --since 7d?"),
        ("history 2026-09", "Did you mean: --since 2026-09?"),
        ("history yesterday", "Did you mean: --since yesterday?"),
        ("history train", "'%pods history' takes no names. '%pods show train' shows one pod"),
        ("costs project", "Did you mean: --by project --projects NAME?"),
        ("costs gpu", "Did you mean: --by gpu?"),
        ("costs lastmonth", "Did you mean: last-month?"),
        ("costs plot", "Did you mean: --plot?"),
        ("costs plto", "Did you mean: --plot?"),
        ("costs 7d", "Did you mean: --since 7d?"),
        ("costs nonsense", "QUESTION is one of last-month, month, dearest, prices, spot, waste, timeline"),
        ("costs --by project", "'--by project' needs '--projects NAME'"),
        ("costs --by gpu,project --freq M", "'--by project' needs '--projects NAME'"),
        ("cells a b", "Unexpected argument 'b'. '%pods cells' takes one pod"),
        ("wallet train", "'%pods wallet' takes no names"),
        ("connect sandbox", "Did you mean: --sandbox?"),
        ("logs train 50", "Did you mean: --tail 50?"),
        ("logs train 10m", "Did you mean: --timeout 10m?"),
        ("show a b", "Unexpected argument 'b'. '%pods show' takes one pod"),
    ],
)
def test_a_word_without_a_flag_gets_its_flag(shell: Any, line: str, answer: str) -> None:
    with pytest.raises(errors.InvalidRequest) as caught:
        shell.run(f"%pods {line}")
    assert answer in str(caught.value)


SPOT = "A spot machine is rented by its cloud_id. '%pods avail --spot' lists them, and"


@pytest.mark.parametrize(
    ("flags", "answer"),
    [
        ("--spot", f"%pod_create: there is no --spot. {SPOT} '--cloud-id ID' rents one"),
        ("--spot=true", SPOT),
        ("--preemptible", SPOT),
        ("--gpus 2", "there is no --gpus (did you mean '--count 2'?)"),
        ("--num-gpus=4", "(did you mean '--count 4'?)"),
        ("--gpu_count 4", "(did you mean '--count 4'?)"),
        ("--ttl 2h", "there is no --ttl (did you mean '--for 2h'?)"),
        ("--idle-timeout 30m", "(did you mean '--idle 30m'?)"),
        ("--type H100", "(did you mean '--gpu H100_80GB'?)"),
        ("--gpu-type A100", "(did you mean '--gpu A100_40GB' or '--gpu A100_80GB'?)"),
        ("--gpu_type T4_16GB", "(did you mean '--gpu T4_16GB'?)"),
        ("--gpus H100", "(did you mean '--gpu H100_80GB'?)"),
        ("--price 2", "(did you mean '--max-price 2'?)"),
        ("--max_price 2", "(did you mean '--max-price 2'?)"),
        ("--zone north", "(did you mean '--region eu_north'?)"),
        ("--ram 64", "(did you mean '--memory 64'?)"),
        ("--force", "(did you mean '-y'?)"),
        ("--gpuu L4_24GB", "(did you mean '--gpu'?)"),
        ("--zzz", "%pod_create: there is no --zzz. Run '%pod_create -h' for help"),
        ("H100", "Unexpected argument 'H100'. Did you mean: --gpu H100_80GB?"),
        ("train", "Unexpected argument 'train'. A name with a space needs quotes: --name 'a train'. Run"),
        ("--name b", "%pod_create: --name is given twice. Nothing was done"),
        ("--name=b", "%pod_create: --name is given twice. Nothing was done"),
        ("-o x --out y", "-o and --out are the same flag. Nothing was done"),
    ],
)
def test_a_flag_that_people_try_gets_ours_and_rents_nothing(shell: Any, flags: str, answer: str) -> None:
    with pytest.raises(errors.InvalidRequest) as caught:
        shell.run(f"%pod_create --gpu L4_24GB --name a {flags}")
    assert answer in str(caught.value)
    assert "%%" not in str(caught.value)
    assert len(shell.run("%pods ls")) == 0


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("avail --gpus 2", "there is no --gpus (did you mean '--count 2'?)"),
        ("avail --type H100", "(did you mean '--gpu H100_80GB'?)"),
        ("avail --price 2", "(did you mean '--max-price 2'?)"),
        ("avail -y", "%pods avail: there is no -y. There is nothing to confirm"),
        ("ls --yes", "There is nothing to confirm"),
        ("rm --force a", "%pods rm: there is no --force (did you mean '-y'?)"),
        ("avail --for 2h", "%pods avail: there is no --for. Run '%pods avail -h' for help"),
        ("history --since 7d --since 8d", "%pods history: --since is given twice"),
        ("avail --count 2 --gpu L4_24GB --count=2", "--count is given twice"),
    ],
)
def test_other_commands_answer_alike(shell: Any, line: str, answer: str) -> None:
    with pytest.raises(errors.InvalidRequest) as caught:
        shell.run(f"%pods {line}")
    assert answer in str(caught.value)


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        ("spot: true", f"Line 3: 'spot' is not a field. {SPOT} 'cloud_id: ID' rents one. Nothing was sent"),
        ("gpus: 2", "Line 3: 'gpus' is not a field (did you mean 'count'?). Nothing was sent"),
        ("price: 2", "'price' is not a field (did you mean 'max_price'?)"),
        ("gpu-type: A100", "'gpu-type' is not a field (did you mean 'gpu'?)"),
        ("ttl: 2h", "'ttl' is not a field (did you mean 'for'?). Nothing was sent"),
    ],
)
def test_a_key_that_people_try_gets_ours(shell: Any, body: str, answer: str) -> None:
    with pytest.raises(errors.InvalidRequest) as caught:
        shell.run(f"%%pod_create\ngpu: L4_24GB\n{body}")
    assert answer in str(caught.value)
    assert len(shell.run("%pods ls")) == 0


def test_flags_that_may_be_repeated_are(shell: Any) -> None:
    assert shell.run("%pod_create --gpu L4_24GB --env A=1 --env B=2 --wait --wait --dry-run -y -y")
    assert len(shell.run("%pods ls --status ACTIVE --status PENDING")) == 0


def test_a_cell_magic_is_called_one(shell: Any) -> None:
    with pytest.raises(errors.InvalidRequest, match=r"^%%pod_create: there is no --zzz"):
        shell.run("%%pod_create --zzz\ngpu: L4_24GB")


def test_filled_in_words_are_shown_by_their_variables(shell: Any) -> None:
    shell.run("secret = 'H100'; api_key = 'gpu'")
    for line in ("avail $secret", "avail {secret}", "ls $api_key", "costs $api_key"):
        with pytest.raises(errors.InvalidRequest) as caught:
            shell.run(f"%pods {line}")
        assert "H100" not in str(caught.value)
        assert "'gpu'" not in str(caught.value)


WORDS = ("train", "8", "7d", "NO", "-q", "--gpus=2", "--spot", "\u2028", "x" * 5_000, "{a}", "-")


@pytest.mark.parametrize("name", [*COMMANDS, "create"])
def test_no_command_fails_at_a_word_that_it_does_not_take(name: str) -> None:
    for word in WORDS:
        _, parser = parser_of(name)
        with pytest.raises(errors.InvalidRequest) as caught:
            parser.parse([Word(word), Word("--zzz")])
        assert len(str(caught.value)) < 1_000
        assert "\u2028" not in str(caught.value)


def test_no_other_key_is_a_field_or_has_two_meanings() -> None:
    words = [word for words in _OTHER_KEYS.values() for word in words.split()]
    others = [*words, *_SPOT]
    assert len(others) == len(set(others))
    assert set(_KEY_OF_WORD) == set(words)
    assert set(others).isdisjoint(key.casefold().replace("_", "") for key in FIELD_OF_KEY)
    assert _OTHER_KEYS.keys() <= SPEC_FIELDS.keys()


def test_a_name_with_a_space_needs_quotes(shell: Any) -> None:
    for flag in ("--name My Pod 2 --count 1", "--name=My Pod 2"):
        with pytest.raises(errors.InvalidRequest, match="needs quotes: --name 'My Pod 2'"):
            shell.run(f"%pod_create --gpu L4_24GB {flag}")
    shell.run("%pod_create --gpu L4_24GB --name 'my pod' -y")
    for command in ("rm -y", "status"):
        with pytest.raises(errors.NotFound, match=r"needs quotes: 'my pod'\. Nothing was done"):
            shell.run(f"%pods {command} my pod")
    shell.run("%pods rm -y 'my pod'")
    with pytest.raises(errors.NotFound, match=r"'my pod' has ended.*%pods history"):
        shell.run("%pods show 'my pod'")
