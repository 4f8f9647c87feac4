"""Which media worker gets the next sitting."""

from signaling.fleet import USUAL_PEOPLE, Fleet
from tests.courts import SetClock

A, B, C = "http://a", "http://b", "http://c"


def fleet(*urls: str) -> tuple[Fleet, SetClock]:
    clock = SetClock()
    return Fleet(urls or (A, B, C), clock, silence_s=3.0), clock


def test_before_any_is_heard_sittings_are_dealt_out_in_turn() -> None:
    workers, _ = fleet()
    assert workers.lightest({}) == A
    assert workers.lightest({A: 1}) == B
    assert workers.lightest({A: 1, B: 1}) == C
    assert workers.lightest({A: 1, B: 1, C: 1}) == A


def test_the_one_with_the_fewest_people_is_chosen() -> None:
    workers, _ = fleet()
    for url, people in ((A, 12), (B, 3), (C, 7)):
        workers.heard(url, people)
    assert workers.lightest({A: 1, B: 1, C: 1}) == B
    assert workers.lightest({A: 1, B: 2, C: 1}) == C, f"a new sitting counts as {USUAL_PEOPLE} people who are on their way"


def test_a_silent_worker_gets_nothing_while_another_is_there() -> None:
    workers, clock = fleet()
    for url in (A, B, C):
        workers.heard(url, 0)
    clock.advance(4)
    workers.heard(C, 30)
    assert not workers.is_there(A)
    assert workers.silence_s(A) == 4
    assert workers.lightest({C: 5}) == C
    assert workers.lightest({C: 5}, without=(C,)) in {A, B}, "better than none"


def test_reports_are_known_by_their_address() -> None:
    several, _ = fleet()
    assert several.known(B) == B
    assert several.known("") is None
    assert several.known("http://of-the-last-start") is None
    alone, _ = fleet(A)
    assert alone.known("") == A
    assert several.names == {"media-1": A, "media-2": B, "media-3": C}
