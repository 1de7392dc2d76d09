"""How the clients of different servers speak; a class for each protocol."""
