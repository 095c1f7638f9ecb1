"""What a fresh stack starts with: mappings, rules, consumer configuration, and the API's deployed code."""
