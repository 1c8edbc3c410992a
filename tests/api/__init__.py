"""Tests of the API: each dialect, and what they have in common."""
