"""A paper as a QTI 1.2 package: a zip of a manifest and an assessment, which Canvas imports.

Owns: the elements of QTI and of the package. Must not know: other formats, files, what the user is
told. Read before: ``portable.py``. Sources: IMS Question and Test Interoperability, ASI XML Binding
1.2; IMS Content Packaging 1.1.3. Where QTI leaves a choice, items are as text2qti and Canvas write
them: several lines to type stand side by side, and only what is right has a condition with a number
or a line, because Canvas takes every such condition for a right answer.
"""

from __future__ import annotations

import io
import xml.etree.ElementTree as ET
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from xml.etree.ElementTree import Element, SubElement

from . import markup, portable, units
from .paper import Asked, Paper

QTI = "http://www.imsglobal.org/xsd/ims_qtiasiv1p2"
PACKAGE = "http://www.imsglobal.org/xsd/imsccv1p1/imscp_v1p1"
RESPONSE = "response1"
FULL = "100"
EPOCH = (1980, 1, 1, 0, 0, 0)  # the same paper makes the same bytes


@dataclass
class Item:
    """What differs between kinds: how an item is shown, what is right, what is told.

    ``shown`` follows the text, ``conditions`` follow the one of the explanation. ``told`` has a
    text for each choice's id, ``wrong`` one for all that is wrong.
    """

    type: str
    ids: list[str]
    shown: list[Element]
    conditions: list[Element]
    told: dict[str, str] = field(default_factory=dict)
    wrong: str = ""


