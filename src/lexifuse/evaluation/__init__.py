"""Measuring fusions: data set in, table out."""
