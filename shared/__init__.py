"""What the broker and the gateway both need; imports neither. Pure."""
