"""A connected client and its channels at work."""
