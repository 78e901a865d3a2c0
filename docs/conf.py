"""Configuration of the site: `make docs` builds it, offline and with warnings as errors."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "extensions"), str(HERE.parent)]

from numpydoc.xref import DEFAULT_LINKS  # noqa: E402
from public_names import SHORT_NAMES  # noqa: E402

from spikedata import __version__  # noqa: E402

project = "spikedata"
author = "The spikedata developers"
project_copyright = "the spikedata developers"
release = version = __version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.viewcode",
    "numpydoc",
    "myst_nb",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
    "links_of_code",
    "mathml",
    "reference_pages",
]
exclude_patterns = ["_build", "extensions", "gallery/*.ipynb"]
nitpicky = True
# the numbers of lines in the source of generated pages would change with every name; a space in the path of the clone
# is in no link of the site
suppress_warnings = ["config.cache", "sphinx_gallery.space_in_filename"]

# docstrings: types come from the sections, as people wrote them, not from the annotations
autodoc_typehints = "none"
autodoc_preserve_defaults = True
autodoc_default_options = {"member-order": "bysource"}
numpydoc_show_class_members = False
numpydoc_xref_param_type = True
# the types of Python and NumPy stay words: their pages are on foreign hosts, which no build needs
numpydoc_xref_aliases = {name: name for name in DEFAULT_LINKS} | SHORT_NAMES
numpydoc_xref_ignore = "all"
# what a public docstring must have: the build fails where one has not
numpydoc_validation_checks = {
    "GL03", "GL05", "GL06", "GL07", "GL08", "GL10", "SS01", "SS02", "SS04", "PR01", "PR02", "PR05", "PR10",
}  # fmt: skip
# methods that are called alike in many classes are described once; eSpeak NG is written so
numpydoc_validation_exclude = {
    r"transforms\.\w+\.transform_events$", r"(Convolution|Sequence)Network\.forward$", r"CountClassifier\.forward$",
    r"EventTransform$", r"recognition\.Source$", r"TimeFirstBatch$", r"EngineError$",
}  # fmt: skip

myst_enable_extensions = ["attrs_inline", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
# notebooks are stored without outputs and run in every build, so what the site shows is what this version does
nb_execution_mode = "force"
nb_execution_timeout = 600  # for a cell, on a busy machine
nb_execution_raise_on_error = True
nb_ipywidgets_js = {}  # they would come from a foreign host

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "gallery",
    "filename_pattern": r"\.py$",
    "ignore_pattern": r"__init__\.py",
    "within_subsection_order": "gallery_look.Order",
    "reset_modules": ("matplotlib", "gallery_look.set_look"),
    "capture_repr": ("_repr_html_",),  # what a call returns is not shown unless the example prints it
    "download_all_examples": False,
    "show_signature": False,
    "show_memory": False,
    "write_computation_times": False,  # that page loads scripts from foreign hosts
    "abort_on_example_error": True,
    "remove_config_comments": True,
}

html_theme = "pydata_sphinx_theme"
html_title = "spikedata"
html_static_path = ["_static"]
html_css_files = ["spikedata.css"]
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "logo": {"text": "spikedata"},
    "navbar_align": "left",
    "navbar_end": ["theme-switcher"],
    "secondary_sidebar_items": ["page-toc"],
    "show_nav_level": 1,
    "show_prev_next": False,
    "footer_start": ["copyright"],
    "footer_end": [],
}
html_sidebars = {"index": [], "cite": []}
