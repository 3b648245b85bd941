"""Functions and classes that were changed since their cell ran, and those that were not."""

from __future__ import annotations

import pytest

from primepods_magic.api.errors import InvalidRequest

from .test_source import RunCells, find, run_cells

__all__ = ["run_cells"]

WRAP = """import functools
def wrap(g):
    @functools.wraps(g)
    def inner(*a): return 2 * g(*a)
    return inner
"""
MAKE = """import functools
def make(n, *more):
    def wrap(g):
        @functools.wraps(g)
        def inner(*a): return n * g(*a)
        return inner
    return wrap
"""
COUNT = """import functools
def count(g):
    n = 0
    @functools.wraps(g)
    def inner(*a):
        nonlocal n
        n += 1
        return n
    return inner
"""


@pytest.mark.parametrize(
    ("cell", "change"),
    [
        ("rate = 1\ndef f(x, r=rate): return r\nrate = 2", "its default r"),
        ("rate = 1\ndef f(x, *, r=-rate): return r\nrate = 2", "its default r"),
        ("config = {'r': 1}\nf = lambda x, r=config['r']: r\nconfig['r'] = 2", "its default r"),
        ("def f(x, seen=[]): seen.append(x)\nf(1)", "its default seen"),
        ("def f(x): pass\nf.__defaults__ = (1,)", "its default x"),
        ("def f(x):\n    'Text.'\nf.__doc__ = 'Other.'", "its docstring"),
        ("class f:\n    x = 1\nf.__doc__ = 'Other.'", "its docstring"),
        ("def f(x): return f.scale\nf.scale = 3", "its attribute scale"),
        (
            "import functools\ndef double(g):\n    @functools.wraps(g)\n    def inner(x): return 2 * g(x)\n"
            "    return inner\ndef f(x): return x\nf = double(f)",
            "the function that wraps it",
        ),
        ("class f:\n    lr = 0.1\nf.lr = 0.2", "its attribute lr"),
        ("class f:\n    lr: float = 0.1\ndel f.lr", "its attribute lr"),
        ("class f:\n    names = ['a']\nf.names.append('b')", "its attribute names"),
        ("class f:\n    def go(self): pass\nf.extra = 1", "its attribute extra"),
        ("class f:\n    def go(self): return 1\nf.go = lambda self: 2", "its method go"),
        ("class f:\n    def go(self): pass\nold = f.go\nf.go = lambda self: old(self)", "its method go"),
        ("rate = 1\nclass f:\n    def go(self, r=rate): pass\nrate = 2", "its default r of go"),
        ("class A: pass\nclass f(A): pass\nclass A: pass", "its base A"),
        ("import dataclasses as d\n@d.dataclass\nclass f:\n    lr: int = 1\nf.lr = 2", "its attribute lr"),
        (f"{WRAP}@wrap\ndef f(x): return x\n{WRAP.replace('2', '3')}", "its decorator wrap"),
        ("def f(x, w=list()): return w\nf(1).append(7)", "its default w"),
        ("def f(x, g=lambda: 1): pass\nf.__defaults__ = (lambda: 2,)", "its default g"),
        ("class f:\n    lr = float('0.1')\nf.lr = 0.5", "its attribute lr"),
        ("class f:\n    lr = dict(a=[i for i in range(3)])\nf.lr['a'].append(3)", "its attribute lr"),
        ("class f:\n    a, b = 1, 2\nf.b = 3", "its attribute b"),
        ("rate = 1\nclass f:\n    rate = rate\nf.rate = 2", "its attribute rate"),
        ("rate = 1\nclass f:\n    a = rate\n    rate = 2\nf.a = 2", "its attribute a"),
        ("class f:\n    a, b = 1, 2\ndel f.b", "its attribute b"),
        ("class f:\n    go = lambda self: 1\nf.go = lambda self: 2", "its attribute go"),
        ("class f:\n    def go(self): return 1\n    def do(self): return 2\nf.go, f.do = f.do, f.go",
         "its method go"),
        ("class f:\n    def __go(self): return 1\nf._f__go = lambda self: 2", "its method _f__go"),
        ("class f:\n    @property\n    def go(self): return 1\nf.go = property(lambda self: 2)",
         "its method go"),
        ("class f:\n    @property\n    def go(self): return 1\nf.go = f.go.setter(print)",
         "its attribute go"),
        ("class f:\n    @staticmethod\n    def go(): return 1\nf.go = staticmethod(lambda: 2)",
         "its method go"),
        ("class f:\n    @classmethod\n    def go(cls, k=1): pass\nf.go.__func__.__defaults__ = (2,)",
         "its default k of go"),
        ("class f:\n    def go(self): pass\nf._hidden = 1", "its attribute _hidden"),
        ("class f:\n    def go(self): pass\nf.__eq__ = lambda self, other: True", "its attribute __eq__"),
        ("class f:\n    class Meta:\n        v = 1\nf.Meta.v = 2", "its attribute v of Meta"),
        ("def mark(g):\n    g.n = 0\n    return g\n@mark\ndef f(x): pass\nf.n = 1", "its attribute n"),
        ("import dataclasses as d\n@d.dataclass\nclass f:\n    x: int = 1\nf.__init__ = print",
         "its attribute __init__"),
        ("import dataclasses as d\n@d.dataclass\nclass f:\n    x: int = d.field(default=1)\nf.x = 2",
         "its attribute x"),
        ("import enum\nclass f(enum.Enum):\n    A = 1\nf.extra = 2", "its attribute extra"),
        ("from typing import NamedTuple\nclass f(NamedTuple):\n    a: int = 1\nf.__new__.__defaults__ = (2,)",
         "its default"),
        ("class Base:\n    def __init_subclass__(cls): cls.made = 1\nclass f(Base):\n    a = 1\n",
         "its attribute made"),
        ("from typing import Protocol\nclass f(Protocol):\n    a: int = 1\nf.a = 2", "its attribute a"),
    ],
)  # fmt: skip
def test_what_its_cell_does_not_define_is_refused(run_cells: RunCells, cell: str, change: str) -> None:
    names = run_cells(cell)
    names["In"] = ["", cell]
    with pytest.raises(InvalidRequest, match=f"'f' is not as its cell defines it: {change} differs. Run its"):
        find(names, "f")


