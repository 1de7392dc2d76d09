"""The admin listener: metrics, health, and whatever else is for operators alone."""
