"""Applications that only the tests need."""
