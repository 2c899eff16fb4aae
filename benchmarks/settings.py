"""The product's settings; one endpoint more stands beside the real ones."""

from config.settings import *  # noqa: F403

ROOT_URLCONF = "benchmarks.urls"

SECOND_FACTOR_FORCED = False
"""Whoever reads pages here has signed in by the test client, which has no second factor to show."""
