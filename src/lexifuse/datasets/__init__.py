"""Where pairs come from: folders and published data sets on disk (the renderer is ``datasets.synthetic``)."""

from lexifuse.datasets.folders import Dataset, PairFiles, open_dataset, pair_folders

__all__ = ["Dataset", "PairFiles", "open_dataset", "pair_folders"]
