"""A lint: what proves something is never compared with ``==``, whose time tells how much of it was right.

This looks at the syntax of the sources, because time cannot be measured well enough to fail a test.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCES = Path(__file__).parents[2] / "src" / "callspool"
PROOFS = re.compile(r"(?i)(?:^|_)(?:signature|token|digest|hexdigest|secret|mac|hmac|password|csrf|proof)s?$")
SIMULATOR = SOURCES / "simulator"
"""It holds no secret, and shares nothing with what it tests."""

NO_PROOFS = {
    ("domain/tenant.py", "auth_token != self.auth_token"),  # what the operator gives beside what the operator gave
    ("lifecycle/proof.py", "digest.hexdigest() == kept.sha256"),  # what a file is, which is no secret
    ("scheduler/heartbeat.py", "held.lease.token == token"),  # which attempt it is, which proves nothing
}


def proofs_compared(source: str) -> Iterator[str]:
    """Comparisons of what is called like a proof with anything but a constant of the program."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Compare) and any(isinstance(op, ast.Eq | ast.NotEq) for op in node.ops):
            sides = [node.left, *node.comparators]
            if any(isinstance(side, ast.Constant) for side in sides):
                continue
            if any(PROOFS.search(name_of(side)) for side in sides):
                yield ast.unparse(node)


def name_of(side: ast.expr) -> str:
    match side:
        case ast.Call():
            return name_of(side.func)
        case ast.Attribute():
            return side.attr
        case ast.Name():
            return side.id
        case ast.Subscript(slice=ast.Constant(value=str(key))):
            return key
        case ast.Subscript():
            return name_of(side.value)
    return ""


def test_no_proof_is_compared_with_equals() -> None:
    files = [path for path in SOURCES.rglob("*.py") if SIMULATOR not in path.parents]
    assert len(files) > 100
    found = {(str(path.relative_to(SOURCES)), one) for path in files for one in proofs_compared(path.read_text())}
    assert found == NO_PROOFS


@pytest.mark.parametrize(
    ("source", "is_found"),
    [
        ("given == signature", True),
        ("expected != self._mac(path)", True),
        ("headers['x-csrf-token'] == csrf", True),
        ("hmac.new(k, b).hexdigest() == given", True),
        ("auth_tokens[0] == given", True),
        ("signature == ''", False),
        ("token is None", False),
        ("hmac.compare_digest(given, signature)", False),
        ("token_count == other", False),
        ("kind == wanted", False),
    ],
)
def test_the_lint_sees_what_it_is_for(source: str, is_found: bool) -> None:
    assert bool(list(proofs_compared(source))) == is_found
