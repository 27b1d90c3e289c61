"""Floor 4: virtual time made to run, in this process or on Ray, and the models that answer the nodes."""
