"""The API's deployed code; each stack gets a copy of its own."""
