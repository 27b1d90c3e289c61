"""The control plane: deciders over columnar snapshots, and protocols as state machines."""
