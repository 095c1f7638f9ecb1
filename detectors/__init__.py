"""Pure detection: from raw samples to a board of findings."""
