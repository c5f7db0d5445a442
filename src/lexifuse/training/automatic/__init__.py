"""Training of the network that reads pictures: samples, trainer, figures, export."""
