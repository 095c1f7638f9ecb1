"""Migrations of the store, run by `daemon.store.schema`."""
