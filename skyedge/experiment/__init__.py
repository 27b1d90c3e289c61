"""Floor 5: an experiment from its YAML to its report."""
