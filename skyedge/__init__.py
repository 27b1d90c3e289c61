"""skyedge: a laptop-sized laboratory for cloud-edge-satellite AI.

One YAML file describes a fleet of satellites, ground stations, edge nodes and clouds; one command flies it
over the real Earth, runs real models on what the satellites see, and says what each idea is worth.
"""

__version__ = "0.1.0"
