"""The catalog of offers, derived from three small tables with plausible prices."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from primepods_magic.sandbox.schemas.enums import (
    GpuType,
    Image,
    ProviderType,
    Region,
    SecurityType,
    Socket,
    StockStatus,
)
from primepods_magic.sandbox.schemas.responses import Currency

from .offers import Offer, QuantityRange

__all__ = ["FAILING", "PROVIDERS", "SITES", "offers"]

FAILING = ("tensordock", "RTX4090_24GB")
"""The provider and GPU type whose installation always fails, as a demonstration."""


@dataclass(frozen=True)
class DataCenter:
    data_center: str | None
    country: str
    region: Region | None


@dataclass(frozen=True)
class Provider:
    cloud_id_prefix: str | None
    images: tuple[Image, ...]
    ssh_user: str = "root"
    is_container: bool = False
    """Containers share an address, so their ports are mapped to high ones."""
    stopped_share: float | None = None
    """Share of the price while STOPPED; None means all of it."""
    provisioning_share: float | None = 0.0
    """Share of the price while PROVISIONING; None means all of it."""
    demands_max_price: bool = False
    demands_data_center: bool = False
    connect_after_ms: int = 0


@dataclass(frozen=True)
class GpuModel:
    """The resources that come with one GPU of a type."""

    socket: Socket
    gpu_memory_gb: int
    vcpus: int
    memory_gb: int
    disk_gb: int


@dataclass(frozen=True)
class Listing:
    """A provider's offers of one GPU type: one for each count and data center."""

    provider: ProviderType
    gpu_type: GpuType
    price_gpu_hr: float | None
    counts: tuple[int, ...]
    sites: tuple[str, ...]
    stock: StockStatus = "Available"
    security: SecurityType = "secure_cloud"
    is_spot: bool = False
    currency: Currency = "USD"
    socket: Socket | None = None
    nodes: int = 1
    prepaid_hours: int | None = None


_VM: tuple[Image, ...] = (
    "ubuntu_22_cuda_12",
    "cuda_12_4_pytorch_2_6",
    "cuda_12_6_pytorch_2_7",
    "custom_template",
)
_PLAIN: tuple[Image, ...] = ("ubuntu_22_cuda_12", "cuda_12_4_pytorch_2_5")
_CONTAINER: tuple[Image, ...] = (
    "ubuntu_22_cuda_12",
    "cuda_12_1_pytorch_2_4",
    "cuda_12_4_pytorch_2_6",
    "stable_diffusion",
    "axolotl",
    "vllm_llama_8b",
    "flux",
    "custom_template",
)

PROVIDERS: dict[ProviderType, Provider] = {
    "hyperstack": Provider("n3", (*_VM, "vllm_llama_8b"), stopped_share=0.1),
    "runpod": Provider(None, _CONTAINER, is_container=True, stopped_share=0.05),
    "lambdalabs": Provider("gpu", _PLAIN, ssh_user="ubuntu", demands_data_center=True),
    "datacrunch": Provider("dc1", _VM, demands_data_center=True, connect_after_ms=1500),
    "massedcompute": Provider("mc", _PLAIN, ssh_user="ubuntu", demands_max_price=True),
    "nebius": Provider("nb", (*_VM, "prime_rl"), ssh_user="ubuntu"),
    "primecompute": Provider(
        "pc", (*_VM, "axolotl", "vllm_llama_70b", "prime_rl"), ssh_user="ubuntu", stopped_share=0.2
    ),
    "tensordock": Provider("td", _PLAIN, ssh_user="user"),
    "scaleway": Provider("scw", _VM, stopped_share=0.15),
    "crusoecloud": Provider("cr", _VM, ssh_user="ubuntu"),
    "vultr": Provider("vcg", _PLAIN),
    "cudocompute": Provider("cudo", _VM, stopped_share=0.3, provisioning_share=0.25),
    "denvr": Provider("dnv", (*_VM, "prime_rl"), ssh_user="ubuntu", provisioning_share=None),
    "latitude": Provider("lat", _PLAIN, ssh_user="ubuntu"),
    "dc_roan": Provider("roan", (*_VM, "vllm_llama_70b"), ssh_user="ubuntu", demands_data_center=True),
}

