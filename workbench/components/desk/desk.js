// The desk: one passage, everything about it, all keys. It draws what the server says, shows at once what one does,
// and sends actions until the server has acknowledged them.

const TYPING_PAUSE = 500;
const TYPING_LONGEST = 1200;
const SEND_AGAIN = 3000;
const UNSAVED_WARNING = 4000;

function remembered(name, fallback) {
  try {
    return localStorage.getItem(`songclip-${name}`) ?? fallback;
  } catch {
    return fallback;
  }
}

function remember(name, value) {
  try {
    localStorage.setItem(`songclip-${name}`, value);
  } catch {
    // A browser without storage forgets the switch; nothing else depends on it.
  }
}

class Desk {
  constructor(root) {
    this.root = root;
    this.chosen = null;
    this.item = null;
    this.picking = null;
    this.showRejected = false;
    this.choices = {};
    this.vertical = remembered("vertical", "") === "1";
    this.lastClass = "place";
    this.lastRelation = "east_of";
    this.outbox = new Outbox((sent) => this.setStateValue("sent", sent));
    this.say = (key, details = {}) =>
      (this.data.strings[key] ?? key).replace(/\{(\w+)\}/g, (_, name) => details[name] ?? "");
    this.act = (action) => this.send(action);
    this.type = (action) => this.later(action);
    this.build();
  }

  build() {
    this.passage = new PassageView({
      select: () => this.drawTools(),
      choose: (chosen) => this.choose(chosen),
      move: (entity, span, to) => this.moveMention(entity, span, to),
      enter: () => this.picking && this.pick(this.chosen?.entity),
    });
    const part = (name) => h(`div.${name}`);
    this.parts = Object.fromEntries(
      ["bar", "notices", "tools", "inspector", "entities", "relations", "space", "last", "footer", "help"].map((name) => [name, part(name)]),
    );
    this.texts = TEXT_NAMES.map((name) => new TextBlock(name, this));
    const { bar, notices, tools, inspector, entities, relations, space, last, footer, help } = this.parts;
    help.hidden = true;
    // A click on no field gives the keyboard to the desk, not to the page around it.
    this.root.tabIndex = -1;
    this.root.append(
      bar,
      notices,
      h("div.columns", {}, h("div.left", {}, this.passage.box, tools, inspector), entities),
      h("div.columns.lower", {}, relations, space),
      h("div.texts", {}, this.texts.map((text) => text.box)),
      last,
      footer,
      help,
    );
    this.onkey = (event) => this.keyPressed(event);
    this.onleave = () => this.flush();
    this.onunload = (event) => {
      this.flush();
      if (this.outbox.pending) event.preventDefault();
    };
    document.addEventListener("keydown", this.onkey, true);
    document.addEventListener("visibilitychange", this.onleave);
    window.addEventListener("pagehide", this.onleave);
    window.addEventListener("beforeunload", this.onunload);
    this.clock = setInterval(() => this.tick(), 1000);
  }

  close() {
    this.flush();
    clearInterval(this.clock);
    clearTimeout(this.timer);
    document.removeEventListener("keydown", this.onkey, true);
    document.removeEventListener("visibilitychange", this.onleave);
    window.removeEventListener("pagehide", this.onleave);
    window.removeEventListener("beforeunload", this.onunload);
    this.passage.resized.disconnect();
  }

  // What the server says now.
  update(data, setStateValue) {
    this.setStateValue = setStateValue;
    const other = !this.data || data.sitting !== this.data.sitting || data.passage !== this.data.passage;
    const sitting = { passage: data.passage, sitting: data.sitting, version: data.version, revision: data.revision, text_id: data.text_id };
    this.outbox.acknowledgeLeft(data.heard);
    if (other && this.data && this.outbox.waiting.length && data.passage === this.data.passage) {
      // The server has begun anew and does not know what was on its way: it is told again.
      this.sendAgain();
      return;
    }
    this.data = { ...data, characters: codePoints(data.text) };
    if (other) this.outbox.begin(sitting, data.ack);
    else this.outbox.acknowledge(data.ack, sitting);
    this.leave(false);
    if (other) this.sitDown();
    this.flush();
    if (data.chosen) this.chooseMade(data.chosen);
    this.draw();
  }

