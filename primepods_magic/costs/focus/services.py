"""What FOCUS calls the types of a ledger: services, their categories, and categories of charges."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Service", "categorize_type", "service_of"]


@dataclass(frozen=True)
class Service:
    """A service: the type of its resources, its name, and the two categories of the specification."""

    resource: str
    name: str
    category: str
    subcategory: str


_SERVICES = {
    "instance": Service("Pod", "Pods", "Compute", "Virtual Machines"),
    "cluster": Service("Cluster", "Clusters", "Compute", "Virtual Machines"),
    "sandbox": Service("Sandbox", "Sandboxes", "Compute", "Containers"),
    "disk": Service("Disk", "Disks", "Storage", "Block Storage"),
    "image": Service("Image", "Images", "Storage", "Other (Storage)"),
    "inference": Service("Inference", "Inference", "AI and Machine Learning", "Generative AI"),
    "training": Service("Training", "Training", "AI and Machine Learning", "Machine Learning"),
}
# The service itself has no such types. Ledgers of users may, such as one with their payments in advance.
_CATEGORIES = {
    "purchase": "Purchase",
    "prepaid": "Purchase",
    "tax": "Tax",
    "credit": "Credit",
    "refund": "Credit",
    "adjustment": "Adjustment",
    "correction": "Adjustment",
}


def service_of(kind: str | None) -> Service:
    """Return the service of a ledger's type; without a type it is a pod."""
    known = _SERVICES.get("instance" if kind is None else kind.casefold())
    return known or Service(kind or "", kind or "", "Other", "Other (Other)")


def categorize_type(kind: str | None) -> str:
    """Return the category of the charges of a ledger's type."""
    return _CATEGORIES.get((kind or "").casefold(), "Usage")
