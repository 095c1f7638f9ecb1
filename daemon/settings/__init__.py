"""Settings: the root model composed from every package's section, its cross-checks and its lint."""
