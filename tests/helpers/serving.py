"""For tests that start servers: a free port, waiting, one request, a line that can be cut."""

import contextlib
import http.client
import socket
import threading
import time
from collections.abc import Callable


def free_port() -> int:
    """One with the two ports above it free too, which are the local Stripe's and the small gateway's."""
    while True:
        with socket.socket() as first, socket.socket() as second, socket.socket() as third:
            first.bind(("127.0.0.1", 0))
            port = int(first.getsockname()[1])
            with contextlib.suppress(OSError, OverflowError):
                second.bind(("127.0.0.1", port + 1))
                third.bind(("127.0.0.1", port + 2))
                return port


def wait_for(what: Callable[[], object], seconds: float = 40) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "this took too long"
        time.sleep(0.1)


def get(port: int, path: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read()
    except (OSError, http.client.HTTPException) as error:
        return 0, str(error).encode()
    finally:
        connection.close()


class Line:
    """A port of this machine that leads to a server, until it is cut: then nobody seems to be there.

    `loses` is how many of the next answers it loses: the server has done what it was asked. `brought` counts
    the parts of answers that it has brought.
    """

    def __init__(self, server: int) -> None:
        self.port = free_port()
        self._server = server
        self._listener = self._listening()
        self._open: list[socket.socket] = []
        self.loses = self.brought = 0

    def cut(self) -> None:
        """Ends every connection, and takes no new one."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()
        self._open.clear()

    def mend(self) -> None:
        self._listener = self._listening()

    def _listening(self) -> socket.socket:
        listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, args=[listener], daemon=True).start()
        return listener

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                caller, _ = listener.accept()
                server = socket.create_connection(("127.0.0.1", self._server))
                self._open += [caller, server]
                threading.Thread(target=self._carry, args=[caller, server, False], daemon=True).start()
                threading.Thread(target=self._carry, args=[server, caller, True], daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket, answers: bool) -> None:
        with contextlib.suppress(OSError):
            while chunk := source.recv(65_536):
                if answers and self.loses:
                    self.loses -= 1
                    break
                target.sendall(chunk)
                self.brought += answers
            target.shutdown(socket.SHUT_RDWR)
