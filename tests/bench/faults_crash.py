"""Crashes, full disks and folders that may not be written to, done to the real intake."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from functools import partial
from pathlib import Path

from assistant.intake.pipeline import run_once
from assistant.intake.retry import retry
from assistant.library.scan import content_hash
from tests.bench.fault_library import (
    command,
    decoder_processes,
    finish,
    is_whole,
    made_library,
    open_files,
    send_signal,
    song,
    whole,
)
from tests.bench.fault_scenarios import Outcome, Scenario
from tests.bench.faults_controls import (
    FFMPEG,
    FLUIDSYNTH,
    bad_among_good_with_ffmpeg,
    endless_midi_with_fluidsynth,
    flac_bomb_with_ffmpeg,
    mutated_files_in_one_process,
    odd_entries_with_ffmpeg,
    pool_that_loses_a_process,
)
from tests.bench.faults_hostile import (
    bad_among_good,
    disguised_playlists,
    disguised_playlists_with_ffmpeg,
    endless_midi,
    flac_bomb,
    mutated_files,
    odd_entries,
)

# Kills


def kill_the_watcher(times: int) -> Outcome:
    """`kill -9` of the whole process tree of `watch` at random moments, new files coming all the time."""
    chance, torn_seen, hashes = random.Random(1), 0, {}
    with made_library() as library:
        for number in range(times):
            for part in range(2):
                path = song(library.root / f"rock/{number}-{part}.flac", 2 * number + part)
                hashes[path] = content_hash(path)
            watcher = subprocess.Popen(
                command(library, "watch"), stderr=subprocess.DEVNULL, start_new_session=True
            )
            time.sleep(chance.uniform(0.3, 3.0))
            workers = decoder_processes(watcher.pid)
            os.kill(watcher.pid, signal.SIGKILL)
            if chance.random() < 0.5:  # the machine dies whole, or only the parent
                for pid in workers:
                    send_signal(pid, signal.SIGKILL)
            watcher.wait()
            torn_seen += any(not is_whole(path) for path in library.root.glob("rock/*.wav"))
        time.sleep(0.5)
        finish(library)
        good, torn, left = whole(library)
        kept = sum(content_hash(path) == before for path, before in hashes.items())
        wavs = len(list(library.root.glob("rock/*.wav")))
        fine = library.ledger.integrity() == "ok" and torn == 0 and left == 0 and torn_seen == 0
        found = min(good, kept, wavs if wavs <= len(hashes) else 0) if fine else 0
        return Outcome(
            len(hashes), found, f"{times} kills, {torn_seen} torn WAVs seen, {left} temporaries left"
        )


def kill_a_direct_writer(times: int) -> Outcome:
    """The same with a program that writes its WAV under its last name."""
    chance, torn = random.Random(1), 0
    with tempfile.TemporaryDirectory(prefix="faults-") as name:
        folder = Path(name)
        source = song(folder / "a.flac", 0)
        code = (
            "import soundfile, sys\nwhile True:\n with soundfile.SoundFile(sys.argv[1]) as f, "
            "soundfile.SoundFile(sys.argv[2], 'w', 44100, 2) as out:\n"
            "  print(1, flush=True)\n  for block in f.blocks(4096): out.write(block)"
        )
        for number in range(times):
            target = folder / f"{number}.wav"
            writer = subprocess.Popen(
                [sys.executable, "-c", code, str(source), str(target)], stdout=subprocess.PIPE
            )
            assert writer.stdout is not None
            writer.stdout.readline()
            time.sleep(chance.uniform(0, 0.2))
            writer.kill()
            writer.wait()
            torn += not is_whole(target)
    return Outcome(times, times - torn, f"{torn} of {times} torn")


def kill_the_decoders(times: int) -> Outcome:
    """`kill -9` of decoder processes at random moments while the parent lives on."""
    chance, files = random.Random(2), max(6, times // 2)
    with made_library() as library:
        for number in range(files):
            song(library.root / f"rock/{number}.flac", number)
        done, killed = threading.Event(), Counter[str]()

        def killer() -> None:
            while not done.is_set() and killed["kills"] < times:
                time.sleep(chance.uniform(0.02, 0.4))
                pids = decoder_processes(os.getpid())
                if pids:
                    killed["kills"] += send_signal(chance.choice(pids), signal.SIGKILL)

        thread = threading.Thread(target=killer)
        thread.start()
        for _round in range(50):
            list(run_once(library))
            if done.is_set() or killed["kills"] >= times:
                break
            retry(library)
            if not library.ledger.tracks(state="waiting"):
                break
        done.set()
        thread.join()
        finish(library)
        good, torn, left = whole(library)
        return Outcome(files, good if torn == left == 0 else 0, f"{killed['kills']} kills")


def crash_of_a_decoder() -> Outcome:
    """A file on which each decoder dies by SIGSEGV costs that file, and the rest is taken in."""
    with made_library() as library:
        song(library.root / "rock/0.flac", 0, 30.0)
        for number in range(1, 6):
            song(library.root / f"rock/{number}.flac", number)
        crashes = Counter[str]()
        done = threading.Event()

        def killer() -> None:
            while not done.is_set():
                time.sleep(0.02)
                for pid in decoder_processes(os.getpid()):
                    with_it = any("rock/0" in name for name in open_files(pid))
                    crashes["n"] += with_it and send_signal(pid, signal.SIGSEGV)

        thread = threading.Thread(target=killer)
        thread.start()
        events = list(run_once(library))
        done.set()
        thread.join()
        failed = [event.path for event in events if event.event == "failed"]
        ready = sum(event.event == "ready" for event in events)
        return Outcome(
            5, ready if failed == ["rock/0.flac"] else 0, f"{crashes['n']} crashes, one file failed"
        )


# Disks


def small_disks_can_be_made() -> bool:
    """Whether this machine lets us mount a file system of our own."""
    call = ["unshare", "-Urm", "mount", "-t", "tmpfs", "none", "/mnt"]
    try:
        return subprocess.run(call, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def on_a_small_disk(what: str) -> Outcome:
    if not small_disks_can_be_made():
        return Outcome(1, 0, "this machine allows no mounts (unshare -Urm)")
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        call = ["unshare", "-Urm", sys.executable, "-m", "tests.bench.small_disk", what, folder]
        done = subprocess.run(call, capture_output=True, text=True, check=False)
        if done.returncode:
            return Outcome(1, 0, done.stderr.strip()[-300:])
        return Outcome(**json.loads(done.stdout.splitlines()[-1]))


def scenarios(*, quick: bool) -> list[Scenario]:
    """All of them, in their full size or in a tenth of it."""
    kills = 20 if quick else 200
    count = 400 if quick else 10_000
    ffmpeg = "ffmpeg" if FFMPEG else ""
    return [
        Scenario(
            f"kill -9 of the watcher, {kills} times", partial(kill_the_watcher, kills),
            "writing in place", partial(kill_a_direct_writer, kills),
        ),
        Scenario(
            f"kill -9 of decoders, {kills} times", partial(kill_the_decoders, kills),
            "a plain pool of processes", partial(pool_that_loses_a_process, max(6, kills // 2)),
        ),
        Scenario(
            "a decoder crashes on a file (SIGSEGV)", crash_of_a_decoder,
            "a plain pool of processes", partial(pool_that_loses_a_process, 5, signal.SIGSEGV),
        ),
        Scenario(
            "full disk, then room", partial(on_a_small_disk, "full"),
            ffmpeg, partial(on_a_small_disk, "full, ffmpeg"),
        ),
        Scenario(
            "folder that may not be written to, then may", partial(on_a_small_disk, "read-only"),
            ffmpeg, partial(on_a_small_disk, "read-only, ffmpeg"),
        ),
        Scenario(
            "library that may not be written to", partial(on_a_small_disk, "library"),
            "sqlite3 of Python", partial(on_a_small_disk, "library, plain"),
        ),
        Scenario(
            f"{count:,} mutated files of 20 seeds", partial(mutated_files, count),
            "PyAV in one process", partial(mutated_files_in_one_process, count),
        ),
        Scenario(
            "MIDI of 142 years", endless_midi,
            "fluidsynth" if FLUIDSYNTH else "", endless_midi_with_fluidsynth,
        ),
        Scenario("FLAC bombs, declared and streamed", flac_bomb, ffmpeg, flac_bomb_with_ffmpeg),
        Scenario("disguised playlists", disguised_playlists, ffmpeg, disguised_playlists_with_ffmpeg),
        Scenario(
            "pipes, sockets, devices, dangling links, folders", odd_entries, ffmpeg, odd_entries_with_ffmpeg
        ),
        Scenario(
            "bad files among good ones", partial(bad_among_good, kills, 5 * kills),
            ffmpeg, partial(bad_among_good_with_ffmpeg, kills, 5 * kills),
        ),
    ]  # fmt: skip
