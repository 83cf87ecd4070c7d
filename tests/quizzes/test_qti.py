"""The QTI 1.2 package: IMS's rules, text2qti's shapes, and who gets full marks."""

from __future__ import annotations

import io
import re
import xml.etree.ElementTree as ET
import zipfile
from fractions import Fraction

import pytest
from hypothesis import HealthCheck, given, settings
from text2qti.config import Config
from text2qti.qti import QTI as Text2Qti  # noqa: N811
from text2qti.quiz import Quiz

from quizzes import markup, qti
from quizzes.marking import judge

from .conftest import hard_texts, hardened, reply_of, visible, whole_bank

# What IMS's DTD (ASI XML Binding 1.2) lets an element of ours hold, in this order, and which
# attributes it must have.
CONTENT = {
    "questestinterop": "assessment",
    "assessment": "(qtimetadata )?section",
    "qtimetadata": "(qtimetadatafield ?)+",
    "qtimetadatafield": "fieldlabel fieldentry",
    "section": "(item ?)+",
    "item": "itemmetadata presentation resprocessing( itemfeedback)*",
    "itemmetadata": "qtimetadata",
    "presentation": "material( response_lid| response_str)+",
    "response_lid": "(material )?render_choice",
    "response_str": "(material )?render_fib",
    "render_choice": "(response_label ?)+",
    "render_fib": "(response_label ?)+",
    "response_label": "(material)?",
    "material": "mattext",
    "resprocessing": "outcomes( respcondition)+",
    "outcomes": "decvar",
    "respcondition": "conditionvar( setvar)*( displayfeedback)*",
    "conditionvar": "((not|and|or|other|varequal|vargte|varlte) ?)+",
    "and": "((not|and|or|varequal|vargte|varlte) ?)+",
    "or": "((not|and|or|varequal|vargte|varlte) ?)+",
    "not": "(and|or|varequal|vargte|varlte)",
    "itemfeedback": "flow_mat",
    "flow_mat": "material",
}
TEXTS = {"mattext", "fieldlabel", "fieldentry", "varequal", "vargte", "varlte", "setvar"}
EMPTY = {"decvar", "other", "displayfeedback"}
REQUIRED = {
    "assessment": {"ident"},
    "section": {"ident"},
    "item": {"ident"},
    "response_lid": {"ident"},
    "response_str": {"ident"},
    "response_label": {"ident"},
    "itemfeedback": {"ident"},
    "varequal": {"respident"},
    "vargte": {"respident"},
    "varlte": {"respident"},
    "displayfeedback": {"linkrefid"},
}


def opened(package):
    """The manifest and the assessment, the latter without its namespace."""
    with zipfile.ZipFile(io.BytesIO(package)) as packed:
        manifest = ET.fromstring(packed.read("imsmanifest.xml"))
        (path,) = (f.get("href") for f in manifest.iter(f"{{{qti.PACKAGE}}}file"))
        root = ET.fromstring(packed.read(path))
    assert {e.tag.split("}")[0][1:] for e in root.iter()} == {qti.QTI}
    for e in root.iter():
        e.tag = e.tag.split("}")[1]
    return root


def breaches(root):
    """Where an assessment is not as IMS's DTD wants it."""
    found = []
    for e in root.iter():
        inside = " ".join(child.tag for child in e)
        if e.tag in CONTENT and not re.fullmatch(CONTENT[e.tag], inside.strip()):
            found.append(f"{e.tag} holds {inside}")
        if e.tag not in CONTENT and (len(e) or e.tag not in TEXTS | EMPTY):
            found.append(f"{e.tag} is unknown or holds {inside}")
        if not REQUIRED.get(e.tag, set()) <= set(e.attrib):
            found.append(f"{e.tag} has {sorted(e.attrib)}")
    names = [e.get("ident") for e in root.iter("item")]
    if len(set(names)) < len(names):
        found.append("two items have one name")
    for item in root.iter("item"):
        links = {e.get("linkrefid") for e in item.iter("displayfeedback")}
        if links != {e.get("ident") for e in item.iter("itemfeedback")}:
            found.append(f"{item.get('ident')}: {links}")
    return found


def holds(condition, given):
    """Does a comparison hold for what was given? ``given`` has a list for each response."""
    values = given.get(condition.get("respident"), [])
    parts = [holds(c, given) for c in condition]
    if condition.tag in ("conditionvar", "and"):
        return all(parts)
    if condition.tag == "or":
        return any(parts)
    if condition.tag == "not":
        return not parts[0]
    if condition.tag == "varequal":
        return condition.text in values
    if condition.tag == "other":
        return True
    wanted, got = Fraction(condition.text), Fraction(values[0])
    return got >= wanted if condition.tag == "vargte" else got <= wanted


def score(item, given):
    """SCORE after IMS's response processing. Equals beside each other are one or the other, as
    Canvas reads them (IMS wants all, which no single line can be)."""
    total = Fraction(0)
    for rule in item.iter("respcondition"):
        when, sets = rule.find("conditionvar"), rule.find("setvar")
        lines = len(when) > 1 and {c.tag for c in when} == {"varequal"}
        if any(holds(c, given) for c in when) if lines else holds(when, given):
            if sets is not None:
                total = Fraction(sets.text) + (total if sets.get("action") == "Add" else 0)
            if rule.get("continue") == "No":
                break
    return total


