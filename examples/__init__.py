"""Applications to run, read and change."""
