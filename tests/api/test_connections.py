"""Where to ssh to, in every shape; and nothing of it but a user, a host and a port."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from primepods_magic.api.fields.ssh_target import host_in, read_connections
from primepods_magic.api.models import PodDetails
from tests.support.soak import pick

EXAMPLES = settings(max_examples=pick(20, 10_000))
SAFE = re.compile(r"ssh [A-Za-z0-9_.][A-Za-z0-9_.-]*@[A-Za-z0-9_:][A-Za-z0-9_.:-]* -p [0-9]{1,5}")
HERE = "203.0.113.7"


def told(value: Any) -> list[tuple[str, str, int] | None]:
    return [target and (target.user, target.host, target.port) for target in read_connections(value)]


AT_2200 = [
    "ssh -p 2200 root@203.0.113.7",
    "ssh -i ~/.ssh/id -p 2200 root@203.0.113.7",
    "SSH root@203.0.113.7 -p 2200",
    "$ ssh root@203.0.113.7 -p 2200",
    "Connect with: ssh root@203.0.113.7 -p 2200",
    "/usr/bin/ssh -tA -p2200 -L 8888:localhost:8888 -N root@203.0.113.7",
    "ssh -o StrictHostKeyChecking=no -p 2200 root@203.0.113.7 -- tmux attach",
    "ssh -o KexAlgorithms=a,b -p 2200 root@203.0.113.7",
    "ssh root@203.0.113.7 \\\n  -p 2200",
    "-p 2200 root@203.0.113.7",
    "-p=2200 root@203.0.113.7",
    "root@203.0.113.7 -p2200",
    "root@203.0.113.7 -p=2200",
    "root@203.0.113.7 -o Port=2200",
    "root@203.0.113.7 -oPort=2200",
    "root@203.0.113.7 -o 'Port 2200'",
    "root@203.0.113.7 --port=2200",
    "root@203.0.113.7 --port 2200",
    "root@203.0.113.7 port 2200",
    "root@203.0.113.7 (port: 2200)",
    "root@203.0.113.7:2200",
    "-l root 203.0.113.7 -p 2200",
    "-o User=root -p 2200 203.0.113.7",
    "203.0.113.7:2200",
    "ssh://root@203.0.113.7:2200",
    "ssh://203.0.113.7:2200/",
    "\"root@203.0.113.7\" -p '2200'",
    "ssh -p 2200 -p 22 root@203.0.113.7",
    ["ssh", "-p", "2200", "root@203.0.113.7"],
    ["ssh", "-p", 2200, "root@203.0.113.7"],
    ["root@203.0.113.7", "-p2200"],
    ["203.0.113.7", "2200"],
    [["ssh", "-p", "2200", "root@203.0.113.7"]],
    {"host": "203.0.113.7", "port": 2200, "user": "root"},
    {"ip": "203.0.113.7", "sshPort": "2200", "username": "root"},
    [{"hostname": "203.0.113.7", "port": "2200"}],
    {"command": "ssh -p 2200 root@203.0.113.7"},
    *(
        "root@203.0.113.7 (2200)",
        "root@203.0.113.7 : 2200",
        "root@203.0.113.7 :2200",
        "root@203.0.113.7 [2200]",
    ),
    *("root@203.0.113.7 p=2200", "root@203.0.113.7 - p 2200", "root@203.0.113.7 \u2013p 2200"),
    *("root@203.0.113.7 \u2014port 2200", "root@203.0.113.7 sshport: 2200", "root@203.0.113.7 SSHPort=2200"),
    *("root@203.0.113.7 ssh_port 2200", "root@203.0.113.7 tcp/2200", "root@203.0.113.7 2200/tcp"),
    "root@203.0.113.7:2200 (password: abc)",
    {"host": "203.0.113.7", "externalPort": 2200, "internalPort": 22},
    {"host": "203.0.113.7", "publicPort": "2200"},
    {"host": "203.0.113.7", "tcp_port": 2200, "protocol": "tcp"},
    {"command": "ssh root@203.0.113.7 -p 2200", "ports": {"8888": 8888}},
    {"host": "203.0.113.7", "port": 2200, "ssh_port": 2200, "jupyterPort": 8888},
]


@pytest.mark.parametrize("value", AT_2200, ids=str)
def test_a_port_is_read_wherever_it_stands(value: Any) -> None:
    assert told(value) == [("root", HERE, 2200)]


def replaced(value: Any, port: str) -> Any:
    """A connection with another port in the place of 2200."""
    if isinstance(value, dict):
        return {name: replaced(item, port) for name, item in value.items()}
    if isinstance(value, list):
        return [replaced(item, port) for item in value]
    return str(value).replace("2200", port)


@pytest.mark.parametrize("value", AT_2200, ids=str)
@pytest.mark.parametrize("port", ["0", "70000", "x", "22ab", "-1"])
def test_a_port_that_cannot_be_read_is_never_another_one(value: Any, port: str) -> None:
    # In a list of two texts the second may be another node.
    assert told(replaced(value, port)) in ([], [("root", HERE, 22), None])


@pytest.mark.parametrize(
    "value",
    [
        f"root@{HERE} -p",
        f"root@{HERE}:",
        f"root@{HERE}:22:x",
        f"root@{HERE} uptime -p 2200",
        f"root@{HERE}/2",
        f"root@{HERE} -p 22 | root@203.0.113.8 -p 23",
        f"root@{HERE} -p 22 && root@203.0.113.8",
        f"root@{HERE}:22 / root@203.0.113.8:23",
        f"root@{HERE} 22 2200",
        f"root@{HERE} public 2200",
        f"root@{HERE} 22->2200",
        f"root@{HERE} at 2200",
        f"root@{HERE} (-2200)",
        f"root@{HERE} port is 2200",
        f"root@{HERE} p",
        f"root@{HERE} :",
        f"Port 2200: ssh root@{HERE}",
        {"host": HERE, "ports": {"22": 2200}},
        {"host": HERE, "portMappings": [{"22": 2200}]},
        {"host": HERE, "port": 22, "externalPort": 2200},
        {"host": HERE, "nodePort": 2200},
        {"command": f"ssh root@{HERE}", "forwarded_port": 2200},
    ],
    ids=str,
)
def test_half_a_port_makes_a_node_unreachable(value: Any) -> None:
    assert told(value) == []


def test_a_lone_number_behind_a_target_is_its_port() -> None:
    assert told("root@203.0.113.7 2200") == [("root", HERE, 2200)]
    assert told("root@203.0.113.7 22ab") == told("root@203.0.113.7 70000") == []
    assert told("root@203.0.113.7 /2200") == [("root", HERE, 2200)]


@pytest.mark.parametrize(
    "value",
    [
        *(
            f"root@{HERE} uptime",
            f"ssh root@{HERE} nvidia-smi",
            f"root@{HERE} /bin/bash -l",
            f"root@{HERE} ~/run",
        ),
        *(f"root@{HERE} tmux attach -t 1", f"Connect with: ssh root@{HERE}", f"root@{HERE} python3 -m http"),
        {"host": HERE, "transport": "tcp", "port": None},
        {"host": HERE, "port": "N/A", "ports": []},
        {"command": f"ssh root@{HERE} -p 22", "ports": {"8888": 8888}},
    ],
    ids=str,
)
def test_a_target_without_a_port_is_at_22(value: Any) -> None:
    assert told(value) == [("root", HERE, 22)]


@pytest.mark.parametrize(
    ("value", "nodes"),
    [
        (["root@203.0.113.7", None], [("root", HERE, 22), None]),
        ([["ssh", "-p", "23", "root@203.0.113.7"], None, "root@203.0.113.8"], ["23", None, "22"]),
        ("root@203.0.113.7 -p 23\nroot@203.0.113.8 -p 24", ["23", "24"]),
        ("root@203.0.113.7 -p 23; root@203.0.113.8 -p x", ["23", None]),
        ("root@203.0.113.7:23,root@203.0.113.8:24", ["23", "24"]),
        ("root@203.0.113.7:23, null", ["23", None]),
        ("root@203.0.113.7:23 root@203.0.113.8:24", ["23", "24"]),
        ("203.0.113.7, 203.0.113.8", ["22", "22"]),
        (["ssh -p 23 root@203.0.113.7", "-p 24 root@203.0.113.8"], ["23", "24"]),
        ([{"host": "203.0.113.7", "port": 23}, {"host": "203.0.113.8", "port": 0}], ["23", None]),
        (["root@203.0.113.7:23", "root@203.0.113.8:x", []], ["23", None, None]),
    ],
    ids=str,
)
def test_each_node_is_read_by_itself(value: Any, nodes: list[Any]) -> None:
    said = told(value)
    if nodes[0] == ("root", HERE, 22):
        assert said == nodes
    else:
        assert [node and str(node[2]) for node in said] == nodes


@pytest.mark.parametrize(
    ("value", "host"),
    [
        ("2001:db8::7", "2001:db8::7"),
        ("root@2001:db8::7", "2001:db8::7"),
        ("root@[2001:db8::7]", "2001:db8::7"),
        ("ssh://root@[2001:db8::7]:22", "2001:db8::7"),
        ("[2001:db8::7]:22", "2001:db8::7"),
        ("node-7.example.net", "node-7.example.net"),
        ("root@node7", "node7"),
    ],
)
def test_a_host_is_an_address_or_a_name(value: str, host: str) -> None:
    assert told(value) == [("root", host, 22)]


@pytest.mark.parametrize(
    "value",
    [
        *("pending", "Pending...", "not available", "N/A", "null", "-", "", "root@", "@host", "root@0.0.0.0"),
        *("-oProxyCommand=x@203.0.113.7", "ssh -o ProxyCommand=x root@203.0.113.7", "root@999.1.1.1"),
        *("ssh -J bastion root@203.0.113.7", "ssh -oProxyJump=b root@203.0.113.7", "-l -oX 203.0.113.7"),
        *("root@-oX", "-x@203.0.113.7", "ssh root@203.0.113.7;reboot", "root@203.0.113.7 -p 22; rm -rf /"),
        *("root@$(id)", "`id`@203.0.113.7", "root@a|b", "a@b@203.0.113.7", "root:pw@203.0.113.7", "root@h\0"),
        *(
            "'root@203.0.113.7",
            "root@fe80::1%eth0",
            "http://203.0.113.7:22",
            "root@a..b",
            "root@203.0.113.7\\;id",
        ),
        *("root@" + "a" * 10**6, "ssh " * 10**5 + "root@203.0.113.7", json.loads("[" * 500 + "]" * 500)),
        *(True, 5, {}, {"port": 22}, [None, None], [[]], {"host": ["x"]}),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_is_no_target_is_none(value: Any) -> None:
    assert told(value) == []


PARTS = st.sampled_from(
    [
        *("ssh", "-p", "-oPort=", "-o ProxyCommand=x", "-l", "root", "@", "203.0.113.7", ":", "2200", "\\"),
        *("[2001:db8::7]", ";", "$(id)", "`", "\n", ",", "null", "-J", "'", "''", "~"),
    ]
)
TEXTS = st.text() | st.lists(PARTS | st.text(max_size=2)).map("".join) | st.lists(PARTS).map(" ".join)
VALUES = st.recursive(
    TEXTS | st.none() | st.integers() | st.sampled_from(AT_2200),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.sampled_from(["host", "port", "user", "command"]), inner)
    ),
    max_leaves=6,
)


@EXAMPLES
@given(VALUES, VALUES, VALUES)
def test_nothing_but_a_user_a_host_and_a_port_reaches_a_command(ssh: Any, ip: Any, external: Any) -> None:
    port = {"usedBy": "SSH", "internal": 22, "external": external}
    pod = PodDetails.model_validate(
        {"status": "ACTIVE", "sshConnection": ssh, "ip": ip, "primePortMapping": [port]}
    )
    for target in (*read_connections(ssh), *pod.connections):
        assert target is None or SAFE.fullmatch(target.command)
        assert target is None or 0 < target.port < 65536


NAMES = st.from_regex(r"\A[a-z_][a-z0-9_-]{0,8}\Z")
HOSTS = st.one_of(
    st.ip_addresses(v=4).map(str),
    st.from_regex(r"\A[a-z][a-z0-9]{0,5}(\.[a-z][a-z0-9-]{0,5}[a-z0-9]){1,3}\Z"),
).filter(lambda host: host_in(host) is not None)


@EXAMPLES
@given(NAMES, HOSTS, st.integers(1, 65535))
def test_every_shape_of_one_target_is_that_target(user: str, host: str, port: int) -> None:
    for value in (
        f"ssh {user}@{host} -p {port}",
        f"ssh -i key -p{port} {user}@{host}",
        f"ssh://{user}@{host}:{port}",
        f"-l {user} -o Port={port} {host}",
        [f"{user}@{host}:{port}"],
        ["ssh", "-p", port, f"{user}@{host}"],
        {"user": user, "host": host, "port": port},
    ):
        assert told(value) == [(user, host, port)]


def pod(ip: Any, *ports: dict[str, Any], ssh: Any = None) -> list[tuple[str, str, int] | None]:
    details = PodDetails.model_validate(
        {"status": "ACTIVE", "ip": ip, "primePortMapping": list(ports), "sshConnection": ssh}
    )
    return [target and (target.user, target.host, target.port) for target in details.connections]


@pytest.mark.parametrize("use", ["SSH", "ssh", " SSH ", None, "", "null"])
def test_the_port_of_ssh_is_found_whatever_says_so(use: Any) -> None:
    assert pod(HERE, {"internal": 22, "external": 2200, "usedBy": use}) == [("root", HERE, 2200)]
    assert pod(HERE, {"internal": "22/tcp", "external": "2200/tcp", "usedBy": use}) == [("root", HERE, 2200)]


@pytest.mark.parametrize(
    ("external", "node"),
    [
        ("203.0.113.9:2222", ("root", "203.0.113.9", 2222)),
        ("ssh://ubuntu@203.0.113.9:2222", ("ubuntu", "203.0.113.9", 2222)),
        ("tcp://203.0.113.9:2222", ("root", "203.0.113.9", 2222)),
        ("ubuntu@203.0.113.9:2222", ("ubuntu", "203.0.113.9", 2222)),
    ],
)
def test_a_port_outside_may_be_a_complete_target(external: str, node: Any) -> None:
    assert pod(None, {"internal": "22", "external": external, "usedBy": "SSH"}) == [node]


@pytest.mark.parametrize("external", [0, "70000", "*", "", None, "x", "203.0.113.9:x", -1])
def test_a_port_outside_that_cannot_be_read_is_never_22(external: Any) -> None:
    assert pod(HERE, {"internal": "22", "external": external, "usedBy": "SSH"}) == []


def test_every_node_of_a_list_of_addresses_is_reached_by_its_port() -> None:
    one, other = ({"internal": 22, "external": port, "usedBy": "SSH"} for port in (2200, 2201))
    assert pod([HERE, "203.0.113.8"], one) == [("root", HERE, 2200), ("root", "203.0.113.8", 2200)]
    assert pod([HERE, "203.0.113.8"], one, other) == [("root", HERE, 2200), ("root", "203.0.113.8", 2201)]
    assert pod([HERE, None], one) == [("root", HERE, 2200), None]
    assert pod("203.0.113.7, 203.0.113.8", one) == [("root", HERE, 2200), ("root", "203.0.113.8", 2200)]


def test_a_port_for_something_else_is_no_port_of_ssh() -> None:
    assert pod(HERE, {"internal": "8888", "external": "2200", "usedBy": "JUPYTER_NOTEBOOK"}) == []
    assert pod(HERE, {"internal": "*", "external": "*", "usedBy": None}) == []


@pytest.mark.parametrize(
    ("ip", "external", "url"),
    [
        (HERE, "31001", f"http://{HERE}:31001"),
        ([None, HERE], 31001, f"http://{HERE}:31001"),
        ("2001:db8::7", "31001", "http://[2001:db8::7]:31001"),
        ("evil/?", "31001", None),
        (HERE, "70000", None),
        (HERE, "²", None),
        (None, "https://a.example/x?token=1", "https://a.example/x"),
    ],
)
def test_jupyter_is_where_a_host_and_a_port_say(ip: Any, external: Any, url: str | None) -> None:
    port = {"internal": "8888", "external": external, "usedBy": "jupyter notebook"}
    assert PodDetails.model_validate({"ip": ip, "primePortMapping": [port]}).jupyter_url == url