@pytest.mark.parametrize(
    ("cell", "part"),
    [
        ("rate = 1\ndef make(): return rate\ndef f(x=make()): pass\nrate = 2", "its default x"),
        ("import random\nclass f:\n    seed = random.random()", "its attribute seed"),
        ("class f:\n    if True:\n        a = 1", "its line 'if True:'"),
        ("class f:\n    n = 1\n    n += 1", "its line 'n \\+= 1'"),
        ("def two(): return 1, 2\nclass f:\n    a, b = two()", r"its line 'a, b = two\(\)'"),
        ("import enum\nclass f(enum.Enum):\n    A = 1\nf.A.label = 'x'", "its member A"),
        (f"{WRAP}@wrap\ndef f(x): return x\nf.n = 1", "its decorator wrap"),
        (f"{COUNT}@count\ndef f(x): return x", "its decorator count"),
        (f"{MAKE}n = 1\n@make(n)\ndef f(x): return x\nn = 2", r"its decorator make\(n\)"),
        (f"{WRAP}def wrap_all(g): return wrap(g)\n@wrap_all\ndef f(x): return x", "its decorator wrap_all"),
        ("def mark(g): return g\n@mark\ndef f(x): pass\ndef mark(g): return print", "its decorator mark"),
        ("other = None\ndef mark(g): return other or g\n@mark\ndef f(x): pass", "its decorator mark"),
        (f"{MAKE}@make([])\ndef f(x): return x", r"its decorator make\(\[\]\)"),
        ("def name(n): return lambda g: g\n@name('a')\ndef f(x): pass", r"its decorator name\('a'\)"),
        ("import functools\n@functools.cache\ndef f(x): pass\nf.n = 1", "its decorator functools.cache"),
        ("def mark(c): return c\n@mark\nclass f: pass\ndef mark(c): c.n = 1", "its decorator mark"),
        ("class Meta(type): pass\nclass f(metaclass=Meta):\n    a = 1", "what Meta made of it"),
    ],
)  # fmt: skip
def test_what_cannot_be_compared_without_running_it_is_refused(
    run_cells: RunCells, cell: str, part: str
) -> None:
    names = run_cells(cell)
    names["In"] = ["", cell]
    message = f"'f' may have changed since its cell ran: {part} cannot be checked without running it"
    with pytest.raises(InvalidRequest, match=message):
        find(names, "f")


