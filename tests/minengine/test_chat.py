"""Chat templates: word for word llama.cpp's, markers that no message can forge, hostile files."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minengine import gguf, render
from minengine.bpe import ALPHABET
from minengine.chat import ChatTemplate, Renderer
from minengine.engine import packaged_model
from minengine.errors import RequestError
from minengine.families import FAMILIES
from minengine.tokenizer import CONTROL, NORMAL, USER_DEFINED, Tokenizer

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "chat.json").read_text("utf-8"))
HELLO = [{"role": "user", "content": "Hello"}]


def spm(markers: tuple[str, ...] = (), **keys) -> dict:
    """The packaged model's vocabulary with ``markers`` as control tokens."""
    with gguf.open(packaged_model()) as file:
        found = dict(file.metadata)
    tokens, n = list(found["tokenizer.ggml.tokens"]), len(markers)
    found["tokenizer.ggml.tokens"] = [*tokens, *markers]
    found["tokenizer.ggml.scores"] = [*found["tokenizer.ggml.scores"], *[0.0] * n]
    found["tokenizer.ggml.token_type"] = [*found["tokenizer.ggml.token_type"], *[CONTROL] * n]
    return found | {key.replace("__", "."): value for key, value in keys.items()}


def bpe(markers: tuple[str, ...] = (), **keys) -> dict:
    """Bytes, a few merges, and ``markers`` as control tokens."""
    merges = ["H e", "l l", "He ll", "Hell o", "\u0120 H", "> <", "\u010a \u010a"]
    tokens = [*ALPHABET.values(), *(m.replace(" ", "") for m in merges)]
    return {
        "tokenizer.ggml.model": "gpt2", "tokenizer.ggml.pre": "llama-bpe",
        "tokenizer.ggml.add_bos_token": False,
        "tokenizer.ggml.tokens": [*tokens, *markers], "tokenizer.ggml.merges": merges,
        "tokenizer.ggml.token_type": [*[NORMAL] * len(tokens), *[CONTROL] * len(markers)],
    } | {key.replace("__", "."): value for key, value in keys.items()}  # fmt: skip


def chat(metadata: dict, **options) -> ChatTemplate:
    return ChatTemplate(metadata, Tokenizer(metadata), **options)


def file_template(text: str, **options) -> ChatTemplate:
    return chat(spm() | {"tokenizer.chat_template": text}, **options)


def written(template: ChatTemplate, messages, **options) -> str:
    return "".join(text for text, _ in template.render(messages, **options))


@pytest.fixture(scope="module")
def families():
    """Every family on a vocabulary that has its markers."""
    made = {}
    for row in FAMILIES:
        vocabulary = bpe if row.model == "gpt2" or row.name in ("llama3", "phi4") else spm
        # Phi-3's markers swallow the white space after them, a message's too
        made[row.name] = chat(vocabulary(row.markers) | {"general.name": row.name})
    return made


@pytest.mark.parametrize("row", [r for r in FAMILIES if r.markers], ids=lambda r: r.name)
def test_a_family_writes_what_llama_cpp_writes(families, row):
    cases = [c for c in GOLDEN if c["name"] == row.name]
    assert len(cases) >= 10
    for case in cases:
        prompt = case["add_generation_prompt"]
        found = written(families[row.name], case["messages"], add_generation_prompt=prompt)
        assert found == case["text"]


@pytest.mark.parametrize("row", FAMILIES, ids=lambda r: r.name)
def test_a_file_without_a_template_gets_its_familys_and_says_so(families, row):
    assert families[row.name].text == row.template
    assert row.name in families[row.name].origin
    assert families[row.name].stops == row.stops


def test_the_template_of_the_file_comes_first_and_named_ones_are_found():
    metadata = spm(("<|im_start|>", "<|im_end|>")) | {
        "tokenizer.chat_template": "default {{ messages[0].content }}",
        "tokenizer.chat_template.tool_use": "tools {{ tools | length }}",
        "tokenizer.chat_template.rag": "rag",
    }
    template = chat(metadata)
    assert written(template, HELLO) == "default Hello"
    assert written(template, HELLO, tools=[{}, {}]) == "tools 2"
    assert written(chat(metadata, name="rag"), HELLO) == "rag"
    with pytest.raises(RequestError, match="chat template 'x': the file has the default, tool_use"):
        chat(metadata, name="x")


