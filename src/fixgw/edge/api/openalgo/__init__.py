"""OpenAlgo's REST API: POST with JSON, the key in the body."""
