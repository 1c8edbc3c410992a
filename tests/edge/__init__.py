"""Tests of the edge: its pure parts alone, the others on real sockets."""
