"""Filters: structures that tell which keys cannot be there, and the hash they are made of."""
