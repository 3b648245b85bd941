"""What the service's published documents, its page and its own client say about every field.

A line is a field, its kind, and remarks. Kinds: ``string integer number boolean date-time``, the name of an
enumeration or of another object here, ``[kind]`` for a list, ``a|b`` for either, and ``?`` behind what may be
null. Remarks: ``cli`` is a key that the official client cannot do without, ``spec`` or ``published`` a field
of that dialect alone.
"""

from __future__ import annotations

ENUMS: dict[str, str] = {
    "PodStatus": "PROVISIONING PENDING ACTIVE STOPPED ERROR DELETING UNKNOWN TERMINATED",
    "SpecInstallation": "PENDING IN_PROGRESS COMPLETE FAILED TERMINATED",
    "PublishedInstallation": "PENDING ACTIVE FINISHED ERROR TERMINATED",
    "GPUType": "CPU_NODE A10_24GB A100_80GB A100_40GB A30_24GB A40_48GB B200_180GB B300_262GB GB200 GB300 "
    "H100_80GB H200_96GB H200_141GB GH200_96GB GH200_480GB GH200_624GB L4_24GB L40_48GB L40S_48GB "
    "RTX3070_8GB RTX3080_10GB RTX3080Ti_12GB RTX3090_24GB RTX3090Ti_24GB RTX4070Ti_12GB RTX4080_16GB "
    "RTX4080Ti_16GB RTX4090_24GB RTX5090_32GB RTX4000_8GB RTX5000_16GB RTX6000_24GB RTX8000_48GB "
    "RTX2000Ada_16GB RTX4000Ada_20GB RTX5000Ada_32GB RTX6000Ada_48GB RTX_PRO_6000B_96GB A2000_6GB "
    "A4000_16GB A4500_20GB A5000_24GB A6000_48GB V100_16GB V100_32GB P100_16GB T4_16GB P4_8GB P40_24GB",
    "Socket": "PCIe SXM2 SXM3 SXM4 SXM5 SXM6",
    "Provider": "runpod fluidstack lambdalabs hyperstack oblivus cudocompute scaleway tensordock datacrunch "
    "latitude crusoecloud massedcompute akash primeintellect primecompute dc_impala dc_kudu dc_roan nebius "
    "dc_eland dc_wildebeest vultr dc_gnu denvr",
    "Image": "ubuntu_22_cuda_12 cuda_12_1_pytorch_2_2 cuda_11_8_pytorch_2_1 cuda_12_1_pytorch_2_3 "
    "cuda_12_1_pytorch_2_4 cuda_12_4_pytorch_2_4 cuda_12_4_pytorch_2_5 cuda_12_4_pytorch_2_6 "
    "cuda_12_6_pytorch_2_7 stable_diffusion axolotl bittensor hivemind petals_llama vllm_llama_8b "
    "vllm_llama_70b vllm_llama_405b custom_template flux prime_rl",
    "Security": "secure_cloud community_cloud",
    "Region": "africa asia_south asia_northeast australia canada eu_east eu_north eu_west middle_east "
    "south_america united_states",
    "Stock": "Available Low Medium High Unavailable",
    "Currency": "USD EUR",
    "Protocol": "TCP UDP",
    "UsedBy": "SSH JUPYTER_NOTEBOOK WEB_SERVER",
    "PodType": "HOSTED EXTERNAL",
    "ResourceKind": "DISK",
    "AttachStatus": "UNATTACHED ATTACHED MOUNTED",
    "HistoryType": "Instance Cluster Disk Sandbox Inference Image Training",
    "TeamRole": "ADMIN MEMBER",
    "UserRole": "ADMIN MANAGER USER",
}

