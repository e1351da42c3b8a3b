"""The rules of the Backend contract, a function each, for `hypercache.testing.check_backend`."""
