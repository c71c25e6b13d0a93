// The translations and the prompt: fields that are saved while one types, their suggestions, readings and warnings.

const TEXT_NAMES = ["spatial_relation", "modern_chinese", "english", "search_prompt"];

class TextBlock {
  constructor(name, desk) {
    this.name = name;
    this.field = h("textarea", { rows: 4, spellcheck: name === "english", lang: name === "english" ? "en" : "zh" });
    this.field.setAttribute("data-field", name);
    this.under = h("div.under", { "aria-hidden": "true" });
    this.head = h("div.heading");
    this.foot = h("div.below");
    this.box = h("div.text-block", {}, this.head, h("div.stack", {}, this.under, this.field), this.foot);
    whileTyping(this.field, (value) => desk.type({ do: "set_text", field: name, value }));
    this.field.addEventListener("input", () => this.fit());
    this.field.addEventListener("scroll", () => {
      this.under.scrollTop = this.field.scrollTop;
    });
    this.field.addEventListener("blur", () => desk.flush());
  }

  // A field that is typed in is left alone: what the person wrote is newer than any answer.
  show(desk) {
    const { value, data, say, act, chosen } = desk;
    const text = value[this.name];
    this.field.readOnly = desk.still;
    if (!this.field.composing && this.field.value !== text) {
      const at = [this.field.selectionStart, this.field.selectionEnd];
      const here = document.activeElement === this.field;
      this.field.value = text;
      if (here) this.field.setSelectionRange(...at);
    }
    this.field.setAttribute("aria-label", say(this.name));
    if (text === data.value[this.name]) {
      this.mark(text, data.highlights[this.name] ?? [], value, chosen);
    } else {
      drawMarked(this.under, "", []);
    }
    const stale = data.stale[this.name];
    const item = data.items.find((one) => one.part === this.name);
    this.head.replaceChildren(
      h("h3", {}, say(this.name)),
      stale ? h("span.stale", { title: stale }, say("stale")) : "",
      item ? h(`span.state.${item.state}`, { title: say(`state_${item.state}`) }, STATE_SIGNS[item.state]) : "",
      h("span.length", {}, data.limits[this.name] ? `${codePoints(text).length}/${data.limits[this.name]}` : ""),
    );
    redraw(this.foot, () => this.below(desk, item, stale, text), this.field);
    this.fit();
  }

  below(desk, item, stale, text) {
    const { value, data, say, act, type } = desk;
    const parts = [];
    if (stale) {
      parts.push(
        h(
          "div.stale-line",
          {},
          h("span", {}, stale),
          button(say("still_right"), () => act({ do: "confirm", field: this.name })),
          button(say("redraft"), () => act({ do: "redraft", parts: [this.name] })),
        ),
      );
    }
    if (item && (item.state === "undecided" || item.state === "edited" || (item.state === "rejected" && desk.showRejected))) {
      parts.push(
        h(
          `div.proposal.${item.state}`,
          { onclick: () => desk.chooseItem(item.key), "data-item": item.key },
          h("p", { lang: this.name === "english" ? "en" : "zh" }, item.text),
          h(
            "span.decide",
            {},
            decideButtons(item, say, act),
            text ? button(say("keep_beside"), () => act({ do: "add_alternative", field: this.name, text: item.text, note: data.suggestion?.label ?? "" }), { kind: "small", title: say("keep_beside_help") }) : null,
          ),
        ),
      );
    }
    value.alternatives.forEach((reading, index) => {
      if (reading.field !== this.name) return;
      const preferred = reading.text === text;
      const was = [reading.field, reading.text];
      parts.push(
        h(
          `div.reading${preferred ? ".preferred" : ""}`,
          { "data-reading": index },
          h("span.label", {}, say(preferred ? "reading_preferred" : "reading")),
          h("p", { lang: this.name === "english" ? "en" : "zh" }, reading.text),
          line(reading.note, (note) => type({ do: "set_alternative", index, was, field: "note", value: note }), {
            placeholder: say("reading_note"),
            "data-field": `reading-${index}`,
          }),
          preferred ? null : button(say("prefer"), () => act({ do: "prefer_alternative", index, was }), { kind: "small" }),
          button("✕", () => act({ do: "remove_alternative", index, was }), { kind: "small", title: say("remove_reading") }),
        ),
      );
    });
    if (text.trim()) {
      parts.push(
        h(
          "div.row-of-buttons",
          {},
          button(say("keep_reading"), () => act({ do: "add_alternative", field: this.name, text, note: "" }), { kind: "quiet", title: say("keep_reading_help") }),
        ),
      );
    }
    for (const finding of data.findings.filter((one) => one.where === this.name)) {
      parts.push(h("p.finding", {}, "⚠ ", finding.text));
    }
    return parts;
  }

  mark(text, spans, value, chosen) {
    const kinds = new Map(value.entities.map((entity) => [entity.id, entity]));
    const marks = spans
      .filter(([id]) => kinds.has(id))
      .map(([id, start, end]) => ({
        start,
        end,
        kind: kinds.get(id).kind,
        name: kinds.get(id).name,
        chosen: chosen?.entity === id,
      }));
    drawMarked(this.under, text, marks);
  }

  fit() {
    const { field } = this;
    const fitted = `${field.clientWidth} ${field.value}`;
    if (fitted === this.fitted && field.scrollHeight <= field.clientHeight) return;
    this.fitted = fitted;
    this.field.style.height = "auto";
    this.field.style.height = `${Math.max(96, this.field.scrollHeight + 2)}px`;
    this.under.style.height = this.field.style.height;
  }
}
