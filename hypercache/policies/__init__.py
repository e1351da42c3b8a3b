"""The eviction policies that come with the server, one file each; found by entry point."""
