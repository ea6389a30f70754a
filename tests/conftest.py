"""How the tests search for examples: the same ones each time, and without a clock, so that a red test is a red test.

`pytest --hypothesis-profile=hunt` searches longer, and elsewhere each time.
"""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile("hunt", deadline=None, max_examples=2000, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile(
    "steady", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow], database=None
)
settings.load_profile("steady")
