"""A secret is hidden in whatever form a service repeats it."""

from __future__ import annotations

import base64
import html
import json
import time
import unicodedata
from collections.abc import Callable, Iterator
from urllib.parse import quote, quote_plus

import httpx
import pytest

from primepods_magic.api import errors
from primepods_magic.api.http.session import HttpSession
from primepods_magic.api.secrets.redaction import Hider, hide_secrets
from primepods_magic.api.settings import Settings
from tests.support.secrets import Search, forms_of
from tests.support.soak import pick

KEY = "pit_0123456789abcdef_secret"
SECRETS = [
    "correct-horse-battery-staple",
    'it\'s "quoted" & <b>\\n é 😀 %41&amp;',
    "plus+and/slash==and space",
    "two\nlines\tof a password",
    "percent%2541&lt;already",
    "\\\\server\\share\\path\\",
    "ключ-от-всего-на-свете",
    "-----BEGIN KEY-----\r\nabcdefgh\r\n-----END KEY-----\n",
    "&quot;marked up&quot;",
    "control\x00\x01 characters\x7f",
    "A B  C   D    E",
    "  padded on both sides  ",
    "😀😀😀😀😀😀",
]


def each_char(form: Callable[[str], str]) -> Callable[[str], str]:
    return lambda secret: "".join(map(form, secret))


def in_json(times: int) -> Callable[[str], str]:
    def quoted(secret: str) -> str:
        for _ in range(times):
            secret = json.dumps(secret)[1:-1]
        return secret

    return quoted


FORMS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "JSON": in_json(1),
    "JSON in JSON": in_json(2),
    "JSON in JSON in JSON": in_json(3),
    "nested objects": lambda one: json.dumps({"a": json.dumps({"b": json.dumps({"c": one})})}),
    "JSON of Unicode": lambda one: json.dumps(one, ensure_ascii=False),
    "HTML": html.escape,
    "HTML twice": lambda one: html.escape(html.escape(one)),
    "HTML in JSON": lambda one: json.dumps(html.escape(one)),
    "JSON in HTML": lambda one: html.escape(json.dumps(one)),
    "HTML, decimal": each_char(lambda char: f"&#{ord(char)};"),
    "HTML, hexadecimal": each_char(lambda char: f"&#x{ord(char):X};"),
    "HTML, padded": each_char(lambda char: f"&#x{ord(char):06x};"),
    "XML": lambda one: one.encode("ascii", "xmlcharrefreplace").decode(),
    "URL": lambda one: quote(one, safe=""),
    "URL, lower": lambda one: quote(one, safe="").lower(),
    "URL, form": quote_plus,
    "URL twice": lambda one: quote(quote(one, safe=""), safe=""),
    "URL, every byte": lambda one: "".join(f"%{byte:02x}" for byte in one.encode()),
    "repr": repr,
    "repr of repr": lambda one: repr(repr(one)),
    "repr of bytes": lambda one: repr(one.encode()),
    "ascii": ascii,
    "Unicode escapes": lambda one: one.encode("unicode_escape").decode(),
    "long Unicode escapes": each_char(lambda char: f"\\U{ord(char):08x}"),
    "JavaScript": each_char(lambda char: f"\\u{{{ord(char):x}}}"),
    "byte escapes": lambda one: "".join(f"\\x{byte:02x}" for byte in one.encode()),
    "SQL": lambda one: one.replace("'", "''"),
    "CSV": lambda one: one.replace('"', '""'),
    "shell": lambda one: one.replace("'", "'\\''"),
    "upper": str.upper,
    "lower": str.lower,
    "one line": lambda one: " ".join(one.split()),
    "hexadecimal": lambda one: one.encode().hex(),
    "hexadecimal, spaced": lambda one: one.encode().hex(" ").upper(),
    "base64": lambda one: base64.b64encode(one.encode()).decode(),
    "base64, moved by one": lambda one: base64.b64encode(b"x" + one.encode()).decode(),
    "base64, moved by two": lambda one: base64.urlsafe_b64encode(b"xx" + one.encode() + b"x").decode(),
    "base64 of JSON": lambda one: base64.b64encode(json.dumps({"key": one}).encode()).decode(),
    "base64 twice": lambda one: base64.b64encode(base64.b64encode(one.encode())).decode(),
    "base64 of UTF-16": lambda one: base64.b64encode(one.encode("utf-16-le")).decode(),
    "base32": lambda one: base64.b32encode(one.encode()).decode(),
    "buffer of Node": lambda one: json.dumps({"type": "Buffer", "data": list(one.encode())}),
    "numbers of bytes": lambda one: " ".join(map(str, one.encode())),
    "hexadecimal, with colons": lambda one: one.encode().hex(":"),
    "hexadecimal numbers": lambda one: ", ".join(map(hex, one.encode())),
    "quoted-printable": lambda one: "".join(f"={byte:02X}" for byte in one.encode()),
    "characters": lambda one: repr(list(one)),
    "decomposed": lambda one: unicodedata.normalize("NFD", one),
    "compatible": lambda one: unicodedata.normalize("NFKC", one),
    "UTF-8 taken for Latin-1": lambda one: one.encode().decode("latin-1"),
    "base64 in lines": lambda one: base64.encodebytes(b"x" * 100 + one.encode()).decode(),
}


