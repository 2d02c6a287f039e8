"""What those who watch are told."""

import pytest

from benchbed.runs import progress


@pytest.fixture
def clock(monkeypatch):
    """A clock that a test sets."""
    now = [100.0]
    monkeypatch.setattr(progress.time, "perf_counter", lambda: now[0])
    return now


def test_compilation_does_not_make_the_time_left_hours(clock):
    """25 steps after 40 s of compilation, and 400 in the 10 s after: 40 steps/s and not 8.5."""
    pace = progress.Pace()
    assert pace.speed(0) == 0
    clock[0] += 40
    assert pace.speed(25) == pytest.approx(25 / 40), "nothing else is known yet"
    clock[0] += 0.1
    assert pace.speed(50) == pytest.approx(50 / 40.1), "two members that end together are no speed"
    clock[0] += 9.9
    assert pace.speed(425) == pytest.approx(400 / 10)
    clock[0] += 10
    assert pace.speed(625) == pytest.approx(600 / 20)


def test_what_was_slow_an_hour_ago_is_forgotten(clock):
    """An hour at 10 steps/s beside other work, and three minutes at 200 after it."""
    pace, trained, shown = progress.Pace(), 0, 0.0
    for seconds, speed in ((3600, 10), (180, 200)):
        for _ in range(seconds):
            clock[0] += 1
            trained += speed
            shown = pace.speed(trained)
        assert shown == pytest.approx(speed)
