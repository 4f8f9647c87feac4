"""Everything that can be refused, in one tree. The type says who is at fault; `code` is stable for programs.

CourtError
├── UserError            the person asked for something that cannot be: nothing changed
│   ├── NotPermitted     not_permitted   this role may not do this
│   ├── NotNow           not_now         right role, wrong moment
│   │   └── IllegalMove  illegal_move    the sitting has no such edge; names the edge
│   ├── InvalidField     invalid_field   a value is malformed or out of bounds
│   ├── UnknownId        unknown_id      no such sitting, person, exhibit
│   ├── RoomFull         room_full       the courtroom's limit of people is reached
│   └── Conflict         conflict        what is asked collides with what is already there
└── ServerFault          server_fault    our side failed: nothing was acknowledged as done
    └── TooBusy          too_busy        the database stayed locked; safe to send the same command again

Only the edges (signaling) translate these to the wire. Packages above add their own codes with `code=`.
"""

from __future__ import annotations

from typing import ClassVar


class CourtError(Exception):
    """A refusal with a stable `code`, a Chinese `message` for people, and the name of the bad `field` if there is one."""

    default_code: ClassVar[str] = "court_error"

    def __init__(self, message: str, *, field: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.field = field
        self.code = code or self.default_code


class UserError(CourtError):
    """The person asked for something that cannot be; safe to show."""

    default_code = "refused"


class NotPermitted(UserError):
    """This role may not do this, in any state."""

    default_code = "not_permitted"

    def __init__(
        self, message: str = "您没有进行此项操作的权限。", *, field: str | None = None, code: str | None = None
    ) -> None:
        super().__init__(message, field=field, code=code)


class NotNow(UserError):
    """The role is right, the moment is not."""

    default_code = "not_now"


class IllegalMove(NotNow):
    """The table of moves has no such edge; `edge` reads "closed->open->?"."""

    default_code = "illegal_move"

    def __init__(self, message: str, *, state: str, move: str) -> None:
        super().__init__(message)
        self.edge = f"{state}->{move}->?"


class InvalidField(UserError):
    """A value is malformed or out of bounds."""

    default_code = "invalid_field"


class UnknownId(UserError):
    """An id that names nothing here."""

    default_code = "unknown_id"


class RoomFull(UserError):
    """The courtroom's limit of people is reached."""

    default_code = "room_full"


class Conflict(UserError):
    """What is asked collides with what is already there."""

    default_code = "conflict"


class ServerFault(CourtError):
    """Our side failed; nothing was acknowledged as done."""

    default_code = "server_fault"


class TooBusy(ServerFault):
    """The act could not be committed in time; sending the same command again is safe."""

    default_code = "too_busy"

    def __init__(self, message: str = "系统繁忙，操作未生效，请稍后再试。") -> None:
        super().__init__(message)
