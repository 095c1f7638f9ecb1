"""Mitigate: carry an incident up its ladder. `step` decides (pure); `stage` reads facts and writes rows."""
