"""The client of cccd-agent's local API. One file, the standard library alone, Python 3.9 and later.

    from cccd_agent import Agent

    result = Agent(token).read(can="123456")
    print(result["record"]["name"]["value"])

Results are the JSON of docs/openapi.json as dictionaries. It keeps nothing of anybody, logs nothing, uses no proxy, and
speaks to loopback only unless told otherwise.
"""

from __future__ import annotations

import http.client
import json
import os
import secrets
import threading
import time
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Tuple, Union
from urllib.parse import quote, urlsplit

__all__ = ["Agent", "Lease", "Portrait", "Problem", "Unreachable", "DEFAULT_URL"]

#: Where the agent listens unless its settings say otherwise. An address, as names may lead elsewhere.
DEFAULT_URL = "http://127.0.0.1:9303"

#: The longest one request may wait for the outcome (RFC 7240), in seconds.
_LONGEST_WAIT = 60
#: How long any answer may take beyond what was asked to be waited for, in seconds.
_PATIENCE = 20
#: The server pings every 15 seconds: a stream that is silent for longer than this is dead.
_SILENCE = 45
#: How often a reading is looked after, in seconds.
_LOOK_EVERY = 0.25
#: The longest answer, and the longest line of the event stream, that is taken in, in bytes.
_LONGEST_ANSWER = 64 << 20
_LONGEST_LINE = 64 << 10

_Json = Dict[str, Any]


class Problem(Exception):
    """A problem (RFC 9457) that the agent answered with.

    Decide by ``code``; show ``title_vi`` and ``remedy_vi`` to the person at the desk.
    """

    def __init__(self, problem: _Json) -> None:
        super().__init__(f"{problem.get('code')}: {problem.get('detail') or problem.get('title')}")
        self.code: str = str(problem.get("code"))
        self.status: int = int(problem.get("status", 0))
        #: Whether the same request may succeed later.
        self.retryable: bool = problem.get("retryable") is True
        #: Whose move it is: ``user``, ``operator``, ``admin`` or ``integrator``.
        self.actor: Optional[str] = problem.get("actor")
        self.title: str = problem.get("title", "")
        self.title_vi: str = problem.get("title_vi", "")
        self.remedy: str = problem.get("remedy", "")
        self.remedy_vi: str = problem.get("remedy_vi", "")
        self.detail: str = problem.get("detail", "")
        self.read_id: Optional[str] = problem.get("read_id")
        #: How many tries of this kind of key the chip says are left.
        self.tries_left: Optional[int] = problem.get("tries_left")
        #: The caller who has the reader.
        self.held_by: Optional[str] = problem.get("held_by")
        self.trace_id: Optional[str] = problem.get("trace_id")


class Unreachable(Exception):
    """The agent did not answer, or what answered is not the agent."""


class Portrait(NamedTuple):
    """A face, as a picture that every program shows."""

    media_type: str
    data: bytes


