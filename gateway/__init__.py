"""WebSockets, sockets and channels, and their supervisor; imports only the shared package. Pure."""
