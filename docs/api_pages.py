"""The pages of the API reference: parameters of dataclasses, and links from types to classes.

A dataclass gets a section Parameters, from its fields and the text below each field.
"""

import dataclasses
import importlib
import re

from numpydoc.xref import DEFAULT_LINKS
from sphinx.pycode import ModuleAnalyzer

MODULES = [
    "skdistsearch",
    "skdistsearch.backends",
    "skdistsearch.checkpoints",
    "skdistsearch.early_stopping",
    "skdistsearch.exceptions",
    "skdistsearch.report",
    "skdistsearch.testing",
]
WORDS = {
    r"Callable\[\[.*\]": "callable",
    r"Literal\[(.*?)\]": r"{\1}",
    r"Mapping\[(\w+), (.*?)\]": r"dict of \1 to \2",
    r"tuple\[(\w+), \.\.\.\]": r"tuple of \1",
    r"(Sequence|frozenset)\[(\w+)\]": r"\1 of \2",
    r"Sequence": "sequence",
    r"\bAny\b": "object",
    r"ArrayLike": "array-like",
    r"\bChunk\b": "tuple of int",
    r"\bParameters\b": "dict of str to object",
    r"\bFitResult\b": "dict",
    r" \| ": " or ",
}
"""Patterns in annotations, in this order, and the words of numpydoc for them."""


def setup(app):
    """Register the extension."""
    app.setup_extension("numpydoc")
    app.setup_extension("sphinx.ext.autosummary")
    classes = _public_classes()
    app.config.numpydoc_xref_aliases = {
        **{word: word for word in DEFAULT_LINKS},  # no links from int, bool and so on
        **{name.split(".")[-1]: name for name in classes},
    }
    app.config.autosummary_context["fields"] = {
        name: [field.name for field in dataclasses.fields(cls)]
        for name, cls in classes.items()
        if dataclasses.is_dataclass(cls)
    }
    app.connect("autodoc-process-docstring", _add_parameters, priority=400)  # numpydoc: 500
    return {"parallel_read_safe": True}


def _public_classes():
    """Return all public classes by their full names, each of them once."""
    names = {}
    for module in map(importlib.import_module, MODULES):
        for name in module.__all__:
            if isinstance(value := getattr(module, name), type):
                names.setdefault(value, f"{module.__name__}.{name}")
    return {name: value for value, name in names.items()}


def _add_parameters(app, what, name, obj, options, lines):
    if what == "class" and dataclasses.is_dataclass(obj):
        lines += ["", "Parameters", "----------"]
        for field in dataclasses.fields(obj):
            lines.append(f"{field.name} : {_type_in_words(field)}")
            lines += [f"    {line}" for line in _text_below(obj, field.name)]


def _text_below(cls, name):
    for base in cls.__mro__:
        texts = ModuleAnalyzer.for_module(base.__module__).find_attr_docs()
        if (base.__qualname__, name) in texts:
            return texts[base.__qualname__, name]
    return []


def _type_in_words(field):
    words = str(field.type)
    for pattern, replacement in WORDS.items():
        words = re.sub(pattern, replacement, words)
    if field.default is not dataclasses.MISSING:
        return f"{words}, default={field.default!r}"
    if field.default_factory is not dataclasses.MISSING:
        return f"{words}, default={field.default_factory.__name__}()"
    return words
