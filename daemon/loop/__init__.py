"""The loop: one inbox, one `step(message, now)`, five stages in a row. Start reading at `daemon.loop.core`."""
