"""A prompt as a row of pieces: the longest word that is known, at each place."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass

from assistant.musicgen.prompts import dictionary
from assistant.musicgen.prompts.glossary import Term, by_chinese, by_english
from assistant.musicgen.prompts.numbers import number_at

_HAN = r"\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_CHINESE = re.compile(f"[{_HAN}]")
_LATIN = re.compile(r"[A-Za-z0-9][\w'&+./#-]*(?:\s+[A-Za-z0-9][\w'&+./#-]*)*", re.ASCII)
_LATIN_WORD = re.compile(r"\S+")

_NOT = (
    "不要有 不要 不想要 不需要 沒有 没有 不含 不帶 不带 不加 不用 無 无 別用 别用 別有 别有 別加 别加 去掉 去除 避免 拿掉"
)
_NOT_TOO = "不要太 別太 别太 不太 不會太 不会太 不能太"
_JOINING = "和 與 与 跟 及 以及 或 或者 還是 还是 、 / &"
_OF = "的 地 得 之 般的 般 似的 式的 式 風格的 风格的 感的"
_NOTHING = (
    "一首 首 一段 段 一個 一个 一種 一种 一點 一点 個 个 種 种 點 点 些 請 请 給我 给我 給 我想要 我想聽 我想听 我想 我要 我 "
    "想要 想聽 要有 要 來 来 做 寫 写 生成 產生 产生 創作 创作 製作 制作 風格 风格 曲風 曲风 感覺 感觉 氣氛 气氛 氛圍感 適合 适合 "
    "用來 用来 用 以 為主 为主 主打 演奏 彈奏 弹奏 彈 弹 吹奏 吹 拉 敲 打 配上 配 搭配 搭 加上 加 加入 還有 还有 帶有 带有 帶點 "
    "带点 帶 带 有 裡有 像是 像 如 如同 好像 當作 当作 當 当 作為 作为 在 裡面 里面 裡 里 中 時候 时候 時 时 聽 听 聽的 听的 "
    "而 而且 且 又 並 并 也 都 最好 主要 主角 聲音 声音 聲 声 樂器 乐器 等 等等 然後 然后 開始 开始 慢慢 氛围感 為 为 是 整體 "
    "整体 配合 伴隨 伴随 伴 那種 那种 這種 这种 了 著 着 吧 呢 把 讓 让 人 會 会 可以 能 很多 一邊 背景 從 从 到 最後 最后 點綴 "
    "旋律 節奏 节奏 拍 拍子 速度 音色 曲 樂 乐"
)
_END = re.compile(r"[，,。．.；;：:！!？?（）()「」『』\n]")
_BUT = "但 但是 只要 只有 只用 不過 不过"


@dataclass(frozen=True)
class Piece:
    """A part of the prompt. `kind` is one of the glossary's, or a number's, or `plain` (words that stay as
    they are), `word` (from the dictionary), `unknown`, or a mark: `not`, `not too`, `and`, `of`, `end`."""

    kind: str
    text: str
    english: str = ""


def is_chinese(text: str) -> bool:
    """Whether a prompt has Chinese characters."""
    return _CHINESE.search(text) is not None


def pieces(text: str) -> list[Piece]:
    """The pieces of a prompt in their order, without what says nothing about the music."""
    found: list[Piece] = []
    place = 0
    while place < len(text):
        number = number_at(text, place)
        if number is not None:
            said, end = number
            found.append(Piece(said.kind, text[place:end], said.english))
            place = end
        elif latin := _LATIN.match(text, place):
            found += _latin_pieces(latin.group())
            place = latin.end()
        elif _CHINESE.match(text, place):
            piece = _chinese_piece(text, place)
            place += len(piece.text)
            if piece.kind == "unknown" and found and found[-1].kind == "unknown":
                found[-1] = Piece("unknown", found[-1].text + piece.text)
            elif piece.kind:
                found.append(piece)
        else:
            if text[place] in "、/&":
                found.append(Piece("and", text[place]))
            elif _END.match(text, place):
                found.append(Piece("end", text[place]))
            place += 1
    return found


@functools.cache
def _marks() -> dict[str, str]:
    """The words that are no music, with the kind of piece that they are; nothing for those to leave out."""
    marks: dict[str, str] = {}
    for kind, words in (("", _NOTHING), ("and", _JOINING), ("of", _OF), ("end", _BUT), ("not", _NOT)):
        marks.update(dict.fromkeys(words.split(), kind))
    marks.update(dict.fromkeys(_NOT_TOO.split(), "not too"))
    return marks


def _chinese_piece(text: str, place: int) -> Piece:
    """The longest word at this place: of two equally long ones the glossary's, then a mark."""
    terms, marks = by_chinese(), _marks()
    longest = max(len(word) for word in (*terms, *marks))
    for length in range(min(longest, len(text) - place), 0, -1):
        word = text[place : place + length]
        if word in terms:
            return Piece(terms[word].kind, word, terms[word].english)
        if word in marks:
            return Piece(marks[word], word)
        if 1 < length <= dictionary.LONGEST_WORD and not _ends_in_known(word) and dictionary.is_word(word):
            english = dictionary.english_of(word)
            return Piece("word" if english else "unknown", word, english)
    return Piece("unknown", text[place])


def _ends_in_known(word: str) -> bool:
    """Whether the glossary knows a part of two or more characters of a word: that says more than the whole."""
    terms = by_chinese()
    return any(
        word[start:end] in terms for start in range(len(word)) for end in range(start + 2, len(word) + 1)
    )


def _latin_pieces(run: str) -> list[Piece]:
    """English in a prompt: terms of the glossary where they are, the rest as it stands."""
    words = [match.group() for match in _LATIN_WORD.finditer(run)]
    found: list[Piece] = []
    place = 0
    while place < len(words):
        for end in range(len(words), place, -1):
            phrase = " ".join(words[place:end]).rstrip(".,")
            term: Term | None = by_english().get(phrase.casefold())
            if term is not None:
                found.append(Piece(term.kind, phrase, term.english))
                break
        else:
            end = place + 1
            if found and found[-1].kind == "plain":
                found[-1] = Piece("plain", *[f"{found[-1].text} {words[place]}"] * 2)
            else:
                found.append(Piece("plain", words[place], words[place]))
        place = end
    return found
