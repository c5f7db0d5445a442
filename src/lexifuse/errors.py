"""Errors a user can mend: each message is one line that says what is wrong and what to do."""

from __future__ import annotations


class LexifuseError(Exception):
    """Base of every error that lexifuse raises on purpose; the message fits on one line."""


class UsageError(LexifuseError):
    """The call itself is wrong (unknown field, contradicting options): exit code 2."""


class InputError(LexifuseError):
    """A picture, folder or file that was given cannot be used: exit code 1."""


class OutputError(LexifuseError):
    """A result cannot be written where it was asked for: exit code 1."""


class ModelError(LexifuseError):
    """A model is missing, damaged or of a kind that cannot be run here: exit code 1."""


class MissingExtraError(LexifuseError):
    """An optional dependency is needed: the message names the ``pip install`` that brings it."""

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(f"{feature} needs optional packages: pip install 'lexifuse[{extra}]'")
