"""How hypothesis runs here: without a deadline, for a busy machine proves nothing about the code."""

from hypothesis import HealthCheck, settings

settings.register_profile("roost", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("roost")
