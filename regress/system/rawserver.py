"""A small threaded TCP server under the fakes of this directory.

RawServer accepts connections on 127.0.0.1 and runs serve(conn) in a thread for
each.  It owns its port from construction to stop(): refuse() stops listening
but keeps the port bound, so that nobody else can answer there, and listen()
comes back on the same one.  stop() closes every connection and joins every
thread; a handler that has to wait does so on self.stopping (or conn.pause()),
so that nothing outlives its test.
"""

import socket
import struct
import threading


class PeerClosed(Exception):
    """The other side closed or reset the connection."""


class Conn:
    """One accepted connection, used by one thread."""

    def __init__(self, server, sock, number):
        self.server = server
        self.sock = sock
        self.number = number

    def recv(self, size=65536):
        """Some bytes; b"" at the end."""
        try:
            return self.sock.recv(size)
        except OSError:
            return b""

    def send(self, data):
        try:
            self.sock.sendall(data)
        except OSError as e:
            raise PeerClosed(str(e)) from None

    def pause(self, seconds):
        """Wait; raises PeerClosed when the server is being stopped."""
        if self.server.stopping.wait(seconds):
            raise PeerClosed("the test is over")

    def reset(self):
        """Close with a RST."""
        try:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                 struct.pack("ii", 1, 0))
        except OSError:
            pass
        self.sock.close()

    def close(self):
        try:
            self.sock.close()
        except OSError:
            pass

    def abort(self):
        """Wake whatever is blocked on the socket; from any thread."""
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


class RawServer:
    def __init__(self, ssl_context=None, host="127.0.0.1", rcvbuf=None,
                 port=0):
        self.ssl_context = ssl_context
        self.host = host
        self.rcvbuf = rcvbuf
        self.stopping = threading.Event()
        self.lock = threading.Lock()
        self.conns = {}             # number -> Conn, the open ones
        self.threads = set()
        self.connections = 0        # accepted so far
        self._sock = self._bound(port)
        self.port = self._sock.getsockname()[1]
        self._acceptor = None
        self.listen()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.stop()

    def serve(self, conn):
        raise NotImplementedError

    # -- listening ---------------------------------------------------------

    def listen(self):
        if self._acceptor is not None:
            return
        self._sock.listen(512)
        self._acceptor = threading.Thread(
            target=self._accept, args=(self._sock,), daemon=True)
        self._acceptor.start()

    def refuse(self):
        """Stop listening: connections are refused, the port stays ours."""
        if self._acceptor is None:
            return
        self._sock.shutdown(socket.SHUT_RDWR)
        self._acceptor.join()
        self._acceptor = None
        self._sock.close()
        self._sock = self._bound(self.port)

    def stop(self):
        self.stopping.set()
        if self._acceptor is not None:
            self._sock.shutdown(socket.SHUT_RDWR)
            self._acceptor.join()
            self._acceptor = None
        self._sock.close()
        self.drop_connections()
        for t in list(self.threads):
            t.join(10)
            assert not t.is_alive(), "a handler of %r does not end" % self

    def drop_connections(self):
        with self.lock:
            conns = list(self.conns.values())
        for c in conns:
            c.abort()

    # -- inside ------------------------------------------------------------

    def _bound(self, port):
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if self.rcvbuf:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.rcvbuf)
        s.bind((self.host, port))
        return s

    def _accept(self, listener):
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.lock:
                self.connections += 1
                number = self.connections
            t = threading.Thread(target=self._run, args=(sock, number),
                                 daemon=True)
            with self.lock:
                self.threads.add(t)
            t.start()

    def make_conn(self, sock, number):
        return Conn(self, sock, number)

    def _run(self, sock, number):
        conn = None
        try:
            if self.ssl_context is not None:
                sock.settimeout(10)
                sock = self.ssl_context.wrap_socket(sock, server_side=True)
                sock.settimeout(None)
            conn = self.make_conn(sock, number)
            with self.lock:
                self.conns[number] = conn
            if not self.stopping.is_set():
                self.serve(conn)
        except (PeerClosed, OSError):
            pass
        finally:
            with self.lock:
                self.conns.pop(number, None)
                self.threads.discard(threading.current_thread())
            if conn is not None:
                conn.close()
            else:
                sock.close()
