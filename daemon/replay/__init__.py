"""Replay: a second set of doors for `app.build`, no second logic. A story of days runs in milliseconds."""
