"""How much one side may ask of us in a second."""

from media.allowance import Allowance


def test_a_full_bucket_goes_at_once_and_fills_steadily() -> None:
    allowance = Allowance(100, burst=100)
    assert [allowance.take(50, 0.0) for _ in range(3)] == [True, True, False]
    assert not allowance.take(11, 100.0)
    assert allowance.take(10, 100.0)
    assert [allowance.take(100, 60_000.0), allowance.take(1, 60_000.0)] == [True, False], "nothing is saved beyond a burst"
