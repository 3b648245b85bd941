"""Cells that define `f`, and what is to be the same where it is sent; and those that are refused, with why.

Cells are separated by a line of dashes.
"""

from __future__ import annotations

__all__ = ["REFUSED", "SENT"]

DATA = "from dataclasses import dataclass, field, fields, InitVar, KW_ONLY\n"
TYPING = "from typing import *\n"
OLD = "\n---\nf = K\n---\n"


def _choose(first: str, second: str) -> str:
    """Return a cell in which the second of two definitions is not the one that runs."""
    lines = [line.replace("\n", "\n    ") for line in (first, second)]
    return f"if True:\n    {lines[0]}\nelse:\n    {lines[1]}\n"


SENT = [
    # Annotations are the objects that they are here.
    ("def f(x: int, *y: str, z: 'int' = 1, **w: list[int]) -> float: pass", "f.__annotations__"),
    ("from __future__ import annotations\ndef f(x: int) -> float: pass", "f.__annotations__"),
    (
        "class f:\n    x: int = 1\n    def go(self, __y: float): pass",
        "f.__annotations__, f.go.__annotations__",
    ),
    (f"{DATA}@dataclass\nclass f:\n    x: int = 1", "f.__dataclass_fields__['x'].type"),
    (
        f"{TYPING}def f(x: Optional[int], y: List['A'], z: Callable[[int], str], w: Literal['a'], "
        "v: int | None, u: dict[str, Any]): pass",
        "f.__annotations__",
    ),
    ("V = 3\ndef f(x: V): pass\nV = 4", "f.__annotations__"),
    ("def f(x: int): pass\nf.__annotations__['x'] = str", "f.__annotations__"),
    (
        "def f(lr: float, n: int): return [k(v) for k, v in zip(f.__annotations__.values(), ('1', '2'))]",
        "f(1, 2)",
    ),
    # Defaults and attributes are values, whatever computed them, and whatever has changed since.
    ("it = iter([1, 2])\ndef f(a=list(it)): return a", "f()"),
    ("rate = 1\ndef f(a, /, b=rate, *, c=-rate): return b, c\nrate = 2", "f(0)"),
    ("def f(seen=[]):\n    seen.append(1)\n    return seen\nf()", "f()"),
    ("def f(*, a=1, b=2): return a + b\nf.__kwdefaults__['a'] = 5", "f()"),
    ("import random\ndef f(x=random.random()): return x", "f()"),
    ("import math\ndef f(a=math.sin, b=(float, 'a'), c=math, d=...): return a, b, c, d", "f()"),
    ("def g(): return 1\ndef f(x=g): return x()\n", "f()"),
    ("def mark(g):\n    return g\nf = mark(lambda x, k=[2]: (x, k))", "f(1)"),
    ("f = [lambda x: x + 1, lambda x: x + 2][1]", "f(1)"),
    ("f = lambda x: (lambda y: x + y)", "f(1)(2)"),
    ("fs = []\nfor i in range(3):\n    def g(x, i=i): return x + i\n    fs.append(g)\nf = fs[0]", "f(1)"),
    (
        "rate = 1\nclass f:\n    rate = rate\n    rates = [rate, 2]\n    a, b = rate, {1: 2}\n"
        "    c = d = []\n"
        "    def go(self, x=rates): return x\nrate = 9",
        "f.rate, f.rates, f.a, f.b, f.c is f.d, f().go()",
    ),
    ("class f:\n    lr = 0.1\n    names = ['a']\nf.lr = 0.2\nf.names.append('b')", "f.lr, f.names"),
    ("class f:\n    class Meta:\n        v = 1\nf.Meta.v = 2", "f.Meta.v"),
    ("class A: pass\nclass B: pass\nclass f(A): v = A\nf.__bases__ = (B,)", "f.__bases__[0].__name__"),
    ("import enum\nclass E(enum.Enum):\n    A = 1\ndef f(x=E.A): return x is E.A, x", "f()"),
    # Text is as it is, whatever is around it.
    ("if True:\n    def f():\n        return '''a\n  b\n        c'''", "f()"),
    ("def f():\n    return 'a\u2028b\\x0c'\n\x0cclass K: pass", "f()"),
    # Of several definitions it is the right one.
    *(
        (
            DATA
            + _choose(
                f"@dataclass{one}\nclass f:\n    x: int = 1", f"@dataclass{two}\nclass f:\n    x: int = 1"
            ),
            "f.__dataclass_params__, f(1) == f(1), f.__hash__ is None",
        )
        for one, two in [
            ("", "(frozen=True)"),
            ("(order=True)", ""),
            ("(eq=False)", ""),
            ("(frozen=True)", ""),
        ]
    ),
    (
        DATA
        + _choose(
            "@dataclass(kw_only=True)\nclass f:\n    x: int = 1", "@dataclass\nclass f:\n    x: int = 1"
        ),
        "f.__match_args__, f(x=2)",
    ),
    (
        DATA + _choose("class f:\n    x: int = 1", "@dataclass\nclass f:\n    x: int = 1"),
        "hasattr(f, '__dataclass_params__')",
    ),
    (
        "from functools import total_ordering\n"
        + _choose(
            "class f:\n    def __lt__(self, other): return True",
            "@total_ordering\nclass f:\n    def __lt__(self, other): return True",
        ),
        "'__ge__' in vars(f)",
    ),
    (
        f"{DATA}@dataclass\nclass K:\n    x: int = 1{OLD}@dataclass(frozen=True)\nclass K:\n    x: int = 1",
        "f.__dataclass_params__.frozen",
    ),
    (
        f"{DATA}@dataclass\nclass K:\n    x: int = 1\n    y: int = 2{OLD}@dataclass\nclass K:\n"
        f"    y: int = 2\n"
        "    x: int = 1",
        "f(5)",
    ),
    (
        f"{TYPING}class K(NamedTuple):\n    a: int = 1\n"
        f"    b: int = 2{OLD}class K(NamedTuple):\n    b: int = 2\n"
        "    a: int = 1",
        "f(7)",
    ),
    (
        f"import enum\nclass K(enum.Enum):\n    A = 1\n    B = 2{OLD}class K(enum.Enum):\n"
        f"    B = 2\n    A = 1",
        "list(f)",
    ),
    (
        f"class K:\n    a = 1\n    b = 2{OLD}class K:\n    b = 2\n    a = 1",
        "[x for x in vars(f) if len(x) == 1]",
    ),
    (
        TYPING + _choose("class f(TypedDict, total=False):\n    x: int", "class f(TypedDict):\n    x: int"),
        "f.__total__, f.__annotations__",
    ),
    (
        "import enum\n"
        + _choose("class f(enum.Flag):\n    A = 1", "class f(enum.Flag, boundary=enum.KEEP):\n    A = 1"),
        "f._boundary_",
    ),
    (
        "import functools\n"
        + _choose(
            "@functools.lru_cache(maxsize=1)\ndef f(x): return x",
            "@functools.lru_cache(maxsize=9)\ndef f(x): return x",
        ),
        "f.cache_parameters()",
    ),
    (
        "try:\n    import nothing_of_this_name\n    def f(): return 1\nexcept ImportError:\n"
        "    def f(): return 2",
        "f()",
    ),
    # Everything that the standard library makes of a definition.
    (
        "import functools, contextlib, abc, asyncio\nclass f(abc.ABC):\n    'Text.'\n"
        "    __slots__ = ('x', '__y')\n"
        "    def __init__(self): self.x = self.__y = 1\n    def __init_subclass__(cls, **k): pass\n"
        "    def __class_getitem__(cls, k): return k\n    @property\n    def p(self):\n        'P.'\n"
        "        return self.__y\n    @p.setter\n    def p(self, v): self.__y = v\n    alias = p\n"
        "    @staticmethod\n    def s(a=1): return a\n    @classmethod\n    @functools.lru_cache\n"
        "    def k(cls): return cls\n    @contextlib.contextmanager\n    def m(self): yield self.x\n"
        "    @property\n    @abc.abstractmethod\n    def q(self): ...\n    go = lambda self: __class__\n",
        "f.__abstractmethods__, f.s(), f.k() is f, f[3], f.p.__doc__, f.__doc__, f.alias is "
        "f.p, list(vars(f))",
    ),
    (
        f"{DATA}from typing import ClassVar\n@dataclass(order=True, slots=True)\nclass f:\n"
        "    a: int = field(default=1, repr=False)\n    b: dict = field(default_factory=lambda: {'x': 1}, "
        "metadata={'m': 1})\n    c: ClassVar[int] = 3\n    v: InitVar[int] = 5\n"
        "    __d: int = 4\n    _: KW_ONLY\n"
        "    e: list[int] | None = None\n    def __post_init__(self, v): self.a += v\n",
        "f(), f().b, f.c, f.__match_args__, f.__slots__",
    ),
    (
        "from __future__ import annotations\nfrom dataclasses import dataclass\n"
        "import typing as t\n@dataclass\n"
        "class f:\n    x: int = 1\n    n: t.ClassVar[int] = 3",
        "f(), f.__annotations__",
    ),
    (
        f"{DATA}@dataclass\nclass A:\n    x: int = 1\n@dataclass\nclass f(A):\n"
        f"    y: list = field(default_factory=list)",
        "f(), f.__mro__[1]()",
    ),
    (
        "import enum\nclass f(enum.Enum):\n    @staticmethod\n"
        "    def _generate_next_value_(n, *a): return n.lower()\n"
        "    A = enum.auto()\n    B = 'b'\n    C = 'b'\n    def go(self): return self.value\n",
        "list(f.__members__.items()), f.A.go(), f('b')",
    ),
    ("import enum\n@enum.unique\nclass f(enum.IntFlag):\n    R = 1\n    W = 2\n", "f.R | f.W, f(3)"),
    ("from enum import Enum\nclass f(str, Enum):\n    A = 'a'\n", "f.A == 'a', f.A"),
    (
        f"{TYPING}class A(TypedDict):\n    a: int\nclass f(A, total=False):\n    b: str\n",
        "f.__annotations__, f.__required_keys__, f.__optional_keys__",
    ),
    (
        f"{TYPING}@runtime_checkable\nclass f(Protocol):\n    a: int = 1\n    def go(self): ...\n",
        "isinstance(3, f), f.__annotations__",
    ),
    ("class f(Exception):\n    codes = [1]\n", "f('a'), f.codes"),
    ("from decimal import Decimal\ndef f(x=Decimal('0.10')): return x", "f()"),
    (
        f"from __future__ import annotations\n{DATA}import typing as t\nCV = t.ClassVar[int]\n@dataclass\n"
        "class f:\n    x: int = 1\n    n: CV = 3",
        "f(), f.__annotations__",
    ),
    ("from typing import Optional\nV = Optional[list[int]]\ndef f(): return V", "f()"),
    # Names.
    ("_1 = 5\n__scale = 2\nexit = 3\ndef f(): return _1 * __scale * exit", "f()"),
    ("def f(n): return 1 if n < 2 else n * f(n - 1)\ng = f\ndef f(n): return g(n)", "f(4)"),
    ("def g(): return f\ndef f(x=g): return x() is f", "f()"),
    ("class A:\n    v = 'A'\nclass f(A):\n    pass\nBase = A\nclass A:\n    v = 'A2'", "f.v"),
]

