"""The formulas in a sidecar: sums, differences and products of integers and names, and comparisons of two of those.

Only this much of Python's syntax has a meaning here, so a sidecar from elsewhere can say nothing that is executed.
"""

import ast
import operator
from collections.abc import Mapping

OPERATORS = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul}
COMPARISONS = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}


def evaluate(formula: str, variables: Mapping[str, int]) -> int:
    """The formula's value; a comparison's is True or False. Raises ValueError for anything that is no such formula."""
    try:
        tree = ast.parse(formula, mode="eval")
    except SyntaxError as error:
        raise ValueError(f"{formula!r} is no formula") from error
    return evaluate_node(tree.body, variables, formula)


def evaluate_node(node: ast.expr, variables: Mapping[str, int], formula: str) -> int:
    """The value of a part of `formula`."""
    match node:
        case ast.Constant(value=int() as number) if not isinstance(number, bool):
            return number
        case ast.Name(id=name) if name in variables:
            return variables[name]
        case ast.BinOp(left=left, op=op, right=right) if type(op) in OPERATORS:
            compute = OPERATORS[type(op)]
        case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in COMPARISONS:
            compute = COMPARISONS[type(op)]
        case _:
            raise ValueError(f"{ast.unparse(node)!r} has no meaning in the formula {formula!r}")
    return compute(evaluate_node(left, variables, formula), evaluate_node(right, variables, formula))


def cycles_of_case(cases: list[dict[str, str]], variables: Mapping[str, int]) -> int:
    """Cycles of the one case whose condition holds."""
    (cycles,) = [case["cycles"] for case in cases if evaluate(case["if"], variables)]
    return evaluate(cycles, variables)
