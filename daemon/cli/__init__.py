"""The command line `fleetmend`."""