OBJECTS: dict[str, str] = {
    "Pod": """
        id string cli
        userId string
        teamId string?
        walletId string?
        clusterId string?
        customTemplateId string?
        name string cli
        type PodType cli
        providerType Provider cli
        status PodStatus cli
        installationStatus SpecInstallation|PublishedInstallation
        installationFailure string?
        installationProgress integer?
        createdAt date-time cli
        updatedAt date-time
        terminatedAt date-time?
        gpuName GPUType cli
        gpuCount integer cli
        socket Socket cli
        priceHr number
        stoppedPriceHr number?
        provisioningPriceHr number?
        environmentType Image
        primePortMapping [PortMapping]
        sshConnection string|[string?]?
        ip string|[string?]? cli
        resources Resources cli
        attachedResources [AttachedResource]
        isSpot boolean?
        autoRestart boolean?
    """,
    "Resources": """
        memory string|integer
        disk string|integer
        shared_disk integer? published
        vcpus string|integer
    """,
    "PortMapping": """
        internal string
        external string
        protocol Protocol
        usedBy UsedBy?
        description string? cli
    """,
    "AttachedResource": """
        resourceType ResourceKind
        id string|integer
        status AttachStatus
        isDetachable boolean
        mountPath string
        resourcePath string?
        size string|integer? cli
        isShared boolean?
    """,
    "PodStatusRow": """
        podId string cli
        providerType Provider cli
        status PodStatus
        sshConnection string|[string?]?
        ip string|[string?]? cli
        installationStatus SpecInstallation|PublishedInstallation
        installationFailure string?
        installationProgress integer?
        priceHr number cli
        costPerHr number spec
        primePortMapping [PortMapping]
    """,
    "HistoryRow": """
        id string
        name string
        providerType string
        provisionedBy string?
        type HistoryType
        createdAt date-time
        terminatedAt date-time?
        gpuName string
        gpuCount integer
        socket string?
        priceHr number
        userId string
        teamId string?
        totalBilledPrice number
    """,
    "Offer": """
        cloudId string
        gpuType GPUType
        socket Socket
        provider Provider
        region Region?
        dataCenter string?
        country string?
        gpuCount integer
        gpuMemory integer
        disk Spec cli
        sharedDisk Spec
        vcpu Spec cli
        memory Spec cli
        internetSpeed integer?
        interconnect integer? cli
        interconnectType string?
        provisioningTime integer?
        stockStatus Stock
        security Security
        prices Prices
        images [Image]
        isSpot boolean?
        prepaidTime number?
    """,
    "Spec": """
        minCount integer?
        defaultCount integer?
        maxCount integer?
        pricePerUnit number?
        step integer? cli
        defaultIncludedInPrice boolean?
        additionalInfo string?
    """,
    "Prices": """
        onDemand number?
        communityPrice number?
        isVariable boolean?
        currency Currency
    """,
    "DiskOffer": """
        provider Provider
        security Security
        cloudId string?
        dataCenter string?
        country string?
        region Region?
        spec Spec
        stockStatus Stock
        isMultinode boolean?
    """,
    "Disk": """
        id string cli
        name string cli
        createdAt date-time cli
        updatedAt date-time cli
        terminatedAt date-time?
        status PodStatus cli
        providerType Provider cli
        size integer cli
        info DiskInfo cli
        priceHr number?
        stoppedPriceHr number?
        provisioningPriceHr number?
        userId string
        teamId string?
        walletId string?
        pods [string]
        clusters [string]
    """,
    "DiskInfo": """
        country string?
        dataCenterId string?
        cloudId string?
        isMultinode boolean
    """,
    "SshKey": """
        id string
        userId string
        name string
        publicKey string
        isPrimary boolean
        isUserKey boolean
        createdAt date-time
        updatedAt date-time
    """,
    "Whoami": """
        id string
        role UserRole
        createdAt date-time
        name string
        slug string?
        email string
        image string?
        emailVerified boolean?
        hasBetaAccess boolean
        isBanned boolean
        skipPrepay boolean
        blacklist [string]
        scope Scope
    """,
    "Scope": """
        instances Permission?
        availability Permission?
        disks Permission?
    """,
    "Permission": """
        read boolean
        write boolean
    """,
    "Team": """
        teamId string
        name string
        slug string?
        role TeamRole
        createdAt date-time
    """,
    "Member": """
        userId string
        userName string?
        userEmail string?
        role string
        joinedAt date-time
    """,
    "Wallet": """
        wallet_id string
        team_id string?
        balance_usd number
        currency Currency
        total_billings integer
        recent_billings [Billing]
    """,
    "Billing": """
        id string
        created_at date-time
        updated_at date-time
        last_billed_at date-time?
        amount_usd number
        currency Currency
        resource_type string
        resource_id string?
    """,
    "Credentials": """
        id string
        name string
        server string
        createdAt date-time
        updatedAt date-time
        userId string?
        teamId string?
    """,
    "SummaryPrices": """
        onDemand number?
        communityPrice number?
        spotPrice number?
    """,
}

CREATE: str = """
    cloudId required string
    gpuType required GPUType
    socket required Socket
    gpuCount required positive
    name optional string
    diskSize nullable positive
    vcpus nullable positive
    memory nullable positive
    maxPrice nullable number
    image optional Image
    customTemplateId nullable string
    dataCenterId nullable string
    country nullable string
    security nullable Security
    envVars nullable envVars
    jupyterPassword nullable string
    sshKeyId nullable string
    autoRestart nullable boolean
    prepaidForHr nullable positive-number
"""
"""The members of ``pod`` in a create: needed, may be left out, or may be null, too."""

LISTS: dict[str, str] = {
    "pods": "Pod",
    "pods/history": "HistoryRow",
    "disks": "Disk",
    "ssh_keys": "SshKey",
    "user/teams": "Team",
    "teams/team_id/members": "Member",
}
"""Every list with an offset, and what is in it."""
