"""`roost new`: files to begin with."""
