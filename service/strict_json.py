"""Read a JSON body exactly as its Struct says: no text for a number, no 5.0 for 5.

Litestar converts bodies leniently, which a ledger cannot want. A handler says
`dto=StrictJSON[Body], return_dto=None` and `data: JSONBody[Body]`.
"""

import re
from collections.abc import Generator
from typing import Any, Final, Generic, TypeVar

import msgspec
from litestar.dto import AbstractDTO, DTOFieldDefinition
from litestar.dto._backend import DTOBackend
from litestar.openapi.spec import Reference, Schema
from litestar.typing import FieldDefinition

from service.errors import FieldError, InvalidRequest, MalformedRequest

Body = TypeVar("Body")

PLACE: Final = re.compile(r"^(?P<what>.*?)(?: - at `(?:key in )?\$\.?(?P<path>.*)`)?$", re.DOTALL)
MESSAGE_LENGTH_MAX: Final = 300


def decode(kind: type[Body], body: bytes) -> Body:
    """Read `body`; raises InvalidRequest with the field's path, or MalformedRequest."""
    try:
        return msgspec.json.decode(body, type=kind, strict=True)
    except msgspec.ValidationError as error:
        found = PLACE.match(str(error))
        what, path = (found["what"], found["path"]) if found else ("does not fit", None)
        told = FieldError(field=path or "body", message=what[:MESSAGE_LENGTH_MAX])
        raise InvalidRequest(errors=[told]) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise MalformedRequest("the body is not JSON in UTF-8") from None


class StrictJSON(AbstractDTO[Body], Generic[Body]):
    """How Litestar reads the body of a handler that names this as its `dto`."""

    @classmethod
    def generate_field_definitions(
        cls,
        model_type: type[Any],  # noqa: ARG003 # the signature is Litestar's
    ) -> Generator[DTOFieldDefinition, None, None]:
        """Nothing: the Struct itself is the definition."""
        yield from ()

    @classmethod
    def detect_nested_field(
        cls,
        field_definition: FieldDefinition,  # noqa: ARG003 # the signature is Litestar's
    ) -> bool:
        """Never: the Struct is read whole."""
        return False

    @classmethod
    def create_for_field_definition(
        cls,
        field_definition: FieldDefinition,
        handler_id: str,
        backend_cls: type[DTOBackend] | None = None,
    ) -> None:
        """Nothing to prepare: msgspec reads the Struct."""

    def decode_bytes(self, value: bytes) -> Body:
        """The body as its Struct."""
        return decode(self.model_type, value)

    @classmethod
    def create_openapi_schema(
        cls,
        field_definition: FieldDefinition,
        handler_id: str,  # noqa: ARG003 # the signature is Litestar's
        schema_creator: Any,  # noqa: ANN401 # a private class of Litestar
    ) -> Reference | Schema:
        """The Struct's own schema."""
        schema: Reference | Schema = schema_creator.for_field_definition(field_definition)
        return schema
