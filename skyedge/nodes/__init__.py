"""Floor 3: satellites, ground stations, edge nodes and cloud pools, as plain state machines."""
