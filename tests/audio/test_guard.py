"""Hostile files: each costs one file, quickly, and reads or writes nothing else."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from assistant.audio.guard import ConversionFailed, Decoders
from assistant.config import IntakeSettings
from tests.made_sounds import midi, tone, variable, write

PLAYLISTS = {
    "ffconcat": "ffconcat version 1.0\nfile {bait}\n",
    "ffconcat after a comment": "# songs\nffconcat version 1.0\nfile '{bait}'\nduration 3\n",
    "HLS": "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n{bait}\n#EXT-X-ENDLIST\n",
    "M3U": "#EXTM3U\n#EXTINF:123,Artist - Title\n{bait}\n",
    "M3U without a head": "{bait}\n{bait}\n",
    "PLS": "[playlist]\nNumberOfEntries=1\nFile1={bait}\n",
    "DASH": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static">'
    "<Period><AdaptationSet><Representation><BaseURL>{bait}</BaseURL></Representation></AdaptationSet>"
    "</Period></MPD>",
    "SDP": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 5004 RTP/AVP 0\n",
    "SMIL": "<smil><body><audio src='{bait}'/></body></smil>",
    "ASX": '<asx version="3.0"><entry><ref href="{bait}"/></entry></asx>',
    "CUE": 'FILE "{bait}" WAVE\n  TRACK 01 AUDIO\n    INDEX 01 00:00:00\n',
    "ffmetadata": ";FFMETADATA1\ntitle={bait}\n",
}


@pytest.fixture(scope="module")
def decoders() -> Iterator[Decoders]:
    with Decoders(IntakeSettings(workers=1, max_minutes=10)) as decoders:
        yield decoders


def refused(decoders: Decoders, source: Path) -> str:
    before = set(source.parent.rglob("*"))
    started = time.monotonic()
    with pytest.raises(ConversionFailed) as caught:
        decoders.convert(source, source.with_name("out.wav"))
    assert caught.value.permanent
    assert "broke down" not in caught.value.title
    assert set(source.parent.rglob("*")) == before
    assert time.monotonic() - started < 20
    return caught.value.title


@pytest.mark.parametrize("name", PLAYLISTS)
def test_a_disguised_playlist_reads_nothing_else(decoders: Decoders, tmp_path: Path, name: str) -> None:
    bait = write(tmp_path / "bait.wav", tone(3))
    for named in (bait.name, str(bait), f"file:{bait}"):
        for suffix in (".mp3", ".wav", ".m4a"):
            path = tmp_path / f"evil{suffix}"
            path.write_text(PLAYLISTS[name].format(bait=named))
            refused(decoders, path)
            path.unlink()


def test_bombs(decoders: Decoders, tmp_path: Path) -> None:
    note = b"\x90\x3c\x40" + variable(0x0FFFFFFF) + b"\x80\x3c\x40"
    (tmp_path / "years.mid").write_bytes(midi([], extra=b"\0" + note))
    assert "minutes long" in refused(decoders, tmp_path / "years.mid")
    # Silence packs a thousandfold. The length is taken out of the header, so that only decoding tells.
    flac = write(tmp_path / "bomb.flac", np.zeros((48000 * 60 * 11, 2), np.int16), 48000, subtype="PCM_16")
    data = bytearray(flac.read_bytes())
    assert len(data) < 2_000_000
    data[21] &= 0xF0
    data[22:26] = bytes(4)
    flac.write_bytes(data)
    assert "minutes long" in refused(decoders, flac)


def test_after_a_crash_the_next_file_is_read(decoders: Decoders, tmp_path: Path) -> None:
    good = write(tmp_path / "good.flac", tone())
    decoders._workers[0].kill()
    assert decoders.convert(good, tmp_path / "good.wav").duration == pytest.approx(1)