SITES: dict[str, DataCenter] = {
    "CANADA-1": DataCenter("CANADA-1", "CA", "canada"),
    "NORWAY-1": DataCenter("NORWAY-1", "NO", "eu_north"),
    "us-east-1": DataCenter("us-east-1", "US", "united_states"),
    "us-west-2": DataCenter("us-west-2", "US", "united_states"),
    "FIN-01": DataCenter("FIN-01", "FI", "eu_north"),
    "fr-par-2": DataCenter("fr-par-2", "FR", "eu_west"),
    "EU-RO-1": DataCenter("EU-RO-1", "RO", "eu_east"),
    "ap-south-1": DataCenter("ap-south-1", "IN", "asia_south"),
    "ap-northeast-1": DataCenter("ap-northeast-1", "JP", "asia_northeast"),
    "syd": DataCenter("syd", "AU", "australia"),
    "sao": DataCenter("sao", "BR", "south_america"),
    "se-sto-1": DataCenter("se-sto-1", "SE", "eu_north"),
    "me-dub-1": DataCenter("me-dub-1", "AE", "middle_east"),
    "nowhere": DataCenter(None, "ZA", None),
    "anywhere-US": DataCenter(None, "US", "united_states"),
}

_GPU_MODELS: dict[GpuType, GpuModel] = {
    "CPU_NODE": GpuModel("PCIe", 0, 8, 32, 100),
    "T4_16GB": GpuModel("PCIe", 16, 8, 30, 100),
    "V100_16GB": GpuModel("SXM2", 16, 8, 44, 120),
    "L4_24GB": GpuModel("PCIe", 24, 8, 32, 120),
    "RTX3090_24GB": GpuModel("PCIe", 24, 8, 32, 100),
    "RTX4090_24GB": GpuModel("PCIe", 24, 12, 48, 120),
    "RTX5090_32GB": GpuModel("PCIe", 32, 16, 64, 160),
    "A40_48GB": GpuModel("PCIe", 48, 9, 50, 120),
    "A6000_48GB": GpuModel("PCIe", 48, 10, 58, 120),
    "L40S_48GB": GpuModel("PCIe", 48, 16, 96, 160),
    "RTX_PRO_6000B_96GB": GpuModel("PCIe", 96, 24, 128, 240),
    "A100_40GB": GpuModel("SXM4", 40, 12, 90, 160),
    "A100_80GB": GpuModel("SXM4", 80, 14, 120, 200),
    "H100_80GB": GpuModel("PCIe", 80, 16, 128, 200),
    "H200_141GB": GpuModel("SXM5", 141, 24, 240, 400),
    "B200_180GB": GpuModel("SXM6", 180, 28, 280, 500),
    "B300_262GB": GpuModel("SXM6", 262, 30, 320, 600),
    "P100_16GB": GpuModel("PCIe", 16, 6, 24, 80),
    "V100_32GB": GpuModel("SXM2", 32, 8, 60, 120),
    "A4000_16GB": GpuModel("PCIe", 16, 8, 32, 100),
    "A5000_24GB": GpuModel("PCIe", 24, 8, 48, 120),
    "A10_24GB": GpuModel("PCIe", 24, 15, 100, 200),
    "A30_24GB": GpuModel("PCIe", 24, 8, 60, 120),
    "RTX3080_10GB": GpuModel("PCIe", 10, 6, 24, 80),
    "RTX4000Ada_20GB": GpuModel("PCIe", 20, 8, 48, 100),
    "RTX6000Ada_48GB": GpuModel("PCIe", 48, 14, 120, 200),
    "L40_48GB": GpuModel("PCIe", 48, 14, 96, 160),
    "GH200_96GB": GpuModel("SXM5", 96, 64, 432, 500),
    "GB200": GpuModel("SXM6", 192, 36, 480, 800),
}

