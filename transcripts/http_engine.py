"""An endpoint of OpenAI's transcription form (POST …/audio/transcriptions): speech goes where the court set it, nowhere else.

No proxy of the environment is used and no redirect is followed. A stretch that the endpoint cannot take now is tried again
for a few seconds; after several failures the breaker opens, so that a dead endpoint costs nothing until it is tried again.
"""

from __future__ import annotations

import json
import secrets
import ssl
from collections.abc import Callable, Mapping
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from math import isfinite
from threading import Event, Lock
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import structlog

from transcripts.engine_address import EngineAddress
from transcripts.guards import letters_of, recites
from transcripts.model import Engine
from transcripts.recognizer import (
    SAMPLE_RATE_HZ,
    UNKNOWN_LOGPROB,
    UNKNOWN_P,
    EngineAway,
    EngineProblem,
    HeardWord,
    Recognition,
    Samples,
)
from transcripts.wav import wav_of

log = structlog.get_logger(__name__)

PATH = "/audio/transcriptions"
PAUSES_S = (0.5, 1.5)  # before the second and the third attempt
OPENS_AFTER = 3  # failures in a row
CLOSED_AGAIN_S = (5.0, 10.0, 20.0, 40.0, 60.0)  # how long the breaker stays open, longer each time
ANSWER_BYTES = 1024 * 1024
CHUNK_BYTES = 64 * 1024
LATER = frozenset({408, 409, 425, 429, 500, 502, 503, 504})  # worth asking again
KEY_REFUSED = frozenset({401, 403})


