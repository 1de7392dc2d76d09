"""What the commands of `roost` do: ask, act, show."""
