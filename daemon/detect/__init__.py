"""Detect: from the wires to the board. Sources and probes run in workers; the stage itself does no I/O."""
