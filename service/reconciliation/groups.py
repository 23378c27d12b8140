"""Put things that have something in common into one group (union-find). Knows nothing else."""

from collections import defaultdict
from collections.abc import Hashable, Iterable
from typing import Generic, TypeVar

Node = TypeVar("Node", bound=Hashable)


class Groups(Generic[Node]):
    """Disjoint groups of nodes; a node is in a group of its own until it is joined."""

    def __init__(self) -> None:
        self._above: dict[Node, Node] = {}

    def root(self, node: Node) -> Node:
        """The node that stands for its group."""
        self._above.setdefault(node, node)
        while self._above[node] != node:
            self._above[node] = self._above[self._above[node]]
            node = self._above[node]
        return node

    def join(self, one: Node, other: Node) -> None:
        """Make the groups of both one group."""
        self._above[self.root(other)] = self.root(one)

    def of(self, nodes: Iterable[Node]) -> list[list[Node]]:
        """`nodes` by group, in order of each group's first node."""
        found: dict[Node, list[Node]] = defaultdict(list)
        for node in nodes:
            found[self.root(node)].append(node)
        return list(found.values())
