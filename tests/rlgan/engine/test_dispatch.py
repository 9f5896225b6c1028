"""Who is sent which job; seconds are arguments."""

import pytest

from rlgan.engine.dispatch import HUNG, LATE, Copy, Dispatcher, Job
from rlgan.errors import RunError


class Workers:
    """Records what is sent to whom, and does it when told."""

    def __init__(self, *numbers, median=None):
        self.sent = []
        self.dispatcher = Dispatcher(self._send)
        for number in numbers:
            self.dispatcher.add_worker(number, now=0.0)
        if median is not None:  # each has done a job in so many seconds, at second 0
            self.submit(len(numbers), now=-median)
            for number in numbers:
                self.dispatcher.complete(number, median, now=0.0)
            self.sent.clear()

    def _send(self, number, job):
        self.sent.append(number)
        return Copy(job, result=(number, len(self.sent)), cost=None)

    def submit(self, count, now=0.0):
        jobs = [_job() for _ in range(count)]
        for job in jobs:
            self.dispatcher.submit(job, now)
        return jobs


def _job(kind="shard"):
    return Job(kind, submit=lambda actor: (actor, actor))


def test_jobs_are_dealt_evenly_and_in_order():
    workers = Workers(0, 1, 2)
    workers.submit(6)
    assert workers.sent == [0, 1, 2, 0, 1, 2]


def test_a_worker_does_its_jobs_in_the_order_in_which_they_were_sent():
    workers = Workers(0)
    first, second = workers.submit(2)
    assert workers.dispatcher.current_copy(0).job is first
    workers.dispatcher.complete(0, 1.0, now=1.0)
    assert (first.result, second.result) == ((0, 1), None)
    assert workers.dispatcher.current_copy(0).job is second


def _with_times(seconds):
    """Workers that have done three jobs each, in so many seconds."""
    workers = Workers(*range(len(seconds)))
    for _ in range(3):
        workers.submit(len(seconds))
        for number, each in enumerate(seconds):
            workers.dispatcher.complete(number, each, now=0.0)
    workers.sent.clear()
    return workers


def test_a_worker_four_times_as_slow_gets_jobs_by_its_speed():
    workers = _with_times([1.0, 1.0, 4.0])
    workers.submit(8)
    # Each goes to the worker that would be done first: after 1 to 4 seconds of the fast ones come 4 of the slow one.
    assert workers.sent == [0, 1, 0, 1, 0, 1, 0, 1]
    workers.submit(1)
    assert workers.sent[8:] == [2]


def test_a_worker_twice_as_slow_gets_as_many_jobs_as_the_others():
    workers = _with_times([1.0, 1.0, 2.0])
    workers.submit(6)
    assert workers.sent == [0, 1, 2, 0, 1, 2]


def test_a_slow_worker_has_another_chance_after_a_minute_without_a_job():
    workers = _with_times([1.0, 1.0, 4.0])
    workers.dispatcher.check_progress(now=60.0)
    workers.submit(3)
    workers.dispatcher.forget_jobs()
    workers.dispatcher.check_progress(now=60.1)
    workers.submit(3)
    assert workers.sent == [0, 1, 0, 0, 1, 2]


def test_the_time_of_a_job_is_what_was_seen_where_that_is_more():
    workers = Workers(0, median=1.0)
    workers.submit(1, now=0.0)
    workers.dispatcher.complete(0, 0.1, now=3.0)
    workers.submit(1, now=3.0)
    # The median of 1 and 3 is 2: late after 8, not before.
    assert workers.dispatcher.check_progress(now=3.0 + LATE.medians * 2.0) == []
    assert workers.dispatcher.counts()["shards_raced"] == 0


def test_the_jobs_of_a_late_worker_are_sent_to_another_once_and_the_first_copy_counts():
    workers = Workers(0, 1, median=1.0)
    jobs = workers.submit(4)
    assert workers.sent == [0, 1, 0, 1]
    for now in (1.0, 2.0):
        workers.dispatcher.complete(1, 1.0, now)
    assert workers.dispatcher.check_progress(now=4.0) == []
    assert workers.sent == [0, 1, 0, 1]
    for now in (4.1, 4.2):
        assert workers.dispatcher.check_progress(now) == []
    assert workers.sent == [0, 1, 0, 1, 1, 1]  # both jobs of worker 0, though it is late with the first alone
    workers.dispatcher.complete(1, 1.0, now=5.1)
    assert jobs[0].result == (1, 5)
    workers.dispatcher.complete(0, 5.2, now=5.2)
    assert jobs[0].result == (1, 5)
    assert workers.dispatcher.counts() == {"shards_remade": 0.0, "shards_raced": 2.0, "shards_wasted": 1.0}
    assert workers.dispatcher.shards_made == {0: 1, 1: 4}  # with the job of each that gave the median


