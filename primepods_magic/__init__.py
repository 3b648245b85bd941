"""Rent GPU pods on Prime Intellect from a notebook."""

__version__ = "0.1.0"
