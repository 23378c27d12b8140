"""Every kind of change that is made to a valid call, by name."""

from typing import Final

from tests.mutation import of_bytes, of_heads, of_json, of_parameters
from tests.mutation.base import Operator

BODY: Final[dict[str, Operator]] = of_bytes.BODY | of_parameters.BODY | of_json.BODY | of_heads.BODY
"""What changes the message, or gives it the proof of another."""

HEADS: Final[dict[str, Operator]] = of_heads.HEADS
"""What changes the heads alone; all that means anything where a call proves only a key."""
