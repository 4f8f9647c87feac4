"""What every decision looks at: the hearing, the sitting as it stands, who acts, when."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from datetime import datetime

from hearing.errors import InvalidField, NotPermitted, UnknownId
from hearing.model import Actor, Context, ExhibitId, ExhibitRef, Hearing, Participant, ParticipantId, Sitting

CAUSE_CHARACTERS = 200
NOTE_CHARACTERS = 2000


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything a decision may know."""

    hearing: Hearing
    sitting: Sitting
    actor: Actor
    now: datetime
    context: Context

    def actor_person(self) -> Participant:
        """The person who acts; raises NotPermitted for the server itself."""
        if self.actor.participant_id is None:
            raise NotPermitted
        return self.person(self.actor.participant_id)

    def person(self, participant_id: ParticipantId) -> Participant:
        """The person of this hearing; raises UnknownId."""
        participant = self.hearing.participant(participant_id)
        if participant is None:
            raise UnknownId("本次庭审中没有此人。", field="participant_id")
        return participant

    def exhibit(self, exhibit_id: ExhibitId) -> ExhibitRef:
        """The exhibit of this hearing; raises UnknownId."""
        exhibit = next((e for e in self.context.exhibits if e.id == exhibit_id), None)
        if exhibit is None:
            raise UnknownId("本次庭审中没有此证据。", field="exhibit_id")
        return exhibit


def bounded_text(text: str, characters: int, field: str) -> str:
    """`text` without space around it; raises InvalidField when empty, longer than allowed or holding control characters."""
    stripped = text.strip()
    if not 1 <= len(stripped) <= characters:
        raise InvalidField(f"请填写 1 至 {characters} 个字。", field=field)
    if any(unicodedata.category(character) in {"Cc", "Cs", "Co", "Cn"} for character in stripped):
        raise InvalidField("含有不能保存的字符。", field=field)
    return stripped
