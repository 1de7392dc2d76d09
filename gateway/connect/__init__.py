"""Who may connect: paths, requests, origins, sessions, proxies, how many, how often and until when."""
