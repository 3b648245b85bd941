"""SSH keys, teams and wallets: the right one is meant, and no private key leaves this computer."""

from __future__ import annotations

import base64
from pathlib import Path

import httpx
import pytest

from primepods_magic.api.errors import InvalidRequest, NameInUse, NotFound
from primepods_magic.pods.account.teams import find_team
from primepods_magic.pods.account.wallet import read_wallet
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.ssh.keys import add_key, fingerprint, list_keys, make_primary
from primepods_magic.pods.support.clock import ServiceClock
from tests.support.damage import damage_path
from tests.support.moving_list import client_of
from tests.support.sandbox_control import SandboxControl


def public_key(letter: bytes, comment: str = "") -> str:
    blob = b"\0\0\0\x0bssh-ed25519\0\0\0\x20" + letter * 32
    return f"ssh-ed25519 {base64.b64encode(blob).decode()} {comment}".strip()


def test_a_key_is_added_once_and_made_primary(connection: Connection, home: Path) -> None:
    file = home / ".ssh" / "id_ed25519.pub"
    file.parent.mkdir()
    file.write_text(f"# mine\n{public_key(b'a', 'ada@desk')}\n")
    added = add_key(connection)
    assert (added.name, added.is_primary) == ("ada@desk", False)
    assert add_key(connection, str(file), name="again").id == added.id
    make_primary(connection, "ada@desk")
    assert [(key.name, key.is_primary) for key in list_keys(connection)] == [
        ("ada@desk", True),
        ("laptop", False),
    ]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("-----BEGIN OPENSSH PRIVATE KEY-----\nx\n", "a private key, which never leaves this computer"),
        ("", "does not contain one public SSH key"),
        ("ssh-ed25519 not-base64!", "does not contain one public SSH key"),
        (
            f"{public_key(b'a')}\n{public_key(b'b')}",
            r"does not contain one public SSH key but 2\. Nothing was sent",
        ),
        ("-----BEGIN RSA PRIVATE KEY-----\r\nx\r\n", "a private key"),
        (f"{public_key(b'a')}\n-----BEGIN EC PRIVATE KEY-----\n", "a private key"),
        ("PuTTY-User-Key-File-3: ssh-ed25519\r\n", "a private key"),
        ("---- BEGIN SSH2 PUBLIC KEY ----\nAAAA\n", "Convert it with 'ssh-keygen -i -f /.*key'"),
        (f'from="10.0.0.1" {public_key(b"a")}', "does not contain one public SSH key"),
        ("\0" * 100, "does not contain one public SSH key"),
        (f"{public_key(b'a')}\n{'#' * 30_000}", "larger than 20,000 bytes"),
    ],
)
def test_what_is_no_public_key_is_not_sent(
    connection: Connection, tmp_path: Path, content: str, says: str
) -> None:
    file = tmp_path / "key"
    file.write_text(content)
    with pytest.raises(InvalidRequest, match=says):
        add_key(connection, str(file))
    assert len(list_keys(connection)) == 1


@pytest.mark.parametrize("text", [f"\ufeff{public_key(b'd', 'x')}", f"{public_key(b'd')} x\r\n\r\n# end\r\n"])
def test_reads_a_key_as_other_systems_write_it(text: str, connection: Connection, tmp_path: Path) -> None:
    (tmp_path / "key.pub").write_bytes(text.encode())
    assert add_key(connection, str(tmp_path / "key.pub")).name == "x"


@pytest.mark.parametrize("damage", ["folder", "pipe", "dangling", "loop", "device"])
def test_says_that_a_key_file_cannot_be_read(damage: str, connection: Connection, tmp_path: Path) -> None:
    damage_path(tmp_path / "key.pub", damage)
    with pytest.raises(InvalidRequest, match=r"^Cannot read 'key.pub' \([^()]+\)\. Nothing was sent$"):
        add_key(connection, str(tmp_path / "key.pub"))


@pytest.mark.parametrize("file", ["~nobody-of-this-name/key.pub", "a\0b", "", "/"])
def test_says_that_a_word_is_no_key_file(file: str, connection: Connection) -> None:
    with pytest.raises(InvalidRequest, match=r"not a path to a file|home folder is unknown|keys add --new"):
        add_key(connection, file)


def test_names_no_key_file_without_a_home(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "relative")
    with pytest.raises(InvalidRequest, match=r"The home folder is unknown\. Name the file"):
        add_key(connection)


def test_without_a_key_file_what_to_do_is_said(connection: Connection, tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="create a key with '%pods keys add --new'"):
        add_key(connection)
    with pytest.raises(InvalidRequest, match="Cannot read"):
        add_key(connection, str(tmp_path / "nothing.pub"))


def test_a_name_is_one_keys(connection: Connection, tmp_path: Path) -> None:
    file = tmp_path / "key.pub"
    file.write_text(public_key(b"c"))
    with pytest.raises(NameInUse, match="'laptop'"):
        add_key(connection, str(file), name="laptop")
    with pytest.raises(NotFound, match="did you mean 'laptop'"):
        make_primary(connection, "laptopp")


def test_a_fingerprint_is_as_ssh_keygen_says() -> None:
    # By ssh-keygen -lf.
    assert fingerprint(public_key(b"a")) == "SHA256:TGIk2D1DFZBKmjWssB2+Qdiona/OUK1TSuWAAHMK+n0"
    assert fingerprint("nonsense") is None


def test_a_team_is_found_by_name_slug_or_id(connection: Connection) -> None:
    for word in ("analytical engines", "analytical-engines", "team_id"):
        assert find_team(connection, word).team_id == "team_id"
    with pytest.raises(NotFound, match="did you mean 'Analytical Engines'"):
        find_team(connection, "Analytical Engine")


def test_a_wallet_is_read_page_by_page(connection: Connection, sandbox: SandboxControl) -> None:
    everything = read_wallet(connection, limit=1000)
    assert len(everything.recent_billings) == everything.total_billings == 58
    assert len(read_wallet(connection, limit=3).recent_billings) == 3
    assert read_wallet(connection, team_id="team_id").team_id == "team_id"


def test_a_billing_that_moves_up_between_two_pages_is_not_lost() -> None:
    rows = [{"id": f"b{number}", "amount_usd": 1.0} for number in range(150)]
    asked: list[int] = []

    def answer(request: httpx.Request) -> httpx.Response:
        offset, limit = (int(request.url.params[name]) for name in ("offset", "limit"))
        asked.append(offset)
        # The list ends one row earlier, so that the seam does not show what moved.
        if len(asked) == 2:
            rows.insert(0, rows.pop(120))
            rows.pop(50)
        return httpx.Response(
            200, json={"total_billings": len(rows), "recent_billings": rows[offset : offset + limit]}
        )

    with client_of(httpx.MockTransport(answer)) as client:
        wallet = read_wallet(Connection(client, ServiceClock(client.session), False), limit=1000)
    assert [row.id for row in wallet.recent_billings] == [row["id"] for row in rows]
    assert len(asked) < 10
