"""What a lesson's text may write beside Markdown: code by name, boxes, what is unfolded.

    :::{code-of} minengine.ops.rms_norm          the text of a symbol of ours, from its file
    :part: for t in .. weight[d]                 only from one line to another, by what they contain
    :caption: The norm                           what stands above it in place of the name
    :::

    :::{predict}          a question to think about before the cell below is read
    :::{pitfall}          what goes wrong; the cell below shows it
    :::{self-check}       a question, a line of ---, and the answer, shown on demand
    :::{on-demand} What   text that the reader unfolds
    :::{listing} python   a whole file with numbered lines
    :::{embed} 2.1.html   a file of HTML that stands beside the page's source

Owns: docutils nodes and these directives. A symbol that is gone fails the build; one that the
syllabus keeps closed is left out of the students' build. Must not know: which pages there are.
Read before: symbols.py, closed.py.
"""

from __future__ import annotations

import html
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from course.site.closed import closed_by, left_out
from course.site.reference import imported
from course.site.symbols import ROOT, SymbolError, find, part_of

Nodes = list[nodes.Node]
STRAIGHT = str.maketrans("\u2018\u2019\u201c\u201d", "''\"\"")


class CodeOf(SphinxDirective):
    """The text of a function, class, method or table, named as Python would name it."""

    required_arguments = 1
    final_argument_whitespace = False
    has_content = False
    option_spec: ClassVar[dict[str, Any]] = {
        "part": directives.unchanged_required,
        "caption": directives.unchanged_required,
    }

    def run(self) -> Nodes:
        name = self.arguments[0]
        try:
            symbol = find(name)
            text, first, last = part_of(symbol, self.options.get("part", ""))
        except SymbolError as error:
            raise self.error(str(error)) from None
        self.env.note_dependency(str(ROOT / symbol.path))
        box = nodes.container(classes=["code-of"])
        if self.config.course_student and (titles := closed_by(self.config.course_syllabus, name)):
            return [closed_note(box, name, titles)]
        head = nodes.paragraph(classes=["code-of-name"])
        if caption := self.options.get("caption"):
            head += nodes.inline(caption, caption, classes=["caption"])
        head += reference_to(name)
        where = f"{symbol.path.as_posix()}, lines {first} to {last}"
        head += nodes.inline(where, where, classes=["where"])
        code = nodes.literal_block(text, text, language=symbol.language)
        box += [head, code]
        return [box]


def reference_to(name: str) -> nodes.Node:
    """The name, as a link to the API page where that has it."""
    target = pending_xref(
        "", refdomain="py", reftype="obj", reftarget=name, refexplicit=True, refwarn=False
    )
    target += nodes.literal(name, name)
    return target


def closed_note(box: nodes.container, name: str, titles: list[str]) -> nodes.container:
    """What students see in place of closed code: why, and when it appears."""
    line = nodes.paragraph(classes=["code-of-closed"])
    line += [nodes.literal(name, name), nodes.Text(left_out(titles))]
    box += line
    return box


class Box(SphinxDirective):
    """A titled box; `title` and `kind` are the subclass's."""

    has_content = True
    optional_arguments = 1
    final_argument_whitespace = True
    title = ""
    kind = ""

    def run(self) -> Nodes:
        self.assert_has_content()
        title = self.title + (f": {self.arguments[0]}" if self.arguments else "")
        box = nodes.admonition(classes=["box", self.kind])
        box += nodes.title(title, title)
        box += self.parse_content_to_nodes()
        return [box]


class Predict(Box):
    """A question whose answer is the output of the cell that follows."""

    title, kind = "Predict, then run", "predict"


class Pitfall(Box):
    """A mistake that people make; the cell that follows shows what it does."""

    title, kind = "Pitfall", "pitfall"


