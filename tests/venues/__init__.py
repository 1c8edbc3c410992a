"""Tests of the venues' adapters."""
