"""Assess: compare what fires now with what is open. Levels, not edges: a crash cannot lose one. Pure."""
