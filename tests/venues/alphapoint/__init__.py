"""Tests of the adapter of AlphaPoint."""
