"""Words to an instruction: ``read_prompt(text) -> Reading``, which says what was understood and what was not."""

from lexifuse.language.reader import read_prompt
from lexifuse.language.reading import Reading

__all__ = ["Reading", "read_prompt"]
