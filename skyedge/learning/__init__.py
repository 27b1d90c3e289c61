"""Floor 3: models and their lives: the zoo, training, quantisation and what they score."""
