"""App: the composition root, the only place that knows every class. Start at `build`; `live` runs it for real."""
