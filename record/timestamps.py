"""Time stamps of an authority (可信时间戳, RFC 3161): the port, and the client of a real one."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Protocol

import aiohttp
from cryptography import x509
from rfc3161_client import (
    HashAlgorithm,
    TimeStampRequest,
    TimestampRequestBuilder,
    VerificationError,
    VerifierBuilder,
    decode_timestamp_response,
)

from record.verify import der, der_items

REPLY_MAX_BYTES = 1 << 20
_QUERY, _REPLY = "application/timestamp-query", "application/timestamp-reply"  # RFC 3161 section 3.4


class StampRefused(Exception):
    """No stamp: the authority is away, refuses, or answered with something that does not hold."""


class TimeStamper(Protocol):
    """Who puts a time to a hash."""

    @property
    def authority(self) -> str:
        """Its name for people; a simulator's says 模拟."""

    @property
    def simulated(self) -> bool:
        """Whether its stamps prove nothing."""

    async def stamp(self, data: bytes) -> bytes:
        """The token (DER, RFC 3161 section 2.4.2) over SHA-256 of `data`. Raises StampRefused."""


@dataclass(frozen=True, slots=True)
class HttpTimeStamper:
    """An authority over HTTP; its answer counts when imprint, nonce, signature, key usage and chain hold.

    `roots`: the certificates that are trusted (COURT_TSA_CERT), the authority's own or its issuers'.
    """

    url: str
    roots: tuple[x509.Certificate, ...]
    timeout_s: float = 10.0
    simulated = False

    @property
    def authority(self) -> str:
        names = self.roots[0].subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
        return f"{str(names[0].value) if names else '时间戳机构'}（{self.url}）"

    async def stamp(self, data: bytes) -> bytes:
        request = TimestampRequestBuilder(data, HashAlgorithm.SHA256, nonce=True, cert_req=True).build()
        try:
            reply = await self._ask(request.as_bytes())
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise StampRefused(f"unreachable: {type(error).__name__}") from error
        return await asyncio.to_thread(self._checked, request, reply, data)

    async def _ask(self, query: bytes) -> bytes:
        timeout = aiohttp.ClientTimeout(total=self.timeout_s)
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.post(self.url, data=query, headers={"Content-Type": _QUERY}, allow_redirects=False) as response,
        ):
            if response.status != 200 or response.content_type != _REPLY:
                raise StampRefused(f"answered {response.status} {response.content_type}")
            reply = bytearray()
            async for chunk in response.content.iter_chunked(1 << 16):
                reply += chunk
                if len(reply) > REPLY_MAX_BYTES:
                    raise StampRefused("answered without end")
            return bytes(reply)

    def _checked(self, request: TimeStampRequest, reply: bytes, data: bytes) -> bytes:
        """The token of a reply, once it is shown to answer just this request."""
        try:
            response = decode_timestamp_response(_in_order(reply))
            builder = VerifierBuilder.from_request(request)
            for root in self.roots:
                builder = builder.add_root_certificate(root)
            builder.build().verify_message(response, data)
            return bytes(response.time_stamp_token())
        except (VerificationError, ValueError) as error:
            raise StampRefused(f"does not hold: {error}") from error


_CERTIFICATES = (0, 1, 1, 0, 3)  # TimeStampResp → timeStampToken → content → SignedData → certificates


def _in_order(reply: bytes) -> bytes:
    """The reply with its certificates in DER order.

    OpenSSL's authority sends them as they come, which BER allows (RFC 5652 section 5.1) and our parser does not take; no
    signature covers them.
    """

    def sort(data: bytes, path: tuple[int, ...]) -> bytes:
        items = der_items(data)
        if not path:
            return b"".join(sorted(der(tag, content) for tag, content in items))
        items[path[0]] = (items[path[0]][0], sort(items[path[0]][1], path[1:]))
        return b"".join(der(tag, content) for tag, content in items)

    try:
        return sort(reply, _CERTIFICATES)
    except IndexError:  # a refusal has no token
        return reply


def trusted_certificates(pem: bytes) -> tuple[x509.Certificate, ...]:
    """The certificates of COURT_TSA_CERT. Raises ValueError where there is none."""
    return tuple(x509.load_pem_x509_certificates(pem))
