"""Escalate: who is told what, when, through which channel, until it is over."""
