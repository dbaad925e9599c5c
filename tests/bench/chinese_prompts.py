"""Prompts in Traditional Chinese, the English that is used, and how well the nearest curated one fits.

    uv run python -m tests.bench.chinese_prompts [--write]

The ten prompts and the paraphrases were written before their first translation was looked at, and nothing
was changed for any single one of them.
"""

from __future__ import annotations

import argparse

from assistant.musicgen.prompts import translate
from assistant.musicgen.prompts.curated import curated_prompts, nearest
from tests.bench import results

TEN = (
    "一首慢板藍調，有電吉他和口琴，悲傷，每分鐘七十拍",
    "適合深夜咖啡廳的慵懶爵士，鋼琴、低音提琴與鼓刷",
    "八零年代的迪斯可舞曲，節奏強烈，120 BPM，不要人聲",
    "史詩般的管弦樂，銅管雄壯，定音鼓隆隆，像電影預告片",
    "下雨天讀書聽的 lo-fi hip-hop，帶點黑膠雜音",
    "用古箏和笛子演奏的中國風，平靜悠揚，如山間流水",
    "快速的重金屬，失真吉他，雙踏大鼓，憤怒而有力",
    "廟會熱鬧的鑼鼓與嗩吶",
    "夏天海邊的雷鬼，輕鬆愉快，木吉他跟沙鈴，C 大調",
    "我想要一段溫柔的鋼琴獨奏當作婚禮開場，不要太快",
)

PARAPHRASES = {
    "傷心的慢藍調，口琴吹著，電吉他慢慢彈": "a slow blues with electric guitar, harmonica",
    "晚上聽的薩克斯風情歌，配鋼琴跟大貝斯": "a smooth jazz ballad",
    "讀書時聽的放鬆嘻哈，有老唱片的炒豆聲": "a laid-back lo-fi hip-hop",
    "跳舞用的七零年代迪斯可，弦樂很華麗": "a funky disco track",
    "生氣的龐克，鼓打得很兇": "a punk rock song",
    "電影預告那種很震撼的管弦樂加合唱": "an epic orchestral trailer",
    "給寶寶睡覺的音樂盒": "a soft lullaby",
    "除夕放的嗩吶鑼鼓，要熱鬧": "a festive Chinese New Year",
    "古箏跟笛子，很安靜的國樂": "a traditional Chinese piece",
    "哀傷的二胡": "a melancholic erhu solo",
    "瑜伽課用的頌缽": "a meditation piece",
    "老電玩的嗶嗶聲，很開心": "a cheerful chiptune",
    "班卓琴飆很快的美國鄉村": "a fast bluegrass tune",
    "夏威夷海邊，烏克麗麗": "a Hawaiian tune",
    "鬼片的背景音樂，讓人發毛": "a creepy horror score",
    "牛仔決鬥，吹口哨": "a western film theme",
    "巴西的輕鬆吉他，像在沙灘喝咖啡": "a bossa nova",
    "教堂裡唱詩班拍手唱歌": "an uplifting gospel song",
    "開夜車聽的合成器，霓虹燈的感覺": "a dreamy synthwave",
    "聖誕夜全家團圓的溫暖音樂": "a warm Christmas tune",
}
"""A prompt, and how the curated one begins that a person would pick."""


def main() -> None:
    """Print the tables, and with --write put them into RESULTS.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true")
    lines = translations() + found()
    print("\n".join(lines))
    if parser.parse_args().write:
        results.save("Prompts in Traditional Chinese", "\n".join(lines))


def translations() -> list[str]:
    """The ten with their English, as a table."""
    lines = ["| Prompt | English that is used | left out | not known |", "|---|---|---|---|"]
    for prompt in TEN:
        one = translate(prompt)
        lines.append(f"| {prompt} | {one.english} | {', '.join(one.left_out)} | {', '.join(one.unknown)} |")
    return [*lines, ""]


def found() -> list[str]:
    """How often the curated prompt that fits is the first, or one of the first three."""
    prompts = curated_prompts()
    first = third = 0
    missed = []
    for query, start in PARAPHRASES.items():
        assert sum(one.english.startswith(start) for one in prompts) == 1, start
        places = [one.english.startswith(start) for one in nearest(query, len(prompts))]
        place = places.index(True) if True in places else len(places)
        first += place == 0
        third += place < 3
        if place >= 3:
            missed.append(query)
    count = len(PARAPHRASES)
    lines = [
        f"Nearest of {len(prompts)} curated prompts to {count} paraphrases: "
        f"the fitting one comes first {first} times, among the first three {third} times."
    ]
    return [*lines, *(f"- not among three: {query}" for query in missed)]


if __name__ == "__main__":
    main()