class HttpRecognizer:
    """One endpoint and one model there. Thread-safe; a connection for each stretch.

    `clock` is the breaker's, in seconds. The weights' hash cannot be seen from here: what the court states is stored.
    """

    def __init__(
        self, address: EngineAddress, key: str, prompt: str, *, terms: tuple[str, ...] = (),
        pauses_s: tuple[float, ...] = PAUSES_S, clock: Callable[[], float] = monotonic,
    ) -> None:  # fmt: skip
        self._address = address
        if not (key.isascii() and key.isprintable()):  # before the library refuses it, and says it
            raise EngineProblem("engine_key_missing", "语音识别服务的密钥含有不能发送的字符；请检查 COURT_SPEECH_KEY_FILE")
        self._key = key
        self._prompt = prompt if address.prompt else ""
        self._terms = terms if address.prompt else ()
        self._pauses_s = pauses_s
        self._breaker = Breaker(clock)
        self._engine = Engine("openai-http", address.model, address.sha256, self._parameters())

    @property
    def engine(self) -> Engine:
        return self._engine

    @property
    def prompt(self) -> str:
        return self._prompt

    @property
    def trouble(self) -> EngineProblem | None:
        """Why the last stretch could not be read; None when the endpoint works."""
        return self._breaker.trouble

    def warm_up(self) -> None:
        """A second of silence, sent as speech will be: address, key, model and answer are all tried. Raises EngineProblem."""
        try:
            self._ask(np.zeros(SAMPLE_RATE_HZ, dtype=np.float32), (), words=False)
        except EngineAway as problem:
            self._breaker.failed(problem)
            raise

    def recognise(self, samples: Samples, *, terms: tuple[str, ...] = (), words: bool = False) -> Recognition:
        """Raises EngineAway while the endpoint does not answer, EngineProblem when it will not take this speech at all."""
        wanted = (*terms, *(term for term in self._terms if term not in terms)) if self._prompt else ()
        answer = self._patiently(samples, wanted, words=words)
        if recites(answer.text, wanted):
            answer = self._patiently(samples, (), words=words)
        return answer

    def _patiently(self, samples: Samples, terms: tuple[str, ...], *, words: bool) -> Recognition:
        pauses = iter(self._pauses_s)
        while True:
            self._breaker.let_through()
            try:
                answer = self._ask(samples, terms, words=words)
            except EngineAway as problem:
                self._breaker.failed(problem)
                pause_s = next(pauses, None)
                if pause_s is None:
                    raise
                Event().wait(pause_s)
            except EngineProblem as problem:
                self._breaker.refused(problem)
                raise
            else:
                self._breaker.worked()
                return answer

    def _ask(self, samples: Samples, terms: tuple[str, ...], *, words: bool) -> Recognition:
        fields = {
            "model": self._address.model, "language": "zh", "response_format": "verbose_json", "temperature": "0",
        }  # fmt: skip
        if self._prompt:
            fields["prompt"] = self._prompt + (f"常用词：{'、'.join(terms)}。" if terms else "")
        granularities = ["segment", "word"] if words else []
        body, kind = _form([*fields.items(), *(("timestamp_granularities[]", one) for one in granularities)], wav_of(samples))
        data = self._post(body, kind)
        try:
            return read_answer(json.loads(data), len(samples) * 1000 // SAMPLE_RATE_HZ)
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as problem:
            raise EngineProblem(
                "engine_answer", "语音识别服务的回答无法识别；请核对它是否提供 OpenAI 形式的 /audio/transcriptions"
            ) from problem

    def _post(self, body: bytes, kind: str) -> bytes:
        headers = {"Content-Type": kind, "Accept": "application/json"}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        connection = self._connection()
        until_s = monotonic() + self._address.timeout_s
        try:
            connection.request("POST", urlsplit(self._address.place).path + PATH, body, headers)
            response = connection.getresponse()
            data = _read(response, until_s)
        except TimeoutError as problem:
            raise EngineAway(
                "engine_timeout", f"语音识别服务 {self._address.host} 没有按时应答；请检查它的负载与网络"
            ) from problem
        except ssl.SSLError as problem:
            raise EngineAway("engine_tls", f"与语音识别服务 {self._address.host} 的加密连接失败；请检查证书") from problem
        except (OSError, HTTPException) as problem:
            raise EngineAway(
                "engine_unreachable", f"无法连接语音识别服务 {self._address.host}；请检查网络与该服务"
            ) from problem
        finally:
            connection.close()
        _check_status(response.status, self._address)
        return data

    def _connection(self) -> HTTPConnection:
        url, timeout_s = urlsplit(self._address.place), self._address.timeout_s
        host = url.hostname or ""
        if url.scheme == "https":
            return HTTPSConnection(host, url.port, timeout=timeout_s, context=ssl.create_default_context())
        return HTTPConnection(host, url.port, timeout=timeout_s)

    def _parameters(self) -> str:
        parameters = {
            "host": self._address.host, "language": "zh", "prompt": self._prompt, "temperature": 0, "terms": list(self._terms),
        }  # fmt: skip
        return json.dumps(parameters, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


class Breaker:
    """Closed, everything passes; open, everything is refused at once; after a while one stretch may try."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = Lock()
        self._failures = 0
        self._open_until_s: float | None = None
        self._trouble: EngineProblem | None = None

    @property
    def trouble(self) -> EngineProblem | None:
        return self._trouble

    def let_through(self) -> None:
        """Raises EngineAway while the breaker is open. Whoever comes first after its time tries; the others wait for that."""
        with self._lock:
            if self._open_until_s is None:
                return
            if self._clock() < self._open_until_s:
                known = self._trouble
                assert known is not None
                raise EngineAway(known.code, known.message)
            self._open_until_s = self._clock() + self._rest_s()

    def worked(self) -> None:
        with self._lock:
            if self._trouble is not None:
                log.info("transcripts.engine_back", failures=self._failures)
            self._failures, self._open_until_s, self._trouble = 0, None, None

    def refused(self, problem: EngineProblem) -> None:
        """The endpoint answers, and not as it should: told, but speech is still sent."""
        with self._lock:
            self._failures, self._open_until_s, self._trouble = 0, None, problem

    def failed(self, problem: EngineAway) -> None:
        with self._lock:
            self._failures += 1
            self._trouble = problem
            if self._failures >= OPENS_AFTER:
                self._open_until_s = self._clock() + self._rest_s()
        log.warning("transcripts.engine_away", code=problem.code, failures=self._failures)

    def _rest_s(self) -> float:
        return CLOSED_AGAIN_S[min(max(0, self._failures - OPENS_AFTER), len(CLOSED_AGAIN_S) - 1)]


def _form(fields: list[tuple[str, str]], wav: bytes) -> tuple[bytes, str]:
    """multipart/form-data (RFC 7578) and its content type."""
    boundary = secrets.token_hex(16)
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode() for name, value in fields
    ]
    head = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="speech.wav"\r\nContent-Type: audio/wav\r\n\r\n'
    )
    parts += [head.encode(), wav, f"\r\n--{boundary}--\r\n".encode()]
    return b"".join(parts), f"multipart/form-data; boundary={boundary}"


def _read(response: HTTPResponse, until_s: float) -> bytes:
    """The whole body; a server that sends it drop by drop is as good as silent. Raises TimeoutError, HTTPException."""
    data = bytearray()
    while chunk := response.read1(CHUNK_BYTES):
        data += chunk
        if len(data) > ANSWER_BYTES:
            raise HTTPException("the answer is too large")
        if monotonic() > until_s:
            raise TimeoutError
    return bytes(data)


def _check_status(status: int, address: EngineAddress) -> None:
    """Raises EngineAway for what may pass, EngineProblem for what a person must put right."""
    if status == 200:
        return
    host = address.host
    if status in LATER:
        raise EngineAway("engine_busy", f"语音识别服务 {host} 暂时不能识别（HTTP {status}）；请检查该服务")
    if status in KEY_REFUSED:
        raise EngineProblem("engine_key_refused", f"语音识别服务 {host} 拒绝了密钥；请核对 COURT_SPEECH_KEY_FILE")
    if status == 404:
        raise EngineProblem("engine_not_found", f"语音识别服务 {host} 没有这个地址或模型 {address.model}；请核对引擎地址")
    if 300 <= status < 400:
        raise EngineProblem("engine_moved", f"语音识别服务 {host} 要求转到别处，系统不会跟随；请改用它的正式地址")
    raise EngineProblem("engine_refused", f"语音识别服务 {host} 不接受请求（HTTP {status}）；请核对引擎地址与模型")


def read_answer(answer: Mapping[str, Any], length_ms: int) -> Recognition:
    """What a `verbose_json` answer says. Raises ValueError, TypeError, KeyError where it is none."""
    text = answer["text"]
    if not isinstance(text, str):
        raise TypeError("text")
    text = text.strip()
    segments = [segment for segment in answer.get("segments") or [] if isinstance(segment, dict)]
    logprob = _mean(segments, "avg_logprob")
    no_speech = _mean(segments, "no_speech_prob")
    words = answer.get("words") or [word for segment in segments for word in segment.get("words") or []]
    return Recognition(
        text,
        UNKNOWN_LOGPROB if logprob is None else min(0.0, logprob),
        0.0 if no_speech is None else min(1.0, max(0.0, no_speech)),
        tuple(_placed(text, [word for word in words if isinstance(word, dict)], length_ms)),
    )


def _mean(segments: list[dict[str, Any]], name: str) -> float | None:
    """Of a number that each segment has, weighted by the length of its text; None where one has it not."""
    values = [float(segment[name]) for segment in segments if isinstance(segment.get(name), int | float)]
    weights = [max(1, len(str(segment.get("text", "")))) for segment in segments]
    if not values or len(values) < len(segments) or not all(map(isfinite, values)):
        return None
    return sum(value * weight for value, weight in zip(values, weights, strict=True)) / sum(weights)


def _placed(text: str, words: list[dict[str, Any]], length_ms: int) -> tuple[HeardWord, ...]:
    """The words with the marks that stand behind them in the text; none at all where they are not the text's own words."""
    begins: list[int] = []
    position = 0
    for word in words:
        said = str(word["word"]).strip()
        begin = text.find(said, position)
        if not said or begin < 0 or letters_of(text[position:begin]):
            return ()
        begins.append(begin)
        position = begin + len(said)
    if not begins or letters_of(text[position:]):
        return ()
    ends = [*begins[1:], len(text)]
    return tuple(
        _word(text[0 if number == 0 else begin : end], word, length_ms)
        for number, (begin, end, word) in enumerate(zip(begins, ends, words, strict=True))
    )


def _word(shown: str, word: dict[str, Any], length_ms: int) -> HeardWord:
    t0_ms = min(length_ms, max(0, round(float(word["start"]) * 1000)))
    t1_ms = min(length_ms, max(t0_ms, round(float(word["end"]) * 1000)))
    return HeardWord(shown, t0_ms, t1_ms, min(1.0, max(0.0, float(word.get("probability", UNKNOWN_P)))))
