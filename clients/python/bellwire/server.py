"""A receiver behind the standard library's own HTTP server."""

from http.server import BaseHTTPRequestHandler
from typing import Any, Type

from .receiver import Answer, Receiver


def http_handler(receiver: Receiver) -> Type[BaseHTTPRequestHandler]:
    """The request handler class for ``http.server.ThreadingHTTPServer(address, http_handler(receiver))``."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 30  # of a sender that falls silent

        def _receive(self) -> None:
            lengths = self.headers.get_all("Content-Length", [])
            if "Transfer-Encoding" in self.headers or len(lengths) > 1 or not all(map(_is_length, lengths)):
                return self._answer(Answer(411, {}, b"one Content-Length is needed\n"), is_last=True)
            length = int(lengths[0]) if lengths else 0
            if length > receiver.max_bytes:
                return self._answer(Answer(413, {}, b"the body is too large\n"), is_last=True)
            body = self.rfile.read(length)
            if len(body) < length:
                return self._answer(Answer(400, {}, b"the body ended before it was complete\n"), is_last=True)
            return self._answer(receiver.receive(self.command, self.headers.items(), body))

        def _answer(self, answer: Answer, is_last: bool = False) -> None:
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(answer.body)))
            if is_last:
                self.send_header("connection", "close")
                self.close_connection = True
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(answer.body)

        def log_message(self, format: str, *args: Any) -> None:
            """Quiet: what matters is told to the handler."""

        do_POST = do_GET = do_HEAD = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _receive

    return Handler


def _is_length(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 15
