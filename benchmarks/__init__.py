"""Figures of the product on this machine, in one table: `python -m benchmarks`."""
