"""The parts of a rendered street scene; the public surface is :mod:`lexifuse.datasets.synthetic`."""
