"""How hypothesis runs here: the same examples every time, and without a deadline: a busy machine proves nothing.

`pytest --hypothesis-profile=search` looks for others.
"""

from hypothesis import HealthCheck, settings

settings.register_profile("search", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("roost", settings.get_profile("search"), derandomize=True, database=None)
settings.load_profile("roost")
