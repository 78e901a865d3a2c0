"""Names in docstrings and documents link to their pages: `SpikeFile` in a docstring, ``sd.loader(...)`` in a document.

What is no public name stays code. A link that was made is held to: the build fails if its page has no such name.
"""

import re
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.parsers.rst.states import Inliner
from public_names import page_of
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform


def name_role(
    name: str, rawtext: str, text: str, lineno: int, inliner: Inliner, options: object = None, content: object = None
) -> tuple[list[nodes.Node], list[nodes.system_message]]:
    """Single backticks in a docstring: a link if it is a public name, else code."""
    text = nodes.unescape(text)
    env = inliner.document.settings.env
    module = env.ref_context.get("py:module", "")
    target = page_of(text, module)
    literal = nodes.literal(rawtext, text, classes=["py"])
    return [linked(literal, target, env.docname) if target else literal], []


def linked(literal: nodes.literal, target: str, docname: str) -> addnodes.pending_xref:
    """Code as a link to the page of a public name."""
    return addnodes.pending_xref(
        "", literal, refdomain="py", reftype="obj", reftarget=target, refdoc=docname, refwarn=True, refexplicit=True
    )


class LinkCode(SphinxTransform):
    """Links from the code in documents, where it says in full which name it is."""

    default_priority = 400

    def apply(self, **options: object) -> None:
        """Replace what is no link yet."""
        if Path(self.env.doc2path(self.env.docname)).suffix not in (".md", ".ipynb"):
            return
        for literal in list(self.document.findall(nodes.literal)):
            text = literal.astext()
            if not text.startswith(("sd.", "spikedata.", "cochlea.")) or isinstance(literal.parent, nodes.reference):
                continue
            if any(isinstance(above, nodes.title | nodes.reference) for above in _above(literal)):
                continue
            target = page_of(text)
            if target:
                literal.replace_self(linked(literal.deepcopy(), target, self.env.docname))


def _above(node: nodes.Node):
    while node.parent is not None:
        node = node.parent
        yield node


def without_mail(app: Sphinx, doctree: nodes.document) -> None:
    """Text for what looks like an address and is none: ``samples@16000`` is a unit of time."""
    for reference in list(doctree.findall(nodes.reference)):
        if reference.get("refuri", "").startswith("mailto:"):
            reference.replace_self(nodes.Text(reference.astext()))


def without_ways_back(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: object) -> None:
    """Take the links to the reference off the pages of source code.

    Sphinx keeps one prefix for all names of a file, so they lead nowhere where some are public in one room and some in
    another.
    """
    if page.startswith("_modules/") and "body" in context:
        context["body"] = re.sub(r'<a class="viewcode-back".*?</a>', "", context["body"])


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the role of single backticks in docstrings, and the transform."""
    app.add_role("name", name_role)
    app.add_transform(LinkCode)
    app.connect("doctree-read", without_mail)
    app.connect("html-page-context", without_ways_back)
    app.connect("builder-inited", lambda app: setattr(app.config, "default_role", "name"))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