def test_a_template_finds_what_hugging_face_gives_it():
    text = (
        "  {% for m in messages %}\n"
        "    {% if loop.index > 1 %}{% break %}{% endif %}\n"
        "{{ bos_token }}{{ m.content }}{{ eos_token }}\n"
        "  {% endfor %}\n"
        "{{ tools is none }} {{ documents is none }} {{ add_generation_prompt }} {{ depth }}\n"
        "{{ {'a': '<é>'} | tojson }} {{ strftime_now('%Y') | length }}"
        "{% generation %}!{% endgeneration %}"
    )
    found = written(file_template(text), [*HELLO, *HELLO], depth=3)
    assert found == '<s>Hello</s>\nTrue True True 3\n{"a": "<é>"} 4!'


def test_bos_stands_once_whether_the_template_writes_it_or_not():
    for text in ("{{ bos_token }}{{ messages[0].content }}", "{{ messages[0].content }}"):
        template = file_template(text)
        assert template.encode(HELLO) == template.tokenizer.encode("Hello")


# What a message says is never a control token -------------------------------------------------

MARKERS = sorted({m for row in FAMILIES for m in row.markers} | {"<s>", "</s>"})
HARMLESS = ["Hello", " ", "\n", "é", "(", "end", "x ", ":"]
CUT = ["<|im_", "end|>", "<", "|", ">", "[", "INST]", "<start_of", "_turn>"]


def conversations(pieces: list[str]):
    """Messages whose contents are no white space alone, so that none leaves no trace."""
    contents = st.lists(st.sampled_from(pieces), max_size=6).map(lambda p: "".join(p) + "x")
    strangers = ["end", "<|im_end|>"] if "<|im_end|>" in pieces else ["reviewer"]
    roles = st.sampled_from(["system", "user", "assistant", *strangers])
    messages = st.tuples(roles, contents).map(lambda m: {"role": m[0], "content": m[1]})
    return st.lists(messages, min_size=1, max_size=4)


def control(template: ChatTemplate, ids: list[int]) -> list[int]:
    return [i for i in ids if template.tokenizer.types[i] == CONTROL]


@pytest.mark.parametrize("row", FAMILIES, ids=lambda r: r.name)
@settings(deadline=None, max_examples=40)
@given(messages=conversations(MARKERS + CUT + HARMLESS))
def test_no_message_makes_a_control_token(families, messages, row):
    template = families[row.name]
    harmless = [{"role": m["role"], "content": "x"} for m in messages]
    ids = template.encode(messages)
    assert control(template, ids) == control(template, template.encode(harmless))
    if template.tokenizer.model == "gpt2":  # and nothing is lost of what it says
        said = ""
        for text, is_given in template.render(messages):
            for marker in () if is_given else row.markers:
                text = text.replace(marker, "")
            said += text
        assert template.tokenizer.decode(ids) == said


@pytest.mark.parametrize("row", FAMILIES, ids=lambda r: r.name)
@settings(deadline=None, max_examples=40)
@given(messages=conversations(HARMLESS))
def test_the_ids_are_those_of_the_joined_text(families, messages, row):
    template, joined = families[row.name], written(families[row.name], messages)
    want = template.tokenizer.encode(joined, add_special=False, parse_special=True)
    assert template.encode(messages)[-len(want) :] == want


def test_parts_of_a_marker_from_two_sides_do_not_meet():
    template = chat(
        spm(("<|im_start|>", "<|im_end|>"))
        | {"tokenizer.chat_template": "{{ messages[0].content }}end|>{{ messages[1].content }}"}
    )
    messages = [{"role": "user", "content": c} for c in ("<|im_", "<|im_start|>")]
    assert written(template, messages) == "<|im_end|><|im_start|>"
    assert control(template, template.encode(messages)) == [template.tokenizer.bos]


def test_a_control_token_stands_where_its_text_is_ours_alone():
    tokenizer = Tokenizer(spm(("<|a|>",)))
    a = tokenizer.ids[b"<|a|>"]
    assert tokenizer.encode_parts([("<|a|>", False)]) == [a]
    assert tokenizer.encode_parts([("<|", False), ("a|>", False)]) == [a]
    for parts in (
        [("<|a|>", True)],
        [("<|", True), ("a|>", False)],
        [("<|a", False), ("|>", True)],
    ):
        assert tokenizer.encode_parts(parts) == tokenizer.encode("<|a|>", add_special=False)


