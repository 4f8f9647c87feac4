"""Decisions on the parts of a sitting: closed, mediation, deliberation (不公开审理、调解、合议).

One part at a time: from the open one into another and back. A technical break keeps the part, so that the sitting does not
come back in the open by a fault; 休庭 and 闭庭 end it.
"""

from __future__ import annotations

from hearing import events as e
from hearing.commands import BeginPart, EndPart, PartCommand
from hearing.decisions_screen import stopped_screen, withdrawn_exhibit
from hearing.errors import InvalidField, NotNow
from hearing.model import Keeping, Part
from hearing.parts import KEEPINGS, PART_NAMES
from hearing.scene import Scene, bounded_text

RULING_CHARACTERS = 500


def decide_part(scene: Scene, command: PartCommand) -> tuple[e.Event, ...]:
    """Begin or end a part; what is so already gives no event. What is on the screen belongs to one part alone."""
    match command:
        case BeginPart(part=part, ruling=ruling, recorded=recorded):
            return _begin(scene, part, ruling, recorded)
        case EndPart():
            return () if scene.sitting.part is Part.OPEN else (*taken_down(scene), *ended_part(scene))


def _begin(scene: Scene, part: Part, ruling: str, recorded: Keeping | None) -> tuple[e.Event, ...]:
    if part is Part.OPEN:
        raise InvalidField("恢复公开审理请结束当前部分。", field="part")
    if scene.sitting.part is not Part.OPEN:
        raise NotNow(f"请先结束{PART_NAMES[scene.sitting.part]}。")
    keeping = KEEPINGS[part][0] if recorded is None else recorded
    if keeping not in KEEPINGS[part]:
        raise InvalidField(f"{PART_NAMES[part]}不能这样录制。", field="recorded")
    text = bounded_text(ruling, RULING_CHARACTERS, "ruling")
    return (*taken_down(scene), e.PartBegan(scene.now, part, keeping, text))


def ended_part(scene: Scene) -> tuple[e.Event, ...]:
    """The part ends, if one is held."""
    part = scene.sitting.part
    return () if part is Part.OPEN else (e.PartEnded(scene.now, part),)


def taken_down(scene: Scene) -> tuple[e.Event, ...]:
    """Nothing stays on everybody's screen: what is shown ends where the recording pauses or its listeners change."""
    return (*withdrawn_exhibit(scene), *stopped_screen(scene))