def all_forms(secret: str) -> Iterator[tuple[str, str]]:
    for name, form in FORMS.items():
        yield name, form(secret)
    for number, form_of_it in enumerate(sorted(forms_of(secret))):
        yield f"form {number}", form_of_it


@pytest.mark.parametrize("secret", SECRETS)
def test_hides_a_secret_in_each_form(secret: str) -> None:
    search = Search({"secret": secret, "folded": " ".join(secret.casefold().split())})
    for name, form in all_forms(secret):
        shown = hide_secrets(f"bad value: [{form}] given", {secret: "***"})
        assert "***" in shown, name
        search.look(name, shown)
        search.look(name, shown.casefold())
        assert shown.startswith("bad value: [")
        assert shown.endswith("] given")
    assert not search.hits


@pytest.mark.parametrize("secret", SECRETS)
def test_a_refusal_repeats_a_secret_in_no_form(secret: str) -> None:
    search = Search({"secret": secret})
    body = {"pod": {"jupyterPassword": secret, "envVars": [{"key": "A", "value": "another-" + secret}]}}
    for number, (name, form) in enumerate(all_forms(secret)):
        said = [{"detail": f"bad {form}"}, {"errors": [{"param": f"body.{form}", "details": form}]}]
        # In each form once, in turns in either place; what hides them is the same in both.
        for told in pick(said[number % 2 :][:1], said):
            answer = httpx.Response(400, json=told, headers={"x-request-id": quote(secret)})
            transport = HttpSession(
                Settings("https://pods.test", KEY), transport=httpx.MockTransport(lambda _, a=answer: a)
            )
            with pytest.raises(errors.PodsError) as caught:
                transport.request("POST", "/api/v1/pods/", body=body)
            transport.close()
            search.look(name, f"{caught.value} {caught.value.detail} {caught.value.request_id}")
    assert not search.hits


TOKEN = "hf_AbCdEfGhIjKlMnOpQrStUvWxYz0123456789"
CUTS = {
    "both ends, as pydantic": f"input_value='{TOKEN[:20]}...{TOKEN[-19:]}', input_type=str",
    "beginning": f"invalid value {TOKEN[:32]}…",
    "end": f"invalid value …{TOKEN[8:]}",
    "middle": f"near {TOKEN[12:24]!r}",
    "fewest": f"near {TOKEN[30:38]!r}",
    "wrapped": f"bad {TOKEN[:20]}-\n> {TOKEN[20:]}",
    "in JSON": json.dumps(json.dumps({"detail": TOKEN[:25]})),
    "in base64": base64.b64encode(b"bad " + TOKEN[:25].encode()).decode(),
    "dump": f"00000000  {TOKEN[:16].encode().hex(' ')}  |{TOKEN[:16]}|",
}


@pytest.mark.parametrize("cut", CUTS)
def test_hides_each_part_of_a_token(cut: str) -> None:
    shown = hide_secrets(CUTS[cut], {TOKEN: "***"})
    assert "***" in shown
    parts = {TOKEN[start : start + 8] for start in range(len(TOKEN) - 7)}
    forms = parts | {part.encode().hex(" ") for part in parts}
    forms |= {base64.b64encode(b"bad " + TOKEN[:25].encode()).decode()[8:20]}
    assert not [form for form in forms if form in shown]