class Agent:
    """The agent on this machine, as one caller sees it. Threads may share it."""

    def __init__(
        self,
        token: Optional[str] = None,
        url: Optional[str] = None,
        authorize: Optional[Callable[[str, str], Dict[str, str]]] = None,
    ) -> None:
        """``authorize(method, url)`` makes the headers that prove who calls, instead of a token.

        Without ``token`` and ``url``, ``CCCD_AGENT_TOKEN`` and ``CCCD_AGENT_URL`` are taken from the environment.
        """
        self.url = (url or os.environ.get("CCCD_AGENT_URL") or DEFAULT_URL).rstrip("/")
        parts = urlsplit(self.url)
        if parts.scheme != "http" or not parts.hostname:
            raise ValueError("url: http://ADDRESS:PORT")
        self._host, self._port = parts.hostname, parts.port or 80
        bearer = token or os.environ.get("CCCD_AGENT_TOKEN")
        self._authorize = authorize or (lambda method, url: {"Authorization": f"Bearer {bearer}"} if bearer else {})

    def about(self) -> _Json:
        """Versions and features."""
        return self._json("GET", "/v1")

    def readers(self) -> List[_Json]:
        """The readers that stand there, and what lies on them."""
        return self._json("GET", "/v1/readers")["readers"]

    def read(
        self,
        *,
        on_progress: Optional[Callable[[_Json], None]] = None,
        on_partial: Optional[Callable[[_Json], None]] = None,
        cancelled: Optional[threading.Event] = None,
        idempotency_key: Optional[str] = None,
        **wanted: Any,
    ) -> _Json:
        """Reads one card: asks, waits, and gives the result. A reading that fails raises ``Problem``.

        What opens the chip: ``can=``, ``id=``, ``qr=``, ``mrz=`` or ``scan=``. The other keywords are the members of
        POST /v1/reads: ``reader``, ``portrait``, ``expect``, ``nonce``, ``wait_for_card_s``, ``biometrics``.

        ``on_progress`` hears where the reading stands, whenever that changes, ``on_partial`` who it is before the face has
        arrived. Setting ``cancelled`` calls the reading off.
        """
        follows = on_progress is not None or on_partial is not None or cancelled is not None
        status, answer = self._start(wanted, 0 if follows else _LONGEST_WAIT, idempotency_key)
        if status == 200:
            return answer
        return self.wait(answer["read_id"], on_progress=on_progress, on_partial=on_partial, cancelled=cancelled)

    def start(self, *, idempotency_key: Optional[str] = None, **wanted: Any) -> _Json:
        """Asks for a reading and does not wait for it: where it stands, with its ``read_id``."""
        return self._start(wanted, 0, idempotency_key)[1]

    def wait(
        self,
        read_id: str,
        *,
        on_progress: Optional[Callable[[_Json], None]] = None,
        on_partial: Optional[Callable[[_Json], None]] = None,
        cancelled: Optional[threading.Event] = None,
    ) -> _Json:
        """Waits for the end of a reading and gives its result."""
        stop = cancelled or threading.Event()
        before = None
        while True:
            if stop.is_set():
                self.cancel(read_id)
            read = self.status(read_id)
            if on_partial is not None and read["state"] in ("running", "paused", "completed"):
                try:
                    on_partial(self.partial(read_id))
                    on_partial = None
                except Problem as problem:
                    if problem.code != "read-not-over":
                        raise
            stands = (read["state"], read["phase"], read["percent"], read["ahead"])
            if on_progress is not None and stands != before:
                on_progress(read)
            before = stands
            if read["state"] in ("completed", "expired"):
                return self.result(read_id)
            if read["state"] == "failed":
                raise Problem(read["problem"])
            if not stop.is_set():
                stop.wait(_LOOK_EVERY)
            else:
                time.sleep(_LOOK_EVERY)

    def status(self, read_id: str) -> _Json:
        """Where a reading stands."""
        return self._json("GET", _path("reads", read_id))

    def result(self, read_id: str) -> _Json:
        """What a reading found."""
        return self._json("GET", _path("reads", read_id, "result"))

    def partial(self, read_id: str) -> _Json:
        """Who it is, before the face has arrived and anything is judged."""
        return self._json("GET", _path("reads", read_id, "partial"))

    def portrait(self, read_id: str) -> Portrait:
        """The face of a reading."""
        _, headers, body = self._send("GET", _path("reads", read_id, "portrait"), {"Accept": "*/*"})
        return Portrait(headers.get("Content-Type", ""), body)

    def cancel(self, read_id: str) -> _Json:
        """Calls a reading off, or wipes its result."""
        return self._json("DELETE", _path("reads", read_id))

    def post_scan(self, code: Union[str, bytes], media_type: str = "image/jpeg") -> List[_Json]:
        """Posts a picture of a code (bytes), or the text a scanner typed (str). Gives its codes."""
        if isinstance(code, str):
            code, media_type = json.dumps({"text": code}).encode(), "application/json"
        return self._json("POST", "/v1/scans", {"Content-Type": media_type}, code)["codes"]

    def fetch_scan(self, scan_id: str) -> _Json:
        """What a scanner of the desk scanned; it is handed out once."""
        return self._json("GET", _path("scans", scan_id))

    def dismiss_scan(self, scan_id: str) -> None:
        """Wipes a scan."""
        self._send("DELETE", _path("scans", scan_id))

    def registers(self) -> List[_Json]:
        """The registers, counted: nobody by name."""
        return self._json("GET", "/v1/registers")["registers"]

    def load_roster(self, register_id: str, file: bytes, media_type: str = "text/csv") -> _Json:
        """Says who is expected in a register: a roster, CSV or XLSX, in place of the one before."""
        return self._json("POST", _path("registers", register_id, "roster"), {"Content-Type": media_type}, file)

    def export_register(self, register_id: str, **wish: Any) -> bytes:
        """Takes a list of persons away: ``list``, ``format``, ``session`` and ``day`` as the API has them.

        Who took it is in the agent's audit.
        """
        headers = {"Content-Type": "application/json", "Accept": "*/*"}
        return self._send("POST", _path("registers", register_id, "exports"), headers, json.dumps(wish).encode())[2]

    def lease(
        self, reader_id: str, seconds: int = 30, on_lost: Optional[Callable[[Problem], None]] = None
    ) -> "Lease":
        """Keeps a reader for this caller until the lease is released, asking again three times per term.

        ``with agent.lease(reader_id): ...`` releases it by itself.
        """
        return Lease(self, reader_id, seconds, on_lost)

    def events(
        self, last_event_id: Optional[Union[str, int]] = None, stop: Optional[threading.Event] = None
    ) -> Iterator[_Json]:
        """What happens, as it happens: readers, cards, scans and this caller's readings; nothing about a person.

        A broken stream is taken up again where it broke off, each event once; ``events.missed`` says that some may be gone.
        ``last_event_id=0`` begins with the oldest event that is still known. Ends once ``stop`` is set and the next ping
        or event has come.
        """
        stop = stop or threading.Event()
        come_back = 1.0
        while not stop.is_set():
            try:
                for message in self._messages(last_event_id, stop):
                    if "retry" in message:
                        come_back = message["retry"] / 1000
                    if "data" not in message:
                        continue
                    event = json.loads(message["data"])
                    last_event_id = message.get("id", last_event_id)
                    yield event
            except Problem as problem:
                if not problem.retryable:
                    raise
            except (Unreachable, OSError, http.client.HTTPException):
                pass
            stop.wait(come_back)

    def _start(self, wanted: _Json, wait: int, key: Optional[str]) -> Tuple[int, _Json]:
        access = {name: wanted.pop(name) for name in ("can", "id", "qr", "mrz", "scan") if name in wanted}
        headers = {"Content-Type": "application/json", "Idempotency-Key": key or secrets.token_hex(16)}
        if wait:
            headers["Prefer"] = f"wait={wait}"
        body = json.dumps({"access": access, **wanted}).encode()
        try:
            status, _, answer = self._send("POST", "/v1/reads", headers, body, wait)
        except Unreachable:
            # The connection broke before the answer: the same key asks for the same reading, never for a second one.
            status, _, answer = self._send("POST", "/v1/reads", headers, body, wait)
        return status, _parse(answer)

    def _messages(self, last: Optional[Union[str, int]], stop: threading.Event) -> Iterator[_Json]:
        """The messages of one event stream (HTML, 9.2.6), each when it is whole."""
        headers = {"Accept": "text/event-stream"}
        if last is not None:
            headers["Last-Event-ID"] = str(last)
        connection, response = self._open("GET", "/v1/events", headers, None, _SILENCE)
        try:
            if response.status != 200:
                raise _refusal(response.status, response.headers, response.read(_LONGEST_ANSWER))
            message: _Json = {}
            while not stop.is_set():
                line = response.readline(_LONGEST_LINE)
                if not line.endswith(b"\n"):
                    # The stream broke off, or the line has no end: what is unfinished is dropped.
                    return
                name, _, text = line.decode("utf-8", "replace").rstrip("\r\n").partition(":")
                text = text[1:] if text.startswith(" ") else text
                if line in (b"\n", b"\r\n"):
                    yield message
                    message = {}
                elif name == "data":
                    message["data"] = f"{message['data']}\n{text}" if "data" in message else text
                elif name == "id":
                    message["id"] = text
                elif name == "retry" and text.isdigit() and len(text) < 7:
                    message["retry"] = int(text)
        finally:
            connection.close()

    def _json(
        self, method: str, path: str, headers: Optional[Dict[str, str]] = None, body: Optional[bytes] = None
    ) -> Any:
        return _parse(self._send(method, path, headers, body)[2])

    def _send(
        self,
        method: str,
        path: str,
        headers: Optional[Dict[str, str]] = None,
        body: Optional[bytes] = None,
        wait: int = 0,
    ) -> Tuple[int, Any, bytes]:
        connection, response = self._open(method, path, headers or {}, body, wait + _PATIENCE)
        try:
            answer = response.read(_LONGEST_ANSWER + 1)
        except (OSError, http.client.HTTPException) as error:
            raise Unreachable("the answer broke off") from error
        finally:
            connection.close()
        if len(answer) > _LONGEST_ANSWER:
            raise Unreachable("the answer has no end")
        if not 200 <= response.status < 300:
            raise _refusal(response.status, response.headers, answer)
        return response.status, response.headers, answer

    def _open(
        self, method: str, path: str, headers: Dict[str, str], body: Optional[bytes], timeout: float
    ) -> Tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        connection = http.client.HTTPConnection(self._host, self._port, timeout=timeout)
        try:
            proof = self._authorize(method, self.url + path)
            connection.request(method, path, body, {"Accept": "application/json", **headers, **proof})
            return connection, connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise Unreachable(f"no answer from {self.url}") from error


