"""The public surface, listed: a name that goes or comes has to go or come here too."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import lexifuse

SOURCE = Path(lexifuse.__file__).parent

FLOORS = {
    "errors": 1,
    "files": 1,
    "pixels": 1,
    "statistics": 1,
    "images": 1,
    "pair": 1,
    "instruction": 1,
    "degradations": 1,
    "metrics": 1,
    "datasets": 1,
    "models": 2,
    "openvino_graphs": 2,
    "openvino_layout": 1,
    "graphs": 2,
    "runtime": 2,
    "language": 3,
    "damage_features": 1,
    "automatic": 3,
    "evidence": 3,
    "colour": 2,
    "conditioning": 3,
    "highlight": 3,
    "fuser": 4,
    "contact_sheet": 4,
    "boxes": 1,
    "outlines": 1,
    "detect": 3,
    "yolox": 3,
    "training": 4,
    "account": 5,
    "evaluation": 5,
    "client": 5,
    "service": 6,
    "cli": 6,
}


def test_public_names() -> None:
    assert set(lexifuse.__all__) == {
        "FusionResult",
        "Fuser",
        "ImagePair",
        "Instruction",
        "LexifuseError",
        "Reading",
        "__version__",
        "fuse",
        "load",
        "read_image",
        "read_pair",
        "read_prompt",
        "write_image",
    }
    for name in lexifuse.__all__:
        assert getattr(lexifuse, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'fuze'"):
        lexifuse.fuze  # noqa: B018


def _imports(path: Path) -> set[str]:
    """Top-level rooms of lexifuse, and other packages, that a file imports anywhere."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
        elif isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
    return found


def _room(module: str) -> str | None:
    parts = module.split(".")
    return parts[1] if parts[0] == "lexifuse" and len(parts) > 1 else None


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=lambda path: str(path.relative_to(SOURCE)))
def test_a_file_imports_only_from_its_floor_or_below(path: Path) -> None:
    place = path.relative_to(SOURCE).with_suffix("").parts[0]
    if place in ("__init__", "__main__"):
        return
    for module in _imports(path):
        room = _room(module)
        if room is not None and place != "cli":
            assert FLOORS[room] <= FLOORS[place], f"{place} (floor {FLOORS[place]}) imports {module}"
            assert room != "training" or place == "training", f"{place} imports {module}"
        if module.split(".")[0] in ("torch", "lightning_fabric", "kornia"):
            assert place == "training", f"{place} imports {module}"


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=lambda path: str(path.relative_to(SOURCE)))
def test_a_file_says_what_it_does_and_stays_readable(path: Path) -> None:
    text = path.read_text()
    assert ast.get_docstring(ast.parse(text)), "a file says in its first line what it does"
    assert len(text.splitlines()) <= 400
