"""Names and memory of GPUs as `nvidia-smi` reports them."""

from __future__ import annotations

import re

__all__ = ["find_gpu_product"]

# By type and socket, or by type alone.
_PRODUCTS = {
    "A10_24GB": ("NVIDIA A10", 23_028),
    "A30_24GB": ("NVIDIA A30", 24_576),
    "A40_48GB": ("NVIDIA A40", 46_068),
    "A100_40GB": ("NVIDIA A100-SXM4-40GB", 40_960),
    "A100_40GB PCIe": ("NVIDIA A100-PCIE-40GB", 40_960),
    "A100_80GB": ("NVIDIA A100-SXM4-80GB", 81_920),
    "A100_80GB PCIe": ("NVIDIA A100 80GB PCIe", 81_920),
    "B200_180GB": ("NVIDIA B200", 183_359),
    "B300_262GB": ("NVIDIA B300 SXM6 AC", 275_040),
    "GB200": ("NVIDIA GB200", 189_471),
    "GB300": ("NVIDIA GB300", 284_208),
    "H100_80GB": ("NVIDIA H100 80GB HBM3", 81_559),
    "H100_80GB PCIe": ("NVIDIA H100 PCIe", 81_559),
    "H200_141GB": ("NVIDIA H200", 143_771),
    "GH200_96GB": ("NVIDIA GH200 480GB", 97_871),
    "L4_24GB": ("NVIDIA L4", 23_034),
    "L40_48GB": ("NVIDIA L40", 46_068),
    "L40S_48GB": ("NVIDIA L40S", 46_068),
    "RTX_PRO_6000B_96GB": ("NVIDIA RTX PRO 6000 Blackwell Server Edition", 97_887),
    "T4_16GB": ("Tesla T4", 15_360),
    "V100_16GB": ("Tesla V100-SXM2-16GB", 16_384),
    "V100_32GB": ("Tesla V100-SXM2-32GB", 32_768),
    "P4_8GB": ("Tesla P4", 7_680),
    "P40_24GB": ("Tesla P40", 24_576),
    "P100_16GB": ("Tesla P100-PCIE-16GB", 16_384),
}
_MIB_PER_GB = 1024


def find_gpu_product(gpu_type: str, socket: str) -> tuple[str, int]:
    """Return the name and the memory in MiB of a GPU.

    >>> find_gpu_product("RTX4090_24GB", "PCIe")
    ('NVIDIA GeForce RTX 4090', 24576)
    """
    product = _PRODUCTS.get(f"{gpu_type} {socket}") or _PRODUCTS.get(gpu_type)
    if product is not None:
        return product
    model, _, memory = gpu_type.partition("_")
    amount = re.match(r"\d+", memory)
    return _format_model(model), int(amount[0]) * _MIB_PER_GB if amount else 0


def _format_model(model: str) -> str:
    """Format `RTX4070Ti`, `RTX6000Ada`, `RTX8000` or `A5000` as a product name."""
    parts = re.fullmatch(r"(RTX|A)(\d+)(Ti|Ada)?", model)
    if parts is None:
        return f"NVIDIA {model}"
    series, number, suffix = parts.groups()
    if series == "A":
        return f"NVIDIA RTX A{number}"
    if suffix == "Ada":
        return f"NVIDIA RTX {number} Ada Generation"
    if number.endswith("00"):
        return f"Quadro RTX {number}"
    return f"NVIDIA GeForce RTX {number}{f' {suffix}' if suffix else ''}"
