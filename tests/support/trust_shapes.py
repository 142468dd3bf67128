"""The ways to write a type into a declaration: bare, in a container, in a model of any kind, behind a validator."""

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Annotated, Any, Generic, NamedTuple, NewType, Optional, TypeVar, Union

import pydantic
import pydantic.dataclasses
import typing_extensions
from pydantic import BaseModel, ConfigDict

T = TypeVar("T")


@dataclasses.dataclass(frozen=True, slots=True)
class Harmless:
    """What stands in a control row in the place of a token."""

    subject: str | None = None


class Page(BaseModel, Generic[T]):
    items: list[T]


def model_of(kind, **config):
    return pydantic.create_model("Model", __config__=ConfigDict(**config), token=(kind, ...))


def _holder(kind):
    return dataclasses.make_dataclass("Holder", [("token", kind)])


def _inherited(kind):
    class Child(model_of(kind)):
        more: int = 0

    return Child


def _forward(kind):
    class Model(BaseModel):
        token: "Later"  # noqa: F821  # the point of the row

    Model.model_rebuild(_types_namespace={"Later": kind})
    return Model


SHAPES: dict[str, Callable[[Any], Any]] = {
    "bare": lambda kind: kind,
    "Optional": lambda kind: Optional[kind],  # noqa: UP045  # the old spelling is another object
    "or None": lambda kind: kind | None,
    "Union": lambda kind: Union[str, kind],  # noqa: UP007  # the old spelling is another object
    "list": lambda kind: list[kind],
    "set": lambda kind: set[kind],
    "tuple": lambda kind: tuple[kind, ...],
    "pair": lambda kind: tuple[int, kind],
    "dict": lambda kind: dict[str, kind],
    "mapping": lambda kind: Mapping[str, kind],
    "sequence": lambda kind: Sequence[kind],
    "iterable": lambda kind: Iterable[kind],
    "list of dict": lambda kind: list[dict[str, kind | None]],
    "Annotated": lambda kind: Annotated[kind, "who"],
    "Field": lambda kind: Annotated[kind, pydantic.Field(description="who")],
    "BeforeValidator": lambda kind: Annotated[kind, pydantic.BeforeValidator(lambda value: value)],
    "PlainValidator": lambda kind: Annotated[kind, pydantic.PlainValidator(lambda value: value)],
    "WrapValidator": lambda kind: Annotated[kind, pydantic.WrapValidator(lambda value, handler: handler(value))],
    "SkipValidation": lambda kind: pydantic.SkipValidation[kind],
    "InstanceOf": lambda kind: pydantic.InstanceOf[kind],
    "Json": lambda kind: pydantic.Json[kind],
    "NewType": lambda kind: NewType("Other", kind),
    "TypeVar": lambda kind: TypeVar("Bound", bound=kind),
    "type alias": lambda kind: typing_extensions.TypeAliasType("Alias", kind),
    "dataclass": _holder,
    "pydantic dataclass": lambda kind: pydantic.dataclasses.dataclass(_holder(kind)),
    "TypedDict": lambda kind: typing_extensions.TypedDict("Holder", {"token": kind}),
    "NamedTuple": lambda kind: NamedTuple("Holder", [("token", kind)]),
    "model": model_of,
    "model with arbitrary types": lambda kind: model_of(kind, arbitrary_types_allowed=True),
    "model in a model": lambda kind: model_of(model_of(kind)),
    "model of a list": lambda kind: model_of(list[kind]),
    "root model": lambda kind: pydantic.RootModel[kind],
    "inherited field": _inherited,
    "generic model": lambda kind: Page[kind],
    "forward reference": _forward,
}
"""For each way its name, and what makes it of a type."""