_LISTINGS: tuple[Listing, ...] = (
    # The specification's example comes first: one H100 for 2.69 $/h in CANADA-1.
    Listing("hyperstack", "H100_80GB", 2.69, (1, 2, 4, 8), ("CANADA-1",), "High"),
    Listing("hyperstack", "H100_80GB", 2.79, (1,), ("NORWAY-1",), "Medium"),
    Listing("hyperstack", "A100_80GB", 1.55, (1, 2, 4, 8), ("CANADA-1",), "High", socket="PCIe"),
    Listing("hyperstack", "L40S_48GB", 1.03, (1, 2), ("CANADA-1", "NORWAY-1"), "Medium"),
    Listing("hyperstack", "A6000_48GB", 0.52, (1, 2, 4), ("NORWAY-1",), "High"),
    Listing("hyperstack", "CPU_NODE", 0.12, (1,), ("CANADA-1",), "High"),
    Listing("runpod", "RTX4090_24GB", 0.69, (1, 2, 4), ("EU-RO-1", "us-east-1"), "High"),
    Listing("runpod", "RTX4090_24GB", 0.39, (1,), ("anywhere-US",), "Low", "community_cloud"),
    Listing("runpod", "RTX3090_24GB", 0.22, (1, 2), ("anywhere-US",), "Medium", "community_cloud"),
    Listing("runpod", "RTX5090_32GB", 0.94, (1,), ("EU-RO-1",), "Low"),
    Listing("runpod", "A40_48GB", 0.44, (1, 2, 4), ("us-east-1",), "High"),
    Listing("runpod", "H100_80GB", 2.39, (1, 8), ("us-east-1",), "Low"),
    Listing("runpod", "H100_80GB", 1.25, (1,), ("us-east-1",), "Low", is_spot=True),
    Listing("runpod", "A100_80GB", 0.82, (1,), ("EU-RO-1",), "Medium", is_spot=True),
    Listing("runpod", "RTX_PRO_6000B_96GB", 1.89, (1, 2), ("EU-RO-1",), "Medium"),
    Listing("lambdalabs", "H100_80GB", 2.99, (1, 8), ("us-west-2",), "Low", socket="SXM5"),
    Listing("lambdalabs", "A100_40GB", 1.29, (1, 8), ("us-east-1",), "Unavailable"),
    Listing("lambdalabs", "A6000_48GB", 0.8, (1,), ("us-west-2",), "Medium"),
    Listing("lambdalabs", "B200_180GB", 4.99, (8,), ("us-west-2",), "Low"),
    Listing("datacrunch", "H100_80GB", 2.65, (1, 2, 4, 8), ("FIN-01",), "Medium", socket="SXM5"),
    Listing("datacrunch", "H200_141GB", 3.35, (1, 8), ("FIN-01",), "Medium"),
    Listing("datacrunch", "A100_40GB", 0.88, (1,), ("FIN-01",), "High"),
    Listing("datacrunch", "V100_16GB", 0.16, (1, 2, 4), ("FIN-01",), "High"),
    Listing("datacrunch", "B300_262GB", 5.9, (1, 8), ("FIN-01",), "Low"),
    Listing("massedcompute", "A6000_48GB", 0.57, (1, 2, 4), ("us-east-1",), "High"),
    Listing("massedcompute", "L40S_48GB", 0.98, (1,), ("us-east-1",), "Medium"),
    Listing("massedcompute", "RTX4090_24GB", 0.48, (1,), ("us-east-1",), "Medium"),
    Listing("nebius", "H200_141GB", 3.5, (1, 8), ("FIN-01",), "High"),
    Listing("nebius", "B200_180GB", 5.5, (8,), ("FIN-01",), "Medium"),
    Listing("nebius", "CPU_NODE", 0.2, (1,), ("FIN-01",), "High"),
    Listing("primecompute", "H100_80GB", 2.45, (1, 8), ("us-west-2",), "High", socket="SXM5"),
    Listing("primecompute", "H200_141GB", 3.29, (8,), ("ap-south-1",), "Medium"),
    Listing("primecompute", "B200_180GB", 4.75, (1, 8), ("us-west-2",), "Medium"),
    Listing("primecompute", "H200_141GB", 3.29, (16,), ("us-west-2",), "Low", nodes=2),
    Listing("primecompute", "H100_80GB", 2.45, (32,), ("us-west-2",), "Low", socket="SXM5", nodes=4),
    Listing("tensordock", "RTX4090_24GB", 0.41, (1,), ("us-west-2",), "High"),
    Listing("tensordock", "RTX3090_24GB", 0.24, (1, 2), ("us-west-2",), "Medium", "community_cloud"),
    Listing("tensordock", "T4_16GB", 0.12, (1,), ("sao",), "Medium", "community_cloud"),
    Listing("scaleway", "L4_24GB", 0.75, (1, 2), ("fr-par-2",), "High", currency="EUR"),
    Listing("scaleway", "H100_80GB", 2.73, (1,), ("fr-par-2",), "Medium", currency="EUR"),
    Listing("crusoecloud", "A100_80GB", 1.65, (1, 8), ("us-east-1",), "Unavailable"),
    Listing("crusoecloud", "L40S_48GB", 1.0, (1,), ("us-east-1",), "Low"),
    Listing("vultr", "A40_48GB", 1.71, (1,), ("ap-northeast-1", "syd"), "Available"),
    Listing("vultr", "L4_24GB", 0.69, (1,), ("ap-northeast-1",), "Medium"),
    Listing("cudocompute", "A4000_16GB", 0.17, (1, 2, 4), ("se-sto-1", "us-east-1"), "High"),
    Listing("cudocompute", "A5000_24GB", 0.29, (1, 2), ("se-sto-1",), "Medium"),
    Listing("cudocompute", "V100_32GB", 0.39, (1, 2, 4), ("us-east-1",), "Medium"),
    Listing("cudocompute", "L40S_48GB", 1.21, (1, 2), ("me-dub-1",), "Low"),
    Listing("denvr", "A100_80GB", 1.95, (1, 2, 4, 8), ("us-west-2",), "Medium", socket="SXM4"),
    Listing("denvr", "H100_80GB", 3.05, (1, 8), ("us-west-2",), "Low", socket="SXM5"),
    # One week is charged with the order.
    Listing("denvr", "H200_141GB", 3.6, (8,), ("us-west-2",), "Low", prepaid_hours=168),
    Listing("denvr", "A30_24GB", 0.33, (1, 2), ("us-west-2",), prepaid_hours=24),
    Listing("latitude", "RTX6000Ada_48GB", 0.86, (1, 2, 4), ("sao", "us-west-2"), "High"),
    Listing("latitude", "GH200_96GB", 3.12, (1,), ("us-west-2",), "Low"),
    Listing("latitude", "A100_80GB", None, (8,), ("sao",), "Low", socket="PCIe"),
    Listing("dc_roan", "GB200", 8.4, (4,), ("us-west-2",), "Low"),
    Listing("dc_roan", "B200_180GB", 5.95, (8,), ("us-west-2",), "Unavailable"),
    Listing("dc_roan", "B200_180GB", 5.6, (64,), ("us-west-2",), "Low", nodes=8),
    Listing("nebius", "H100_80GB", 3.1, (16,), ("FIN-01",), "Low", socket="SXM5", nodes=2),
    Listing("nebius", "H100_80GB", 3.1, (32,), ("FIN-01",), "Low", socket="SXM5", nodes=4),
    Listing("nebius", "L40S_48GB", 1.35, (1, 2), ("FIN-01",), "High"),
    Listing("lambdalabs", "A10_24GB", 0.75, (1,), ("us-west-2", "us-east-1", "ap-south-1"), "Medium"),
    Listing("lambdalabs", "GH200_96GB", 1.49, (1,), ("us-east-1",), "Unavailable"),
    Listing("massedcompute", "A30_24GB", 0.35, (1, 2, 4), ("us-east-1",), "High"),
    Listing("massedcompute", "A5000_24GB", 0.41, (1, 2), ("us-east-1",), "High"),
    Listing("tensordock", "RTX3080_10GB", 0.17, (1, 2), ("nowhere",), "Low", "community_cloud"),
    Listing("tensordock", "P100_16GB", 0.19, (1, 2), ("us-east-1",), "High"),
    Listing("runpod", "RTX4000Ada_20GB", 0.2, (1, 2), ("EU-RO-1",), "High"),
    # The service returns floats like this one.
    Listing("runpod", "L40_48GB", 0.6567999999999998, (1,), ("EU-RO-1", "us-east-1"), "Medium"),
    Listing("runpod", "RTX4000Ada_20GB", 0.11, (1,), ("EU-RO-1",), "Low", is_spot=True),
    Listing("runpod", "L40_48GB", 0.31, (1,), ("us-east-1",), "Low", "community_cloud", is_spot=True),
    Listing("scaleway", "L40S_48GB", 1.4, (1, 2, 4), ("fr-par-2",), "High", currency="EUR"),
    Listing("scaleway", "B300_262GB", 7.5, (8,), ("fr-par-2",), "Low", currency="EUR"),
    Listing("crusoecloud", "A40_48GB", 0.9, (1, 2, 4, 8), ("us-east-1",), "High"),
    Listing("crusoecloud", "CPU_NODE", 0.25, (1,), ("us-east-1",), "High"),
)


