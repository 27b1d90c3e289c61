"""Many clusters as one, by Karmada's rules: where workloads run, how they are changed for it, and when they move.

Deciders over plain values and columns, without a clock.  ``division`` divides the replicas of many workloads over many
clusters at once; ``assignment`` does it for one, by name; ``affinity`` and ``spread`` say which clusters come into question;
``policy`` and ``overrides`` what a policy says of a resource; ``failover`` when a workload moves; ``status`` how it is.
"""
