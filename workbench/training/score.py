"""What counts as best: an expression of score names, such as "jaccard + dice"."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from math import inf

from workbench.errors import UserError
from workbench.metrics import score_names
from workbench.task import Task

OPERATORS: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: lambda above, below: above / below if below else -inf,
}
OTHER_NAMES = {"iou": "jaccard", "miou": "jaccard"}


def create_score(expression: str, task: Task) -> Score:
    """The score of a training: of the task's scores and the loss."""
    return Score(expression, (*score_names(task), "loss"))


class Score:
    """An expression whose names are checked when it is made; higher is better."""

    def __init__(self, expression: str, names: tuple[str, ...]) -> None:
        self.expression = expression
        self.names = names
        try:
            self._tree = ast.parse(expression.strip(), mode="eval").body
        except SyntaxError as error:
            raise self._refused(f"it cannot be read ({error.msg})") from None
        self._value(self._tree, dict.fromkeys(names, 1.0))

    def __call__(self, values: Mapping[str, float]) -> float:
        """The value; a name that has none (a class that is nowhere) makes it the worst there is."""
        try:
            return self._value(self._tree, values)
        except KeyError:
            return -inf

    def _value(self, node: ast.expr, values: Mapping[str, float]) -> float:
        match node:
            case ast.Constant(value=int() | float() as number):
                return float(number)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return -self._value(operand, values)
            case ast.BinOp(left=left, op=operation, right=right) if type(operation) in OPERATORS:
                return OPERATORS[type(operation)](self._value(left, values), self._value(right, values))
            case ast.Name(id=name):
                return self._named(OTHER_NAMES.get(name, name), values)
            case ast.Subscript(value=ast.Name(id=name), slice=ast.Name(id=of) | ast.Constant(value=str() as of)):
                return self._named(f"{OTHER_NAMES.get(name, name)}[{of}]", values)
        raise self._refused("only names, numbers and + - * / may be in it")

    def _named(self, name: str, values: Mapping[str, float]) -> float:
        if name not in self.names:
            raise self._refused(f"{name} is none of the scores {', '.join(self.names)}")
        return values[name]

    def _refused(self, reason: str) -> UserError:
        return UserError(f"training.best = {self.expression!r} is refused: {reason}.")
