"""Public test doubles: small worlds and nodes on which one can try a runtime, a policy or a link without a fleet."""

from skyedge.testing.chatter import Chatter, chatter_world
from skyedge.testing.drive import Drive

__all__ = ["Chatter", "Drive", "chatter_world"]
