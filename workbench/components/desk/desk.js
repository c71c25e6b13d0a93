// The desk: one passage, everything about it, all keys. It draws what the server says, shows at once what one does,
// and sends actions until the server has acknowledged them.

const TYPING_PAUSE = 500;
const TYPING_LONGEST = 1200;
const SEND_AGAIN = 3000;
const UNSAVED_WARNING = 4000;
const QUIET = 10000;
const LONGEST_HOLD = 4000;

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
    this.drawn = new Map();
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
      select: () => {
        this.drawTools();
        this.drawRelations();
      },
      choose: (chosen) => this.choose(chosen),
      move: (entity, span, to) => this.moveMention(entity, span, to),
      enter: () => this.picking && this.pick(this.chosen?.entity),
    });
    const part = (name) => h(`div.${name}`);
    this.parts = Object.fromEntries(
      ["bar", "notices", "tools", "inspector", "entities", "relations", "related", "space", "last", "footer", "help"].map((name) => [name, part(name)]),
    );
    this.rows = h("div.rows", { role: "list" });
    // What is typed or chosen in a part stands on the screen before the server has said anything.
    for (const [name, box] of Object.entries(this.parts)) {
      for (const change of ["input", "change"]) box.addEventListener(change, () => this.drawn.delete(name));
    }
    this.texts = TEXT_NAMES.map((name) => new TextBlock(name, this));
    const { bar, notices, tools, inspector, entities, relations, related, space, last, footer, help } = this.parts;
    help.hidden = true;
    // A click on no field gives the keyboard to the desk, not to the page around it.
    this.root.tabIndex = -1;
    this.root.append(
      bar,
      notices,
      h("div.columns", {}, h("div.left", {}, this.passage.box, tools, inspector), entities),
      h("div.columns.lower", {}, h("div", {}, relations, related), space),
      h("div.texts", {}, this.texts.map((text) => text.box)),
      last,
      footer,
      help,
    );
    this.onkey = (event) => this.keyPressed(event);
    this.onleave = () => this.flush();
    this.onlink = (event) => this.holdLink(event);
    this.onunload = (event) => {
      this.flush();
      if (this.outbox.pending) event.preventDefault();
    };
    document.addEventListener("keydown", this.onkey, true);
    document.addEventListener("click", this.onlink, true);
    document.addEventListener("visibilitychange", this.onleave);
    window.addEventListener("pagehide", this.onleave);
    window.addEventListener("beforeunload", this.onunload);
    this.clock = setInterval(() => this.tick(), 1000);
  }

  // What is sent together with a click on another page would bring this one back. So the click waits until what was
  // typed is stored, a moment that nobody sees.
  holdLink(event) {
    const link = event.target.closest?.("a[href]");
    if (!link || this.root.contains(link) || this.passing) return;
    this.flush();
    if (!this.outbox.pending) return;
    event.preventDefault();
    event.stopPropagation();
    this.held = { href: link.getAttribute("href"), until: Date.now() + LONGEST_HOLD };
  }

  followHeld() {
    if (!this.held || (this.outbox.pending && Date.now() < this.held.until)) return;
    const link = document.querySelector(`a[href="${CSS.escape(this.held.href)}"]`);
    this.held = null;
    this.quietUntil = Date.now() + QUIET;
    this.passing = true;
    link?.click();
    this.passing = false;
  }

  close() {
    this.flush();
    clearInterval(this.clock);
    clearTimeout(this.timer);
    document.removeEventListener("keydown", this.onkey, true);
    document.removeEventListener("click", this.onlink, true);
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
    this.leaving = false;
    if (other) this.sitDown();
    this.flush();
    this.followHeld();
    if (data.chosen) this.chooseMade(data.chosen);
    this.draw();
  }

  // Between two passages nothing is typed or decided: it would not be clear of which. While two versions are merged,
  // nothing else is.
  get still() {
    return this.leaving || this.data.merging;
  }

  go(to) {
    this.send({ do: "go", to });
    this.passage.text.focus({ preventScroll: true });
    this.leaving = true;
    this.draw();
  }

  sitDown() {
    this.chosen = null;
    this.item = null;
    this.picking = null;
    this.choices = {};
    this.rows.scrollTop = 0;
    const free = document.activeElement === document.body || document.activeElement === null;
    if (free) this.passage.text.focus({ preventScroll: true });
  }

  chooseMade({ n, entity }) {
    if (n === this.madeBy || n < (this.askedBy ?? Infinity)) return;
    // Whoever has gone on to the fields of another entity stays there.
    if (this.parts.inspector.contains(document.activeElement)) return;
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
    if (!this.may(action)) return;
    this.outbox.add(this.about(action));
    this.flush();
    this.draw();
  }

  may(action) {
    const settling = ["resolve", "take_theirs", "close_unmerged", "go"].includes(action.do);
    return !this.leaving && (!this.data.merging || settling);
  }

  // A decision is about the suggestion that is seen.
  about(action) {
    const decides = ["accept", "reject", "accept_all", "approve"].includes(action.do);
    return decides && this.data.suggestion ? { ...action, suggestion: this.data.newest } : action;
  }

  later(action) {
    if (!this.may(action)) return;
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
    this.followHeld();
    if (!this.outbox.pending) {
      if (this.unsavedSince !== undefined) {
        this.unsavedSince = undefined;
        this.drawBar();
      }
      return;
    }
    const quiet = Date.now() < (this.quietUntil ?? 0);
    if (!quiet && this.sentAt !== undefined && !this.typedSince && Date.now() - this.sentAt > SEND_AGAIN) this.sendAgain();
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
    this.send({ do: "add_entity", span, kind });
    this.askedBy = this.outbox.last;
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
        this.passage.select(this.passage.focus, this.passage.focus, { look: false });
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
    this.root.classList.toggle("still", Boolean(this.still));
    this.passage.text.setAttribute("aria-label", this.say("passage"));
    this.passage.show(data.text, marksOf(value, data.items, this.chosen, this.item, this.say), this.vertical, this.chosen);
    this.drawBar();
    this.drawNotices();
    this.drawTools();
    this.put("entities", () => drawEntities(this));
    this.put("inspector", () => drawInspector(this));
    this.drawRelations();
    this.put("space", () => drawSpace(this), [data.language, data.drawing, data.contradictions]);
    for (const text of this.texts) text.show(this);
    this.put("last", () => drawNote(this));
    this.put("footer", () => drawFooter(this));
    this.put("help", () => drawHelp(this), [data.language]);
    this.drawChosen();
    return true;
  }

  // Draw a part; with `shows`, which is all that one sees of it, only when that has changed.
  put(name, make, shows) {
    const now = shows && JSON.stringify(shows);
    if (now && this.drawn.get(name) === now) return;
    this.drawn.delete(name);
    if (redraw(this.parts[name], make, this.passage.text) && now) this.drawn.set(name, now);
  }

  // Rows, proposals and names of the drawing stay when another one is chosen.
  drawChosen() {
    for (const one of this.root.querySelectorAll("[data-entity], [data-item]")) {
      const { entity, item } = one.dataset;
      const chosen = item ? item === this.item : entity === this.chosen?.entity;
      if (chosen !== one.classList.contains("chosen")) one.classList.toggle("chosen", chosen);
    }
  }

  resolve(choices) {
    const theirs = this.data.conflict?.version;
    this.choices = {};
    this.send(choices ? { do: "resolve", choices, theirs } : { do: "take_theirs", theirs });
  }

  drawBar() {
    this.put("bar", () => drawBar(this));
  }

  drawNotices() {
    this.put("notices", () => drawNotices(this));
  }

  drawRelations() {
    this.put("relations", () => drawRelationsHead(this));
    this.put("related", () => drawRelations(this), relationsShown(this));
  }

  drawTools() {
    this.put("tools", () => drawTools(this));
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
