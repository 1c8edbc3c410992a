"""Tests of the certification kit: its grammar, its sessions against one another, its reports."""
