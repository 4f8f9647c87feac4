"""Floods UDP ports of 127.0.0.1: `python -m tests.net.flood KIND SECONDS PER_SECOND PORT…`; prints how many answers came.

KIND is garbage (any first byte, any length), stun (well-formed requests of someone who knows no password) or a hexadecimal
datagram, which is repeated.
"""

import contextlib
import random
import select
import socket
import sys
import time

import aioice.stun


def datagrams(kind: str) -> list[bytes]:
    noise = random.Random(1)
    if kind == "garbage":
        return [noise.randbytes(noise.choice((0, 1, 2, 3, 12, 20, 60, 300, 1_200))) for _ in range(500)]
    if kind == "stun":
        return [_stranger(n) for n in range(200)]
    return [bytes.fromhex(kind)]


def _stranger(n: int) -> bytes:
    message = aioice.stun.Message(message_method=aioice.stun.Method.BINDING, message_class=aioice.stun.Class.REQUEST)
    message.attributes["USERNAME"] = f"abcd:{n:04}"
    message.attributes["PRIORITY"] = 1
    message.attributes["USE-CANDIDATE"] = None
    message.add_message_integrity(b"x" * 22)
    return bytes(message)


def main() -> None:
    kind, seconds, per_second, *ports = sys.argv[1:]
    stream, targets = datagrams(kind), [("127.0.0.1", int(port)) for port in ports]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.setblocking(False)
        answers, sent, began = 0, 0, time.monotonic()
        while (passed := time.monotonic() - began) < float(seconds):
            while sent < passed * float(per_second):
                with contextlib.suppress(OSError):
                    udp.sendto(stream[sent % len(stream)], targets[sent // 7 % len(targets)])
                sent += 1
            while select.select([udp], [], [], 0.001)[0]:
                udp.recv(2_048)
                answers += 1
    print(sent, answers)


if __name__ == "__main__":
    main()
