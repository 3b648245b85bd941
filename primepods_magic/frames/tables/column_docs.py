"""What each column of our frames means: one name is the same thing everywhere, unless told.

A notebook shows the meaning where the pointer rests on a heading, and the reference lists it.
"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["MEANINGS", "meaning"]


def _range(name: str, what: str) -> dict[str, str]:
    """The columns about how much of something may be asked for."""
    unit, each = ("", "vCPU") if name == "vcpus" else ("_gb", "GB")
    return {
        f"{name}_min{unit}": f"least {what} to ask for",
        f"{name}_max{unit}": f"most {what} to ask for",
        f"{name}_step{unit}": f"step in which {what} can be asked for",
        f"{name}_price_usd{unit}_hr": f"USD per {each} and hour of {what.removesuffix(' in GB')} that is "
        "not included",
        f"{name}_is_included": "whether what it comes with is in the price",
        f"{name}_info": f"what the provider says about {what.removesuffix(' in GB')}",
    }


MEANINGS: Mapping[str, str] = {
    "amount_usd": "USD billed so far",
    "attached_disks": "disks, a line for each: id, state, size, where it is mounted",
    "auto_restart": "starts again by itself after an error",
    "balance_usd": "USD to spend",
    "begin_at": "beginning of the life that the cost is for; missing where not known",
    "billed_usd": "USD billed in total: the service's totalBilledPrice; 0 or missing where not billed yet",
    "burn_mine_usd_hr": "USD per hour now of the pods that I launched, an estimate",
    "burn_usd_hr": "USD per hour now, an estimate; without disks where the key may not list them",
    "change": "change_usd as a fraction of previous_usd; missing where that is 0",
    "change_usd": "USD more than in the period before",
    "cheapest_provider": "who asks the cheapest price today",
    "cheapest_usd_gpu_hr": "USD per GPU and hour, the cheapest on-demand offer today",
    "check": "what was looked at",
    "cloud_id": "the provider's id of the machine; not unique without the data center",
    "cluster_id": "id of the cluster that it belongs to",
    "clusters": "ids of the clusters that it is attached to, a line for each",
    "community_price_hr": "price per hour in the community cloud, in currency, the whole offer",
    "connections": "ssh commands, a line for each node that is up",
    "cost_usd": "USD: billed, or an estimate where estimated",
    "country": "two-letter code of the country",
    "created_at": "when it was created",
    "currency": "currency of the prices, or of the amount",
    "custom_template_id": "the template that its image is from",
    "data_center": "the provider's id of the data center",
    "detail": "more about it, in words",
    "difference": "how much more was paid than the cheapest costs today: 0.25 is a quarter more",
    "disk_gb": "disk in GB",
    "disks": "how many disks live and are billed to it; missing where the key may not list them",
    "duration": "from creation to end, up to now where it has not ended",
    "email": "e-mail address",
    "empty_at": "when the balance is used up at this rate; missing where it lasts",
    "end_at": "end of the life that the cost is for; missing where not known",
    "estimated": "not final: it lives, has no end, or is not billed yet",
    "fingerprint": "as 'ssh-keygen -l' says it",
    "gpu": "GPU type",
    "gpu_count": "GPUs of the whole pod or offer",
    "gpu_hours": "GPUs × hours",
    "gpu_memory_gb": "GB of memory of each GPU; as the provider says where the type does not tell it",
    "hours_left": "hours that the balance lasts at this rate",
    "id": "its id at the service",
    "image": "software image",
    "images": "software images to choose from, a line for each",
    "installation_failure": "what went wrong with the installation",
    "installation_progress": "percent",
    "installation_status": "PENDING, IN_PROGRESS, COMPLETE, FAILED or TERMINATED",
    "interconnect_gbps": "gigabits per second between nodes",
    "interconnect_type": "kind of network between nodes",
    "internet_mbps": "megabits per second to the internet",
    "ip": "addresses, a line for each node that has one",
    "is_multinode": "several pods may share it",
    "is_primary": "taken by pods whose spec names no key",
    "is_ready": "ACTIVE, every node reachable, installed",
    "is_spot": "may be taken back by the provider; missing where not known",
    "is_user_key": "belongs to a person",
    "is_variable_price": "the price may change while the pod runs",
    "joined_at": "when the person joined",
    "jupyter_url": "address of its Jupyter server",
    "last_billed_at": "when it was billed last",
    "memory_gb": "memory in GB",
    "month_end_usd": "USD by the end of the month (UTC), at this rate",
    "month_usd": "USD since the first of the month (UTC), estimates included",
    "name": "its name",
    "on_demand_price_hr": "price per hour, in currency, the whole offer; of a spot machine its spot price",
    "on_demand_usd_gpu_hr": "USD per GPU and hour, the cheapest on demand today",
    "outcome": "what became of it",
    "paid_usd_gpu_hr": "USD per GPU and hour that was paid, on average",
    "path": "where the file is",
    "period": "beginning of the hour, day, week, month or quarter, in the chosen time zone",
    "pods": "how many pods have a part in it",
    "pods_mine": "of the pods, those that I launched",
    "ports": "port mappings, a line for each: port inside, port outside, use",
    "prepaid_hr": "hours that are charged up front, used or not",
    "previous_usd": "USD in the period before; 0 where there was nothing, missing in the first period",
    "price_gpu_hr": "price per GPU and hour, in currency",
    "price_hr": "price per hour of the whole offer, in currency",
    "price_usd_hr": "USD per hour, the whole of it",
    "provider": "who owns the machine",
    "provisioned_by": "name of the person who launched it",
    "provisioning_min": "minutes until it is up, as the provider says",
    "provisioning_price_usd_hr": "USD per hour while it comes up; missing: as while it runs",
    "public_key_text": "the public key",
    "read_at": "when it was last read",
    "reason": "why it is worth a look",
    "region": "region",
    "remarks": "what is odd about the row; missing where nothing is",
    "resource_id": "id of the pod or disk",
    "resource_type": "compute, disks, …",
    "result": "ok, warning or problem",
    "role": "role in the team",
    "rows": "how many rows are kept",
    "running_usd": "USD up to the end of the period",
    "saving_usd": "USD less at today's spot price; negative where less was paid",
    "security": "secure_cloud or community_cloud",
    "service": "which service, or sandbox, it is the history of",
    "share": "fraction of the period's total, or of the whole",
    "shared_disk_gb": "shared disk in GB",
    "since_at": "when it began",
    "size_gb": "size in GB",
    "size_mb": "size of the file in MB",
    "slug": "short name in addresses",
    "socket": "PCIe, SXM5, …",
    "spot_cost_usd": "USD for all gpu_hours at today's cheapest spot price",
    "spot_gpu_hours": "of the gpu_hours, those known to have been spot",
    "spot_usd_gpu_hr": "USD per GPU and hour, the cheapest spot offer today",
    "ssh": "ssh command, for the first node that is up",
    "state": "closed, open (in the history, without an end) or live (not in the history yet)",
    "status": "PROVISIONING, PENDING, ACTIVE, STOPPED, ERROR, DELETING, TERMINATED or UNKNOWN",
    "stock": "Available, High, Medium, Low or Unavailable",
    "stopped_price_usd_hr": "USD per hour while stopped; missing: as while it runs",
    "team": "name of the team that is billed, else its id, else 'personal'",
    "team_id": "id of the team that is billed",
    "terminated_at": "when it ended",
    "today_usd": "USD since midnight (UTC), estimates included",
    "type": "what kind of thing it is",
    "updated_at": "when the service changed it last",
    "user_id": "id of the person who launched it",
    "vcpus": "vCPUs",
    "wallet": "'mine', or a team's name, or its id where the name is not known",
    "wallet_id": "id of the wallet that is billed",
    "what_to_do": "how to fix it",
    **_range("disk", "disk in GB"),
    **_range("memory", "memory in GB"),
    **_range("shared_disk", "shared disk in GB"),
    **_range("vcpus", "vCPUs"),
}
"""By the name of the column."""

_SPECIAL: Mapping[tuple[str, str], str] = {
    ("disks", "pods"): "ids of the pods that it is attached to, a line for each",
    ("disks", "status"): "state of the disk, in the service's words",
    ("disks", "price_usd_hr"): "USD per hour, attached or not",
    ("disks", "user_id"): "id of the person whom it belongs to",
    ("history", "price_usd_hr"): "USD per hour on average, the whole pod",
    ("history", "state"): "closed, or open where it has not ended",
    ("history", "type"): "'Instance' is a pod",
    ("keys", "name"): "name of the key",
    ("keys", "type"): "such as ssh-ed25519",
    ("keys", "user_id"): "id of the person whom it belongs to",
    ("ledger", "price_usd_hr"): "USD per hour, on average; of what lives, now",
    ("ledger", "type"): "'Instance' is a pod",
    ("members", "name"): "name of the person",
    ("members", "user_id"): "id of the person",
    ("prices", "cost_usd"): "USD, estimates included",
    ("removed", "billed_usd"): "USD billed in total; missing where not billed yet",
    ("removed", "duration"): "from creation to end; missing where the end is not known",
    ("spot", "cost_usd"): "USD, estimates included",
    ("teams", "role"): "my role in it",
    ("teams", "team_id"): "id of the team",
    ("wallets", "pods"): "how many pods live and are billed to it",
    ("wallets", "team_id"): "id of the team whose wallet it is; missing for mine",
    ("waste", "cost_usd"): "USD that it has cost in all, used or not",
    ("waste", "since_at"): "when it was created",
}
"""Where a kind of frame says it more exactly."""


def meaning(column: str, kind: str = "") -> str | None:
    """What a column means, in words with its unit; ``None`` for a column that is not ours.

    Parameters
    ----------
    column : str
        The name of the column.
    kind : str
        What the rows of its frame are, as ``present`` is told: ``pods``, ``offers``, …

    Examples
    --------
    >>> meaning("price_usd_hr"), meaning("price_usd_hr", "disks")
    ('USD per hour, the whole of it', 'USD per hour, attached or not')
    """
    return _SPECIAL.get((kind, column), MEANINGS.get(column))
