"""A database as the commands see it: expiry, types and touched keys, over a Backend."""
