"""The unattended daemon: detect, assess, mitigate, escalate, document."""
