"""Kills, crashes and disks: small editions of the benchmark's scenarios."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.bench import faults_crash, faults_hostile
from tests.bench.fault_scenarios import Outcome

slow = pytest.mark.slow


@pytest.mark.parametrize(
    "scenario",
    [
        pytest.param(lambda: faults_crash.kill_the_watcher(2), id="the watcher is killed"),
        pytest.param(lambda: faults_crash.kill_the_decoders(3), id="decoders are killed", marks=slow),
        pytest.param(faults_crash.crash_of_a_decoder, id="a decoder crashes", marks=slow),
        pytest.param(lambda: faults_hostile.mutated_files(60), id="mutated files"),
        pytest.param(faults_hostile.flac_bomb, id="FLAC bombs", marks=slow),
        pytest.param(faults_hostile.endless_midi, id="endless MIDI", marks=slow),
        pytest.param(faults_hostile.disguised_playlists, id="disguised playlists"),
        pytest.param(lambda: faults_hostile.bad_among_good(4, 8), id="bad among good", marks=slow),
    ],
)
def test_nothing_is_lost(scenario: Callable[[], Outcome]) -> None:
    outcome = scenario()
    assert outcome.ok, outcome


@pytest.mark.skipif(not faults_crash.small_disks_can_be_made(), reason="no mounts may be made here")
@pytest.mark.parametrize("scenario", [pytest.param("full", marks=slow), "read-only", "library"])
def test_disks(scenario: str) -> None:
    outcome = faults_crash.on_a_small_disk(scenario)
    assert outcome.ok, outcome
