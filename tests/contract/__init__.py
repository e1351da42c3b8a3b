"""The contracts: the kits run on our backends, and on some that are wrong on purpose."""
