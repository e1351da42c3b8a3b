"""RESP2 and RESP3 without input or output: bytes to requests, Python values to bytes."""
