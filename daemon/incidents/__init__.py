"""The border types of the daemon: plain frozen values, no I/O, no clock."""
