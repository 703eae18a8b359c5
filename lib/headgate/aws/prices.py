"""What an EMR Serverless job run costs, by list prices. An estimate: discounts, storage and requests are not in it."""

from __future__ import annotations

from headgate.contracts.emr import Emr

#: Architecture -> US dollars per vCPU hour and per GB hour of memory, us-east-1.
LIST_PRICES = {"x86_64": (0.052624, 0.0057785), "arm64": (0.042094, 0.004628)}


def price_of(emr: Emr, vcpu_hours: float, gb_hours: float) -> float:
    """US dollars for the hours, by the environment's prices where it has them."""
    vcpu, memory = LIST_PRICES[emr.architecture]
    vcpu = emr.price_vcpu_hour if emr.price_vcpu_hour is not None else vcpu
    memory = emr.price_gb_hour if emr.price_gb_hour is not None else memory
    return vcpu_hours * vcpu + gb_hours * memory
