"""A client of Phoenix channels: the messages of protocol V2, as a client writes and reads them."""
