"""Fixtures of the contract suites."""

from tests.contract.store_engines import postgres_server, shared_url, store, url

__all__ = ["postgres_server", "shared_url", "store", "url"]
