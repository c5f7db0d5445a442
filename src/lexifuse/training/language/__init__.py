"""Training of the prompt reader: corpus grammar, hand-written prompts, network, trainer and export."""
