"""What people and scripts see over HTTP: console, REST, intake of alerts, health and metrics."""