@cache
def offers() -> tuple[Offer, ...]:
    """Return every offer, always in the same order."""
    return tuple(
        _make_offer(listing, count, SITES[site])
        for listing in _LISTINGS
        for site in listing.sites
        for count in listing.counts
    )


def _make_offer(listing: Listing, count: int, site: DataCenter) -> Offer:
    model = _GPU_MODELS[listing.gpu_type]
    return Offer(
        cloud_id=_make_cloud_id(listing, count),
        gpu_type=listing.gpu_type,
        socket=listing.socket or model.socket,
        gpu_count=count,
        gpu_memory_gb=model.gpu_memory_gb * count,
        provider=listing.provider,
        region=site.region,
        data_center=site.data_center,
        country=site.country,
        security=listing.security,
        stock=listing.stock,
        price_hr=_compute_price_hr(listing.price_gpu_hr, count),
        currency=listing.currency,
        is_spot=listing.is_spot,
        images=PROVIDERS[listing.provider].images,
        disk_gb=_make_disk_range(listing.provider, model.disk_gb * count),
        vcpus=_make_range(listing.provider, model.vcpus * count, step=2, usd_unit_hr=0.005),
        memory_gb=_make_range(listing.provider, model.memory_gb * count, step=4, usd_unit_hr=0.0025),
        internet_mbps=10_000 if count >= 8 else 1_000,
        interconnect_gbps=3_200 if listing.nodes > 1 else None,
        provisioning_min=2 if PROVIDERS[listing.provider].is_container else 5,
        interconnect_type=_choose_interconnect(listing),
        nodes=listing.nodes,
        prepaid_hours=listing.prepaid_hours,
    )


