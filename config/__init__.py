"""Loads, merges and checks configuration; knows no detector, action or channel."""
