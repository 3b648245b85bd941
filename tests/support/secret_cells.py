"""Secrets, and cells that use them in every command, every form of a create and every way of failing."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from primepods_magic.notebook.command_list import COMMANDS
from tests.support.soak import pick

# Long, and with characters that quoting and escaping change. A key is printable ASCII.
KEY = 'pit_q7"Zr9\\Wm2+Tk5/Xc8%Vb4&Jd6=Hf3~Ls1'
WANDB = "wäB-'u4\"N6\\p0$e{x}9?Rt<Gy>7 Kq2;Mh8|Zo5"
JUPYTER = 'jÜp-Fz3"Cq8\\Ls5+Dn1/Gv7%Tb4&Xk9=Wm6 Yr2'
PROXY = "prx-Bn4Xw8Kd2Vj6Qm9Tz3Hs7Lf5Rc1"
SECRETS = {"the key": KEY, "WANDB_API_KEY": WANDB, "JUPYTER_PASSWORD": JUPYTER, "the proxy": PROXY}

JSON = json.dumps(
    {
        "pod": {
            "name": "json",
            "cloudId": "n3-H100x1",
            "gpuType": "H100_80GB",
            "socket": "PCIe",
            "gpuCount": 1,
            "envVars": [{"key": "WANDB_API_KEY", "value": "${WANDB_API_KEY}"}],
            "jupyterPassword": "${JUPYTER_PASSWORD}",
        },
        "provider": {"type": "hyperstack"},
    }
)


def body(name: str) -> str:
    env = "{WANDB_API_KEY: '${WANDB_API_KEY}'}"
    return f"name: {name}\ngpu: L4_24GB\nenv: {env}\njupyter_password: ${{JUPYTER_PASSWORD}}"


CASES: Mapping[str, Sequence[str]] = {
    "ls": ["ls", "ls --all --sort name", "ls --status NONE"],
    "show": ["show train", "show nobody"],
    "status": ["status train", "status"],
    "avail": ["avail --gpu L4_24GB", "avail --gpu H100"],
    "gpus": ["gpus", "gpus --gpu $WANDB_API_KEY"],
    "alert": ["alert", "alert --off $WANDB_API_KEY"],
    "launcher": ["launcher", "launcher --cell"],
    "watch": ["watch train --timeout 1s"],
    "wait": ["wait train --timeout 2m", "wait train --for terminated --timeout 2s"],
    "logs": ["logs train --tail 5", "logs train --follow --timeout 20s"],
    "exec": ["exec train -- echo $WANDB_API_KEY", "exec $WANDB_API_KEY -- ls"],
    "put": ["put nothing $WANDB_API_KEY", "put $WANDB_API_KEY train"],
    "get": ["get $WANDB_API_KEY", "get $WANDB_API_KEY:x"],
    "sync": ["sync $WANDB_API_KEY train", "sync . $WANDB_API_KEY"],
    "env": ["env $WANDB_API_KEY --install"],
    "jobs": ["jobs", "jobs train"],
    "attach": ["attach $WANDB_API_KEY"],
    "cancel": ["cancel $WANDB_API_KEY"],
    "kernel": ["kernel", "kernel $WANDB_API_KEY", "kernel $WANDB_API_KEY --remove"],
    "audit": ["audit", "audit --since nobody"],
    "cells": ["cells", "cells nobody"],
    "guard": [
        "guard train --for 4h --notify 'echo $WANDB_API_KEY'",
        "guard $WANDB_API_KEY --for 4h",
        "guard",
    ],
    "hold": ["hold train 5h", "hold $WANDB_API_KEY 5h", "hold train $WANDB_API_KEY"],
    "rm": ["rm train", "rm nobody -y"],
    "ssh": ["ssh train", "ssh train --config", "ssh nobody"],
    "history": ["history --limit 3", "history --since 30d"],
    "costs": ["costs", "costs month", "costs --by nope"],
    "cache": ["cache", "cache --clear"],
    "wallet": ["wallet --limit 3"],
    "disks": ["disks", "disks create '${WANDB_API_KEY}' --size 10", "disks rm nothing"],
    "keys": ["keys", "keys primary laptop", "keys primary nobody"],
    "teams": ["teams", "teams nobody"],
    "connect": ["connect", "connect --live"],
    "doctor": ["doctor"],
}

CREATES = [
    f"%%pod_create --dry-run\n{body('train')}",
    f"%%pod_create --wait\n{body('train')}",
    f"%%pod_create\n{body('train')}\ndisk: 200",
    f"%%pod_create --new\n{body('train')}",
    f"%%pod_create --replace --dry-run\n{body('train')}",
    f"%%pod_create --dry-run\n{JSON}",
    f"%%pod_create --wait -o kept\n{JSON}",
    "%pod_create --gpu L4_24GB --name flags --env WANDB_API_KEY='${WANDB_API_KEY}' --dry-run",
    "%pod_create --gpu L4_24GB --name flags --pods 2 --env WANDB_API_KEY='${WANDB_API_KEY}'",
    "%pod_create --gpu L4_24GB --env '${WANDB_API_KEY}'",
    "%pod_create --gpu L4_24GB --count '${WANDB_API_KEY}'",
    "%pod_create --gpu L4_24GB --env WANDB_API_KEY=$WANDB_API_KEY",
]

# The secret where it does not belong.
WRONG = [
    "gpu: L4_24GB\nwandb: ${WANDB_API_KEY}",
    "gpu: L4_24GB\n${WANDB_API_KEY}: x",
    "gpu: L4_24GB\ncount: ${WANDB_API_KEY}",
    "gpu: L4_24GB\ndisk: ${WANDB_API_KEY}",
    "gpu: L4_24GB\nmax_price: ${WANDB_API_KEY}",
    "gpu: L4_24GB\nauto_restart: ${WANDB_API_KEY}",
    "gpu: L4_24GB\nenv: ${WANDB_API_KEY}",
    "gpu: L4_24GB\nenv: [{key: A, value: '${WANDB_API_KEY}', other: '${JUPYTER_PASSWORD}'}]",
    "gpu: L4_24GB\njupyter_password: [${JUPYTER_PASSWORD}]",
    "gpu: L4_24GB\nsecurity: ${WANDB_API_KEY}",
    "gpu: L4_24GB\ntemplate: ${WANDB_API_KEY}",
    "gpu: L4_24GB\nregion: ${WANDB_API_KEY}",
    "gpu: L4_24GB\ncountry: ${WANDB_API_KEY}",
    "gpu: L4_24GB\nimage: ${WANDB_API_KEY}",
    "${WANDB_API_KEY}",
    "- ${WANDB_API_KEY}",
    '{"pod": "${WANDB_API_KEY}"}',
    '{"pod": {"gpuCount": "${WANDB_API_KEY}"}, "provider": {"type": "${JUPYTER_PASSWORD}"}, "x": "${PATH}"}',
    JSON.replace('"gpuCount": 1', '"gpuCount": "${WANDB_API_KEY}"'),
    JSON.replace('"jupyterPassword": "', '"jupyterPasswort": "'),
    JSON.replace("}}", "}").replace("${JUPYTER", "${WANDB_API_KEY} ${JUPYTER"),
]

# Where the service is to look for it, so it is asked with it, in a URL.
LOOKED_FOR = [
    "gpu: ${WANDB_API_KEY}",
    "cloud_id: ${WANDB_API_KEY}",
    "gpu: L4_24GB\ndisks: '${WANDB_API_KEY}'",
]

STATUSES = pick(
    "401 402 409 422-input 500 html", "400 401 402 403 404 409 422 422-input 500 503 html"
).split()
# What cells answered has been searched by then: with all of it in every traceback, each error took a second.
SETUP = """
import logging, os, sys, traceback, httpx
get_ipython().displayhook.cache_size = 0
logging.basicConfig(level=logging.DEBUG, filename=os.environ["LOG_FILE"], force=True)
def service(mode):
    httpx.post(os.environ["PRIME_API_BASE_URL"] + "/relay/" + mode, trust_env=False)
