"""Checks of the configuration against what its sources answer; pure: the command line fetches."""
