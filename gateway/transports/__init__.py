"""How bytes come from clients and go to them: WebSocket, long-poll, other servers, and what waits for a slow client."""
