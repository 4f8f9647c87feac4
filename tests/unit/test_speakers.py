"""Who is heard in a crowd, and who has spoken last."""

from hearing.model import ParticipantId
from media.speaking import LoudestFew, RecentSpeakers, SpeechGate


def people(**levels: float) -> dict[ParticipantId, float]:
    return {ParticipantId(name): level for name, level in levels.items()}


def test_the_three_loudest_are_heard_and_a_louder_one_takes_the_place_of_the_quietest() -> None:
    few = LoudestFew(3)
    nobody: frozenset[ParticipantId] = frozenset()
    assert few.update(people(a=-20, b=-25, c=-30, d=-127), nobody) == {"a", "b", "c"}
    assert few.update(people(a=-20, b=-25, c=-30, d=-28), nobody) == {"a", "b", "c"}, "hardly louder is not enough"
    assert few.update(people(a=-20, b=-25, c=-30, d=-18), nobody) == {"a", "b", "d"}


def test_those_who_are_always_heard_take_no_place() -> None:
    few = LoudestFew(1)
    judge = frozenset(people(judge=0))
    assert few.update(people(judge=-10, a=-20, b=-40), judge) == {"a"}


def test_who_falls_silent_keeps_the_place_until_someone_else_speaks() -> None:
    few = LoudestFew(1)
    few.update(people(a=-20, b=-127), frozenset())
    assert few.update(people(a=-127, b=-127), frozenset()) == {"a"}
    assert few.update(people(a=-127, b=-30), frozenset()) == {"b"}
    assert few.update(people(a=-127), frozenset()) == frozenset(), "who has left is not among them"


def test_loudness_rises_at_once_and_fades_slowly() -> None:
    gate = SpeechGate()
    gate.on_level(-20, 0.0)
    assert gate.loudness_dbov == -20
    gate.on_level(-127, 20.0)
    assert gate.loudness_dbov > -30
    gate.silence()
    assert gate.loudness_dbov == -127


def test_a_dialogue_of_three_changes_nothing_and_a_fourth_takes_the_place_of_the_longest_silent() -> None:
    recent = RecentSpeakers(3)
    for n, name in enumerate(["a", "b", "c", "a", "b"]):
        recent.note([ParticipantId(name)], float(n))
    assert recent.members == {"a", "b", "c"}
    recent.note([ParticipantId("d")], 10.0)
    assert recent.members == {"a", "b", "d"}
