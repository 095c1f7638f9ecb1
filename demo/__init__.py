"""The pipeline that the demo breaks and the daemon watches; imports nothing of the product."""