def write(paper: Paper) -> bytes:
    """The zip."""
    name = f"quiz_{paper.digest}"
    path = f"{name}/{name}.xml"
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        for member, root in (
            ("imsmanifest.xml", manifest(name, path)),
            (path, assessment(paper, name)),
        ):
            ET.indent(root)
            text = ET.tostring(root, encoding="utf-8", xml_declaration=True)
            packed.writestr(zipfile.ZipInfo(member, EPOCH), text, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def manifest(name: str, path: str) -> Element:
    """What is in the package."""
    root = Element("manifest", {"xmlns": PACKAGE, "identifier": f"{name}_manifest"})
    about = SubElement(root, "metadata")
    SubElement(about, "schema").text = "IMS Content"
    SubElement(about, "schemaversion").text = "1.1.3"
    SubElement(root, "organizations")
    resource = SubElement(
        SubElement(root, "resources"),
        "resource",
        {"identifier": name, "type": "imsqti_xmlv1p2", "href": path},
    )
    SubElement(resource, "file", {"href": path})
    return root


def assessment(paper: Paper, name: str) -> Element:
    """A paper: one section, an item for each question."""
    root = Element("questestinterop", {"xmlns": QTI})
    made = SubElement(root, "assessment", {"ident": name, "title": one_line(paper.plan.title)})
    add_metadata(made, {"cc_maxattempts": "1"})
    section = SubElement(made, "section", {"ident": "root_section"})
    section.extend(item(q) for q in paper.questions)
    return root


def one_line(text: str) -> str:
    """A text for an attribute."""
    return " ".join(markup.printable(text).split())


def add_metadata(parent: Element, values: dict[str, str]) -> None:
    """Names and values that QTI itself does not know."""
    made = SubElement(parent, "qtimetadata")
    for label, entry in values.items():
        row = SubElement(made, "qtimetadatafield")
        SubElement(row, "fieldlabel").text = label
        SubElement(row, "fieldentry").text = entry


def item(q: Asked) -> Element:
    """One question."""
    made = KINDS[q.kind](q)
    root = Element("item", {"ident": q.id, "title": q.id})
    add_metadata(
        SubElement(root, "itemmetadata"),
        {
            "question_type": made.type,
            "points_possible": "1",
            "original_answer_ids": ",".join(made.ids),
            "assessment_question_identifierref": f"{q.id}_ref",
        },
    )
    presentation = SubElement(root, "presentation")
    presentation.append(material(portable.question(q) + portable.code(q)))
    presentation.extend(made.shown)
    judged = SubElement(root, "resprocessing")
    score = {"maxvalue": FULL, "minvalue": "0", "varname": "SCORE", "vartype": "Decimal"}
    SubElement(SubElement(judged, "outcomes"), "decvar", score)
    judged.append(condition([Element("other")], tells="general_fb"))
    judged.extend(condition([equals(i)], tells=f"{i}_fb") for i in made.told)
    judged.extend(made.conditions)
    feedback = {"general_fb": markup.html(q.why)}
    if made.wrong:
        judged.append(condition([Element("other")], tells="general_incorrect_fb"))
        feedback["general_incorrect_fb"] = made.wrong
    feedback |= {f"{i}_fb": text for i, text in made.told.items()}
    for ident, text in feedback.items():
        flow = SubElement(SubElement(root, "itemfeedback", {"ident": ident}), "flow_mat")
        flow.append(material(text))
    return root


def material(html: str) -> Element:
    """A text."""
    made = Element("material")
    SubElement(made, "mattext", {"texttype": "text/html"}).text = html
    return made


def condition(
    when: Iterable[Element], *, tells: str = "", scores: str = "", action: str = "Set"
) -> Element:
    """What happens where all of ``when`` holds; after full marks nothing else is looked at."""
    made = Element("respcondition", {"continue": "No" if scores == FULL else "Yes"})
    SubElement(made, "conditionvar").extend(when)
    if scores:
        SubElement(made, "setvar", {"action": action, "varname": "SCORE"}).text = scores
    if tells:
        SubElement(made, "displayfeedback", {"feedbacktype": "Response", "linkrefid": tells})
    return made


def equals(value: str, *, of: str = RESPONSE, by: str = "varequal") -> Element:
    """A comparison of a response with a value."""
    made = Element(by, {"respident": of})
    made.text = value
    return made


def group(name: str, parts: Iterable[Element]) -> Element:
    """Comparisons joined by ``and``, ``or``, ``not``."""
    made = Element(name)
    made.extend(parts)
    return made


# Kinds


def one_of(q: Asked) -> Item:
    """One of several."""
    (right,) = q.answer
    return chosen(q, "multiple_choice_question", "Single", [equals(choice_id(q, right))])


def some_of(q: Asked) -> Item:
    """Several of several: all that are right, and no other."""
    parts = []
    for o in q.options:
        taken = equals(choice_id(q, o.letter))
        parts.append(taken if o.right else group("not", [taken]))
    return chosen(q, "multiple_answers_question", "Multiple", [group("and", parts)])


def choice_id(q: Asked, letter: str) -> str:
    """The id of a choice."""
    return f"{q.id}_{letter}"


def chosen(q: Asked, kind: str, cardinality: str, right: list[Element]) -> Item:
    """Choices and the reason of each."""
    texts = {choice_id(q, o.letter): paragraph(o.text) for o in q.options}
    told = {choice_id(q, o.letter): markup.html(o.why) for o in q.options if o.why}
    shown = choices(RESPONSE, cardinality, texts)
    return Item(kind, list(texts), [shown], [condition(right, scores=FULL)], told)


def paragraph(text: str) -> str:
    """A choice as HTML: QTI wants a block."""
    return f"<p>{markup.inline_html(text)}</p>"


def choices(ident: str, cardinality: str, texts: dict[str, str], prompt: str = "") -> Element:
    """A response that is chosen from texts, each with an id."""
    made = Element("response_lid", {"ident": ident, "rcardinality": cardinality})
    if prompt:
        made.append(material(prompt))
    shown = SubElement(made, "render_choice")
    for label, text in texts.items():
        SubElement(shown, "response_label", {"ident": label}).append(material(text))
    return made


def number(q: Asked) -> Item:
    """A number in a range; QTI compares numbers where it says greater or less."""
    n = portable.numbers(q)[0]
    low, high = (
        equals(units.decimal(end), by=by) for end, by in ((n.low, "vargte"), (n.high, "varlte"))
    )
    right = group("or", [equals(units.decimal(n.value)), group("and", [low, high])])
    return entered(q, "numerical_question", [right], {"fibtype": "Decimal"}, {})


def line(q: Asked) -> Item:
    """A line to type."""
    right = [equals(n.text) for n in portable.lines(q) if n.right]
    return entered(q, "short_answer_question", right, {}, {"rshuffle": "No"})


def entered(
    q: Asked, kind: str, right: list[Element], how: dict[str, str], label: dict[str, str]
) -> Item:
    """A response that is typed; the reasons of known mistakes are told together."""
    shown = Element("response_str", {"ident": RESPONSE, "rcardinality": "Single"})
    SubElement(SubElement(shown, "render_fib", how), "response_label", {"ident": "answer1"} | label)
    conditions = [condition(right, scores=FULL)]
    return Item(kind, [f"{q.id}_answer"], [shown], conditions, wrong=portable.reasons(q))


def order(q: Asked) -> Item:
    """Each item with its place, for a share of the mark: Canvas knows no order."""
    places = {f"{q.id}_place_{i}": paragraph(str(i)) for i in range(1, len(q.options) + 1)}
    share = f"{100 / len(q.options):.2f}"
    ids, shown, conditions = [], [], []
    for o in q.options:
        ident = f"response_{choice_id(q, o.letter)}"
        ids.append(ident)
        shown.append(choices(ident, "Single", places, paragraph(o.text)))
        place = f"{q.id}_place_{q.answer.index(o.letter) + 1}"
        conditions.append(condition([equals(place, of=ident)], scores=share, action="Add"))
    return Item("matching_question", ids, shown, conditions, wrong=portable.reasons(q))


KINDS: dict[str, Callable[[Asked], Item]] = {
    "choice": one_of,
    "choices": some_of,
    "number": number,
    "code": line,
    "order": order,
}
