"""The whole system as people start it: a real pipeline, a plain daemon, faults made by hand."""
