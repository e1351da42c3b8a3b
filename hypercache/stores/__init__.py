"""Named stores: what files and commands say of them, and how the server keeps it."""
