"""A deployment that a policy divides by room among the clusters a, b and c, for tests of `skyedge federate`.

Four of its six replicas find their place on a, the larger one, and two on c: b has a taint that it does not tolerate.
"""

CLUSTERS = """apiVersion: cluster.karmada.io/v1alpha1
kind: Cluster
metadata: {name: a, labels: {gpu: "yes"}}
spec: {region: north}
status: {resourceSummary: {allocatable: {cpu: "8", memory: 32Gi, pods: "100"}}}
---
apiVersion: cluster.karmada.io/v1alpha1
kind: Cluster
metadata: {name: b}
spec: {region: south, taints: [{key: far, effect: NoSchedule}]}
status: {resourceSummary: {allocatable: {cpu: "4", memory: 32Gi, pods: "100"}}}
---
apiVersion: cluster.karmada.io/v1alpha1
kind: Cluster
metadata: {name: c}
spec: {region: south}
status: {resourceSummary: {allocatable: {cpu: "4", memory: 32Gi, pods: "100"}}}
---
"""
WEB = """apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: n}
spec:
  replicas: 6
  template: {spec: {containers: [{name: web, image: web:1, resources: {requests: {cpu: "1"}}}]}}
---
"""
EVERYTHING = """apiVersion: policy.karmada.io/v1alpha1
kind: PropagationPolicy
metadata: {name: everything, namespace: n}
spec:
  resourceSelectors: [{apiVersion: apps/v1, kind: Deployment}]
  placement: {replicaScheduling: {weightPreference: {dynamicWeight: AvailableReplicas}}}
"""
