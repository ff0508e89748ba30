"""Parts of code: a change that can change a result changes the digest, no other does."""

import cloudpickle
import pytest
from helpers.values_to_digest import CODE, digest, make_local, run_as_script


def digest_code(source):
    return digest(run_as_script(source).everything)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("LIMIT = 3", "LIMIT = 4"),  # a global that a helper reads
        ("return x + LIMIT", "return x - LIMIT"),
        ("n == 0 or", "n == 1 or"),  # in functions that call each other
        ("n != 0 and", "n != 1 and"),
        ("return 2", "return -2"),  # in a base class
        ("rate: float = 0.1", "rate: float = 0.2"),
        ("a=1, *", "a=3, *"),
        ("b=2)", "b=3)"),
        ("helper(X) *", "helper(X) +"),
        ("return 4", "return -4"),  # in a property
        ("return 5", "return -5"),
        ("return 6", "return -6"),
        ("cls(7)", "cls(-7)"),
        ("A = 8", "A = -8"),
        ("depth: int = 9", "depth: int = -9"),
        ('("x",)', '("x", "y")'),
        ("INNER = 12", "INNER = 13"),  # a global that a function within a function reads
        ("x + 10", "x + -10"),
        ("make(11)", "make(12)"),
        ("x * factor", "x / factor"),
        ("import math", "import cmath as math"),
        ("np.log(X)", "np.exp(X)"),
        ("import numpy as np", "import math as np"),
        ("TransformerMixin, Base)", "Base, TransformerMixin)"),
    ],
)
def test_change_of_code_changes_the_digest(old, new):
    assert CODE.count(old) == 1
    assert digest_code(CODE.replace(old, new)) != digest_code(CODE)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("# a comment", "# another\n\n        # comment"),
        ("LIMIT = 3", "OTHER = 5\n\n\ndef unrelated():\n    return OTHER\n\n\nLIMIT = 3"),
        ("X: int", "X: float"),
        ("rate: float", "rate: int"),
        ('"A model."', '"A better model."'),
        ("def odd", "scale = 1\n\n\ndef odd"),  # has the name of an attribute, and is not used
        ("Model(), Kind.A", "Model(b=2, a=1), Kind(8)"),
    ],
)
def test_irrelevant_change_of_the_source_keeps_the_digest(old, new):
    assert CODE.count(old) == 1
    assert digest_code(CODE.replace(old, new)) == digest_code(CODE)


def test_executed_code_has_the_same_digest():
    code = run_as_script(CODE)
    before = digest(code.everything)
    for n in range(2000):  # enough for Python to specialize the bytecode
        code.Model().fit(n)
    code.cached(1)
    assert digest(code.everything) == before


def test_cloudpickled_code_has_the_same_digest():
    code = run_as_script(CODE)
    value = [*make_local(3), code.helper, code.even, code.made, code.Options()]
    assert digest(cloudpickle.loads(cloudpickle.dumps(value))) == digest(value)
