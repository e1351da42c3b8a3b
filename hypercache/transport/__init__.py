"""How clients reach the engine: the epoll reactor, and streams for TLS and tests."""
