"""The logo of kernels on pods, as the kernel picker shows it."""

from __future__ import annotations

__all__ = ["LOGO"]

LOGO = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64" width="64" height="64">
<rect x="6" y="10" width="52" height="34" rx="7" fill="#2563eb"/>
<path d="M17 21l8 6-8 6" fill="none" stroke="#fff" stroke-width="4" stroke-linecap="round"
 stroke-linejoin="round"/>
<path d="M30 34h14" stroke="#fff" stroke-width="4" stroke-linecap="round"/>
<path d="M16 54h32M24 44v10M40 44v10" stroke="#2563eb" stroke-width="4" stroke-linecap="round"/>
</svg>
"""