def test_a_late_worker_gets_no_more_jobs_until_it_is_done_with_one():
    workers = Workers(0, 1, median=1.0)
    workers.submit(2)
    workers.dispatcher.complete(1, 1.0, now=1.0)
    workers.dispatcher.check_progress(now=4.5)
    workers.sent.clear()
    workers.submit(3, now=4.5)
    assert workers.sent == [1, 1, 1]
    workers.dispatcher.complete(0, 4.6, now=4.6)
    workers.submit(1, now=4.6)
    assert workers.sent[3:] == [0]


def test_a_worker_hangs_after_twenty_medians_and_its_job_gives_the_next_one_twice_the_time():
    workers = Workers(0, 1, median=1.0)
    (job,) = workers.submit(1)
    assert workers.dispatcher.check_progress(now=HUNG.medians * 1.0) == []
    assert workers.sent == [0, 1]  # late by then
    workers.dispatcher.remove_worker(1, now=20.0)
    assert workers.dispatcher.check_progress(now=20.1) == [0]
    workers.dispatcher.add_worker(2, now=20.1)
    workers.dispatcher.remove_worker(0, now=20.1)
    assert workers.sent == [0, 1, 2]
    assert workers.dispatcher.check_progress(now=20.1 + 40.0) == []
    assert workers.dispatcher.check_progress(now=20.1 + 40.1) == [2]
    assert job.hangs == 2


def test_nobody_is_late_or_hangs_before_one_job_has_been_done():
    workers = Workers(0, 1)
    workers.submit(2)
    assert workers.dispatcher.check_progress(now=1e6) == []
    assert workers.sent == [0, 1]


def test_short_jobs_have_a_second_before_they_are_late_and_ten_before_they_hang():
    workers = Workers(0, 1, median=0.01)
    workers.submit(1)
    assert workers.dispatcher.check_progress(now=1.0) == []
    assert workers.sent == [0]
    assert workers.dispatcher.check_progress(now=1.1) == []
    assert workers.sent == [0, 1]
    assert workers.dispatcher.check_progress(now=10.1) == [0]


def test_what_a_removed_worker_had_is_sent_to_others_unless_they_have_a_copy():
    workers = Workers(0, 1, median=1.0)
    workers.submit(1)
    workers.dispatcher.check_progress(now=4.5)
    workers.submit(1, now=4.5)
    assert workers.sent == [0, 1, 1]
    workers.dispatcher.remove_worker(0, now=5.0)
    assert workers.sent == [0, 1, 1]
    workers.dispatcher.add_worker(2, now=5.0)
    workers.dispatcher.remove_worker(1, now=5.0)
    assert workers.sent == [0, 1, 1, 2, 2]
    assert workers.dispatcher.counts()["shards_remade"] == 2


def test_without_workers_jobs_wait_for_one():
    workers = Workers()
    jobs = workers.submit(2)
    workers.dispatcher.submit_waiting(now=1.0)
    assert workers.dispatcher.waiting
    workers.dispatcher.add_worker(7, now=2.0)
    workers.dispatcher.submit_waiting(now=2.0)
    assert workers.sent == [7, 7]
    assert not workers.dispatcher.waiting
    assert workers.dispatcher.current_copy(7).job is jobs[0]


def test_a_job_over_which_six_workers_die_ends_the_run():
    workers = Workers(0)
    workers.submit(1)
    for number in range(5):
        workers.dispatcher.add_worker(number + 1, now=0.0)
        workers.dispatcher.remove_worker(number, now=0.0, death="out of memory")
    with pytest.raises(RunError, match="6 rollout workers died over the same shard: out of memory"):
        workers.dispatcher.remove_worker(5, now=0.0, death="out of memory")


def test_workers_that_are_removed_for_another_reason_are_not_blamed_on_the_job():
    workers = Workers(0)
    workers.submit(1)
    for number in range(20):
        workers.dispatcher.add_worker(number + 1, now=0.0)
        workers.dispatcher.remove_worker(number, now=0.0)
    assert workers.sent == list(range(21))


def test_a_result_that_is_lost_is_made_again():
    workers = Workers(0)
    (job,) = workers.submit(1)
    workers.dispatcher.complete(0, 1.0, now=1.0)
    workers.dispatcher.repeat(job, "its node is gone", now=1.0)
    assert (job.result, workers.sent) == (None, [0, 0])
    workers.dispatcher.complete(0, 1.0, now=2.0)
    assert job.result == (0, 2)


def test_forgotten_jobs_are_not_sent_again_when_their_worker_is_removed():
    workers = Workers(0, 1)
    workers.submit(4)
    workers.dispatcher.forget_jobs()
    workers.dispatcher.remove_worker(0, now=0.0)
    assert workers.sent == [0, 1, 0, 1]
    assert workers.dispatcher.current_copy(1) is None


def test_only_shards_count_as_shards():
    workers = Workers(0)
    workers.dispatcher.submit(_job("item"), now=0.0)
    workers.dispatcher.complete(0, 1.0, now=1.0)
    assert workers.dispatcher.shards_made[0] == 0