  // Between two passages nothing is typed: it would not be clear into which.
  leave(leaving) {
    this.root.classList.toggle("leaving", leaving);
    for (const text of this.texts) text.field.readOnly = leaving;
  }

  go(to) {
    this.send({ do: "go", to });
    this.leave(true);
  }

  sitDown() {
    this.chosen = null;
    this.item = null;
    this.picking = null;
    this.choices = {};
    const free = document.activeElement === document.body || document.activeElement === null;
    if (free) this.passage.text.focus({ preventScroll: true });
  }

  chooseMade({ n, entity }) {
    if (n === this.madeBy || n < (this.askedBy ?? Infinity)) return;
    this.madeBy = n;
    this.askedBy = undefined;
    const made = this.data.value.entities.find((one) => one.id === entity);
    if (made) this.chosen = { entity, span: made.mentions.find((span) => this.madeSpan && span[0] === this.madeSpan[0]) ?? null };
  }

  get span() {
    return this.passage.span;
  }

  get value() {
    return foresee(this.data.value, this.outbox.waiting);
  }

  // Send now; what was typed before goes along, in its order.
  send(action) {
    this.outbox.add(action);
    this.flush();
    this.draw();
  }

  later(action) {
    this.outbox.add(action, { replace: true });
    const now = Date.now();
    this.typedSince ??= now;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.flush(), Math.max(0, Math.min(TYPING_PAUSE, this.typedSince + TYPING_LONGEST - now)));
    this.drawBar();
  }

  flush() {
    clearTimeout(this.timer);
    this.typedSince = undefined;
    if (!this.outbox.unsent) return;
    this.sentAt = Date.now();
    this.unsavedSince ??= this.sentAt;
    this.outbox.flush();
    this.drawBar();
  }

  sendAgain() {
    this.sentAt = Date.now();
    this.outbox.flush();
  }

  tick() {
    if (!this.root.isConnected) {
      this.close();
      return;
    }
    if (!this.outbox.pending) {
      if (this.unsavedSince !== undefined) {
        this.unsavedSince = undefined;
        this.drawBar();
      }
      return;
    }
    if (this.sentAt !== undefined && !this.typedSince && Date.now() - this.sentAt > SEND_AGAIN) this.sendAgain();
    this.drawBar();
  }

  choose(chosen) {
    if (this.picking && chosen?.entity) {
      this.pick(chosen.entity);
      return;
    }
    this.chosen = chosen?.entity ? chosen : null;
    this.item = chosen?.item ?? null;
    this.draw();
  }

  chooseEntity(id) {
    if (this.picking) {
      this.pick(id);
      return;
    }
    const entity = this.value.entities.find((one) => one.id === id);
    this.chosen = { entity: id, span: entity?.mentions[0] ?? null };
    this.item = null;
    this.draw();
    if (this.chosen.span) this.passage.lookAt(this.chosen.span[0]);
  }

  chooseItem(key) {
    this.item = key;
    this.chosen = null;
    const item = this.data.items.find((one) => one.key === key);
    this.draw();
    if (item?.part === "entity" && item.entity.mentions.length) this.passage.lookAt(item.entity.mentions[0][0]);
    this.root.querySelector(`[data-item="${CSS.escape(key)}"]`)?.scrollIntoView({ block: "nearest" });
  }

  toggleRejected() {
    this.showRejected = !this.showRejected;
    this.draw();
  }

  moveMention(entity, span, to) {
    if (to[0] < 0 || to[1] > this.data.characters.length || to[0] >= to[1]) return;
    this.chosen = { entity, span: to };
    this.send({ do: "move_mention", entity, span, to });
  }

  addEntity(kind) {
    const span = this.span;
    if (!span) return false;
    this.lastClass = kind;
    this.madeSpan = span;
    this.passage.select(span[1], span[1], { look: false });
    this.outbox.add({ do: "add_entity", span, kind });
    this.askedBy = this.outbox.last;
    this.flush();
    return true;
  }

  pick(object) {
    if (!object || object === this.picking.subject) return true;
    const { subject, code, evidence } = this.picking;
    this.lastRelation = code;
    this.picking = null;
    this.send({ do: "add_relation", subject, object, code, evidence });
    return true;
  }

  keyPressed(event) {
    // A click beside the desk gives the keyboard to something around it: that is still the desk's.
    const here = this.root.contains(event.target) || event.target.contains?.(this.root);
    if (!here || document.querySelector("[role=dialog]")) return;
    const command = commandOf(event);
    if (!command || !this.data) return;
    if (this.run(command, event) !== false) {
      event.preventDefault();
      event.stopPropagation();
    }
  }

  // One command, from a key or a button; false where it means nothing here.
  run(command) {
    const entity = this.value.entities.find((one) => one.id === this.chosen?.entity);
    const span = this.chosen?.span;
    const steps = { start_back: [-1, 0], start_on: [1, 0], end_on: [0, 1], end_back: [0, -1] };
    if (command in steps) {
      if (!entity || !span) return false;
      const [first, last] = steps[command];
      return this.moveMention(entity.id, span, [span[0] + first, span[1] + last]);
    }
    if (command.startsWith("class_")) {
      const kind = command.slice(6);
      if (this.addEntity(kind)) return true;
      if (!entity) return false;
      return this.send({ do: "set_entity", entity: entity.id, field: "kind", value: kind });
    }
    const commands = {
      next: () => this.go("next"),
      previous: () => this.go("previous"),
      approve: () => this.send({ do: "approve" }),
      approve_next: () => this.send({ do: "approve", next: true }),
      undo: () => this.send({ do: "undo" }),
      redo: () => this.send({ do: "redo" }),
      mark: () => this.addEntity(this.lastClass),
      mark_all: () => (entity ? this.send({ do: "mark_all", entity: entity.id }) : false),
      remove_mention: () => {
        if (!entity || !span) return false;
        this.chosen = { entity: entity.id, span: null };
        return this.send({ do: "remove_mention", entity: entity.id, span });
      },
      remove_entity: () => {
        if (!entity) return false;
        this.chosen = null;
        return this.send({ do: "remove_entity", entity: entity.id });
      },
      accept: () => this.decide("accept"),
      reject: () => this.decide("reject"),
      accept_all: () => this.send({ do: "accept_all" }),
      entity_next: () => this.walkEntities(1),
      entity_previous: () => this.walkEntities(-1),
      item_next: () => this.walkItems(1),
      item_previous: () => this.walkItems(-1),
      relate: () => {
        if (!entity) return false;
        this.picking = { subject: entity.id, code: this.lastRelation, evidence: this.span };
        this.drawNotices();
        return true;
      },
      vertical: () => {
        this.vertical = !this.vertical;
        remember("vertical", this.vertical ? "1" : "");
        return this.draw();
      },
      guidelines: () => this.send({ do: "guidelines" }),
      texts: () => this.texts[1].field.focus(),
      inspect: () => this.parts.inspector.querySelector("input")?.focus(),
      jump: () => this.parts.bar.querySelector("input")?.focus(),
      help: () => {
        this.parts.help.hidden = !this.parts.help.hidden;
      },
      leave: () => {
        this.flush();
        this.parts.help.hidden = true;
        this.picking = null;
        this.drawNotices();
        this.passage.text.focus();
      },
    };
    return commands[command] ? commands[command]() : false;
  }

  decide(what) {
    if (!this.item) return this.walkItems(1);
    const open = this.undecided();
    const at = open.findIndex((item) => item.key === this.item);
    const key = this.item;
    this.item = open[at + 1]?.key ?? null;
    return this.send({ do: what, key });
  }

  undecided() {
    const order = { entity: 0, relation: 1 };
    const open = this.data.items.filter((item) => item.state === "undecided");
    const at = (item) => (item.part === "entity" ? firstMention(item.entity) : 0);
    return open.sort((a, b) => (order[a.part] ?? 2) - (order[b.part] ?? 2) || at(a) - at(b));
  }

  walkItems(far) {
    const open = this.undecided();
    if (!open.length) return false;
    const at = open.findIndex((item) => item.key === this.item);
    const next = at < 0 ? (far > 0 ? 0 : open.length - 1) : (at + far + open.length) % open.length;
    this.chooseItem(open[next].key);
    return true;
  }

  walkEntities(far) {
    const places = this.value.entities
      .flatMap((entity) => entity.mentions.map((span) => ({ entity: entity.id, span })))
      .sort((a, b) => a.span[0] - b.span[0] || a.span[1] - b.span[1]);
    if (!places.length) return false;
    const now = this.chosen?.span;
    let at = places.findIndex((place) => now && place.entity === this.chosen.entity && place.span[0] === now[0]);
    if (at < 0) at = far > 0 ? -1 : 0;
    this.chosen = places[(at + far + places.length) % places.length];
    this.item = null;
    this.draw();
    this.passage.lookAt(this.chosen.span[0]);
    return true;
  }

  draw() {
    if (!this.data) return true;
    const { value, data } = this;
    if (this.chosen && !value.entities.some((entity) => entity.id === this.chosen.entity)) this.chosen = null;
    this.root.classList.toggle("is-vertical", this.vertical);
    this.passage.text.setAttribute("aria-label", this.say("passage"));
    this.passage.show(data.text, marksOf(value, data.items, this.chosen, this.item, this.say), this.vertical, this.chosen);
    this.drawBar();
    this.drawNotices();
    this.drawTools();
    this.put("entities", () => drawEntities(this));
    this.put("inspector", () => drawInspector(this));
    this.put("relations", () => drawRelations(this));
    this.put("space", () => drawSpace(this));
    for (const text of this.texts) text.show(this);
    this.put("last", () => this.noteField());
    this.put("footer", () => this.footer());
    this.put("help", () => this.help());
    return true;
  }

  // Draw one part anew; a field in it that has the keyboard keeps it, and one that composes is left alone.
  put(name, make) {
    const box = this.parts[name];
    const active = box.contains(document.activeElement) ? document.activeElement : null;
    if (active?.composing) return;
    const field = active?.getAttribute("data-field");
    const at = active && "selectionStart" in active ? [active.selectionStart, active.selectionEnd] : null;
    const lists = [...box.querySelectorAll(".rows, .scroll")].map((one) => [one.scrollTop, one.scrollLeft]);
    box.replaceChildren(...make());
    [...box.querySelectorAll(".rows, .scroll")].forEach((one, index) => {
      [one.scrollTop, one.scrollLeft] = lists[index] ?? [0, 0];
    });
    if (!active) return;
    const again = field ? box.querySelector(`[data-field="${field}"]`) : null;
    if (again) {
      again.focus({ preventScroll: true });
      if (at && again.type === "text") again.setSelectionRange(...at);
    } else {
      this.passage.text.focus({ preventScroll: true });
    }
  }

  drawBar() {
    this.put("bar", () => {
      const { data, say } = this;
      const late = this.unsavedSince !== undefined && Date.now() - this.unsavedSince > UNSAVED_WARNING;
      const waiting = this.outbox.pending > 0;
      const saved = late
        ? h("span.saved.late", { role: "alert" }, say("unsaved"))
        : h("span.saved", { "aria-live": "polite" }, waiting ? say("saving") : data.saved);
      const { position, count, next, previous } = data.queue;
      return [
        h("span.citation", { lang: "zh" }, data.citation),
        h(`span.status.${data.status}`, {}, say(`status_${data.status}`)),
        saved,
        h("span.break"),
        button("←", () => this.run("previous"), { key: "p", title: say("previous"), disabled: !previous }),
        h("span.position", { title: say("position_help") }, say("position", { position, count })),
        button("→", () => this.run("next"), { key: "n", title: say("next"), disabled: !next }),
        this.jumpField(),
        h("span.space"),
        button("↶", () => this.run("undo"), { title: `${say("undo")} [Ctrl+Z]`, disabled: !data.undo }),
        button("↷", () => this.run("redo"), { title: `${say("redo")} [Ctrl+Y]`, disabled: !data.redo }),
        button(say(this.vertical ? "horizontal" : "vertical"), () => this.run("vertical"), { key: "v" }),
        button(say("guidelines"), () => this.run("guidelines"), { key: "g" }),
        button(say("keys"), () => this.run("help"), { key: "?" }),
      ];
    });
  }

  jumpField() {
    const field = h("input.jump", {
      type: "text",
      inputMode: "numeric",
      placeholder: `#${this.data.passage}`,
      title: `${this.say("jump")} [j]`,
      "aria-label": this.say("jump"),
      "data-field": "jump",
      value: this.jumpTyped ?? "",
    });
    field.addEventListener("input", () => {
      this.jumpTyped = field.value;
    });
    field.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || isComposing(event)) return;
      const to = Number.parseInt(field.value.replace("#", ""), 10);
      this.jumpTyped = "";
      field.value = "";
      if (to > 0) this.go(to);
    });
    return field;
  }

  drawNotices() {
    this.put("notices", () => {
      const { data, say } = this;
      const parts = [];
      if (data.conflict) parts.push(this.conflictPanel(data.conflict));
      for (const aside of data.conflict ? [] : data.unmerged) {
        parts.push(
          h("p.notice", {}, aside.text, " ", button(say("compare_merge"), () => this.send({ do: "open_unmerged", id: aside.id }))),
        );
      }
      for (const note of data.notes) parts.push(h("p.notice", {}, note));
      if (this.picking) parts.push(this.pickPanel());
      return parts;
    });
  }

  pickPanel() {
    const { data, say, picking } = this;
    const subject = this.value.entities.find((one) => one.id === picking.subject)?.name ?? "";
    const choose = choice(
      data.relations,
      picking.code,
      (code) => {
        picking.code = code;
      },
      { "data-field": "pick-code" },
    );
    return h(
      "p.notice.picking",
      { role: "status" },
      h("b", {}, subject),
      choose,
      say("pick_object"),
      " ",
      button(say("cancel"), () => this.run("leave"), { key: "Esc" }),
    );
  }

  conflictPanel(conflict) {
    const { say } = this;
    const decided = (point) => this.choices[point.key] ?? (point.only === "both" ? null : point.only);
    const rows = conflict.points.map((point) => {
      const pick = (side, text) => {
        const box = h("input", {
          type: "radio",
          name: `conflict-${point.key}`,
          checked: decided(point) === side,
          onchange: () => {
            this.choices[point.key] = side;
            this.drawNotices();
          },
        });
        return h(`td.${side}${decided(point) === side ? ".decided" : ""}`, {}, h("label", {}, box, h("span", { lang: "zh" }, text || "—")));
      };
      return h("tr", {}, h("th", {}, point.title), pick("mine", point.mine), pick("theirs", point.theirs));
    });
    const open = conflict.points.filter((point) => decided(point) === null).length;
    const choices = () => Object.fromEntries(conflict.points.map((point) => [point.key, decided(point)]).filter(([, side]) => side));
    return h(
      "div.conflict",
      { role: "alert" },
      h("p", {}, conflict.text),
      h(
        "table",
        {},
        h("thead", {}, h("tr", {}, h("th", {}), h("th", {}, say("mine")), h("th", {}, conflict.theirs))),
        h("tbody", {}, rows),
      ),
      h(
        "div.row-of-buttons",
        {},
        button(open ? say("merge_open", { count: open }) : say("merge"), () => this.resolve(choices()), { kind: "primary", disabled: open > 0 }),
        button(say("take_theirs"), () => this.resolve(null)),
      ),
    );
  }

  resolve(choices) {
    this.choices = {};
    this.send(choices ? { do: "resolve", choices } : { do: "take_theirs" });
  }

  drawTools() {
    this.put("tools", () => {
      const { data, say, span } = this;
      const words = span ? data.characters.slice(...span).join("") : "";
      const short = codePoints(words).length > 12 ? `${codePoints(words).slice(0, 12).join("")}…` : words;
      return [
        h("span.selection", { "aria-live": "polite" }, span ? h("b", { lang: "zh" }, short) : say("select_hint"), span ? ` ${span[0] + 1}–${span[1]}` : ""),
        h(
          "span.classes",
          {},
          data.classes.map(([kind, label], index) =>
            button(label, () => this.addEntity(kind), { key: String(index + 1), kind: `class.${kind}`, disabled: !span }),
          ),
        ),
      ];
    });
  }

  noteField() {
    const field = line(this.value.note, (text) => this.later({ do: "set_note", value: text }), { "data-field": "note-of-passage" });
    return [h("label.note", {}, h("span", {}, this.say("passage_note")), field)];
  }

  footer() {
    const { data, say } = this;
    const open = data.items.filter((item) => item.state === "undecided").length;
    const merge = () => this.parts.notices.scrollIntoView({ block: "start" });
    return [
      // Said where the person works, whatever part of the desk she looks at.
      data.error ? h("p.notice.bad", { role: "alert" }, data.error) : null,
      data.conflict ? h("p.notice.bad", { role: "alert" }, data.conflict.short, " ", button(say("compare_merge"), merge)) : null,
      h(
        "div.row-of-buttons",
        {},
        data.suggestions.length > 1 || (data.suggestions.length && !data.suggestion)
          ? choice(data.suggestions.map((one) => [String(one.id), one.label]), String(data.suggestion?.id ?? ""), (id) => this.send({ do: "compare", suggestion: Number(id) }), { "data-field": "suggestion", title: say("compare_help") })
          : data.suggestion
            ? h("span.made-by", {}, data.suggestion.label)
            : null,
        data.asks.length > 1
          ? choice([["", say("ask")], ...data.asks], "", (who) => who && this.send({ do: "suggest", who }), { "data-field": "ask" })
          : button(say("ask"), () => this.send({ do: "suggest", who: "offline" })),
        h("span.space"),
        open ? button(say("accept_all", { count: open }), () => this.run("accept_all"), { key: "A" }) : null,
        button(say("discard"), () => this.send({ do: "discard" }), { disabled: data.status === "discarded" }),
        button(say("submit"), () => this.send({ do: "submit" }), { disabled: data.status === "submitted" }),
        open && data.untouched
          ? button(say("approve_all"), () => this.send({ do: "approve", accept_all: true }), { kind: "primary" })
          : button(say("approve"), () => this.run("approve"), { key: "Ctrl+Enter", kind: "primary", disabled: data.status === "approved" }),
      ),
    ].filter(Boolean);
  }

  help() {
    return [
      h("div.heading", {}, h("h3", {}, this.say("keys")), button("✕", () => this.run("help"), { kind: "small", title: this.say("cancel") })),
      h("dl", {}, this.data.keys.flatMap(([keys, meaning]) => [h("dt", {}, keys.split(" ").map((key) => h("kbd", {}, key))), h("dd", {}, meaning)])),
    ];
  }
}

export default function (component) {
  const { data, parentElement, setStateValue } = component;
  let root = parentElement.querySelector(".songclip-desk");
  if (!root) {
    root = document.createElement("div");
    root.className = "songclip-desk";
    parentElement.appendChild(root);
    root.desk = new Desk(root);
  }
  root.desk.update(data, setStateValue);
  return () => root.desk.flush();
}