class SelfCheck(SphinxDirective):
    """A question, a line of three or more dashes, its answer."""

    has_content = True

    def run(self) -> Nodes:
        self.assert_has_content()
        lines = list(self.content)
        cut = next((i for i, t in enumerate(lines) if set(t.strip()) == {"-"} and len(t) > 2), None)
        if cut is None or not "".join(lines[cut + 1 :]).strip():
            raise self.error("self-check: want a question, a line of ---, and an answer")
        box = nodes.admonition(classes=["box", "self-check"])
        box += nodes.title("", "Self-check")
        for piece, offset in ((self.content[:cut], 0), (self.content[cut + 1 :], cut + 1)):
            inside = nodes.container()
            self.state.nested_parse(piece, self.content_offset + offset, inside)
            box += on_demand("Answer", inside.children) if offset else inside.children
        return [box]


class OnDemand(SphinxDirective):
    """Text that a reader unfolds; its argument is the line that stands above."""

    required_arguments = 1
    final_argument_whitespace = True
    has_content = True

    def run(self) -> Nodes:
        return on_demand(self.arguments[0], self.parse_content_to_nodes())


def on_demand(summary: str, inside: Nodes) -> Nodes:
    """Nodes that show without JavaScript when the reader asks for them."""
    head = f"<details><summary>{html.escape(summary)}</summary>"
    return [raw(head), *inside, raw("</details>")]


def raw(text: str) -> nodes.raw:
    """HTML of ours between parsed text."""
    return nodes.raw("", text, format="html")


class Listing(SphinxDirective):
    """A whole file: numbered lines, each of which can be linked to as #L-N."""

    required_arguments = 1
    has_content = True

    def run(self) -> Nodes:
        text = "\n".join(self.content)
        code = nodes.literal_block(text, text, language=self.arguments[0], linenos=True)
        code["highlight_args"] = {"lineanchors": "L"}
        return [code]


class Embed(SphinxDirective):
    """A file of HTML that the build wrote beside the page: `embed` quizzes and other forms."""

    required_arguments = 1

    def run(self) -> Nodes:
        _, path = self.env.relfn2path(self.arguments[0])
        self.env.note_dependency(path)
        with open(path, encoding="utf-8") as file:
            return [raw(file.read())]


def on_read(app: Sphinx, doctree: nodes.document) -> None:
    """Let a type in a signature lead to what its module imported under that name, and never to
    another class that is named alike.
    """
    for node in doctree.findall(pending_xref):
        module = node.get("py:module")
        if node.get("refdomain") == "py" and "refspecific" in node and module:
            del node["refspecific"]
            names = imported(module)
            node["reftarget"] = names.get(node["reftarget"], node["reftarget"])


def on_values(app: Sphinx, doctree: nodes.document) -> None:
    """Give computed texts the quotes back that typography has bent."""
    for node in doctree.findall(nodes.inline):
        if "pasted-text" in node["classes"]:
            for text in list(node.findall(nodes.Text)):
                node.replace(text, nodes.Text(text.translate(STRAIGHT)))


def on_page(app: Sphinx, page: str, template: str, context: dict[str, Any], _: Any) -> None:
    """Say on every page of the students' build whose it is."""
    context["course_student"] = app.config.course_student
    if page.startswith("quizzes/"):  # scripts and styles of this page alone
        app.add_js_file("quiz.js")
        app.add_css_file("quiz.css")


def setup(app: Sphinx) -> dict[str, Any]:
    """Sphinx calls this."""
    app.add_config_value("course_student", False, "env")
    app.add_config_value("course_syllabus", {}, "env")
    for name, directive in DIRECTIVES.items():
        app.add_directive(name, directive)
    app.connect("doctree-read", on_read)
    app.connect("doctree-read", on_values)
    app.connect("html-page-context", on_page)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


DIRECTIVES: dict[str, type[SphinxDirective]] = {
    "code-of": CodeOf,
    "predict": Predict,
    "pitfall": Pitfall,
    "self-check": SelfCheck,
    "on-demand": OnDemand,
    "listing": Listing,
    "embed": Embed,
}
