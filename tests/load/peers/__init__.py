"""Other servers, each a small program that does what the load tests ask in that server's own fastest way.

Unless they have a protocol of their own (`tests/load/dialects`), a client's text that starts with `j` joins the room
named after it and is answered `ok`, one that starts with `["` comes back as it is, and any other goes to all of the
client's room. Nothing is parsed, checked or promised.
"""
