"""A magic's line: how it is cut into words, what is filled in, what is hidden, and what is refused."""

from __future__ import annotations

import enum
import shlex
from argparse import Namespace
from collections.abc import Callable
from pathlib import PureWindowsPath
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import SecretStr

from primepods_magic.api.errors import InvalidRequest, NotFound, OutOfStock, PodsError
from primepods_magic.notebook.input.arguments import HelpWanted
from primepods_magic.notebook.input.expansion import (
    ExpandedLine,
    Several,
    expand_variables,
    quote_word,
    split_line,
)
from primepods_magic.notebook.input.variables import Variables
from primepods_magic.notebook.magics import parser_of
from primepods_magic.pods.spec.parser import reject_variable, substitute_variables
from tests.support.soak import pick


def words(line: str, **names: Any) -> list[str]:
    return split_line(expand_variables(line, names))


@pytest.mark.parametrize(
    ("line", "filled"),
    [
        ("show train", ["show", "train"]),
        ("show $name", ["show", "train"]),
        ("show ${name}", ["show", "train"]),
        ("show {name}-{n + 1}", ["show", "train-3"]),
        ("show {rows[0]['id']}", ["show", "p1"]),
        ('show {" ".join([name, "x"])}', ["show", "train x"]),
        ("show {name[1:3]}", ["show", "ra"]),
        ("show {name!r}", ["show", "'train'"]),
        ("show {n:.2f} '{n:>3}'", ["show", "2.00", "  2"]),
        ("show $thing.name", ["show", "attribute"]),
        ("show $name. $name's", ["show", "train.", "train's"]),
        ("show $$name {{name}} '$name'", ["show", "$name", "{name}", "$name"]),
        ("--max-price $n --x=$n", ["--max-price", "2", "--x=2"]),
        ("show \"$name's pod\" '{name} x'", ["show", "train's pod", "train x"]),
        ("show {2 * 3}", ["show", "6"]),
    ],
)
def test_fills_in_variables_as_every_magic_does(line: str, filled: list[str]) -> None:
    thing = type("Thing", (), {"name": "attribute"})
    assert words(line, name="train", n=2, rows=[{"id": "p1"}], thing=thing) == filled


BRACES = [
    ("'name~^[a-z]{3}'", "name~^[a-z]{3}"),
    ("'name~^[a-z]{2,4}$'", "name~^[a-z]{2,4}$"),
    (r"name~\d{4}", r"name~\d{4}"),
    (r"name~^\w{2,}-{1}", r"name~^\w{2,}-{1}"),
    (r"'\d{4}'", r"\d{4}"),
    ("'{,3}'", "{,3}"),
    ("{}", "{}"),
    ("'a{'", "a{"),
    ("'}a'", "}a"),
    ('\'{"a": 1, "b": {"c": [1, 2]}}\'', '{"a": 1, "b": {"c": [1, 2]}}'),
    ('\'{"a":{"b":{}}}\'', '{"a":{"b":{}}}'),
    ("'{a: 1, b: two}'", "{a: 1, b: two}"),
    ("'{\"a\": {n}}'", '{"a": 2}'),
    ("'{{\"a\": {n}}}'", '{"a": 2}'),
    ("'{{n}} {n}'", "{n} 2"),
    ("'{{{n}}}'", "{2}"),
    ('\'{"only", "texts"}\'', '{"only", "texts"}'),
    ("'{'\"{n}\"'}'", "{2}"),
]


