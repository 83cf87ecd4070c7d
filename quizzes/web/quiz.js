/* Quizzes that mark themselves in the page, from the data that pages.py writes.

   Owns: asking, reading a reply, right or wrong and why, the score. It asks for nothing from
   anywhere and needs no library. Replies are read as marking.py and units.py read them; a test
   runs both on the same replies. Everything is a native form control, so keyboards and screen
   readers know it; verdicts are told in a live region. */
(function () {
  "use strict";

  // Numbers: the grammar of units.py. Doubles stand for its fractions, hence the slack.
  const DIGITS = "[+-]?[0-9.,_]*[0-9][0-9.,_]*(?:[eE][+-]?[0-9]{1,3})?";
  const REPLY = new RegExp("^(" + DIGITS + ")\\s*(?:[/:]\\s*(" + DIGITS + "))?\\s*([^0-9]*)$");
  const PLAIN =
    /^[+-]?(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+(?:_[0-9]+)*|(?=\.[0-9]))(?:\.[0-9]*)?(?:[eE][+-]?[0-9]{1,3})?$/;
  const LONGEST = 80;
  const SLACK = 1e-12;
  const PASS = "?";

  class Unreadable extends Error {}

  function plainNumber(text) {
    if (!PLAIN.test(text)) {
      const hint = text.includes(",") ? "; a comma separates thousands, a point decimals" : "";
      throw new Unreadable(`'${text}' is not a number${hint}`);
    }
    return Number(text.replace(/[,_]/g, ""));
  }

  function readNumber(reply, unit) {
    const cleaned = reply.trim().replace(/\u2212/g, "-").replace(/[\u00a0\u202f]/g, " ");
    const match = cleaned.length <= LONGEST ? REPLY.exec(cleaned) : null;
    if (!match) throw new Unreadable(`'${cleaned.slice(0, LONGEST)}' is not a number (${unit.hint})`);
    let value = plainNumber(match[1]);
    if (match[2]) {
      const divisor = plainNumber(match[2]);
      if (divisor === 0) throw new Unreadable(`'${cleaned}' divides by zero`);
      value /= divisor;
    }
    const suffix = match[3].toLowerCase().split(/\s+/).filter(Boolean).join(" ");
    if (!Object.hasOwn(unit.suffixes, suffix)) {
      throw new Unreadable(`'${match[3]}' is not a unit here (${unit.hint})`);
    }
    return value * unit.suffixes[suffix];
  }

  function within(value, row) {
    const slack = SLACK * Math.max(Math.abs(row.low), Math.abs(row.high));
    return value >= row.low - slack && value <= row.high + slack;
  }

  // Spaces and the kind of quotes do not count, nor how a number is spelled.
  function squeezed(line) {
    const bare = line.replace(/\s+/g, "").replace(/"/g, "'");
    return /^[+-]?(\d[\d_]*\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(bare)
      ? String(Number(bare.replace(/_/g, "")) + 0)
      : bare;
  }

  // A reply is a text, or letters for choices and orders. -> {right, reasons: [HTML], letters}
  function judge(question, reply, units) {
    if (!reply.length || reply === PASS) return { right: false, reasons: ["No answer was given."] };
    if (question.kind === "number") return judgeNumber(question.answer, reply, units);
    if (question.kind === "code") return judgeLine(question.answer, reply);
    const wanted = question.answer.letters;
    const right = reply.length === wanted.length && wanted.every((x, i) => x === reply[i]);
    if (right) return { right: true, reasons: [] };
    return { right: false, reasons: question.kind === "order" ? orderReason(question, reply) : choiceReasons(question, reply) };
  }

  function judgeNumber(answer, reply, units) {
    let value;
    try {
      value = readNumber(reply, units[answer.unit]);
    } catch (error) {
      if (!(error instanceof Unreadable)) throw error;
      return { right: false, reasons: [escaped(`The reply cannot be read: ${error.message}.`)] };
    }
    const hit = answer.numbers.find((row) => within(value, row));
    if (hit) return { right: hit.right, reasons: hit.right ? [] : [hit.why] };
    return { right: false, reasons: [howFar(value, answer.numbers[0])] };
  }

  function howFar(value, row) {
    const ratio = value / ((row.low + row.high) / 2);
    if (!(ratio > 0) || !Number.isFinite(ratio) || (ratio > 0.5 && ratio < 2)) return "That is not the answer.";
    const times = ratio > 1 ? `${short(ratio)} times` : `1/${short(1 / ratio)} of`;
    return `That is ${times} the answer.`;
  }

  function short(x) {
    return String(Number(x.toPrecision(3)));
  }

  function judgeLine(answer, reply) {
    const hit = answer.lines.find((line) => squeezed(line.text) === squeezed(reply));
    if (hit) return { right: hit.right, reasons: hit.right ? [] : [hit.why] };
    return { right: false, reasons: ["Another line is printed."] };
  }

  function choiceReasons(question, reply) {
    const said = [];
    for (const o of question.options) {
      const taken = reply.includes(o.letter);
      if (o.right === taken || (question.kind === "choice" && !taken)) continue;
      const lead = question.kind === "choice" ? "" : `<p><b>${o.letter})</b> ${taken ? "does not belong" : "belongs"}:</p>`;
      said.push(lead + (o.why || o.html));
    }
    return said;
  }

  function orderReason(question, reply) {
    const wanted = question.answer.letters;
    const at = wanted.findIndex((x, i) => x !== reply[i]);
    const belongs = question.options.find((o) => o.letter === wanted[at]);
    return [`<p>Place ${at + 1} is ${belongs.letter}) ${belongs.html}, not ${reply[at]}).</p>${belongs.why}`];
  }

  function escaped(text) {
    const p = document.createElement("p");
    p.textContent = text;
    return p.outerHTML;
  }

  // Elements

  function make(tag, attributes, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) {
      if (value === false || value === undefined) continue;
      element.setAttribute(name, value === true ? "" : value);
    }
    element.append(...children.filter((child) => child !== null));
    return element;
  }

  function html(tag, attributes, markup) {
    const element = make(tag, attributes);
    element.innerHTML = markup; // written by markup.py, which escapes all but its own elements
    return element;
  }

  // Each kind: controls for a question, and how their reply is read. -> {element, read, freeze}
  const CONTROLS = {
    choice: (q, name) => boxes(q, name, "radio"),
    choices: (q, name) => boxes(q, name, "checkbox"),
    number: (q, name) => line(q, name, "decimal"),
    code: (q, name) => line(q, name, "text"),
    order: sortable,
  };

  function boxes(question, name, type) {
    const rows = question.options.map((o) => {
      const id = `${name}-${o.letter}`;
      const input = make("input", { type, name, id, value: o.letter });
      const label = html("label", { for: id }, `<span class="quiz-letter">${o.letter})</span> ${o.html}`);
      return make("div", { class: "quiz-option", "data-letter": o.letter }, input, label);
    });
    const element = make("div", { class: "quiz-options" }, ...rows);
    const inputs = [...element.querySelectorAll("input")];
    return {
      element,
      read: () => inputs.filter((i) => i.checked).map((i) => i.value),
      freeze: () => inputs.forEach((i) => (i.disabled = true)),
    };
  }

  function line(question, name, mode) {
    const input = make("input", {
      type: "text", id: name, class: "quiz-line", inputmode: mode, autocomplete: "off",
      autocapitalize: "off", spellcheck: "false", maxlength: "1000", "aria-describedby": `${name}-how`,
    });
    const label = make("label", { for: name }, "Your answer");
    return {
      element: make("div", { class: "quiz-typed" }, label, input),
      read: () => input.value.trim(),
      freeze: () => (input.readOnly = true),
    };
  }

  function sortable(question, name) {
    const list = make("ol", { class: "quiz-order" });
    const said = make("p", { class: "quiz-said", "aria-live": "polite" });
    let touched = false;
    function move(item, by) {
      const items = [...list.children];
      const to = items.indexOf(item) + by;
      if (to < 0 || to >= items.length) return;
      touched = true;
      if (by < 0) items[to].before(item);
      else items[to].after(item);
      said.textContent = `${item.dataset.letter} is now in place ${to + 1} of ${items.length}.`;
    }
    for (const o of question.options) {
      const item = make("li", { "data-letter": o.letter });
      for (const [sign, by, where] of [["↑", -1, "up"], ["↓", 1, "down"]]) {
        const button = make("button", { type: "button", "aria-label": `Move ${o.letter} ${where}` }, sign);
        button.addEventListener("click", () => {
          move(item, by);
          button.focus(); // an element that is moved loses it
        });
        item.append(button);
      }
      item.append(html("span", {}, `<span class="quiz-letter">${o.letter})</span> ${o.html}`));
      list.append(item);
    }
    return {
      element: make("div", {}, list, said),
      read: () => (touched ? [...list.children].map((i) => i.dataset.letter) : []),
      freeze: () => list.querySelectorAll("button").forEach((b) => (b.disabled = true)),
    };
  }

  // One quiz: papers one after another

  function mount(root) {
    const source = root.querySelector("script.quiz-papers");
    if (!source || root.dataset.mounted) return;
    root.dataset.mounted = "yes";
    const papers = JSON.parse(source.textContent);
    let at = 0;
    const body = make("div", { class: "quiz-paper" });
    root.append(body);
    function show() {
      body.replaceChildren(...paperElements(papers[at], `${root.dataset.quiz}-${at}`, papers.length > 1 && next));
    }
    function next() {
      at = (at + 1) % papers.length;
      show();
      body.querySelector("h3").focus();
    }
    show();
  }

  function paperElements(paper, prefix, next) {
    const verdicts = new Map();
    const score = make("p", { class: "quiz-score", role: "status", "aria-live": "polite" });
    function tell() {
      const right = [...verdicts.values()].filter(Boolean).length;
      const total = paper.questions.length;
      const open = total - verdicts.size;
      if (open) score.textContent = `${right} right so far, ${open} of ${total} open.`;
      else {
        const passed = right >= paper.n_needed;
        score.textContent = `${right} of ${total} right: ${passed ? "passed" : "not passed"} (${paper.n_needed} pass).`;
        score.classList.add(passed ? "quiz-right" : "quiz-wrong");
      }
    }
    const head = make("h3", { tabindex: "-1" }, `Quiz ${paper.quiz}, ${paper.title}`);
    const lead = make("p", {}, `${paper.questions.length} questions, ${paper.n_needed} right answers pass.`);
    const asked = paper.questions.map((q) =>
      questionElement(q, `${prefix}-${q.id}`.replace(/[^\w-]/g, "_"), paper, (right) => {
        verdicts.set(q.id, right);
        tell();
      })
    );
    tell();
    const more = next ? make("button", { type: "button", class: "quiz-next" }, "Another paper") : null;
    if (more) more.addEventListener("click", next);
    return [head, lead, ...asked, score, more].filter(Boolean);
  }

  function questionElement(question, name, paper, done) {
    const controls = CONTROLS[question.kind](question, name);
    const legend = make("legend", {}, `${question.number} of ${paper.questions.length} · ${question.topic}`);
    const how = make("p", { class: "quiz-how", id: `${name}-how` }, `(${question.how})`);
    const check = make("button", { type: "submit" }, "Check");
    const pass = make("button", { type: "button", class: "quiz-pass" }, "I do not know");
    const told = make("div", { class: "quiz-verdict", "aria-live": "polite" });
    const text = html("div", { class: "quiz-text" }, question.html + question.code);
    for (const pre of text.querySelectorAll("pre")) pre.tabIndex = 0; // so that keys can scroll it
    const buttons = make("div", { class: "quiz-buttons" }, check, pass);
    const set = make("fieldset", {}, legend, text, controls.element, how, buttons, told);
    const form = make("form", { class: "quiz-question", id: name + "-form", "data-id": question.id, "data-kind": question.kind }, set);
    function settle(reply) {
      const verdict = judge(question, reply, paper.units);
      controls.freeze();
      buttons.remove();
      form.classList.add(verdict.right ? "quiz-is-right" : "quiz-is-wrong");
      told.innerHTML = verdictHtml(question, verdict);
      done(verdict.right);
    }
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const reply = controls.read();
      if (reply.length) settle(reply);
      else told.textContent = question.kind === "order" ? "Move an item, or say that you do not know." : "Give an answer, or say that you do not know.";
    });
    pass.addEventListener("click", () => settle(PASS));
    return form;
  }

  function verdictHtml(question, verdict) {
    const sign = verdict.right ? '<p class="quiz-right">✓ Right.</p>' : '<p class="quiz-wrong">✗ Wrong.</p>';
    const lead = question.kind === "choice" ? `${question.answer.letters[0]}) ` : "";
    const shown = verdict.right ? "" : `<p class="quiz-answer">The answer: <strong>${lead}${question.shown}</strong></p>`;
    return sign + verdict.reasons.join("") + shown + question.why;
  }

  const Quiz = { mount, judge, readNumber, Unreadable };
  globalThis.Quiz = Quiz;
  if (typeof document !== "undefined") {
    const all = () => document.querySelectorAll("div.quiz").forEach(mount);
    if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", all);
    else all();
  }
})();
