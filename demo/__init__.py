"""The pipeline that Fleetmend's demo watches: real processes, made to be broken. It imports nothing of the product."""
