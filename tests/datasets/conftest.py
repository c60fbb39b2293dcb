"""Fixtures of the dataset tests: an own cache, the real files where they are at hand, a web server that misbehaves."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

REAL_FILES = ("sd2i_sinograms.h5", "tooth.h5", "catalyst_particles_large.tif")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the test's own; no proxy between it and the loopback."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("TOMOBENCH_CACHE", str(folder))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("TOMOBENCH_MIRROR", "http://127.0.0.1:9")  # nothing listens: no test reaches a public host
    return folder


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of measured files, or a skip."""
    default = Path(__file__).resolve().parents[2].parent / "shared" / "data"
    folder = Path(os.environ.get("TOMOBENCH_SHARED_DATA", default))
    missing = [name for name in REAL_FILES if not (folder / name).is_file()]
    if missing:
        pytest.skip(f"{', '.join(missing)} not in {folder}; set TOMOBENCH_SHARED_DATA")
    return folder


class Mirror:
    """A web server on the loopback; ``answers`` maps a path to a function of the request handler."""

    def __init__(self) -> None:
        self.answers: dict[str, Callable[[BaseHTTPRequestHandler], None]] = {}
        self.requests: list[str] = []
        mirror = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                mirror.requests.append(self.path)
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # the client gives up, as it should
                    mirror.answers.get(self.path.lstrip("/"), lambda h: h.send_error(404))(self)

            def log_message(self, *arguments: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def serve(self, name: str, body: bytes, *, claimed: int | None = None, stall: float = 0.0) -> None:
        """Answer ``name`` with ``body``, claiming another length or stalling before the last byte if asked."""

        def answer(handler: BaseHTTPRequestHandler) -> None:
            handler.send_response(200)
            handler.send_header("Content-Length", str(len(body) if claimed is None else claimed))
            handler.end_headers()
            handler.wfile.write(body[:-1] if stall else body)
            handler.wfile.flush()
            if stall:
                threading.Event().wait(stall)  # time.sleep is stubbed in the tests of retries
                handler.wfile.write(body[-1:])

        self.answers[name] = answer


@pytest.fixture
def mirror(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mirror]:
    """A running mirror that TOMOBENCH_MIRROR names."""
    mirror = Mirror()
    monkeypatch.setenv("TOMOBENCH_MIRROR", mirror.url)
    yield mirror
    mirror.server.shutdown()
    mirror.server.server_close()


@pytest.fixture
def real_mirror(mirror: Mirror, real_data: Path) -> Mirror:
    """A mirror of the measured files."""
    for name in REAL_FILES:
        mirror.serve(name, (real_data / name).read_bytes())
    return mirror
