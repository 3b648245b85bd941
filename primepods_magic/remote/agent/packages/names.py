"""Names and versions of packages: what is valid, and what must not be installed or replaced on a pod."""

from __future__ import annotations

import re

__all__ = ["is_name", "is_protected", "is_version", "normalize_name", "public_version"]

_MAX_CHARS = 100
_FLAGS = re.IGNORECASE | re.ASCII
# PEP 508
_NAME = re.compile(r"[A-Z0-9](?:[A-Z0-9._-]*[A-Z0-9])?\Z", _FLAGS)
# PEP 440, appendix B
_VERSION = re.compile(
    r"v?(?:[0-9]+!)?[0-9]+(?:\.[0-9]+)*"
    r"(?:[-_.]?(?:alpha|a|beta|b|preview|pre|c|rc)[-_.]?[0-9]*)?"
    r"(?:-[0-9]+|[-_.]?(?:post|rev|r)[-_.]?[0-9]*)?"
    r"(?:[-_.]?dev[-_.]?[0-9]*)?"
    r"(?:\+[A-Z0-9]+(?:[-_.][A-Z0-9]+)*)?\Z",
    _FLAGS,
)
# They are built for one driver and one version of CUDA, and are large.
_PROTECTED = re.compile(
    r"(?:torch|torchvision|torchaudio|pytorch|pytorch-triton(?:-.*)?|triton(?:-.*)?|jax|jaxlib|jax-cuda.*|"
    r"jax-rocm.*|tensorflow|tensorflow-(?:cpu|gpu|rocm|intel|macos|metal|io-gcs-filesystem)|tf-nightly(?:-.*)?|"
    r"nvidia-.*|cuda-.*|cudatoolkit|pycuda)\Z"
)


def is_name(value: object) -> bool:
    """Return whether a value is a name of a package."""
    return isinstance(value, str) and len(value) <= _MAX_CHARS and bool(_NAME.match(value))


def is_version(value: object) -> bool:
    """Return whether a value is a version of a package."""
    return isinstance(value, str) and len(value) <= _MAX_CHARS and bool(_VERSION.match(value))


def normalize_name(name: str) -> str:
    """Return the name by which a package index knows a package.

    >>> normalize_name("Foo__Bar.baz")
    'foo-bar-baz'
    """
    return re.sub(r"[-_.]+", "-", name).lower()


def public_version(version: str) -> str:
    """Return a version without the label of its build.

    >>> public_version("2.3.1+cpu")
    '2.3.1'
    """
    return version.partition("+")[0]


def is_protected(name: str) -> bool:
    """Return whether a package belongs to the GPU's software, which is never installed or replaced."""
    return bool(_PROTECTED.match(normalize_name(name)))
