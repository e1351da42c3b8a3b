"""Rates: means over the last samples, robust against a clock that jumps."""

from hypercache.engine.statistics import PERIOD, SAMPLES, Rate, Statistics, resident_memory


def test_a_rate_is_the_mean_of_its_samples() -> None:
    rate = Rate()
    assert rate.mean() == 0
    for count in range(1, SAMPLES + 1):
        rate.sample(count * 50, 500_000)
    assert rate.mean() == 100
    for _ in range(SAMPLES // 2):
        rate.sample(SAMPLES * 50, 500_000)
    assert rate.mean() == 50
    rate.restart()
    assert rate.mean() == 0


def test_a_counter_that_was_reset_and_a_clock_that_went_back_count_as_nothing() -> None:
    rate = Rate()
    rate.sample(1000, 1_000_000)
    before = rate.mean()
    rate.sample(10, 1_000_000)
    rate.sample(20, 0)
    rate.sample(30, -5)
    assert rate.mean() == before


def test_samples_are_not_taken_too_often() -> None:
    statistics = Statistics(0)
    for now in (1, PERIOD - 1, PERIOD, PERIOD + 1, 2 * PERIOD):
        statistics.sample(now, now, 0, 0, 0, 0)
    assert statistics.commands.mean() == 2 * 1_000_000 // SAMPLES


def test_the_peak_of_memory_is_noticed_every_time_and_survives_a_reset() -> None:
    statistics = Statistics(0)
    for memory in (10, 500, 20):
        statistics.sample(1, 0, 0, 0, 0, memory)
    statistics.restart(0)
    assert statistics.peak_memory == 500


def test_two_runs_have_two_ids() -> None:
    first, second = Statistics(0), Statistics(0)
    assert first.run_id != second.run_id
    assert first.run_id != first.replication_id


def test_work_is_counted_from_the_last_reset() -> None:
    statistics = Statistics(0)
    while statistics.loop_work() < 2000:
        pass
    statistics.restart(0)
    assert 0 <= statistics.loop_work() < 2000


def test_resident_memory_grows_with_what_is_held() -> None:
    before = resident_memory()
    held = b"x" * 50_000_000
    assert resident_memory() - before > len(held) // 2