def responses(q, reply):
    """A reply to a paper as what a student enters there."""
    if q.kind in ("number", "code"):
        return {qti.RESPONSE: [reply]}
    if q.kind != "order":
        return {qti.RESPONSE: [qti.choice_id(q, letter) for letter in reply.split(",") if letter]}
    places = {f"response_{qti.choice_id(q, a)}": i for i, a in enumerate(reply, 1)}
    return {name: [f"{q.id}_place_{i}"] for name, i in places.items()}


def tries(q):
    """Replies to a question, among them the right one."""
    letters = [o.letter for o in q.options]
    if q.kind == "number":
        exact = q.answer if q.answer.denominator == 1 else float(q.answer)
        return [str(exact), *(str(float(m.value)) for m in q.mistakes)]
    if q.kind == "code":
        return [q.answer, q.answer.replace(" ", ""), *(m.text for m in q.mistakes)]
    if q.kind == "order":
        return [reply_of(q, list(q.answer)), reply_of(q, letters), reply_of(q, letters[::-1])]
    alone = letters if q.kind == "choice" else [*letters, reply_of(q, letters)]
    return [reply_of(q, list(q.answer)), *alone]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_full_marks_go_to_what_our_marking_calls_right_and_to_nothing_else(seed):
    paper = whole_bank(seed)
    items = list(opened(qti.write(paper)).iter("item"))
    for q, item in zip(paper.questions, items, strict=True):
        assert item.get("ident") == q.id
        assert judge(q, tries(q)[0]).right
        for reply in tries(q):
            # shares of an order are written with two digits
            full = score(item, responses(q, reply)) > 99.9
            assert full is judge(q, reply).right, (q.id, reply)


def test_a_package_keeps_the_rules_of_ims(every):
    assert breaches(opened(qti.write(every))) == []
    assert breaches(opened(qti.write(whole_bank()))) == []


def test_the_rules_find_what_is_wrong(every):
    root = opened(qti.write(every))
    item = next(root.iter("item"))
    item.remove(item.find("presentation"))
    item.find("itemfeedback").set("ident", "other")
    assert len(breaches(root)) == 2


def as_text2qti(q):
    """A question in text2qti's notation, with the feedback ours has."""
    lines = ["Title: x", f"1. {q.id}", "... why"]
    if q.kind == "number":
        return "\n".join([*lines, "- reasons", f"= {q.answer} +- 0"])
    if q.kind == "code":
        return "\n".join([*lines, "- reasons", f"* {q.answer}", f"* {q.answer.replace(' ', '')}"])
    signs = {"choice": ("*{}) ", "{}) "), "choices": ("[*] ", "[ ] ")}[q.kind]
    for o in q.options:
        lines.append(signs[not o.right].format(o.letter) + o.letter)
        lines += [f"... {o.letter}"] if o.why else []
    return "\n".join(lines)


def skeleton(e):
    """Elements and attributes; names and texts, which differ, left out."""
    named = {"ident", "title", "linkrefid", "respident"}
    kept = {k: v for k, v in e.attrib.items() if k not in named}
    told = e.tag in ("fieldlabel", "setvar") or (e.text or "").endswith("_question")
    text = e.text if told else ""
    return (e.tag, kept, text, [skeleton(c) for c in e])


@pytest.mark.parametrize("kind", ["number", "choice", "choices", "code"])
def test_an_item_has_the_shape_that_text2qti_gives_it(every, kind):
    (q,) = (q for q in every.questions if q.kind == kind)
    quiz = Quiz(f"Quiz title: x\n\n{as_text2qti(q)}\n", config=Config())
    theirs = ET.fromstring(Text2Qti(quiz).assessment)
    for e in theirs.iter():
        e.tag = e.tag.split("}")[1]
    ours = {i.get("ident"): i for i in opened(qti.write(every)).iter("item")}
    assert skeleton(ours[q.id]) == skeleton(next(theirs.iter("item")))


def test_each_wrong_choice_and_known_mistake_brings_its_reason(every):
    items = opened(qti.write(every)).iter("item")
    for q, item in zip(every.questions, items, strict=True):
        told = {f.get("ident"): visible("".join(f.itertext())) for f in item.iter("itemfeedback")}
        assert told["general_fb"] == visible(markup.html(q.why))
        for o in q.options if q.kind != "order" else ():
            assert told.get(f"{qti.choice_id(q, o.letter)}_fb", "") == o.why
        for m in q.mistakes:
            assert m.why in told["general_incorrect_fb"]


@given(text=hard_texts(), why=hard_texts())
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_text_of_a_question_becomes_xml(every, text, why):
    paper = hardened(every, text, why)
    root = opened(qti.write(paper))
    assert breaches(root) == []
    for q, item in zip(paper.questions, root.iter("item"), strict=True):
        shown = [lbl.findtext("material/mattext") for lbl in item.iter("response_label")]
        if q.kind in ("choice", "choices"):
            assert shown == [f"<p>{markup.inline_html(o.text)}</p>" for o in q.options]


def test_the_same_paper_is_the_same_bytes(every):
    assert qti.write(every) == qti.write(every)
