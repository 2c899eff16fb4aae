"""The product's settings; one endpoint more stands beside the real ones."""

from config.settings import *  # noqa: F403

ROOT_URLCONF = "benchmarks.urls"
