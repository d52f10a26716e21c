"""Topics of Gazebo 11 over TCP: a master that knows who publishes what, and frames of bytes."""

from __future__ import annotations

from collections.abc import Callable
import socket
from threading import Lock
from threading import Thread

from eq_core.errors import BackendError
from eq_eval.gazebo.wire import fields
from eq_eval.gazebo.wire import message

HEADER = 8      # hexadecimal digits of a frame's length
HOST = '127.0.0.1'
TIMEOUT = 20.   # for a connection [s]


def packet(kind: str, data: bytes) -> bytes:
    """A frame of the conversation with the master: its kind, and a message."""
    return frame(message(_1=message(_1=0, _2=0), _2=kind, _3=data))


def frame(data: bytes) -> bytes:
    """A length, and what is that long."""
    return f'{len(data):0{HEADER}X}'.encode() + data


def read_frame(stream: socket.socket) -> bytes:
    """Reads one frame.

    Raises:
        ConnectionError: The other end has gone.
    """
    return _read(stream, int(_read(stream, HEADER), 16))


def _read(stream: socket.socket, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        part = stream.recv(min(size - len(data), 1 << 20))
        if not part:
            raise ConnectionError('the other end has gone')
        data += part
    return bytes(data)


def unpack(data: bytes) -> tuple[str, bytes]:
    """Kind and message of a packet."""
    parts = {number: value for number, value in fields(data) if isinstance(value, bytes)}
    return parts.get(2, b'').decode(), parts.get(3, b'')


class Gazebo:
    """A running server, from outside."""

    def __init__(self, port: int) -> None:
        """Joins the master.

        Args:
            port: Of the master, as in GAZEBO_MASTER_URI.

        Raises:
            BackendError: There is none.
        """
        try:
            self._master = socket.create_connection((HOST, port), TIMEOUT)
        except OSError as error:
            raise BackendError(f'there is no master of Gazebo at {HOST}:{port}: {error}'
                               ) from error
        self._master.settimeout(None)
        self._server = socket.create_server((HOST, 0))
        self._port = self._server.getsockname()[1]
        self._lock = Lock()
        self._wanted: dict[str, Callable[[bytes], None]] = {}
        self._joined: set[tuple[str, int]] = set()
        self._known: list[bytes] = []
        self._listeners: dict[str, list[socket.socket]] = {}
        for loop in (self._hear_master, self._accept):
            Thread(target=loop, daemon=True).start()

    def subscribe(self, topic: str, kind: str, callback: Callable[[bytes], None]) -> None:
        """Calls back with the bytes of each message of a topic, in a thread of its own."""
        with self._lock:
            self._wanted[topic] = callback
            known = list(self._known)
        self._master.sendall(packet('subscribe', message(
            _1=topic, _2=HOST, _3=self._port, _4=kind, _5=0)))
        for publisher in known:
            self._meet(publisher)

    def advertise(self, topic: str, kind: str) -> Callable[[bytes], int]:
        """Offers a topic; the function sends a message to all who listen and counts them."""
        self._listeners[topic] = []
        self._master.sendall(packet('advertise', message(_1=topic, _2=kind, _3=HOST,
                                                         _4=self._port)))

        def send(data: bytes) -> int:
            for stream in list(self._listeners[topic]):
                try:
                    stream.sendall(frame(data))
                except OSError:
                    self._listeners[topic].remove(stream)
            return len(self._listeners[topic])
        return send

    def close(self) -> None:
        """Leaves."""
        self._master.close()
        self._server.close()

    def _hear_master(self) -> None:
        try:
            while True:
                kind, data = unpack(read_frame(self._master))
                if kind == 'publishers_init':
                    publishers = [value for _, value in fields(data) if isinstance(value, bytes)]
                elif kind in ('publisher_add', 'publisher_subscribe', 'publisher_advertise'):
                    publishers = [data]
                else:
                    continue
                with self._lock:
                    self._known += publishers
                for publisher in publishers:
                    self._meet(publisher)
        except (OSError, ValueError):
            return      # closed

    def _meet(self, publisher: bytes) -> None:
        """Connects to a publisher of a topic that is wanted."""
        parts = dict(fields(publisher))
        topic, kind, host, port = (parts.get(number) for number in (1, 2, 3, 4))
        if not isinstance(topic, bytes) or not isinstance(kind, bytes) or not isinstance(
                host, bytes) or not isinstance(port, int) or port == self._port:
            return
        with self._lock:
            callback = self._wanted.get(topic.decode())
            if callback is None or (topic.decode(), port) in self._joined:
                return
            self._joined.add((topic.decode(), port))
        stream = socket.create_connection((host.decode(), port), TIMEOUT)
        stream.settimeout(None)
        stream.sendall(packet('sub', message(_1=topic, _2=HOST, _3=self._port, _4=kind, _5=0)))
        Thread(target=self._hear, args=(stream, callback), daemon=True).start()

    @staticmethod
    def _hear(stream: socket.socket, callback: Callable[[bytes], None]) -> None:
        try:
            while True:
                callback(read_frame(stream))
        except (OSError, ValueError):
            return      # closed

    def _accept(self) -> None:
        try:
            while True:
                stream, _ = self._server.accept()
                kind, data = unpack(read_frame(stream))
                topic = next((value for number, value in fields(data) if number == 1), b'')
                if kind == 'sub' and isinstance(topic, bytes):
                    self._listeners.setdefault(topic.decode(), []).append(stream)
        except OSError:
            return      # closed
