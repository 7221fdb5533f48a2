"""The operators' pages of plans, usage and Credits.

Rows with rules are read-only; what changes them calls a service. Giving seats and Credits starts from the
Team's page.
"""

from quota.admin import grants, rows

__all__ = ["grants", "rows"]
