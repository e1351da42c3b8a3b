"""What the server tells its operators: logs (`hypercache.observability.logs`)."""
