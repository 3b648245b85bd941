"""The vocabulary of the API, as far as it is published.

The lists grow, so they serve for suggestions and completion. Unknown words in responses are shown as they
are; in requests they are refused only if the specification closes the list.

Source: the specification's page and the service's published OpenAPI document.
"""

from __future__ import annotations

from enum import Enum

__all__ = [
    "GPU_TYPES",
    "IMAGES",
    "KNOWN_WORDS",
    "PROVIDERS",
    "REGIONS",
    "SECURITIES",
    "SOCKETS",
    "InstallationStatus",
    "PodStatus",
]


class _Word(str, Enum):
    """A string enumeration that prints as its value."""

    __str__ = str.__str__


class PodStatus(_Word):
    """The state of a pod.

    >>> print(PodStatus.ACTIVE)
    ACTIVE
    """

    PROVISIONING = "PROVISIONING"
    PENDING = "PENDING"
    ACTIVE = "ACTIVE"
    STOPPED = "STOPPED"
    ERROR = "ERROR"
    DELETING = "DELETING"
    TERMINATED = "TERMINATED"
    UNKNOWN = "UNKNOWN"


class InstallationStatus(_Word):
    """The state of a pod's software installation, in the specification's words."""

    PENDING = "PENDING"
    IN_PROGRESS = "IN_PROGRESS"
    COMPLETE = "COMPLETE"
    FAILED = "FAILED"
    TERMINATED = "TERMINATED"


STATUS_SYNONYMS = {
    "RUNNING": PodStatus.ACTIVE,
    "FAILED": PodStatus.ERROR,
    "FAILURE": PodStatus.ERROR,
    "ERRORED": PodStatus.ERROR,
    "CRASHED": PodStatus.ERROR,
    "TERMINATING": PodStatus.DELETING,
    "DESTROYING": PodStatus.DELETING,
    "DELETED": PodStatus.TERMINATED,
    "DESTROYED": PodStatus.TERMINATED,
}
"""Other services' words for the same states, if certain. A pod that is paused, exited or shut off may be
billed, so such words stay as they are and count as live."""

INSTALLATION_SYNONYMS = {
    **dict.fromkeys(("ACTIVE", "RUNNING", "INSTALLING", "STARTED"), InstallationStatus.IN_PROGRESS),
    **dict.fromkeys(
        ("FINISHED", "COMPLETED", "SUCCESS", "SUCCEEDED", "SUCCESSFUL", "DONE", "READY", "INSTALLED", "OK"),
        InstallationStatus.COMPLETE,
    ),
    **dict.fromkeys(
        ("ERROR", "ERRORED", "FAIL", "FAILURE", "CRASHED", "TIMEOUT", "TIMED_OUT"), InstallationStatus.FAILED
    ),
    **dict.fromkeys(("CANCELED", "CANCELLED", "ABORTED"), InstallationStatus.TERMINATED),
}
"""Words of the published document and of other services for the same states."""

GPU_TYPES = tuple(
    """
    A10_24GB A100_80GB A100_40GB A30_24GB A40_48GB B200_180GB B300_262GB GB200 GB300
    H100_80GB H200_96GB H200_141GB GH200_96GB GH200_480GB GH200_624GB L4_24GB L40_48GB L40S_48GB
    RTX3070_8GB RTX3080_10GB RTX3080Ti_12GB RTX3090_24GB RTX3090Ti_24GB RTX4070Ti_12GB RTX4080_16GB
    RTX4080Ti_16GB RTX4090_24GB RTX5090_32GB RTX4000_8GB RTX5000_16GB RTX6000_24GB RTX8000_48GB
    RTX2000Ada_16GB RTX4000Ada_20GB RTX5000Ada_32GB RTX6000Ada_48GB RTX_PRO_6000B_96GB A2000_6GB
    A4000_16GB A4500_20GB A5000_24GB A6000_48GB V100_16GB V100_32GB P100_16GB T4_16GB P4_8GB P40_24GB
    CPU_NODE
    """.split()
)

SOCKETS = ("PCIe", "SXM2", "SXM3", "SXM4", "SXM5", "SXM6")

PROVIDERS = tuple(
    """
    runpod fluidstack lambdalabs hyperstack oblivus cudocompute scaleway tensordock datacrunch latitude
    crusoecloud massedcompute akash primeintellect primecompute dc_impala dc_kudu dc_roan nebius dc_eland
    dc_wildebeest vultr dc_gnu denvr
    """.split()
)

IMAGES = tuple(
    """
    ubuntu_22_cuda_12 cuda_12_1_pytorch_2_2 cuda_11_8_pytorch_2_1 cuda_12_1_pytorch_2_3
    cuda_12_1_pytorch_2_4 cuda_12_4_pytorch_2_4 cuda_12_4_pytorch_2_5 cuda_12_4_pytorch_2_6
    cuda_12_6_pytorch_2_7 stable_diffusion axolotl bittensor hivemind petals_llama vllm_llama_8b
    vllm_llama_70b vllm_llama_405b custom_template flux prime_rl
    """.split()
)

SECURITIES = ("secure_cloud", "community_cloud")

REGIONS = tuple(
    """
    africa asia_south asia_northeast australia canada eu_east eu_north eu_west middle_east south_america
    united_states
    """.split()
)

_OTHER_WORDS = tuple(
    """
    SSH JUPYTER_NOTEBOOK WEB_SERVER TCP UDP HTTP HTTPS HOSTED EXTERNAL AVAILABLE UNAVAILABLE LOW MEDIUM HIGH
    """.split()
)
KNOWN_WORDS = frozenset(
    {
        *(word.value for word in (*PodStatus, *InstallationStatus)),
        *STATUS_SYNONYMS,
        *INSTALLATION_SYNONYMS,
        *(*GPU_TYPES, *SOCKETS, *PROVIDERS, *IMAGES, *SECURITIES, *REGIONS, *_OTHER_WORDS),
    }
)
"""All words above, and those for ports, kinds of pods and stock."""
