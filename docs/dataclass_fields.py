"""Give dataclasses a section Parameters, from their fields and the text below each field."""

import dataclasses
import importlib
import re

from sphinx.pycode import ModuleAnalyzer

MODULES = [
    "skdistsearch",
    "skdistsearch.backends",
    "skdistsearch.checkpoints",
    "skdistsearch.early_stopping",
    "skdistsearch.report",
    "skdistsearch.testing",
]


def fields_by_class():
    """Return the names of the fields of each public dataclass, for ``:exclude-members:``."""
    modules = [importlib.import_module(name) for name in MODULES]
    public = {f"{m.__name__}.{name}": getattr(m, name) for m in modules for name in m.__all__}
    return {
        fullname: [field.name for field in dataclasses.fields(cls)]
        for fullname, cls in public.items()
        if dataclasses.is_dataclass(cls)
    }


def setup(app):
    """Register the extension."""
    app.setup_extension("sphinx.ext.autosummary")
    app.config.autosummary_context["fields"] = fields_by_class()
    app.connect("autodoc-process-docstring", _add_parameters, priority=400)  # numpydoc: 500
    return {"parallel_read_safe": True}


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
    words = re.sub(r"Literal\[(.*?)\]", r"{\1}", str(field.type)).replace(" | ", " or ")
    if field.default is not dataclasses.MISSING:
        return f"{words}, default={field.default!r}"
    if field.default_factory is not dataclasses.MISSING:
        return f"{words}, default={field.default_factory.__name__}()"
    return words
