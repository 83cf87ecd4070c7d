"""The draw: seeded, the same everywhere, another one for another student."""

from __future__ import annotations

from collections import Counter

import pytest

from quizzes.errors import DrawError
from quizzes.paper import ATTEMPTS, Stream, ask, draw, key, output
from quizzes.schema import Plan, load_banks, load_papers

from .conftest import SMALL, small_bank


def drawn(bank, plan, student="ada", seed="1"):
    return draw("9.1", student, seed, banks={"9.1": bank}, plans={"9.1": plan})


def test_a_draw_is_the_same_on_every_machine(bank, plan):
    """Values from the first machine that drew them; SHA-256 alone decides."""
    assert key("1", "2.1", "ada").hex()[:16] == "f4a4fbe6743c6047"
    stream = Stream(b"a key")
    assert [stream.below(1000) for _ in range(8)] == [894, 999, 132, 524, 637, 146, 130, 204]
    assert Stream(b"a key").shuffled(range(10)) == [6, 0, 7, 8, 1, 3, 5, 9, 2, 4]
    assert drawn(bank, plan).digest == "b10cbeb4f4b2"
    assert drawn(bank, plan, seed=1).digest == drawn(bank, plan, seed="1").digest


def test_every_student_and_seed_has_another_paper(bank, plan):
    digests = {drawn(bank, plan, f"student {n}").digest for n in range(50)}
    assert len(digests) > 45  # the small bank has few parameters, so a rare repetition is fair
    assert drawn(bank, plan, seed="1").digest != drawn(bank, plan, seed="2").digest


def test_students_of_the_packaged_quiz_get_other_questions_numbers_and_orders():
    papers = [draw("2.1", f"student {n}", "1") for n in range(30)]
    assert len({p.digest for p in papers}) == 30
    assert len({frozenset(q.id for q in p.questions) for p in papers}) > 20
    texts = [q.text for p in papers for q in p.questions if q.id == "causal-pairs"]
    assert len(texts) > 10
    assert len(set(texts)) > len(texts) / 2
    for paper in papers:
        assert len(paper.questions) == 10
        assert len({q.id for q in paper.questions}) == 10
        assert max(Counter(q.topic for q in paper.questions).values()) == 1


def test_every_question_of_the_bank_is_drawn_for_somebody():
    seen = {q.id for n in range(60) for q in draw("2.1", f"s{n}", "1").questions}
    assert seen == {q.id for q in load_banks()["2.1"].questions}


def test_a_secret_draws_another_paper_than_any_public_seed(bank, plan):
    secret = drawn(bank, plan, seed=b"0123456789abcdef")
    assert secret.seed == "(secret)"
    assert secret.digest != drawn(bank, plan, seed="(secret)").digest
    assert key(b"1", "a") != key("1", "a")
    assert key("1", "ab", "c") != key("1", "a", "bc")


def test_a_new_question_in_the_bank_leaves_the_others_as_they_are(bank, plan, tmp_path):
    more = SMALL + SMALL[SMALL.index("  - id: steps") : SMALL.index("  - id: printed")].replace(
        "id: steps", "id: more-steps"
    )
    folder = tmp_path / "more"
    folder.mkdir()
    larger = small_bank(folder, more)
    before = {q.id: q for q in drawn(bank, plan).questions}
    everything = Plan("9.1", "Small", 6, 0.8, True)
    after = {q.id: q for q in drawn(larger, everything).questions}
    assert all(after[name] == q for name, q in before.items())


def test_the_stream_is_uniform_for_sizes_that_do_not_divide_its_range():
    stream = Stream(b"uniform")
    counts = Counter(stream.below(6) for _ in range(6000))
    # chi-square with 5 degrees of freedom exceeds 20.5 once in a thousand; the stream is fixed
    assert sum((n - 1000) ** 2 / 1000 for n in counts.values()) < 20.5


def test_the_uneven_tail_of_the_range_is_drawn_again():
    """Taken modulo n, the lowest third would come up every second time."""
    stream, n = Stream(b"tail"), 3 * 2**62
    low = sum(stream.below(n) < 2**62 for _ in range(3000))
    assert abs(low - 1000) < 5 * (3000 * 2 / 9) ** 0.5


def test_right_and_wrong_choices_stand_in_every_place(bank):
    q = bank.questions[1]
    places = Counter(ask(q, key(n, "place")).answer[0] for n in range(300))
    assert set(places) == {"a", "b", "c"}
    assert min(places.values()) > 70


def test_an_order_question_never_shows_the_right_order(bank):
    q = bank.questions[3]
    for n in range(60):
        asked = ask(q, key(n, "order"))
        assert "".join(asked.answer) != "abc"
        assert [next(o.text for o in asked.options if o.letter == x) for x in asked.answer] == [
            "one",
            "two",
            "three",
        ]


def test_parameters_without_a_clear_answer_are_drawn_again(bank):
    q = bank.questions[0]
    for n in range(200):
        asked = ask(q, key(n, "clear"))
        assert asked.mistakes[0].value != asked.answer
    assert any(ask(q, key(n, "clear")).attempts > 1 for n in range(50))


def test_a_question_that_is_never_clear_is_an_error_with_its_place(tmp_path):
    text = SMALL.replace("h % G * 4", "h")
    with pytest.raises(DrawError, match=rf"9\.1\.yaml:3: question heads: {ATTEMPTS} draws"):
        ask(small_bank(tmp_path, text).questions[0], key(1))


def test_a_call_that_fails_is_an_error_with_its_place(tmp_path):
    text = SMALL.replace("h % G * 4", "h / 0")
    with pytest.raises(DrawError, match=r"9\.1\.yaml:3: question heads: ZeroDivisionError"):
        ask(small_bank(tmp_path, text).questions[0], key(1))


def test_code_that_prints_no_line_or_two_is_an_error():
    for code in ("pass", "print(1)\nprint(2)"):
        with pytest.raises(ValueError, match="want one"):
            output(code)
    assert output("print(1, 2)") == "1 2"


def test_texts_are_filled_and_braces_of_code_stay(tmp_path):
    text = SMALL.replace("print(np", "d = {{'k': {1, 2}}}; print(np").replace(
        "Order these.", "Order {{these}}."
    )
    bank = small_bank(tmp_path, text)
    printed = ask(bank.questions[4], key(1))
    assert "d = {'k': {1, 2}}" in printed.code
    assert "{T}" not in printed.code
    assert ask(bank.questions[3], key(1)).text == "Order {these}."


def test_the_pass_mark_is_rounded_up_without_rounding_errors(bank):
    for pass_mark, n_needed in ((0.8, 4), (0.81, 5), (0.6, 3), (0.2, 1), (1, 5), (0, 0)):
        assert drawn(bank, Plan("9.1", "Small", 5, pass_mark, True)).n_needed == n_needed
    assert load_papers()["2.1"].pass_mark == 0.8


def test_an_unknown_quiz_and_a_bank_too_small_are_errors(bank, plan):
    with pytest.raises(DrawError, match=r"there is no quiz '7\.7'; there is 2\.1"):
        draw("7.7", "ada", 1)
    with pytest.raises(DrawError, match="5 questions, want 6"):
        drawn(bank, Plan("9.1", "Small", 6, 0.8, True))
