"""The changes that can be made to the world: one file a kind, one literal table (`registry`)."""
