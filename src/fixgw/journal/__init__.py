"""The journal: the truth about orders, requests and sequence numbers, committed before anything is told."""