@pytest.mark.parametrize(
    "cell",
    [
        f"{WRAP}def mark(g): return g\n@mark\n@wrap\ndef f(x, y=1): return x\n",
        f"{MAKE}@make(3, (float, 'a'), None)\n"
        "def f(x):\n    \"\"\"Text.\n\n      More.\n    \"\"\"\n    return x\n",
        "rate = 1\nclass f:\n    rate = rate\n    rates = [rate, 2]\n    def go(self, x=rates): pass\n",
        "import math\nfrom calendar import day_name\nclass A:\n    def go(): pass\n"
        "def f(x): return math.sin(x), A.go(), day_name.copy(x), x.y()\n",
        "import contextlib\n@contextlib.contextmanager\ndef f(x): yield x\n",
        "import functools\n@functools.partial(functools.lru_cache, typed=True)\ndef f(x): return x\n",
        "def f(x, inf=float('inf'), g=lambda: 1, r=[i for i in range(3)], *, n=dict(a=list())): pass",
        "import pathlib\nfrom datetime import timedelta as d\ndef f(x=pathlib.Path('a'), y=d(days=1)): pass",
        "def make():\n    def f(x, /, *y): return x\n    return f\nf = make()\n",
        "def keep(c):\n    print(c)\n    return c\n@keep\nclass f:\n    a, b = 1, 2\n"
        "    class Meta:\n        v = 1\n",
        "import functools\n@functools.total_ordering\nclass f:\n    def __lt__(self, other): return True\n"
        "    def __eq__(self, other): return True\n    @functools.cached_property\n"
        "    def c(self): return 1\n"
        "    @staticmethod\n    def s(a=1): pass\n    @classmethod\n    @functools.lru_cache\n"
        "    def k(cls): pass\n    @property\n    def p(self): pass\n    @p.deleter\n    def p(self): pass\n",
        "from dataclasses import dataclass, field\nfrom typing import ClassVar\n"
        "@dataclass(frozen=True, order=True, slots=True)\nclass f:\n"
        "    a: int = field(default=1, repr=False)\n"
        "    b: dict = field(default_factory=lambda: {'x': 1}, metadata={'m': 1})\n    c: ClassVar[int] = 3\n"
        "    __d: int = 4\n    def __post_init__(self): pass\n",
        "import enum\nclass f(enum.Enum):\n    A = enum.auto()\n    B = 'b'\n    C = 'b'\n"
        "    def go(self): return self\n    @property\n    def p(self): return 1\n",
        "from enum import IntFlag\nclass f(IntFlag):\n    R = 1\n    W = 2\n    RW = R | W\n",
        "from enum import Enum\nclass f(str, Enum):\n    A = 'a'\n",
        "from typing import NamedTuple\nclass f(NamedTuple):\n    a: int\n    b: list[int] = [1]\n"
        "    def go(self): return self.a\n",
        "import abc\nclass f(metaclass=abc.ABCMeta):\n    def __init_subclass__(cls, **k): pass\n"
        "    def __class_getitem__(cls, k): return cls\n",
        "from typing import TypedDict\nclass A(TypedDict):\n    a: int\n"
        "class f(A, total=False):\n    b: str\n",
        "from typing import Protocol\nclass f(Protocol):\n    a: int = 1\n    def go(self): ...\n",
        "import logging\nclass f(Exception):\n    log = logging.getLogger('a')\n",
        "rate = 1\ndef f(x=rate): return x\n",
    ],
)  # fmt: skip
def test_what_is_shown_to_be_the_same_is_sent(run_cells: RunCells, cell: str) -> None:
    names = run_cells(cell)
    names["In"] = ["", cell]
    assert [source for name, source in find(names, "f").code if name == "f"]


@pytest.mark.parametrize(
    "cell",
    [
        "rate = 1\ndef f(a, b=rate, /, c=(1, None), *d, e=float('nan'), g=-0.5, **h): pass",
        "import math as m\nnan = m.nan\ndef f(a=nan, b=m.pi, c=m.sin, d={'s': m.sin}, e=...): pass",
        "f = lambda x, y={1: [2]}: x",
        "import functools\n@functools.lru_cache\ndef f(x=1): pass",
        "import numpy as np\nN = 2\ndef f(x=np.zeros(N), y=np.float32): pass",
        "import abc\nclass f(abc.ABC):\n    'Text.'\n    a = b = 1\n    c = a + 1\n    __d = 4\n"
        "    __slots__ = ('x',)\n"
        "    def __init__(self): super().__init__()\n    def __init_subclass__(cls): pass\n"
        "    def __new__(cls): return 1\n    def __hidden(self): pass\n"
        "    @property\n    def p(self): return 1\n"
        "    @p.setter\n    def p(self, v): pass\n    @abc.abstractmethod\n    def q(self): pass\n"
        "    go = lambda self: [self for _ in 'ab']\n    alias = p\n",
        "from dataclasses import dataclass, field\n@dataclass\nclass f:\n    a: int\n"
        "    b: list = field(default_factory=list)\n"
        "    c: 'str' = 'x'\n    d: list[int] | None = None\n    def go(self, x=1): return (lambda: x)()\n",
        "from dataclasses import dataclass\n@dataclass(slots=True)\nclass f:\n    a: int = 1\n",
        "from typing import NamedTuple\nclass f(NamedTuple):\n    a: int = 1\n",
        "from typing import Generic, TypeVar\nT = TypeVar('T')\nclass f(Generic[T]):\n    a: T\n    b = 1\n",
        "import enum\nclass f(enum.Enum):\n    A = 1\n",
        "class f:\n    class Inner:\n        x = 1\n    def go(self):\n        return __class__\n",
    ],
)  # fmt: skip
def test_what_its_cell_defines_is_sent(run_cells: RunCells, cell: str) -> None:
    names = run_cells(cell)
    names["In"] = ["", cell]
    assert [source for name, source in find(names, "f").code if name == "f"]
