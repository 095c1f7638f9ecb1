"""One file per channel, and the registry that lists them."""
