"""One file per kind of telemetry source, and the literal registry of kinds."""
