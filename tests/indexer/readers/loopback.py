"""A web server on this machine, which fails as it is told."""

import re
import threading
from collections import Counter
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from indexer.remote import RemoteRoot

_RANGE = re.compile(r"bytes=(\d+)-(\d+)")


class Server:
    """Serves a folder on loopback; `faults` says how the next answers for a path go wrong.

    With `parts` it answers requests for a range of a file; `sent` counts what went out.
    """

    def __init__(self, folder: Path, *, parts: bool = False) -> None:
        self.faults: dict[str, list[str]] = {}
        self.asked: Counter[str] = Counter()
        self.sent: Counter[str] = Counter()
        server = self

        class Handler(SimpleHTTPRequestHandler):
            def __init__(self, *given: Any) -> None:
                super().__init__(*given, directory=str(folder))

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

            def do_GET(self) -> None:
                path = self.path.lstrip("/").replace("%3D", "=")
                server.asked[path] += 1
                faults = server.faults.get(path, [])
                fault = faults.pop(0) if faults else ""
                if fault == "cut":
                    data = (folder / path).read_bytes()
                    self.send_response(200)
                    self.send_header("Content-Length", str(len(data)))
                    self.end_headers()
                    self.wfile.write(data[: len(data) // 2])
                    self.close_connection = True
                elif fault:
                    self.send_error(int(fault))
                elif parts and (asked := _RANGE.fullmatch(self.headers.get("Range", ""))):
                    data = (folder / path).read_bytes()
                    start, stop = int(asked[1]), min(int(asked[2]) + 1, len(data))
                    self.send_response(206)
                    self.send_header("Content-Range", f"bytes {start}-{stop - 1}/{len(data)}")
                    self.send_header("Content-Length", str(stop - start))
                    self.end_headers()
                    self.wfile.write(data[start:stop])
                    server.sent[path] += stop - start
                else:
                    server.sent[path] += (folder / path).stat().st_size * (folder / path).is_file()
                    super().do_GET()

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.root = RemoteRoot(f"http://127.0.0.1:{self._server.server_port}")
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
