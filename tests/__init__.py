"""Tests mirror the packages; `e2e` runs real processes and the real phoenix.js."""
