"""Tests of the root of the configuration."""
