"""What several tests share: real servers, a raw client, a terminal, figures of a process."""
