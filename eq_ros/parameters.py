"""Typed, ranged node parameters from a frozen dataclass.

A node says what it takes once::

    @dataclass(frozen=True)
    class Parameters:
        threads: int = parameter(1, 'Threads of the inference', minimum=1, maximum=64)

and `ParameterBridge` declares it, refuses what is unknown, ill-typed or out of range by name, and
hands out validated instances. Nothing is ever clamped.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
from dataclasses import dataclass
import math
from typing import Any
from typing import Generic
from typing import TypeVar

from rcl_interfaces.msg import FloatingPointRange
from rcl_interfaces.msg import IntegerRange
from rcl_interfaces.msg import ParameterDescriptor
from rcl_interfaces.msg import SetParametersResult
from rclpy.node import Node
from rclpy.parameter import Parameter

from eq_core.errors import ConfigError

P = TypeVar('P')
_TYPES = {'bool': Parameter.Type.BOOL, 'int': Parameter.Type.INTEGER,
          'float': Parameter.Type.DOUBLE, 'str': Parameter.Type.STRING,
          'tuple[str, ...]': Parameter.Type.STRING_ARRAY,
          'tuple[int, ...]': Parameter.Type.INTEGER_ARRAY,
          'tuple[float, ...]': Parameter.Type.DOUBLE_ARRAY}
_FOREIGN = ('qos_overrides.', 'use_sim_time', 'start_type_description_service')


@dataclass(frozen=True)
class Rule:
    """What a parameter may be.

    Attributes:
        description: One line for people.
        minimum: Smallest number.
        maximum: Largest number.
        live: Whether it may change while the node is configured.
        choices: The texts that it may be; any if there are none.
    """

    description: str
    minimum: float | None = None
    maximum: float | None = None
    live: bool = False
    choices: tuple[str, ...] = ()


def parameter(default: Any, description: str, *, minimum: float | None = None,
              maximum: float | None = None, live: bool = False, choices: tuple[str, ...] = ()
              ) -> Any:
    """A dataclass field that is a node parameter; see `Rule` for the arguments."""
    rule = Rule(description, minimum, maximum, live, choices)
    return dataclasses.field(default=default, metadata={'rule': rule})


def check_choices(parameters: Any) -> None:
    """Checks those parameters of an instance that are one of a few texts.

    Raises:
        ConfigError: One is none of them.
    """
    for field in dataclasses.fields(parameters):
        choices, value = field.metadata['rule'].choices, getattr(parameters, field.name)
        if choices and value not in choices:
            raise ConfigError(f"parameter '{field.name}' must be one of {', '.join(choices)}, "
                              f"got '{value}'")


class ParameterBridge(Generic[P]):
    """Keeps the parameters of a node and an instance of its dataclass in step."""

    def __init__(self, node: Node, kind: type[P]) -> None:
        """Declares every field of `kind` on the node; faults are told by `read`.

        Args:
            node: The node.
            kind: Frozen dataclass whose fields are made by `parameter`; its `__post_init__` may
                raise ConfigError for values that do not go together.
        """
        self._node = node
        self._kind = kind
        self._fields = {field.name: field for field in dataclasses.fields(kind)}  # type: ignore
        self._refused: dict[str, str] = {}
        self._current: P | None = None
        self.locked = False
        # rclpy has no public way to see an override that nobody declared
        overrides: Mapping[str, Parameter[Any]] = getattr(node, '_parameter_overrides', {})
        for name in overrides:
            if name not in self._fields and not name.startswith(_FOREIGN):
                self._refused[name] = f"unknown parameter '{name}', known: {self._known()}"
        for name, field in self._fields.items():
            text = self._fault(overrides[name]) if name in overrides else None
            if text:
                self._refused[name] = text
            default = list(field.default) if isinstance(field.default, tuple) else field.default
            node.declare_parameter(name, default, _descriptor(field),
                                   ignore_override=text is not None)
        node.add_on_set_parameters_callback(self._on_set)
        node.add_post_set_parameters_callback(self._after_set)

    def read(self) -> P:
        """The parameters as they are now.

        Raises:
            ConfigError: A parameter was given that is unknown, ill-typed or out of range, or
                values do not go together.
        """
        if self._refused:
            raise ConfigError('; '.join(self._refused.values()))
        current = self._current
        if current is None:
            self._current = current = self._build({})
        return current

    def _build(self, changed: Mapping[str, Any]) -> P:
        """Makes an instance from the node's values and `changed`."""
        values = {name: changed.get(name, self._node.get_parameter(name).value)
                  for name in self._fields}
        return self._kind(**{name: tuple(value) if isinstance(value, Sequence)
                             and not isinstance(value, str) else value
                             for name, value in values.items()})

    def _fault(self, given: Parameter[Any]) -> str | None:
        """What is wrong with one value, naming it, or None."""
        field = self._fields[given.name]
        rule: Rule = field.metadata['rule']
        expected = _TYPES[str(field.type)]
        if given.type_ != expected:
            return (f"parameter '{given.name}' must be {expected.name.lower()}, "
                    f'got {given.type_.name.lower()} {given.value!r}')
        low, high = _bounds(rule)
        if (expected in (Parameter.Type.INTEGER, Parameter.Type.DOUBLE)
                and not low <= given.value <= high):
            return (f"parameter '{given.name}' must be within [{low:g}, {high:g}], "
                    f'got {given.value}')
        return None

    def _on_set(self, given: list[Parameter[Any]]) -> SetParametersResult:
        """Refuses a change with a reason before it happens."""
        ours = [item for item in given if item.name in self._fields]
        for item in ours:
            text = self._fault(item)
            if text is None and self.locked and not self._fields[item.name].metadata['rule'].live:
                text = f"parameter '{item.name}' can change only while the node is unconfigured"
            if text:
                return SetParametersResult(successful=False, reason=text)
        try:
            if ours:
                self._build({item.name: item.value for item in ours})
        except ConfigError as error:
            return SetParametersResult(successful=False, reason=str(error))
        return SetParametersResult(successful=True)

    def _after_set(self, given: list[Parameter[Any]]) -> None:
        """A good value heals a bad one that was given at the start."""
        self._current = None
        for item in given:
            self._refused.pop(item.name, None)

    def _known(self) -> str:
        """All names."""
        return ', '.join(self._fields)


def _bounds(rule: Rule) -> tuple[float, float]:
    """Smallest and largest number."""
    return (-math.inf if rule.minimum is None else rule.minimum,
            math.inf if rule.maximum is None else rule.maximum)


def _descriptor(field: dataclasses.Field[Any]) -> ParameterDescriptor:
    """What tools such as ``ros2 param describe`` show."""
    rule: Rule = field.metadata['rule']
    kind = _TYPES[str(field.type)]
    descriptor = ParameterDescriptor(
        name=field.name, type=kind.value, description=rule.description,
        additional_constraints=f'one of {", ".join(rule.choices)}' if rule.choices else '')
    if rule.minimum is None and rule.maximum is None:
        return descriptor
    low, high = _bounds(rule)
    if kind == Parameter.Type.INTEGER:
        low, high = max(low, -2.**63), min(high, 2.**63 - 1024)
        descriptor.integer_range = [IntegerRange(from_value=int(low), to_value=int(high))]
    else:
        descriptor.floating_point_range = [FloatingPointRange(from_value=low, to_value=high)]
    return descriptor
