"""ics-guard: no schema change without a proven way back.

This file stays empty of imports: the commit hook passes through it.
"""

__version__ = "0.1.0"