@pytest.mark.parametrize(("typed", "word"), BRACES)
def test_braces_that_are_no_variable_stay(typed: str, word: str) -> None:
    assert words(f"costs --by {typed}", n=2) == ["costs", "--by", word]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("show $nobody", "there is no variable 'nobody'; double the $ in text"),
        ("show $name {nobody}", "there is no variable 'nobody'"),
        ("show ${nobody}", "there is no variable 'nobody'"),
        (r"costs --by '\p{Lu}'", "there is no variable 'Lu'; double the braces"),
        ("show {1 / 0}", "Cannot expand '{1 / 0}': it raises ZeroDivisionError"),
        ("show {name", "The braces do not match"),
        ("show }", "The braces do not match"),
        ("show {name(}", "The braces do not match"),
        ("show {name-}", "SyntaxError"),
        ('show {"a": 1}', "quotation marks, or double the braces"),
        ("show {none}", "its value is missing"),
        ("show {missing}", "its value is missing"),
        ("show $table", "it is a DataFrame"),
        ("show $mapping", "it is a dict"),
        ("show {print}", "it is a builtin_function_or_method"),
        ("show {object()}", "it is a object"),
        ("show {b'x' + name.encode()}", "it is a bytes"),
        ("show {[[1], name]}", "it is a list"),
        ("rm {[name, none]}", "its value is missing"),
        ("rm pre-{names}", "'{names}' is a list, which expands to several arguments"),
        ("rm --x={names}", "'{names}' is a list"),
        ("rm '$name' '{names}'", "'{names}' is a list"),
        ("rm 'my pod", "The quotation mark ' at character 4 is not closed"),
        ("rm 'ada's'", "A quotation mark closes inside a word"),
        ("history --save C:\\dir\\ --refresh", "A path ends with a backslash before whitespace"),
        ("history --save C:\\ --refresh", "A path ends with a backslash before whitespace"),
    ],
)
def test_refuses_what_cannot_be_filled_in(line: str, says: str) -> None:
    names = {
        "name": "train",
        "names": ["a", "b"],
        "none": None,
        "missing": float("nan"),
        "table": pd.DataFrame({"id": ["a"]}),
        "mapping": {"a": 1},
    }
    with pytest.raises(InvalidRequest) as caught:
        expand_variables(line, names)
    assert says in str(caught.value)
    assert "Nothing was done" in str(caught.value)


@pytest.mark.parametrize(
    ("line", "cut"),
    [
        ("show 'my pod'", ["show", "my pod"]),
        ('show "my pod" ;', ["show", "my pod"]),
        ("ls; ", ["ls"]),
        ("ls 'a;'", ["ls", "a;"]),
        ("ls '#x' # {nobody} $nobody 'it", ["ls", "#x"]),
        ("show a#b # a comment", ["show", "a#b"]),
        ("show a ; # a comment", ["show", "a"]),
        (r"show my\ pod", ["show", "my pod"]),
        ("show ''", ["show", ""]),
        ("show '';", ["show", ""]),
        ("show --env A='x y'", ["show", "--env", "A=x y"]),
        ("show ada's pod's", ["show", "ada's", "pod's"]),
        (r'show "a \"b\" c"', ["show", 'a "b" c']),
        (r"show \'a\'", ["show", "'a'"]),
        (r"--save C:\tmp\a.csv", ["--save", r"C:\tmp\a.csv"]),
        (r"--save \\server\share\a.csv", ["--save", r"\\server\share\a.csv"]),
        (r'--save "C:\My Files\a.csv" -y', ["--save", r"C:\My Files\a.csv", "-y"]),
        (r'--save "\\server\My Files\\" -y', ["--save", "\\\\server\\My Files\\", "-y"]),
        (r"--save 'C:\My Files\' -y", ["--save", "C:\\My Files\\", "-y"]),
        ("--save C:\\tmp\\", ["--save", "C:\\tmp\\"]),
        (r"--save C:\tmp\{n}.csv", ["--save", r"C:\tmp\2.csv"]),
    ],
)
def test_cuts_a_line_into_words(line: str, cut: list[str]) -> None:
    assert words(line, n=2) == cut


@pytest.mark.parametrize(
    ("line", "is_silenced"),
    [
        ("ls;", True),
        ("ls ;", True),
        ("ls ; # all", True),
        ("ls # a;", False),
        ("ls 'a;'", False),
        ("ls {n}", False),
    ],
)
def test_only_a_typed_semicolon_at_the_end_silences(line: str, is_silenced: bool) -> None:
    assert expand_variables(line, {"n": "x;"}).is_silenced is is_silenced


@given(st.text(max_size=20).filter(lambda text: not set(text) & set("{}$")))
@example("it's")
@example("'")
def test_what_a_shell_quotes_is_one_word(text: str) -> None:
    assert words(f"show {shlex.quote(text)} -y") == ["show", text, "-y"]


