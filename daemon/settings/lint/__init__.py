"""Lint: what loads and works, but will surprise somebody. One file per check or pair, `registry.py` lists them."""