def _compute_price_hr(price_gpu_hr: float | None, count: int) -> float | None:
    if price_gpu_hr is None:
        return None
    # Keep the listed price of a single GPU to the last digit.
    return price_gpu_hr if count == 1 else round(price_gpu_hr * count, 4)


def _choose_interconnect(listing: Listing) -> str | None:
    if listing.nodes == 1:
        return None
    return "RoCE" if listing.provider == "nebius" else "InfiniBand"


def _make_range(provider: ProviderType, default: int, *, step: int, usd_unit_hr: float) -> QuantityRange:
    if provider == "cudocompute":
        return QuantityRange(default, min=step, max=4 * default, step=step, usd_unit_hr=usd_unit_hr)
    return QuantityRange(default)


def _make_disk_range(provider: ProviderType, default_gb: int) -> QuantityRange:
    if provider in ("lambdalabs", "vultr"):
        return QuantityRange(default_gb, note="The disk comes with the machine")
    return QuantityRange(default_gb, min=20, max=max(1000, 2 * default_gb), step=10, usd_unit_hr=0.00014)


def _make_cloud_id(listing: Listing, count: int) -> str:
    model = listing.gpu_type.partition("_")[0] if listing.gpu_type != "CPU_NODE" else "CPU"
    prefix = PROVIDERS[listing.provider].cloud_id_prefix
    # runpod's ids are marketing names with spaces and do not include the GPU count.
    name = f"{prefix}-{model}x{count}" if prefix else f"NVIDIA {model}"
    return f"{name}{' spot' if listing.is_spot else ''}"