def everything(error):
    print(traceback.format_exc(), repr(error), error, vars(error), error.args, sep="\\n")
    print(*traceback.TracebackException.from_exception(error, capture_locals=True).format())
    print(get_ipython().InteractiveTB.text(type(error), error, error.__traceback__))
%xmode Verbose
%load_ext primepods_magic
%config PodsMagics.settle_s = 2
%pods connect
"""
AFTER_AN_ERROR = "everything(sys.last_value) if hasattr(sys, 'last_value') else None\n%tb"


def wrapped(cell: str) -> str:
    """The cell inside code of the user's, which lets an exception of its own follow."""
    head, _, rest = cell.partition("\n")
    line = head.replace("%%pod_create", "").strip()
    call = f"get_ipython().run_cell_magic('pod_create', {line!r}, {rest!r})"
    return (
        f"try:\n    {call}\nexcept Exception as error:\n    everything(error)\n    raise RuntimeError('mine')"
    )


def commands_at(status: str) -> list[str]:
    """Which commands are to fail so: in full every one, else each of them in two ways that are not alike."""
    turn = STATUSES.index(status)
    among = pick(range(0, len(STATUSES), len(STATUSES) // 2), range(len(STATUSES)))
    return [
        name
        for number, name in enumerate(COMMANDS)
        if any((number + way) % len(STATUSES) == turn for way in among)
    ]


def cells(*, with_details: bool = True, statuses: Sequence[str] = STATUSES) -> list[str]:
    """Every command and every form of a create, when all is well and in every way of going wrong.

    Without details: no secret where it does not belong, and not what can be printed of an error afterwards.
    """
    commands = [f"%pods {line}" for name in COMMANDS for line in CASES[name] if name != "rm"]
    run = [
        "%pods -h",
        "%pods",
        *CREATES[:2],
        *commands,
        *CREATES[2:],
        *(f"%%pod_create\n{w}" for w in WRONG if with_details),
    ]
    for status in statuses:
        run += [f"service('all-{status}')", *(f"%pods {CASES[name][0]}" for name in commands_at(status))]
        run += [f"service('post-{status}')", f"%%pod_create\n{body(f'post-{status}')}"]
        if with_details:
            run += [AFTER_AN_ERROR, wrapped(f"%%pod_create\n{body(f'wrapped-{status}')}")]
    run += ["service('post-broken')", f"%%pod_create\n{body('broken')}", AFTER_AN_ERROR]
    run += [
        "service('fine')",
        *(f"%pods {line}" for line in CASES["rm"]),
        wrapped(f"%%pod_create\n{WRONG[0]}"),
    ]
    return [*run, f"%%pod_create\n{body('last')}"]
