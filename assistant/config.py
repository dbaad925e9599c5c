"""Settings: one TOML file, checked when it is read, with a hint for a misspelt key."""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from pathlib import Path
from typing import Any, Literal

import msgspec

from assistant.errors import CallError
from assistant.files import whole_file
from assistant.i18n import _

CONFIG_VARIABLE = "MUSICHELPER_CONFIG"

CAPTION_FIELDS = (
    "subject", "genre", "mood", "pace", "tempo", "key", "meter", "instruments", "likely_instruments",
    "likely_mood", "qualities", "character", "title", "artist", "album",
)  # fmt: skip
"""What a template of a caption may name."""

GENRES = ("blues", "classical", "country", "disco", "hiphop", "jazz", "metal", "pop", "reggae", "rock")


_NEGATIVE = ("loudness", "true_peak")


class _Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table of the file; each field has its default here and its explanation in `config.toml`."""


class LibrarySettings(_Section, frozen=True):
    """Where the music is."""

    folder: str = ""
    genres: tuple[str, ...] = GENRES
    unlabelled: str = "unknow"


class InterfaceSettings(_Section, frozen=True):
    """How the programs look and speak."""

    language: Literal["auto", "en", "zh_TW"] = "auto"
    theme: str = "musichelper"
    keys: dict[str, str] = {}
    autoplay: bool = False


class IntakeSettings(_Section, frozen=True):
    """From a new file to a ready track."""

    workers: int = 0
    quiet_seconds: float = 2.0
    patience_seconds: float = 60.0
    scan_seconds: float = 60.0
    max_minutes: float = 120.0
    max_memory_mib: int = 2048
    reserve_mib: int = 1024
    soundfont: str = ""


class CaptionSettings(_Section, frozen=True):
    """The line of English beside each track."""

    listen: bool = True
    templates: tuple[str, ...] = ()
    captioner: str = "templates"


class ClassifierSettings(_Section, frozen=True):
    """The genre classifier."""

    model: Literal["auto", "cnn", "cnn-mel", "musicnn"] = "auto"
    segment_seconds: float = 3.0
    most_segments: int = 0
    threads: int = 0
    epochs: int = 50
    batch_size: int = 32
    learning_rate: float = 1e-4
    validation_share: float = 0.2
    test_share: float = 0.2
    folds: int = 5
    set_level: float = 0.9
    retrain_after: int = 20
    seed: int = 0


class MusicGenSettings(_Section, frozen=True):
    """Models, fine-tuning and generation."""

    model: str = "mini"
    device: str = "auto"
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    method: Literal["auto", "lora", "full"] = "auto"
    rank: int = 0
    alpha: float = 0.0
    targets: tuple[Literal["attention", "cross", "feedforward", "heads"], ...] = (
        "attention", "cross", "feedforward", "heads",
    )  # fmt: skip
    freeze_below: int = 0
    steps: int = 300
    batch_size: int = 4
    accumulation: int = 2
    crop_seconds: float = 10.0
    learning_rate: float = 0.0
    warmup_steps: int = 20
    weight_decay: float = 0.1
    gradient_clip: float = 1.0
    optimizer: Literal["adamw", "adamw8bit"] = "adamw"
    ema: float = 0.0
    condition_dropout: float = 0.3
    tags_share: float = 0.25
    title_share: float = 0.1
    field_dropout: float = 0.3
    melody_dropout: float = 0.5
    remove: tuple[Literal["vocals", "drums", "bass", "other"], ...] = ()
    shard: bool = False
    compile: bool = False
    validate_every: int = 50
    patience: int = 3
    checkpoint_every: int = 100
    sample_every: int = 100
    sample_seconds: float = 5.0
    sample_prompts: tuple[str, ...] = ()
    seed: int = 0


class GenerateSettings(_Section, frozen=True):
    """What a clip is made with unless the call says otherwise."""

    duration: float = 8.0
    temperature: float = 1.0
    top_k: int = 250
    top_p: float = 0.0
    cfg: float = 3.0
    loudness: float | Literal["off"] = -14.0
    true_peak: float = -1.0


class EngineSettings(_Section, frozen=True):
    """The process that generates."""

    idle_minutes: float = 15.0


class PlaybackSettings(_Section, frozen=True):
    """How clips and tracks reach the ears."""

    player: Literal["auto", "device", "pulse", "browser", "command", "none"] = "auto"
    port: int = 8765
    command: str = ""


class NotifySettings(_Section, frozen=True):
    """How the end of a run is told."""

    bell: bool = True
    desktop: bool = True
    command: str = ""


class Settings(_Section, frozen=True):
    """The whole configuration."""

    library: LibrarySettings = LibrarySettings()
    interface: InterfaceSettings = InterfaceSettings()
    intake: IntakeSettings = IntakeSettings()
    caption: CaptionSettings = CaptionSettings()
    classifier: ClassifierSettings = ClassifierSettings()
    musicgen: MusicGenSettings = MusicGenSettings()
    generate: GenerateSettings = GenerateSettings()
    engine: EngineSettings = EngineSettings()
    playback: PlaybackSettings = PlaybackSettings()
    notify: NotifySettings = NotifySettings()


def config_path() -> Path:
    """The person's configuration file; it need not exist."""
    named = os.environ.get(CONFIG_VARIABLE)
    if named:
        return Path(named)
    home = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(home) / "musichelper" / "config.toml"


