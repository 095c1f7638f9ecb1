"""The processes of the pipeline, one module a kind."""
