"""What an elastic pool is made of and what it costs, as a user writes it down.

Every default is a published figure or says *assumed*.  The vendor's claim that these figures are held against is that of
a cloud container instance service: an instance in under three seconds, 8,000 cores in thirty.
"""

from __future__ import annotations

import math
from typing import Literal

from pydantic import Field

from skyedge.profiles import Part

Purchase = Literal["on-demand", "spot", "reserved"]


class InstanceType(Part):
    """One size of instance and its prices, in the currency of :class:`Billing`."""

    name: str = "4 vCPU, 8 GiB"
    vcpu: float = Field(default=4, gt=0, le=1024)
    memory_gib: float = Field(default=8, gt=0, le=65_536)
    gpu: float = Field(default=0, ge=0, le=64)
    price_per_hour: float = Field(
        default=0.19748, ge=0, le=1e6, description="4 × 0.04048 + 8 × 0.004445 USD: AWS Fargate, us-east-1, Linux on x86."
    )
    spot_price_per_hour: float = Field(default=0.0592, ge=0, le=1e6, description="AWS Fargate Spot: up to 70 % less.")
    reserved_price_per_hour: float = Field(
        default=0.107, ge=0, le=1e6, description="A virtual machine of the size, committed to for a year; assumed."
    )

    def price(self, purchase: Purchase) -> float:
        """Per hour, by the way in which the instance is bought."""
        prices = {
            "on-demand": self.price_per_hour,
            "spot": self.spot_price_per_hour,
            "reserved": self.reserved_price_per_hour,
        }
        return prices[purchase]


class Image(Part):
    """The container image and how it reaches a host."""

    size_bytes: int = Field(
        default=500_000_000, ge=0, le=10**13, description="Compressed; a CPU inference runtime, assumed."
    )
    cached_share: float = Field(default=0.0, ge=0, le=1, description="Of the bytes, in layers that every host has.")
    streamed: bool = Field(default=False, description="Start once the bytes that are read first are there.")
    streamed_share: float = Field(
        default=0.064, ge=0, le=1, description="Read before useful work begins: 6.4 % (Slacker, Harter et al., FAST 2016)."
    )
    host_bytes_per_s: float = Field(default=1.25e8, gt=0, le=1e13, description="Pull and unpack on one host; assumed.")
    registry_bytes_per_s: float = Field(default=1.25e10, gt=0, le=1e15, description="All pulls together; assumed.")
    kept_on_hosts: bool = Field(default=True, description="A host that has pulled it once has it for its next instances.")

    def pulled_bytes(self) -> float:
        """What has to arrive on a host before a container can start."""
        missing = self.size_bytes * (1 - self.cached_share)
        return missing * self.streamed_share if self.streamed else missing


class StartUp(Part):
    """What happens between the wish for an instance and its first work, besides the image."""

    launches_per_s: float = Field(
        default=100.0, gt=0, le=1e6, description="Refill of the bucket: 1,000 every 10 s, as AWS Lambda's scaling rate."
    )
    launch_burst: int = Field(default=1000, ge=1, le=10**6, description="Depth of the bucket: 1,000, as the same.")
    quota: int = Field(default=10_000, ge=1, le=10**6, description="Instances at once; assumed.")
    instances_per_host: int = Field(
        default=16, ge=1, le=10_000, description="They share an image and a start rate; assumed."
    )
    scheduling_s: float = Field(default=0.2, ge=0, le=3600, description="From admission to a host; assumed.")
    sandbox_s: float = Field(
        default=0.5,
        ge=0,
        le=3600,
        description="MicroVM (125 ms: Firecracker, Agache et al., NSDI 2020), network and container; the rest assumed.",
    )
    sandboxes_per_s: float = Field(
        default=150.0, gt=0, le=1e6, description="Starts on one host: 150 microVMs a second (Firecracker, NSDI 2020)."
    )
    model_load_s: float = Field(default=2.0, ge=0, le=3600, description="Runtime and weights into memory; assumed.")
    spread: float = Field(default=0.25, ge=0, le=2, description="Sigma of the log-normal that scales each step; assumed.")


class WarmPool(Part):
    """Instances that have loaded the model and wait aside."""

    size: int = Field(default=0, ge=0, le=10**6)
    warm_start_s: float = Field(default=0.1, ge=0, le=3600, description="To put one into service; assumed.")
    price_share: float = Field(
        default=1.0, ge=0, le=1, description="Of the price while it waits; 1 where it is kept running."
    )


class Billing(Part):
    """What is charged.  CCI bills by the second, from the pull of the image until the instance stops (Huawei Cloud,
    product description of CCI, billing)."""

    increment_s: float = Field(default=1.0, gt=0, le=86_400, description="3600 bills whole hours.")
    minimum_s: float = Field(default=0.0, ge=0, le=86_400, description="60 with AWS Fargate.")
    starts_at: Literal["requested", "provisioned", "ready"] = "provisioned"
    currency: str = "USD"


class Spot(Part):
    """How instances bought on the spot market are taken back."""

    mean_hours_between: float = Field(default=24.0, gt=0, le=1e6, description="Exponential; assumed.")
    notice_s: float = Field(default=120.0, ge=0, le=86_400, description="Two minutes, as AWS EC2 Spot.")


class PoolProfile(Part):
    """An elastic pool of one instance type that serves one image."""

    instance: InstanceType = InstanceType()
    image: Image = Image()
    start_up: StartUp = StartUp()
    warm_pool: WarmPool = WarmPool()
    billing: Billing = Billing()
    spot: Spot = Spot()
    purchase: Purchase = "on-demand"
    minimum_instances: int = Field(default=0, ge=0, le=10**6, description="0 scales to zero.")
    keep_alive_s: float = Field(default=30.0, ge=0, le=86_400, description="Idle before it goes: 30 s, as Knative's grace.")

    def cold_start_s(self, instances: int = 1, standard_deviations: float = 2.33) -> float:
        """How long ``instances`` wished for at once take until all but one in a hundred are ready: for planning ahead.

        Steps add up as if all were slow together, so this is on the safe side.
        """
        start, image = self.start_up, self.image
        hosts = math.ceil(instances / start.instances_per_host)
        pulls = hosts if image.kept_on_hosts else instances
        on_one_host = 1 if image.kept_on_hosts else min(instances, start.instances_per_host)
        bytes_ = image.pulled_bytes()
        slow = math.exp(standard_deviations * start.spread)
        # Only the last pull of a host is slow: the others before it are as they are on the mean.
        host_s = bytes_ / image.host_bytes_per_s * (on_one_host - 1 + slow)
        pull_s = max(host_s, bytes_ * pulls / image.registry_bytes_per_s)
        queue_s = max(0, instances - start.launch_burst) / start.launches_per_s
        queue_s += (min(instances, start.instances_per_host) - 1) / start.sandboxes_per_s
        return queue_s + pull_s + (start.scheduling_s + start.sandbox_s + start.model_load_s) * slow
