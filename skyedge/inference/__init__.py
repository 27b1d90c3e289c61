"""Floor 2: what happens to a scene on its way to an answer, without torch: filter, scores, miners, queue, int8."""