POSITIONS = {
    "positional": ("show {n}", "%pods show", "pod", ""),
    "with $": ("show $n", "%pods show", "pod", ""),
    "with braces": ("show ${n}", "%pods show", "pod", ""),
    "quoted": ("show '{n}'", "%pods show", "pod", ""),
    "doubly quoted": ('show "$n"', "%pods show", "pod", ""),
    "glued": ("show pre-{n}", "%pods show", "pod", "pre-"),
    "glued in quotes": ("show 'pre {n}'", "%pods show", "pod", "pre "),
    "one of several": ("rm {n} -y", "%pods rm", "pods", ""),
    "the value of a flag": ("history --save {n}", "%pods history", "save", ""),
    "the value after =": ("history --save={n}", "%pods history", "save", ""),
    "glued after =": ("history --save=pre-$n", "%pods history", "save", "pre-"),
    "after a short flag": ("ls -o {n}", "%pods ls", "out", ""),
    "at a short flag": ("ls -o{n}", "%pods ls", "out", ""),
}
CREATE_POSITIONS = {
    "the value of a flag": ("--name {n} --gpu H100_80GB", ""),
    "with $": ("--name $n", ""),
    "the value after =": ("--name={n}", ""),
    "quoted": ("--name '{n}' --wait", ""),
    "doubly quoted": ('--wait --name "$n"', ""),
    "glued": ("--name pre-{n}", "pre-"),
    "glued after a dollar": ("--name 'a$'{n}", "a$"),
}

_SIGNS = r"""-y --yes --new ' " \ # ; { } {{ {n} $ ${ $n ${n} -- - = ⟦ ⟧ a train % ! ? -1 @x""".split()
any_text = st.one_of(
    st.text(max_size=30),
    st.lists(
        st.sampled_from([*_SIGNS, " ", "\n", "\t", "\x00", "\u202e"]),
        max_size=6,
    ).map("".join),
)


def parsed(line: ExpandedLine, command: str) -> Namespace:
    return parser_of(command)[1].parse(line.words[1:] if command != "create" else line.words)


@pytest.mark.parametrize("position", POSITIONS)
@given(value=any_text)
@example(value="-y")
@example(value="--")
@example(value="-h")
@example(value="train -y")
@example(value="--save=x")
def test_a_value_is_exactly_one_argument(position: str, value: str) -> None:
    template, command, argument, before = POSITIONS[position]
    line = expand_variables(template, {"n": value})
    if not value and not before:
        with pytest.raises(InvalidRequest, match="the value is empty"):
            parsed(line, command.removeprefix("%pods "))
        return
    args = parsed(line, command.removeprefix("%pods "))
    got = getattr(args, argument)
    assert got == ([before + value] if argument == "pods" else before + value)
    assert {name: said for name, said in vars(args).items() if name != argument} == {
        name: said
        for name, said in vars(
            parsed(expand_variables(template, {"n": "x"}), command.removeprefix("%pods "))
        ).items()
        if name != argument
    }


@pytest.mark.parametrize("position", CREATE_POSITIONS)
@given(value=any_text)
@example(value="new -y")
@example(value="${HOME}")
@example(value="{HOME}")
@example(value="a$")
def test_a_value_is_exactly_one_argument_of_a_create(position: str, value: str) -> None:
    template, before = CREATE_POSITIONS[position]
    line = expand_variables(template, {"n": value}, keeps_braced=True)
    if not value and not before:
        with pytest.raises(InvalidRequest, match="the value is empty"):
            parsed(line, "create")
        return
    args = parsed(line, "create")
    assert substitute_variables(args.name, reject_variable) == before + value
    assert not args.yes
    assert not args.new


def test_what_a_spec_fills_in_is_left_to_it() -> None:
    names = {"name": "train", "TOKEN": "hunter2", "cost": "5$"}
    line = expand_variables(
        "--env A=${TOKEN} --env 'B=x ${ TOKEN } $${TOKEN}' --name $name", names, keeps_braced=True
    )
    assert split_line(line) == [
        "--env", "A=${TOKEN}", "--env", "B=x ${ TOKEN } $${TOKEN}", "--name", "train"
    ]  # fmt: skip
    with pytest.raises(InvalidRequest, match=r"A '\$' directly before '\$\{TOKEN\}'"):
        expand_variables("--env A={cost}${TOKEN}", names, keeps_braced=True)


class Colour(enum.Enum):
    RED = 1

    def __str__(self) -> str:
        return "red"


