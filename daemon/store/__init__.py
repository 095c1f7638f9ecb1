"""What the daemon remembers: a unit of work per transaction, one small repository per concern."""
