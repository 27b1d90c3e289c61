"""Floor 1: where things are and when they can talk."""
