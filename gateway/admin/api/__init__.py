"""The HTTP API of the admin listener: publishing and asking, for programs in any language."""
