"""Many clusters as one, by Karmada's rules: where workloads run, how they are changed for it, and when they move.

Deciders over plain values and columns, without a clock.  ``division`` divides the replicas of many workloads over many
clusters at once, ``assignment`` those of one, by name; ``affinity``, ``spread`` and (for many) ``choice`` say which;
``placing`` does all of it for many workloads: ``columns`` filter, ``room`` is estimated from ``nodes``, ``scores`` say
where one is welcome, ``stages`` go from there to replicas, ``explaining`` says why.
``policy`` and ``overrides`` what a policy says of a resource; ``failover`` when a workload moves; ``status`` how it is.
"""