class Lease:
    """A reader kept for one caller; a thread of its own asks for it again."""

    def __init__(
        self, agent: Agent, reader_id: str, seconds: int, on_lost: Optional[Callable[[Problem], None]]
    ) -> None:
        self._agent, self._seconds, self._on_lost = agent, seconds, on_lost
        self._path = _path("readers", reader_id, "lease")
        self.reader_id = reader_id
        #: How often it has been asked for again.
        self.beats = 0
        self._ask()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="cccd-lease", daemon=True)
        self._thread.start()

    def release(self) -> None:
        """Gives the reader back."""
        self._over.set()
        self._thread.join()
        self._agent._send("DELETE", self._path)

    def __enter__(self) -> "Lease":
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def _ask(self) -> None:
        body = json.dumps({"seconds": self._seconds}).encode()
        self._agent._json("POST", self._path, {"Content-Type": "application/json"}, body)

    def _beat(self) -> None:
        while not self._over.wait(self._seconds / 3):
            try:
                self._ask()
                self.beats += 1
            except Problem as problem:
                if self._on_lost is not None:
                    self._on_lost(problem)
                return
            except Unreachable:
                # What is no answer may be over by the next beat; an answer is the agent's word.
                continue


def _path(*parts: str) -> str:
    return "/v1/" + "/".join(quote(part, safe="") for part in parts)


def _parse(answer: bytes) -> Any:
    try:
        return json.loads(answer)
    except ValueError as error:
        raise Unreachable("the answer is no JSON") from error


def _refusal(status: int, headers: Any, answer: bytes) -> Exception:
    if headers.get("Content-Type", "").startswith("application/problem+json"):
        return Problem(_parse(answer))
    return Unreachable(f"answered {status}, and not as the agent does")