def test_hides_a_part_of_a_passphrase_but_no_word_of_it() -> None:
    secret = {"correct-horse-battery-staple": "***"}
    assert hide_secrets("is 'correct-horse-bat…'", secret) == "is '***…'"
    assert hide_secrets("the correct battery, a horse", secret) == "the correct battery, a horse"


@pytest.mark.parametrize(
    ("secret", "text"),
    [
        ("production", "the introduction to products of producers"),
        ("installation-token", "the installation failed"),
        ("https://api.service.test", "Cannot reach https://api.primeintellect.ai"),
        ('{"gpu": "H100_80GB", "count": 2}', "H100_80GB is not available"),
        ("abc", "Field required: pod.cloudId, at most 100, provider 'hyperstack', 2.49 USD/h"),
    ],
)
def test_a_secret_of_words_hides_no_other_words(secret: str, text: str) -> None:
    assert hide_secrets(text, {secret: "***"}) == text
    assert hide_secrets(f"{text} {secret}", {secret: "***"}) == f"{text} ***"


def test_of_secrets_that_overlap_no_end_is_left() -> None:
    shorter_first = {"hunter2": "A", "hunter2andmore": "B"}
    assert hide_secrets("is hunter2andmore or hunter2.", shorter_first) == "is B or A."
    assert hide_secrets("xx abcdef yy", {"abcd": "A", "cdefg": "B", "cdef": "C"}) == "xx A yy"
    assert hide_secrets("aaaaaaa", {"aaa": "*"}) == "*"


@pytest.mark.parametrize("length", pick([401, 20_000], [401, 5_000, 100_000]))
def test_of_a_long_secret_no_beginning_is_left(length: int) -> None:
    secret = "".join(f"{number:x}-" for number in range(length))[:length]
    search = Search({"secret": secret})
    for form in (
        secret,
        secret[:-1],
        json.dumps(json.dumps(secret)),
        "".join(f"&#{ord(char)};" for char in secret),
    ):
        answer = httpx.Response(400, json={"detail": "x" * 200 + form})
        transport = HttpSession(
            Settings("https://pods.test", KEY), transport=httpx.MockTransport(lambda _, a=answer: a)
        )
        with pytest.raises(errors.PodsError) as caught:
            transport.request("POST", "/api/v1/pods/", body={"pod": {"jupyterPassword": secret}})
        transport.close()
        search.look("refusal", str(caught.value))
    assert not search.hits


def test_other_words_stay_as_they_are() -> None:
    text = "Missing field: pod.maxPrice &lt;b&gt; \\u00e9 100% of 'a + b'"
    assert hide_secrets(text, {"hunter2": "***"}) == text
    assert hide_secrets(text, {}) == text
    assert hide_secrets("", {"hunter2": "***"}) == ""


def test_an_error_hides_what_was_filled_in_by_the_same_rules() -> None:
    error = errors.OutcomeUnknown(
        "not read: pa%24%24word or &#112;a$$word", detail="cGEkJHdvcmQ=", request_id="pa$$word"
    )
    error.hide({"pa$$word": "${PW}"})
    assert str(error) == "not read: ${PW} or ${PW}"
    assert error.detail == "${PW}="
    assert error.request_id == "${PW}"


@pytest.mark.parametrize("start", [0, 19_990, 40_000, 99_000])
def test_hides_a_whole_secret_anywhere_in_a_long_text(start: int) -> None:
    text = ("a line of a log\n" * 10_000)[:100_000]
    hider = Hider({TOKEN: "***"}, parts=False)
    assert hider.hide(text) == text
    shown = hider.hide(text[:start] + TOKEN + text[start:] + TOKEN[:20] + "\n" + TOKEN[20:])
    assert shown == text[:start] + "***" + text[start:] + "***"


@pytest.mark.parametrize("unit", ["&", "\\", "%25", "&#x", "&amp;", "\\u005c", "a", "%c3", "sec", "\\\\u"])
def test_takes_no_longer_for_a_text_that_is_made_for_it(unit: str) -> None:
    length = pick(40_000, 100_000)
    # By the time that this thread computes: it may have to wait for others.
    began = time.thread_time()
    hide_secrets(unit * (length // len(unit)), {f"secret-{number}": "***" for number in range(100)})
    assert time.thread_time() - began < pick(2, 5)
