"""One pair of a ``lexifuse fuse`` call: what is asked of it, the fusion, the output file and its account."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lexifuse.account import account_of, record
from lexifuse.automatic import is_automatic
from lexifuse.errors import InputError, UsageError
from lexifuse.fuser import Fuser, FusionResult
from lexifuse.images import lost_in, write_image
from lexifuse.language import Reading, read_prompt
from lexifuse.pair import ImagePair, read_pair


@dataclass(frozen=True)
class Job:
    """What is the same for every pair of a call.

    Attributes:
        fuser: the loaded model.
        reading: of the words that hold for every pair without words of its own.
        own_words: stem of a pair to its words.
        settings: fields that override words and pixels.
        automatic: ask the pixels where the words say nothing.
        resize: bring the infrared to the visible grid.
        report: JSON file beside which panels are written; None for none.
        infrared_range: values of the infrared pictures that become black and white; None leaves it to each picture.
    """

    fuser: Fuser
    reading: Reading
    own_words: Mapping[str, str]
    settings: Mapping[str, Any]
    automatic: bool
    resize: bool
    report: Path | None
    infrared_range: tuple[float, float] | None = None

    def run(self, infrared: Path, visible: Path, out: Path) -> dict[str, Any]:
        """Fuse one pair, write it to ``out``, which must not be one of the inputs, and tell what was done."""
        if out.exists() and any(out.samefile(path) for path in (infrared, visible) if path.exists()):
            raise UsageError(f"the output {out} is one of the inputs: choose another with -o")
        pair = read_pair(infrared, visible, resize=self.resize, infrared_range=self.infrared_range)
        words = self.own_words.get(visible.stem)
        automatic = self.automatic or is_automatic(words)
        reading = self.reading if words is None else read_prompt("" if is_automatic(words) else words)
        result = self.fuser.fuse_pair(pair, reading.with_settings(self.settings), automatic=automatic)
        told = self._tell(pair, result, out)
        # Last, so that a picture that is there after an interruption is one whose account is complete.
        result.save(out)
        return {"infrared": str(infrared), "visible": str(visible), "output": str(out), **told}

    def _tell(self, pair: ImagePair, result: FusionResult, out: Path) -> dict[str, Any]:
        told = record(result, self.fuser.model)
        if self.report is not None:
            account = account_of(self.fuser, pair, result)
            panel = self.report.with_name(f"{self.report.stem}_{out.stem}.png")
            write_image(panel, account.panel())
            told = {**account.record(self.fuser.model), "panel": str(panel)}
        return {**told, "notes": [*told["notes"], *lost_in(out, result.image, alpha=result.alpha)]}


def read_prompts(path: Path) -> dict[str, str]:
    """Read a file with a line per pair: stem, tab, words. Empty lines are left out.

    Raises:
        InputError: the file cannot be read, a line has no tab, or a stem stands there twice.
    """
    try:
        text = path.read_text("utf-8-sig")
    except OSError as error:
        raise InputError(f"cannot read {path} ({error.strerror or error}): give a line per pair") from error
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path} is not UTF-8 text: save it as UTF-8 with a line per pair: stem, tab, words"
        ) from error
    prompts: dict[str, str] = {}
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        stem, tab, words = line.rstrip("\r").partition("\t")
        if not tab:
            raise InputError(f"{path}, line {number} has no tab: write the stem of the pair, a tab and its words")
        if stem.strip() in prompts:
            raise InputError(f"{path}, line {number}: '{stem.strip()}' stands there twice: keep one of its lines")
        prompts[stem.strip()] = words
    return prompts