WRAP = """import functools
def wrap(g):
    @functools.wraps(g)
    def inner(*a): return g(*a)
    return inner
"""

REFUSED = [
    # What the notebook does when something is defined would be done twice.
    (
        f"{WRAP}@wrap\ndef f(x): return x",
        "its decorator 'wrap' may do more than to make it. Run the cell that",
    ),
    (f"{WRAP}class f:\n    @wrap\n    def go(self): pass", "its decorator 'wrap' may do more"),
    (
        "seen = []\ndef keep(g):\n    seen.append(g)\n    return g\n@keep\ndef f(): return seen",
        "its decorator 'keep'",
    ),
    (
        "n = 0\ndef keep(c):\n    global n\n    n += 1\n    return c\n@keep\nclass f: pass",
        "its decorator 'keep'",
    ),
    (
        "on = True\ndef keep(c):\n    if on: c.v = 9\n    return c\n@keep\nclass f:\n    v = 1\non = False",
        "its decorator 'keep'",
    ),
    ("class f:\n    def keep(g): return g\n    @keep\n    def go(self): pass", "its decorator 'keep'"),
    (
        "import functools\nn = 1\n@functools.lru_cache(maxsize=n)\ndef f(x): pass",
        "its decorator 'functools.lru_ca",
    ),
    (
        "import functools\n@functools.singledispatch\ndef f(x): pass",
        "its decorator 'functools.singledispatch'",
    ),
    ("import functools\ndef g(): pass\n@functools.wraps(g)\ndef f(x): pass", "f.__code__ is not as its cell"),
    (
        "class Base:\n    def __init_subclass__(cls): pass\nclass f(Base): pass",
        "__init_subclass__ of Base may do more",
    ),
    ("class Meta(type): pass\nclass f(metaclass=Meta): pass", "Meta, which makes f, may do more than that"),
    (
        "class D:\n    def __set_name__(self, *a): pass\nclass f:\n    d = D()",
        "f.d is an object of D, a class of the",
    ),
    (
        "import enum\nclass f(enum.Enum):\n    A = 1\n    def __init__(self, v): self.w = v",
        "a function of f makes the",
    ),
    (
        "import enum\nclass f(int, enum.Enum):\n"
        "    def __new__(cls, v): return int.__new__(cls, v)\n    A = 1",
        "a function of f makes the members of f",
    ),
    ("class f:\n    if True:\n        a = 1", "the line 'if True:' of f runs code"),
    ("class f:\n    for i in 'ab': pass", "the line 'for i in 'ab':' of f runs code"),
    ("class f:\n    a, *b = 1, 2", "the line 'a, *b = (1, 2)' of f runs code"),
    # What cannot be sent as a value.
    ("def f(x=object()): pass", "f(x=…) is of the type object, which cannot be sent. Nothing was sent"),
    ("class K: pass\ndef f(x=K()): pass", "f(x=…) is an object of K, a class of the notebook"),
    (f"{DATA}@dataclass\nclass K:\n    x: int\ndef f(x=[K(1)]): pass", "f(x=…)[0] is a dict there, not a K"),
    ("import logging\nclass f:\n    log = logging.getLogger('a')", "f.log is of the type logging.Logger"),
    ("class f:\n    p = property(lambda self: 1)", "f.p is of the type property, which cannot be sent"),
    ("class A: pass\nclass f(A): pass\n---\nclass A: pass", "f(A) is a A that the notebook has no more"),
    ("class A: pass\ndef f(x: A): pass\n---\nclass A: pass", "f(x: …) is a A that the notebook has no more"),
    # What was changed by hand, and is in no source.
    ("def f(): pass\nf.__name__ = 'g'", "f is not as its cell defines it"),
    ("def f():\n    'Text.'\nf.__doc__ = 'Other.'", "f.__doc__ is not as"),
    ("def f(): pass\nf.scale = 3", "f.__dict__ is not as its cell defines it"),
    ("def f(x): pass\nf.__defaults__ = (1,)", "the defaults of f are not those of its cell"),
    ("def f(): return 1\nf.__code__ = (lambda: 2).__code__", "f"),
    (f"{WRAP}def f(x): return x\nf = wrap(f)", "f"),
    ("import functools\n@functools.cache\ndef f(x): pass\nf.n = 1", "f"),
    ("def f(): pass\nf.__qualname__ = 'K.f'", "f is not as its cell defines it"),
    ("import abc\nclass f(abc.ABC): pass\nf.register(int)", "other classes were registered with f"),
    ("class f: pass\nf.extra = 1", "f is not as its cell defines it"),
    ("class f:\n    'Text.'\nf.__doc__ = 'Other.'", "f.__doc__ is not as"),
    ("class f:\n    a = 1\ndel f.a", "a of f is not as its cell defines it"),
    ("class f:\n    a = 1\n    b = 2\nv = f.a\ndel f.a\nf.a = v", "f is not as its cell defines it"),
    ("class f:\n    def go(self): return 1\nf.go = lambda self: 2", "f.go"),
    ("class f:\n    def go(self): return 1\n    def do(self): return 2\nf.go, f.do = f.do, f.go", "f.go"),
    ("class f:\n    a = lambda self: 1; b = lambda self: 2\nf.a, f.b = f.b, f.a", "f.a.__code__"),
    ("class f:\n    @property\n    def p(self): return 1\nf.p = f.p.setter(print)", "f.p.fset"),
    ("class f:\n    __slots__ = ('a',)\nf.__slots__ = ('b',)", "f is not as its cell defines it"),
    ("class f:\n    def __eq__(self, other): return True\nf.__hash__ = lambda self: 1", "f.__hash__"),
    (
        "import abc\nclass f(abc.ABC):\n    @abc.abstractmethod\n    def go(self): pass\n"
        "f.__abstractmethods__ = frozenset()",
        "f.__abstractmethods__",
    ),
    (f"{DATA}@dataclass\nclass f:\n    x: int = 1\nf.x = 2", "f.x is not as"),
    (f"{DATA}@dataclass\nclass f:\n    x: int = 1\ndel f.__repr__", "f is not as its cell defines it"),
    (f"{DATA}@dataclass\nclass f:\n    x: int = 1\nf.__init__ = lambda self: None", "f.__init__"),
    (
        f"{DATA}@dataclass\nclass f:\n    x: list = field(default_factory=lambda: [1])\n"
        "f.__dataclass_fields__['x'].default_factory = lambda: [2]",
        "f.__dataclass_fields__.x.default_factory",
    ),
    ("import enum\nclass f(enum.Enum):\n    A = 1\nf.extra = 2", "f is not as its cell defines it"),
    ("import enum\nclass f(enum.Enum):\n    A = 1\nf.A.label = 'x'", "f"),
    (f"{TYPING}class f(NamedTuple):\n    a: int = 1\nf.__new__.__defaults__ = (2,)", "f.__new__"),
    (
        f"{TYPING}class A(TypedDict):\n    a: int\nclass f(A):\n    b: int\n---\n"
        f"class A(TypedDict):\n    a: str",
        "f.__annotations__.a is not as its cell defines it",
    ),
    # What cannot be told apart.
    (
        f"{DATA}@dataclass\nclass f:\n    x: int = 1\n---\n@dataclass()\nclass f:\n    x: int = 1",
        "several cells define it, and it may be of any of them",
    ),
]
