"""The one style of charts."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from course.charts import BLUE, blank, chart, finish


def drawing(alt="A line that rises from 0 to 2."):
    figure, axes = chart(3, 2)
    axes.plot([0, 1, 2], color=BLUE)
    axes.set_title("a < b & c")
    return finish(figure, alt=alt)


def test_the_same_data_give_the_same_svg_and_two_drawings_share_no_id():
    one, again, other = drawing(), drawing(), drawing("Another line, the same numbers.")
    assert one.svg == again.svg
    ids = [{e.get("id") for e in ET.fromstring(d.svg).iter()} - {None} for d in (one, other)]
    assert ids[0]
    assert not ids[0] & ids[1]


def test_a_drawing_says_in_words_what_is_to_be_seen(tmp_path):
    made = drawing('Rises "steeply" <fast>.')
    assert 'aria-label="Rises &quot;steeply&quot; &lt;fast&gt;."' in made._repr_html_()
    assert made.save(tmp_path / "new" / "a.svg").read_text(encoding="utf-8") == made.svg
    with pytest.raises(ValueError, match="alt is empty"):
        drawing("  ")


def test_several_axes_and_hidden_ones():
    axes = chart(4, 2, columns=2, width_ratios=[2, 1], sharey=True)[1]
    assert axes.shape == (2,)
    axes = blank()[1]
    assert not axes.axison
    assert axes.get_aspect() == 1