@pytest.mark.parametrize(
    ("values", "arguments"),
    [
        (["my pod", "-y", "it's"], ["my pod", "-y", "it's"]),
        (("a",), ["a"]),
        ({"a": 1, "b": 2}.keys(), ["a", "b"]),
        ({"a": "x y"}.values(), ["x y"]),
        ({"a"}, ["a"]),
        (range(2), ["0", "1"]),
        (pd.Series(["a b", "c"]), ["a b", "c"]),
        (pd.Index(["a b", "c"]), ["a b", "c"]),
        (np.array(["a b", "c"]), ["a b", "c"]),
        ([1, 2.5, np.float64(2.5), True, Colour.RED], ["1", "2.5", "2.5", "True", "red"]),
        ([PureWindowsPath(r"C:\a b")], [r"C:\a b"]),
        ([SecretStr("hunter2")], ["hunter2"]),
        ([], []),
    ],
)
def test_a_list_is_an_argument_for_each_of_its_values(values: Any, arguments: list[str]) -> None:
    assert words("rm {values} last", values=values) == ["rm", *arguments, "last"]
    assert words("rm $values", values=values) == ["rm", *arguments]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("status {none}", "'{none}' is empty: name at least one POD"),
        ("watch $none", "'$none' is empty: name at least one POD"),
        ("teams {none}", "'{none}' is empty: name at least one TEAM"),
        ("wait --timeout {none} train", "--timeout takes one value, but '{none}' has 0"),
        ("wait --timeout {two} train", "--timeout takes one value, but '{two}' has 2"),
        ("show {two}", "Unexpected argument '{two}'"),
        ("rm {blank}", "the value is empty"),
        ("rm train ''", "the value is empty"),
        ("ls --team {blank}", "the value is empty"),
        ("ls --sort=''", "the value is empty"),
        ("ls --{flag}", "there is no --{flag}"),
        ("rm train -{flag}", "there is no -{flag}"),
        ("wait train --timeout {flag}", "'mine' is not a length of time"),
        ("wait train --for {flag}", "invalid choice: 'mine'"),
    ],
)
def test_an_empty_value_is_never_all_or_another(line: str, says: str) -> None:
    typed = expand_variables(line, {"none": [], "two": ["1", "2"], "blank": "", "flag": "mine"})
    with pytest.raises(InvalidRequest) as caught:
        parsed(typed, line.split()[0])
    assert says in str(caught.value)


def test_only_a_typed_flag_asks_for_help() -> None:
    with pytest.raises(HelpWanted):
        parsed(expand_variables("rm -h", {}), "rm")
    assert parsed(expand_variables("rm {h} $h", {"h": "-h"}), "rm").pods == ["-h", "-h"]


SECRET = 's3cret-pass\'phrase, "its" \\ {mine}\n$5 <&>'


@pytest.mark.parametrize(
    "line",
    [
        "%pods show $pw",
        "%pods show pre-{pw}",
        "%pods $pw",
        "%pods ls $pw",
        "%pods ls --status=$pw",
        "%pods logs train --tail $pw",
        "%pods wait train --for {pw}",
        "%pods wait train --timeout {pw}",
        "%pods ls -o $pw",
        "%pods ls --{pw}",
        "%pods ls --limit {box}",
        "%pods rm {[box]}",
        "%pods costs --by {pw}",
        "%pods costs --tz {pw}",
        "%pods costs --since {pw}",
        "%pods history --save {pw}",
        "%pods connect --context {pw}",
        "%pods wallet --team {pw}",
        "%pods keys primary {pw}",
        "%pods keys add {pw}",
        "%pod_create --gpu L4_24GB --env DB=$pw extra",
        "%pod_create --gpu L4_24GB --env DB_PASSWORD=$value --nonsense",
        "%pod_create --gpu L4_24GB --env $pw",
        "%pod_create --gpu L4_24GB --env {pw}=x --env {pw}=y",
        "%pod_create --gpu L4_24GB --env=DB={value} --count x",
        "%pod_create --gpu L4_24GB --count $pw",
        "%pod_create --gpu $pw",
        "%pod_create --gpu L4_24GB --security $pw",
        "%pod_create --gpu L4_24GB --max-price $pw",
        "%pod_create --gpu L4_24GB --timeout $pw",
        "%pod_create --gpu L4_24GB --ssh-key-id 'x' --env 'A=$pw' --env B='{pw}",
        "%pod_create --gpu L4_24GB --env A={pw",
    ],
)
def test_a_secret_that_is_filled_in_is_in_no_error(shell: Any, line: str) -> None:
    shell.user_ns.update(pw=SECRET, value=SECRET, box=SecretStr(SECRET))
    with pytest.raises(PodsError) as caught:
        shell.run(line)
    told = f"{caught.value!r} {caught.value} {shell.output.text} {shell.output.html}"
    assert "s3cret" not in told
    assert "phrase" not in told


