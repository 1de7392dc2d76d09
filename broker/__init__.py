"""The pool of PubSub shards and its supervisor; imports only the shared package. Pure."""
