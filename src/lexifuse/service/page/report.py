"""The report of a fusion on the page: the same facts that ``lexifuse fuse --report`` writes."""

from __future__ import annotations

import json
from collections.abc import Mapping

from lexifuse.account import Account
from lexifuse.models import Model
from lexifuse.service.page.store import Content


def report_json(account: Account, names: Mapping[str, str], model: Model) -> Content:
    """A JSON file.

    Args:
        account: the fusion beside the plain one.
        names: the file names of ``infrared`` and ``visible``.
        model: that made it.
    """
    pair, result = account.pair, account.result
    reading, seen = result.reading, result.seen
    told = {
        "infrared": names["infrared"],
        "visible": names["visible"],
        "width": pair.width,
        "height": pair.height,
        "model": model.name,
        "model_sha256": model.sha256,
        "instruction": result.instruction.to_dict(),
        "in_words": str(result.instruction),
        "prompt": reading.prompt if reading else "",
        "not_understood": list(reading.not_understood) if reading else [],
        "unsure": list(reading.unsure) if reading else [],
        "seen": seen.to_dict() if seen else None,
        "seconds": round(result.seconds, 4),
        "change": round(account.change, 3),
        "notes": list(account.notes),
    }
    return Content(json.dumps(told, indent=1, ensure_ascii=False).encode(), "application/json")
