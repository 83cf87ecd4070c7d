"""Chat templates for files that bring none, chosen by the markers in their vocabulary.

Owns: the table ``FAMILIES``. Must not know: how a template is rendered (``chat.py``). Names and
words are those of llama.cpp's built-in templates, and so is the white space that is cut off: what C
calls space, not what Unicode does.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Family:
    """The template of models whose vocabulary has all of ``markers``.

    ``model`` is the tokenizer's, where it matters. An answer ends at one of ``stops`` too, where a
    family has no token for that.
    """

    name: str
    markers: tuple[str, ...]
    template: str
    model: str = ""
    stops: tuple[str, ...] = ()


CHATML = """\
{% for m in messages %}
<|im_start|>{{ m.role }}
{{ m.content }}<|im_end|>
{% endfor %}
{% if add_generation_prompt %}
<|im_start|>assistant
{% endif %}
"""

PHI4 = """\
{% for m in messages %}
<|im_start|>{{ m.role }}<|im_sep|>{{ m.content }}<|im_end|>
{%- endfor %}
{% if add_generation_prompt %}
<|im_start|>assistant<|im_sep|>
{%- endif %}
"""

LLAMA3 = r"""{% for m in messages %}
<|start_header_id|>{{ m.role }}<|end_header_id|>

{{ m.content | trim(" \t\n\v\f\r") }}<|eot_id|>
{%- endfor %}
{% if add_generation_prompt %}
<|start_header_id|>assistant<|end_header_id|>

{% endif %}
"""

# a system message goes before the next one of the user
GEMMA = r"""{% set system = namespace(text="") %}
{% for m in messages %}
{% set content = m.content | trim(" \t\n\v\f\r") %}
{% if m.role == "system" %}
{% set system.text = system.text ~ content %}
{% else %}
<start_of_turn>{{ "model" if m.role == "assistant" else m.role }}
{% if system.text and m.role not in ("assistant", "model") %}
{{ system.text }}

{% set system.text = "" %}
{% endif %}
{{ content }}<end_of_turn>
{% endif %}
{% endfor %}
{% if add_generation_prompt %}
<start_of_turn>model
{% endif %}
"""

PHI3 = """\
{% for m in messages %}
<|{{ m.role }}|>
{{ m.content }}<|end|>
{% endfor %}
{% if add_generation_prompt %}
<|assistant|>
{% endif %}
"""

GRANITE = """\
{% for m in messages %}
<|start_of_role|>{{ m.role }}<|end_of_role|>
{%- if m.role == "assistant_tool_call" %}<|tool_call|>{% endif %}
{{ m.content }}<|end_of_text|>
{% endfor %}
{% if add_generation_prompt %}
<|start_of_role|>assistant<|end_of_role|>
{%- endif %}
"""

# a turn is open from [INST] to </s>: system messages and questions of one turn share it
MISTRAL_V3 = r"""{% set turn = namespace(open=false) %}
{% for m in messages %}
{% if not turn.open %}[INST]{{ space }}{% set turn.open = true %}{% endif %}
{% if m.role == "system" %}
{{ m.content }}

{% elif m.role == "user" %}
{{ m.content }}[/INST]
{%- else %}
{{ space }}{{ m.content | trim(" \t\n\v\f\r") if space else m.content }}</s>
{%- set turn.open = false %}
{% endif %}
{% endfor %}
"""

MISTRAL_V7 = """\
{% for m in messages %}
{% if m.role == "system" %}
[SYSTEM_PROMPT]{{ space }}{{ m.content }}[/SYSTEM_PROMPT]
{%- elif m.role == "user" %}
[INST]{{ space }}{{ m.content }}[/INST]
{%- else %}
{{ space }}{{ m.content }}</s>
{%- endif %}
{% endfor %}
"""
SPACE, NO_SPACE = '{% set space = " " %}', '{% set space = "" %}'

PLAIN = r"""{% for m in messages %}
{{ m.role | capitalize }}: {{ m.content | trim }}

{% endfor %}
{% if add_generation_prompt %}
Assistant:
{%- endif %}
"""

FAMILIES: tuple[Family, ...] = (
    Family("phi4", ("<|im_start|>", "<|im_sep|>", "<|im_end|>"), PHI4),
    Family("chatml", ("<|im_start|>", "<|im_end|>"), CHATML),
    Family("llama3", ("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"), LLAMA3),
    Family("gemma", ("<start_of_turn>", "<end_of_turn>"), GEMMA),
    Family("phi3", ("<|user|>", "<|assistant|>", "<|end|>"), PHI3),
    Family("granite", ("<|start_of_role|>", "<|end_of_role|>"), GRANITE),
    Family("mistral-v7", ("[INST]", "[SYSTEM_PROMPT]"), SPACE + MISTRAL_V7, "llama"),
    Family("mistral-v7-tekken", ("[INST]", "[SYSTEM_PROMPT]"), NO_SPACE + MISTRAL_V7, "gpt2"),
    Family("mistral-v3", ("[INST]", "[/INST]"), SPACE + MISTRAL_V3, "llama"),
    Family("mistral-v3-tekken", ("[INST]", "[/INST]"), NO_SPACE + MISTRAL_V3, "gpt2"),
    Family("plain lines", (), PLAIN, stops=("\nUser:", "\nSystem:")),
)
