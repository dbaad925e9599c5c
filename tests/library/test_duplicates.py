"""The same music in two files: other formats, levels and offsets match; other pieces never do."""

from __future__ import annotations

import base64
import json
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import soundfile

from assistant.audio.fingerprint import SAME, difference, fingerprint, landmarks
from assistant.audio.measure import Measurer
from assistant.audio.render import open_midi
from assistant.cli import main
from assistant.config import CaptionSettings, IntakeSettings, Settings
from assistant.intake.pipeline import run_once
from assistant.library.duplicates import duplicates, fingerprint_of_file, note_sound
from assistant.library.ledger import Track
from assistant.library.library import Library, create_library
from assistant.symbolic.compose import compose, write_midi
from tests.made_sounds import tone, write, write_av

RATE = 44100
PIECES = (("jazz", 1), ("jazz", 2), ("rock", 1), ("rock", 2))


@pytest.fixture(scope="module")
def pieces(tmp_path_factory: pytest.TempPathFactory) -> list[np.ndarray]:
    """Composed pieces [frames, 2] of 25 s at 44.1 kHz, two of a genre."""
    folder = tmp_path_factory.mktemp("pieces")
    found = []
    for genre, seed in PIECES:
        path = folder / f"{genre}{seed}.mid"
        write_midi(compose(genre, seed, 25), path)
        samples = np.concatenate(list(open_midi(path, "", 600)[0].blocks()))[: 25 * RATE]
        found.append(0.8 * samples / np.abs(samples).max())
    return found


def print_of(samples: np.ndarray, rate: int = RATE) -> bytes:
    measurer = Measurer(rate, samples.shape[1], len(samples) / rate)
    measurer.add(samples.astype(np.float32))
    return measurer.fingerprint()


def test_other_pieces_never_match(pieces: list[np.ndarray]) -> None:
    prints = [print_of(piece) for piece in pieces]
    assert all(prints)
    assert min(difference(one, other) for one, other in combinations(prints, 2)) > 1.4 * SAME


def test_copies_match(pieces: list[np.ndarray], tmp_path: Path) -> None:
    for number, piece in enumerate(pieces):
        original = print_of(piece)
        mp3 = soundfile.read(write(tmp_path / f"{number}.mp3", piece, RATE))[0]
        copies = {
            "mp3": mp3,
            "quieter": 0.5 * piece,
            "mono": piece.mean(axis=1, keepdims=True),
            "later": piece[round(1.777 * RATE) :],
            "more": np.concatenate([np.zeros((20_011, 2)), piece]),
        }
        found = {name: difference(original, print_of(copy)) for name, copy in copies.items()}
        assert max(found.values()) < SAME, found


def test_what_has_nothing_to_know_it_by_has_no_fingerprint() -> None:
    assert print_of(tone(30.0)) == b""
    assert print_of(tone(2.0)) == b""
    assert fingerprint(np.zeros((2000, 1025), np.float32)) == b""
    assert len(landmarks(b"")[0]) == 0


def paths(library: Library) -> list[list[str]]:
    return [[str(track.path) for track in group.tracks] for group in duplicates(library)]


def test_intake_notices_copies_and_deletes_nothing(
    tmp_path: Path, pieces: list[np.ndarray], capsys: pytest.CaptureFixture[str]
) -> None:
    settings = Settings(intake=IntakeSettings(workers=1), caption=CaptionSettings(listen=False))
    library = create_library(tmp_path / "library", settings)
    write(library.root / "jazz/a.flac", pieces[0])
    write(library.root / "jazz/other.flac", pieces[1])
    list(run_once(library))
    write_av(library.root / "unknow/b.m4a", pieces[0], RATE, "mp4", "aac")
    (library.root / "rock/c.flac").write_bytes((library.root / "jazz/other.flac").read_bytes())
    events = {event.path: event for event in run_once(library) if event.event == "ready"}
    assert events["unknow/b.m4a"].duplicate_of == "jazz/a.flac"
    assert events["rock/c.flac"].duplicate_of == "jazz/other.flac"
    assert paths(library) == [["jazz/a.flac", "unknow/b.m4a"], ["jazz/other.flac", "rock/c.flac"]]
    assert [group.exact for group in duplicates(library)] == [False, True]
    assert main(["--library", str(library.root), "status", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["duplicates"] == 2
    assert main(["--library", str(library.root), "duplicates", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)["duplicates"]
    assert shown[0]["tracks"][1]["path"] == str(library.root / "unknow/b.m4a")
    assert len(list(library.root.rglob("*.wav"))) == 4


def test_a_library_of_before_is_listened_to(
    tmp_path: Path, pieces: list[np.ndarray], capsys: pytest.CaptureFixture[str]
) -> None:
    library = create_library(tmp_path / "library")
    for name, piece in (("a", pieces[2]), ("b", 0.7 * pieces[2])):
        path = write(library.root / f"rock/{name}.wav", piece, subtype="PCM_16")
        track = library.ledger.add_track(Path(f"rock/{name}.wav"), name, 1, 1)
        library.ledger.update_track(track.id, state="ready", wav=track.path)
        assert fingerprint_of_file(path)
    assert main(["--library", str(library.root), "duplicates"]) == 0
    assert "The same music" in capsys.readouterr().out
    assert library.ledger.tracks_without_fingerprint() == []


def test_copies_stay_together_when_the_first_goes(library: Library, pieces: list[np.ndarray]) -> None:
    data = base64.b64encode(print_of(pieces[0])).decode()
    tracks: list[Track] = []
    for name in "abc":
        tracks.append(library.ledger.add_track(Path(f"jazz/{name}.mp3"), name, 1, 1))
        note_sound(library, tracks[-1], data)
    assert paths(library) == [["jazz/a.mp3", "jazz/b.mp3", "jazz/c.mp3"]]
    library.ledger.remove_track(tracks[0].id)
    assert paths(library) == [["jazz/b.mp3", "jazz/c.mp3"]]
    library.ledger.set_fingerprint(tracks[2].id, print_of(pieces[1]), None)
    assert paths(library) == []
    other = library.ledger.add_track(Path("jazz/d.mp3"), "d", 1, 1)
    assert note_sound(library, other, data) == "jazz/b.mp3"


def test_real_music_in_other_formats(shared_data: Path, tmp_path: Path) -> None:
    """Two pieces of game music as MP3 of two rates, cut at the start: copies match, others do not."""
    prints = []
    for number, name in enumerate(("gr1.ogg", "Boom_boom_boom.ogg")):
        samples, rate = soundfile.read(shared_data / "music" / name, frames=30 * 44100, always_2d=True)
        original = print_of(samples, rate)
        prints.append(original)
        for level in (0.2, 0.9):  # of compression
            path = tmp_path / f"{number}-{level}.mp3"
            soundfile.write(path, 0.8 * samples[rate // 3 :], rate, compression_level=level)
            again, rate = soundfile.read(path, always_2d=True)
            assert difference(original, print_of(again, rate)) < SAME
    assert min(difference(one, other) for one, other in combinations(prints, 2)) > SAME