def load_settings(path: Path | None = None) -> Settings:
    """Read the settings from `path`, or from the person's file, or take the defaults.

    Raises `CallError` for a file that is named but absent, is no TOML, or has an unknown key or a
    value of the wrong kind.
    """
    if path is None:
        path = config_path()
        if CONFIG_VARIABLE not in os.environ and not path.exists():
            return Settings()
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise CallError(
            _("The configuration {path} cannot be read: {reason}.").format(path=path, reason=error.strerror),
            _("Name an existing file with --config, or leave the option out to use the defaults."),
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CallError(
            _("The configuration {path} is not valid TOML: {reason}.").format(path=path, reason=error),
            _("Correct that line, or start again from the config.toml that comes with the program."),
        ) from error
    _check_keys(document, path)
    try:
        settings = msgspec.convert(document, Settings)
    except msgspec.ValidationError as error:
        raise CallError(
            _("The configuration {path} has a wrong value: {reason}.").format(path=path, reason=error),
            _("config.toml, which comes with the program, shows each setting with its meaning."),
        ) from error
    _check_ranges(settings, path)
    return settings


def change_settings(values: dict[str, Any], path: Path | None = None) -> Path:
    """Write values (`{"section.key": value}`) into the file and keep its comments; returns its path.

    Raises `CallError` where the file cannot be written or would not be valid any more.
    """
    import tomlkit

    path = path or config_path()
    try:
        document = tomlkit.parse(path.read_text("utf-8")) if path.exists() else tomlkit.document()
        for key, value in values.items():
            section, _dot, name = key.partition(".")
            document.setdefault(section, tomlkit.table())[name] = value
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as temporary:
            temporary.write_text(tomlkit.dumps(document), "utf-8")
            load_settings(temporary)
    except (OSError, tomlkit.exceptions.TOMLKitError) as error:
        raise CallError(
            _("The configuration {path} cannot be written: {reason}.").format(path=path, reason=error),
            _("Change it by hand, or name another one with --config."),
        ) from error
    return path


def _check_keys(document: dict[str, Any], path: Path) -> None:
    sections = {field.name: field.type for field in msgspec.structs.fields(Settings)}
    for section, values in document.items():
        if section not in sections:
            raise _unknown(section, list(sections), path)
        known = [field.name for field in msgspec.structs.fields(sections[section])]
        for key in values if isinstance(values, dict) else ():
            if key not in known:
                raise _unknown(f"{section}.{key}", [f"{section}.{name}" for name in known], path)


def _unknown(key: str, known: list[str], path: Path) -> CallError:
    close = difflib.get_close_matches(key, known, n=1)
    return CallError(
        _("The configuration {path} has an unknown setting: {key}.").format(path=path, key=key),
        _("Did you mean {key}?").format(key=close[0])
        if close
        else _("These are known: {keys}.").format(keys=", ".join(known)),
    )


def _check_ranges(settings: Settings, path: Path) -> None:
    for section in msgspec.structs.fields(Settings):
        values = getattr(settings, section.name)
        for field in msgspec.structs.fields(type(values)):
            value = getattr(values, field.name)
            if isinstance(value, (int, float)) and value < 0 and field.name not in _NEGATIVE:
                raise CallError(
                    _("The configuration {path} has a negative value for {key}.").format(
                        path=path, key=f"{section.name}.{field.name}"
                    ),
                    _("Use zero or a positive number."),
                )
    for template in settings.caption.templates:
        _check_template(template, path)
    for name in (*settings.library.genres, settings.library.unlabelled):
        if not name or name.startswith((".", "-")) or "/" in name or "\0" in name:
            raise CallError(
                _("The configuration {path} has a genre that cannot be a folder name: {name!r}.").format(
                    path=path, name=name
                ),
                _("A genre is one folder name: no slash, and no dot or dash at its start."),
            )


def _check_template(template: str, path: Path) -> None:
    """A template is one line with known {fields} and [parts] that do not lie in each other."""
    wrong = ""
    if not template.strip() or "\n" in template:
        wrong = _("it must be one line of text")
    elif re.search(r"\[[^\]]*\[|\][^\[]*\]", template) or template.count("[") != template.count("]"):
        wrong = _("its square brackets do not match")
    else:
        names = re.findall(r"\{(\w*)\}", template)
        left = re.sub(r"\{\w*\}", "", template)
        unknown = [name for name in names if name not in CAPTION_FIELDS]
        if "{" in left or "}" in left:
            wrong = _("its curly brackets do not match")
        elif unknown:
            close = difflib.get_close_matches(unknown[0], CAPTION_FIELDS, n=1)
            wrong = (
                _("it has no field {{{name}}}; did you mean {{{close}}}?").format(
                    name=unknown[0], close=close[0]
                )
                if close
                else _("there is no field {{{name}}}").format(name=unknown[0])
            )
        elif not re.sub(r"\[[^\]]*\]", "", template).strip(" .,"):
            wrong = _("everything in it may be left out; put some words outside of square brackets")
    if wrong:
        raise CallError(
            _("The configuration {path} has a caption template that cannot be used: {reason}.").format(
                path=path, reason=wrong
            ),
            _("These fields are known: {fields}.").format(
                fields=", ".join(f"{{{name}}}" for name in CAPTION_FIELDS)
            ),
        )