@pytest.mark.parametrize(
    ("value", "is_ordinary"),
    [
        *[
            (text, True)
            for text in ("terminated", "prime-rl", "python", "Prime Intellect", "EUROPE", "12.500")
        ],
        *[(text, True) for text in ("pod", "1000000", "nothing/was", "H100_80GB")],
        *[
            (text, False)
            for text in ("hunter2", "xKdRtQwLp", "correct-horse-battery", "H100_90GB", "a--bcdefg")
        ],
        *[(text, False) for text in ("1234567890123", "pa$sword", "pass word ", "12345678901234.5")],
    ],
)
def test_ordinary_words_of_the_environment_are_not_hidden_unless_they_are_called_secret(
    value: str, is_ordinary: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_VALUE", value)
    monkeypatch.setenv("DB_PASSWORD", value)
    message = f"Nothing was said of {value}; it is for the sake of it"
    for name, is_hidden in (("MY_VALUE", not is_ordinary), ("DB_PASSWORD", True)):
        variables = Variables({})
        assert variables(name) == value
        error = PodsError(message)
        variables.hide_in(error)
        assert (f"${{{name}}}" in str(error)) == is_hidden
        assert (str(error) == message) == (not is_hidden)


@pytest.mark.parametrize(
    "field", ["gpu", "region", "image", "country", "provider", "socket", "cloud_id", "pods"]
)
@pytest.mark.parametrize(
    ("name", "value"),
    [("hf_token", "hf_QwErTy123456zZ"), ("db_password", "Tr0ub4dor&3xyz"), ("note", "Tr0ub4dor&3xyz")],
)
def test_hides_plain_notebook_variable_in_errors(shell: Any, field: str, name: str, value: str) -> None:
    shell.user_ns[name] = value
    spec = {"name": "train", "gpu": "L4_24GB", field: f"${{{name}}}"}
    with pytest.raises(PodsError) as caught:
        shell.run("\n".join(["%%pod_create", *(f"{key}: {text}" for key, text in spec.items())]))
    assert value not in str(caught.value)
    assert value not in shell.output.text


@pytest.mark.parametrize(
    ("name", "value", "is_hidden"),
    [
        ("mode", "created", False),
        ("count", 12, False),
        ("password", "created", True),
        ("pin_code", 123456, True),
        ("note", "hunter2", True),
    ],
)
def test_hides_notebook_values_by_the_rule_of_the_environment(
    name: str, value: object, is_hidden: bool
) -> None:
    variables = Variables({name: value})
    assert variables(name) == str(value)
    error = PodsError(f"cannot use {value}")
    variables.hide_in(error)
    assert (str(value) not in str(error)) == is_hidden


def test_a_word_within_a_secret_does_not_hide_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DB_PASSWORD", "nothing was terminated, hunter2")
    variables = Variables({})
    variables("DB_PASSWORD")
    error = PodsError("nothing was sent, but hunter2 was terminated")
    variables.hide_in(error)
    assert str(error) == "nothing was sent, but ${DB_PASSWORD} was terminated"


def test_an_ordinary_value_spoils_no_message_and_no_price(
    shell: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODE", "created")
    monkeypatch.setenv("MOST", "0.0100")
    shell.user_ns["mode"] = "created"
    cell = "%%pod_create\ngpu: L4_24GB\nenv: {A: '${MODE}'}\nmax_price: ${MOST}"
    line = "%pod_create --gpu L4_24GB --env A=$mode --max-price 0.01"
    for create in (cell, line):
        with pytest.raises(OutOfStock, match=r"(?s)Nothing was created.*over \$0\.01/h") as caught:
            shell.run(create)
        assert "$mode" not in str(caught.value)


def test_an_innocent_value_is_shown(shell: Any) -> None:
    shell.user_ns["n"] = "my pod"
    with pytest.raises(NotFound, match="There is no pod 'my pod'"):
        shell.run("%pods rm {n}")


@pytest.fixture
def rented(shell: Any) -> Callable[..., list[str]]:
    def rent(*names: str) -> list[str]:
        for shell.user_ns["n"] in names:
            shell.run("%pod_create --gpu L4_24GB --name {n}")
        return [str(name) for name in shell.run("%pods ls")["name"]]

    return rent


NAMES = ["my", "pod", "my pod", "train", "train -y", "-y", "it's", "{n}", "$n", "a;b", "# no"]


def test_a_name_of_any_kind_is_that_pod_in_every_command(shell: Any, rented: Any) -> None:
    assert sorted(rented(*NAMES)) == sorted(NAMES)
    for number, shell.user_ns["name"] in enumerate(pick(NAMES[2:5], NAMES)):
        assert shell.run("%pods show {name}").name == shell.user_ns["name"], number
        assert list(shell.run('%pods status "$name"')["name"]) == [shell.user_ns["name"]]
        assert list(shell.run("%pods rm {name} -y")["name"]) == [shell.user_ns["name"]]


def test_terminates_nothing_that_is_not_named(shell: Any, rented: Any) -> None:
    there = rented("my", "pod", "train")
    for shell.user_ns["n"] in ("my pod", "train -y", "my train", "", "-y"):
        with pytest.raises(PodsError):
            shell.run("%pods rm {n}")
    shell.run("mine = %pods ls")
    with pytest.raises(NotFound, match=r"'%pods rm \{mine.id\}'"):
        shell.run('%pods rm {" ".join(mine.id)}')
    for line in (
        "%pods rm {mine.id[:0]} --all",
        "%pods rm {mine}",
        "%pods rm x{mine.id}",
        "%pods rm {mine.id} nobody",
    ):
        with pytest.raises(PodsError):
            shell.run(line)
    shell.run("%pods rm {mine.id[:0]} -y")
    assert sorted(shell.run("%pods ls")["name"]) == sorted(there)


def test_a_series_of_ids_terminates_all(shell: Any, rented: Any) -> None:
    rented("my", "pod", "my pod")
    shell.run("mine = %pods ls")
    assert len(shell.run("%pods rm {mine.id}")) == 3
    assert shell.run("%pods ls").empty


def test_variables_of_a_function_are_seen(shell: Any) -> None:
    shell.run("def statuses(name):\n    return get_ipython().run_line_magic('pods', 'ls --status $name')")
    assert shell.run("statuses('ACTIVE')").empty
    with pytest.raises(InvalidRequest, match="there is no variable 'name'"):
        shell.run("%pods ls --status $name")


def test_a_pod_stands_for_its_id(shell: Any) -> None:
    shell.run("%pod_create --gpu L4_24GB --name one --wait -o pod")
    shell.run("%pod_create --gpu L4_24GB --name two --wait -o other")
    assert shell.run("%pods show $pod").name == "one"
    assert list(shell.run("%pods status {[pod, other]}")["name"]) == ["one", "two"]
    assert shell.run("%pods ssh $pod") == shell.run("%pods ssh one")


@pytest.mark.parametrize("word", ["stop", "pause", "restart", "down"])
def test_stopping_does_not_lead_to_the_loss_of_the_disk(shell: Any, rented: Any, word: str) -> None:
    rented("train")
    with pytest.raises(InvalidRequest) as caught:
        shell.run(f"%pods {word} train")
    told = str(caught.value)
    assert "this service cannot stop a pod" in told
    assert "everything on its own disk is then lost" in told
    assert "Nothing was done" in told
    assert "(use" not in told
    assert list(shell.run("%pods ls")["name"]) == ["train"]


@given(any_text)
@example("my pod")
@example("größe")
def test_what_is_quoted_is_read_back_as_it_is(text: str) -> None:
    typed = quote_word(text)
    if typed is not None:
        line = expand_variables(f"show {typed}", {})
        assert parsed(line, "show").pod == text
        assert not any(isinstance(word, Several) or word.is_filled for word in line.words)


@pytest.mark.parametrize(
    ("text", "typed"),
    [
        ("train", "train"),
        ("my pod", "'my pod'"),
        ("us-east-1 (Iowa)", "'us-east-1 (Iowa)'"),
        ("ubuntu_22/cuda:12.4", "ubuntu_22/cuda:12.4"),
        *(
            (text, None)
            for text in ["", " ", " a", "a  b", "-y", "- y", "--new", "{n}", "$n", "%x", "it's", '"']
        ),
        *(
            (text, None)
            for text in ["a;", "#a", "a\\", "a\nb", "a\x1b[31m", "a\u202eb", "a\u200bb", "x?", "x!", "\u3164"]
        ),
    ],
)
def test_only_what_is_safe_to_run_is_quoted(text: str, typed: str | None) -> None:
    assert quote_word(text) == typed
