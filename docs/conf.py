"""Sphinx configuration of the documentation."""

import os
import sys
import tempfile
import warnings

import skdistsearch

sys.path.insert(0, os.path.dirname(__file__))  # api_pages, gallery
os.environ["METAFLOW_USER"] = "reader"
os.environ["METAFLOW_DATASTORE_SYSROOT_LOCAL"] = tempfile.mkdtemp()  # of the gallery's runs
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
warnings.filterwarnings("ignore", "FigureCanvasAgg is non-interactive")

project = "skdistsearch"
author = "The skdistsearch developers"
copyright = f"2026, {author} (BSD-3-Clause)"
version = release = skdistsearch.__version__

extensions = [
    "api_pages",
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "_inventories", "_templates", "auto_examples/**/*.ipynb"]
templates_path = ["_templates"]
nitpicky = False
default_role = "py:obj"

# Markdown
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

# API reference
autosummary_generate = True
autodoc_typehints = "none"  # numpydoc's sections have them in words
autodoc_member_order = "bysource"
maximum_signature_line_length = 70  # longer signatures get one parameter per line
numpydoc_show_class_members = False
numpydoc_xref_param_type = True  # links types of parameters
numpydoc_xref_ignore = "all"  # but for the classes that api_pages finds
toc_object_entries_show_parents = "hide"

# Links to other projects. Where their site cannot be reached, the copy in this repository is read.
intersphinx_timeout = 5
intersphinx_mapping = {
    "python": ("https://docs.python.org/3", (None, "_inventories/python.inv")),
    "sklearn": ("https://scikit-learn.org/stable", (None, "_inventories/sklearn.inv")),
    "pandas": ("https://pandas.pydata.org/docs", (None, "_inventories/pandas.inv")),
    "metaflow": ("https://docs.metaflow.org", "_inventories/metaflow.inv"),
}

# Gallery
sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "backreferences_dir": "api/examples",
    "doc_module": ("skdistsearch",),
    "reference_url": {"skdistsearch": None},
    "filename_pattern": "/",
    "ignore_pattern": (
        r"(custom_backend|mock_data|overnight|(own|production|tournament)_flow|plots"
        r"|tournament_parts)\.py"
    ),
    "within_subsection_order": "gallery.GalleryOrder",
    "reset_argv": "gallery.reset_argv",
    "capture_repr": ("_repr_html_",),  # tables
    "abort_on_example_error": True,
    "show_memory": False,
    "download_all_examples": False,
    "remove_config_comments": True,
}

# Pages
html_theme = "pydata_sphinx_theme"
html_title = "skdistsearch"
html_static_path = ["_static"]
html_logo = html_favicon = "_static/logo.svg"
html_css_files = ["skdistsearch.css"]
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {
    "logo": {"text": "skdistsearch"},
    "show_prev_next": True,
    "navigation_with_keys": False,
    "header_links_before_dropdown": 6,
    "footer_start": ["copyright"],
    "footer_end": ["theme-version"],
    "secondary_sidebar_items": ["page-toc"],
    "pygments_light_style": "tango",
    "pygments_dark_style": "monokai",
}
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
