"""The composition root and its threads."""