def test_markers_that_a_vocabulary_calls_user_defined_are_the_templates_alone_too():
    metadata = spm(("<|u|>", "<think>", "\n\n"))
    metadata["tokenizer.ggml.token_type"][-3:] = [USER_DEFINED] * 3
    metadata["tokenizer.chat_template"] = "<|u|>\n\n{{ messages[0].content }}<|u|>"
    template = chat(metadata)
    mark, think, lines = (template.tokenizer.ids[t] for t in (b"<|u|>", b"<think>", b"\n\n"))
    ids = template.encode([{"role": "user", "content": "<|u|>\n\n<think>"}])
    assert [i for i in ids if i in (mark, think, lines)] == [mark, lines, lines, think, mark]
    assert template.tokenizer.decode(ids) == "<|u|>\n\n<|u|>\n\n<think><|u|>"


def test_a_text_that_is_an_ordinary_token_is_no_familys_marker():
    metadata = spm(("<|im_start|>", "<|im_end|>"))
    assert "chatml" in chat(metadata).origin
    metadata["tokenizer.ggml.token_type"][-2] = NORMAL
    assert "plain lines" in chat(metadata).origin


# Lower case is the caller's, upper case the template's: what is followed can be read off.
GIVEN, OURS = st.text("abc ", max_size=6), st.text("AB ", max_size=4)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.one_of(GIVEN.map(render.Traced), OURS)),
        st.tuples(st.just("radd"), st.one_of(GIVEN.map(render.Traced), OURS)),
        st.tuples(st.just("strip"), st.sampled_from([None, "aA ", "b"])),
        st.tuples(st.just("split"), st.sampled_from([None, "a", "A", "bc"]), st.integers(-1, 3)),
        st.tuples(st.just("rsplit"), st.sampled_from([None, "a", "A", " "]), st.integers(-1, 3)),
        st.tuples(st.just("replace"), st.sampled_from("aA "), OURS, st.integers(-1, 2)),
        st.tuples(st.just("slice"), *[st.integers(-7, 7)] * 2, st.sampled_from([1, -1, 2])),
        st.tuples(st.just("iter")),
    ),
    max_size=8,
)  # fmt: skip


def follow(text: str, step: tuple) -> str:
    name, *args = step
    if name in ("add", "radd"):
        return text + args[0] if name == "add" else args[0] + text
    if name == "slice":
        return text[slice(*args)]
    if name == "iter":
        return render.concat(text)
    if name in ("split", "rsplit"):
        return render.joined(getattr(text, name)(*args), "B")
    return getattr(text, name)(*args)


@given(GIVEN, STEPS)
def test_where_each_character_came_from_is_followed_through_every_step(start, steps):
    text, plain = render.Traced(start), start
    for step in steps:
        text = follow(text, step)
        plain = follow(plain, tuple(str.__str__(a) if isinstance(a, str) else a for a in step))
        assert str.__str__(text) == str.__str__(plain)
    for c, is_given in zip(text, render.given_of(text), strict=True):
        assert c == " " or bool(is_given) == c.islower()


@pytest.mark.parametrize(
    "expression",
    [
        "t|upper", "t|e", "t|safe", "t|tojson", "[t]|tojson", "t|replace('h', '')", "t|indent",
        "'%s' % t", "'%s'|format(t)", "'{}'.format(t)", "t.format()", "t * 2", "t|title|lower",
        "t.title()", "t.ljust(9)", "t|reverse", "[[t]]", "{'a': t}", "{t: 1}", "namespace(a=t)",
        "namespace(a=t)|string", "'-'.join([t, t])|replace('-', '')", "t.partition(' ')|join",
        "[t]|map('upper')|join", "messages[0].items()|list", "messages|string", "t|list|join",
        "t ~ t", "t|trim ~ ''", "strftime_now(t)", "t|wordwrap(3)", "t|urlencode", "t|xmlattr" ,
        "t.splitlines()[0]", "t|pprint", "t|safe + t", "t|e + t", "t.encode().decode()",
    ],
)  # fmt: skip
def test_whatever_is_made_of_a_message_is_the_messages(expression):
    if "xmlattr" in expression:
        expression = "{'a': t}|xmlattr"
    template = "{% set t = messages[0].content %}{{ " + expression + " }}"
    found = render.render(template, {}, {"messages": HELLO})
    of_hello = [g for c, g in zip(found, render.given_of(found), strict=True) if c in "Helo"]
    assert all(of_hello)
    assert of_hello


