"""A port for a server of a test or a benchmark.

Belongs here: finding one. Not here: starting the server, or waiting for it.
"""

import socket


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port
