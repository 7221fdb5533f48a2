"""The console's settings, with the one address of the bare view."""

from tokenplan.settings import *  # noqa: F403

ROOT_URLCONF = "benchmarks.bare.views"