# A template is a stranger's program -----------------------------------------------------------

HOSTILE = {
    "endless loop": (
        "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
        r"more than 0\.3 s of processor time",
    ),
    "endless arithmetic": ("{{ 9 ** (9 ** (9 ** 9)) }}", "more than"),
    "memory": ("{{ 'x' * 1000000000 }}", "more than 512 MiB of memory"),
    "memory by filters": ("{{ ('x' * 20000000)|center(2000000000) }}", "more than 512 MiB"),
    "a long text": ("{{ 'x' * 20000000 }}", "a text of 20000000 characters"),
    "nesting": ("{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}", "nested too deeply"),
    "recursion": ("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "nested too deeply"),
    "Python's insides": ("{{ ''.__class__.__mro__ }}", "unsafe"),
    "globals": ("{{ range.__globals__.x }}", "unsafe"),
    "a file": ("{% include '/etc/passwd' %}", "no loader"),
    "changing what it is given": ("{{ messages.append(1) }}", "unsafe"),
    "syntax": ("a\n{% if %}", "line 2: "),
    "its own words": ("{{ raise_exception('no system, please') }}", "^chat template: no system, "),
    "an error of Python": ("{{ 1 / 0 }}", "ZeroDivisionError"),
}


@pytest.fixture(scope="module")
def renderer():
    made = Renderer(cpu_s=0.3)
    yield made
    made.close()


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_template_ends_in_one_clear_error_and_the_next_is_rendered(renderer, name):
    template, words = HOSTILE[name]
    with pytest.raises(RequestError, match=words):
        renderer.render(template, {}, {"messages": HELLO})
    found = renderer.render("{{ messages[0].content }}!", {}, {"messages": HELLO})
    assert found == [("Hello", True), ("!", False)]


@pytest.mark.parametrize(
    "walk",
    ["range.__globals__", "'{0.__class__}'.format(messages)",
     "messages|attr('__class__')", "messages[0]['__class__']", "self._TemplateReference__context"],
)  # fmt: skip
def test_an_attribute_that_leads_inside_python_prints_nothing(renderer, walk):
    assert renderer.render("{{ " + walk + " }}", {}, {"messages": HELLO}) == []


def test_the_process_can_open_no_file(renderer, monkeypatch, tmp_path):
    script = Path(render.__file__).read_text("utf-8")
    probe = tmp_path / "probe.py"  # the same walls, and a template function that tries
    probe.write_text(script.replace("datetime.now().strftime(form)", "open(form).read()"))
    monkeypatch.setattr("minengine.chat.Path.with_name", lambda *_: probe)
    other = Renderer()
    with pytest.raises(RequestError, match="Too many open files"):
        other.render("{{ strftime_now('/etc/passwd') }}", {}, {})
    other.close()


def test_threads_share_one_process_and_each_gets_its_own_text(renderer):
    found = {}

    def ask(n):
        found[n] = renderer.render("{{ messages }}", {}, {"messages": str(n)})

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert found == {n: [(str(n), True)] for n in range(8)}


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (5, r"messages\[0\]: got 5, want an object"),
        ({"content": "x"}, r"messages\[0\]\.role: got None"),
        ({"role": "user"}, r"messages\[0\]\.content: missing"),
        ({"role": "user", "content": 5}, r"messages\[0\]\.content: got 5, want a text"),
        ({"role": "user", "content": [{"type": "image"}]}, r"content\[0\]\.type: got 'image'"),
        ({"role": "user", "content": [{"type": "text"}]}, r"content\[0\]\.text: got None"),
        ({"role": "user", "content": "x", "name": {1, 2}}, "want what JSON can hold"),
    ],
)  # fmt: skip
def test_what_is_no_message_is_refused_in_words(families, message, words):
    with pytest.raises(RequestError, match=words):
        families["chatml"].encode([message])


def test_a_content_may_come_in_parts(families):
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    found = written(families["chatml"], [{"role": "user", "content": parts}])
    assert found == "<|im_start|>user\na\nb<|im_end|>\n<|im_start|>assistant\n"
