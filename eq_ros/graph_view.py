"""Which nodes and topics there are, as the graph itself tells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class NodeEnds:
    """One node and its topics.

    Attributes:
        name: Fully qualified name.
        publishes: Topic to type.
        subscribes: Likewise.
    """

    name: str
    publishes: dict[str, str]
    subscribes: dict[str, str]


def read_graph(node: Any) -> list[NodeEnds]:
    """Asks the graph for all nodes that are in it, in the order of their names.

    Args:
        node: Any node of the graph.
    """
    found = {}
    for name, space in node.get_node_names_and_namespaces():
        full = f"{space.rstrip('/')}/{name}"
        found[full] = NodeEnds(full, *(
            {topic: ', '.join(types) for topic, types in ask(name, space)} for ask in (
                node.get_publisher_names_and_types_by_node,
                node.get_subscriber_names_and_types_by_node)))
    return [found[name] for name in sorted(found)]
