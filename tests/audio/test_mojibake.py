"""Text in the wrong encoding: what is right stays, what is garbled is mended."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from assistant.audio.mojibake import find, mend, mend_together
from assistant.audio.tags import read_tags, title_from_name
from tests.made_sounds import tone, write

RIGHT = (
    """
Ænima|Für Elise|Ständchen|Größe|Öl auf Öl
Über den Wolken|Mädchen|Schöne Müllerin|Lieder ohne Wörter|Äpfel
Été|L'été indien|Ça ira|À la claire fontaine|Où est-il passé
Noël|Cœur brisé|Élégie|Âme câline|Ne me quitte pas
Être à Évian|Désenchantée|Là-bas|Voilà|Déjà vu|Rêverie|Préludes|Études d'exécution|Naïveté|Hélène
¿Dónde está?|Mañana|Corazón espinado|Señorita|El cóndor pasa|Bésame mucho|¡Olé!|Niño|Ñandú|Añoranza
Águas de março|Canção do mar|São Paulo|Saudade é ilusão|Não|Coração|Avião|Fé|Água de beber|Chão de giz
Så skimrande var aldrig havet|Ängeln|Öppna landskap|Ålesund|Björk
Jóga|Sigur Rós|Hoppípolla|Ágætis byrjun|Ísland
Äänetön yö|Sää|Häävalssi|Täällä Pohjantähden alla|Yö|Ääni|Söder|Blå|Bæ bæ lille lam|Østerdalen
Çığlık|Gözüm|Ölüm|Şıkıdım|Döşeme|Gülümse|Öğüt|Üsküdar'a gider iken|Kuğulu Park|İstanbul
Đêm nay|Tôi yêu em|Diễm xưa|Hạ trắng|Một cõi đi về
Trả lại em yêu|Biển nhớ|Ướt mi|Cát bụi|Em ơi Hà Nội phố
Łódź|Źródło|Święto|Żółty|Dvořák|Čeština|Příliš žluťoučký kůň|Ötüken|Tű|Őszi rózsa
""".strip()
    .replace("\n", "|")
    .split("|")
)

GARBLED = {
    "big5": "七里香|晴天|月亮代表我的心|周杰倫 - 青花瓷|夜曲|稻香|愛情轉移"
    "|後來|小幸運|雨愛|童話|如果的事|我只在乎你|甜蜜蜜"
    "|鄧麗君 - 何日君再來|張學友 - 吻別|王菲 - 紅豆|五月天 - 倔強"
    "|陳奕迅 - 十年|海闊天空|望春風|雨夜花|外婆的澎湖灣"
    "|童年|橄欖樹|明天會更好|龍的傳人|恰似你的溫柔|忘記|新不了情|梅花三弄|天黑黑",
    "gbk": "邓丽君 - 甜蜜蜜|月亮代表我的心|后来|十年|红豆|同桌的你|朋友"
    "|传奇|平凡之路|小苹果|童话|爱如潮水|刘德华 - 忘情水|海阔天空",
    "cp932": "さくらさくら|残酷な天使のテーゼ|上を向いて歩こう|ハナミズキ"
    "|千本桜|愛をこめて花束を|となりのトトロ|君をのせて|未来へ",
    "utf-8": "青花瓷|千と千尋の神隠し|Café del Mar|Über den Wolken|演员",
}


def test_there_are_as_many_as_we_say() -> None:
    assert len(RIGHT) == 100
    assert sum(len(titles.split("|")) for titles in GARBLED.values()) == 60


@pytest.mark.parametrize("title", RIGHT)
def test_a_right_title_stays(title: str) -> None:
    assert mend(title) == title


@pytest.mark.parametrize("read_as", ["latin-1", "cp1252", "cp437", "disk"])
def test_most_garbled_titles_are_mended_and_none_into_something_else(read_as: str) -> None:
    mended, wrong, count = 0, [], 0
    for encoding, titles in GARBLED.items():
        for title in titles.split("|"):
            data = title.encode(encoding)
            if read_as == "disk":
                if encoding == "utf-8":
                    continue
                text = os.fsdecode(data)
            else:
                text = data.decode("sloppy-windows-1252" if read_as == "cp1252" else read_as)
            count += 1
            result = mend(text)
            mended += result == title
            if result not in (title, text):
                wrong.append((title, result))
    print(f"{read_as}: {mended} of {count} mended, {len(wrong)} wrong: {wrong}")
    assert mended >= 0.9 * count
    assert len(wrong) <= 1


@pytest.mark.parametrize("read_as", ["latin-1", "sloppy-windows-1252"])
def test_what_is_certain_of_one_tag_counts_for_the_others(read_as: str) -> None:
    artist, title = (text.encode("big5").decode(read_as) for text in ("鄧麗君", "月亮代表我的心"))
    assert mend(artist) == artist
    assert mend_together([title, artist, "Greatest Hits"]) == ["月亮代表我的心", "鄧麗君", "Greatest Hits"]
    assert mend_together([title, "Björk"]) == ["月亮代表我的心", "Björk"]
    assert mend_together(["Sigur Rós", "Ágætis byrjun"]) == ["Sigur Rós", "Ágætis byrjun"]


def test_what_had_happened_is_said() -> None:
    assert find("plain") is None
    found = find("七里香".encode("big5").decode("latin-1"))
    assert found is not None
    assert (found.text, found.encoding, found.read_as) == ("七里香", "Big5", "Latin-1")
    found = find(os.fsdecode("caf\xe9 cr\xe8me".encode("latin-1")))
    assert found is not None
    assert (found.text, found.encoding, found.read_as) == ("café crème", "Latin-1", "")
    assert find("\udcff\udcfe\udc81") is None


def test_the_title_of_a_garbled_name_is_mended() -> None:
    assert title_from_name(os.fsdecode("03 - 七里香.mp3".encode("big5"))) == "七里香"
    assert title_from_name("青花瓷.mp3".encode().decode("latin-1")) == "青花瓷"
    assert title_from_name("├⌐l├⌐phant.mp3") == "éléphant"


@pytest.mark.parametrize("encoding", ["big5", "gbk", "cp932"])
@pytest.mark.parametrize("version", [1, 2])
def test_tags_of_old_programs(tmp_path: Path, encoding: str, version: int) -> None:
    title = {"big5": "月亮代表我的心", "gbk": "月亮代表我的心", "cp932": "上を向いて歩こう"}[encoding]
    path = write(tmp_path / "a.mp3", tone(1))
    data = title.encode(encoding)
    if version == 1:
        tag = b"TAG" + data.ljust(30, b"\0") + bytes(30 + 30 + 4 + 30) + b"\xff"
        path.write_bytes(path.read_bytes() + tag)
    else:
        frame = b"TIT2" + (len(data) + 1).to_bytes(4, "big") + b"\0\0" + b"\0" + data
        path.write_bytes(b"ID3\x03\0\0" + bytes([0, 0, 0, len(frame)]) + frame + path.read_bytes())
    assert read_tags(path)["title"] == title
