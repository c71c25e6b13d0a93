// What the server has not confirmed yet, shown at once: actions kept until they are acknowledged.

// The value as it will be, for the actions whose effect is plain; all others wait for the server's answer.
function foresee(value, actions) {
  let next = value;
  for (const action of actions) {
    if (action.do === "set_text") next = { ...next, [action.field]: action.value };
    if (action.do === "set_note") next = { ...next, note: action.value };
    if (action.do === "set_entity" || action.do === "move_mention" || action.do === "remove_mention") {
      const entities = next.entities.map((entity) =>
        entity.id === action.entity ? foreseeEntity(entity, action) : entity,
      );
      next = { ...next, entities };
    }
    if (action.do === "set_relation" && action.field !== "evidence") {
      next = { ...next, relations: replaced(next.relations, action) };
    }
    if (action.do === "set_alternative") next = { ...next, alternatives: replaced(next.alternatives, action) };
    if (action.do === "remove_relation") next = { ...next, relations: without(next.relations, action.index) };
    if (action.do === "remove_alternative") next = { ...next, alternatives: without(next.alternatives, action.index) };
  }
  return next;
}

function replaced(rows, action) {
  return rows.map((row, index) => (index === action.index ? { ...row, [action.field]: action.value } : row));
}

function without(rows, index) {
  return rows.filter((_, place) => place !== index);
}

function foreseeEntity(entity, action) {
  if (action.do === "set_entity") return { ...entity, [action.field]: action.value };
  const same = (span) => span[0] === action.span[0] && span[1] === action.span[1];
  const mentions =
    action.do === "remove_mention"
      ? entity.mentions.filter((span) => !same(span))
      : entity.mentions.map((span) => (same(span) ? action.to : span));
  return { ...entity, mentions };
}

function sameField(one, other) {
  return ["do", "field", "entity", "index"].every((name) => one[name] === other[name]);
}

// Actions on their way: numbered, sent all together each time, dropped when the server has acknowledged their number.
// What is left of a passage one has gone on from is sent along until it is acknowledged too.
class Outbox {
  constructor(send) {
    this.send = send;
    this.waiting = [];
    this.last = 0;
    this.sitting = null;
    this.left = [];
  }

  // Back at a passage, what was left of it goes on in its own order, and its numbers are not given again.
  begin(sitting, ack) {
    if (this.waiting.length) this.left.push({ ...this.sitting, actions: this.waiting });
    const own = this.left.filter((batch) => batch.sitting === sitting.sitting).flatMap((batch) => batch.actions);
    this.left = this.left.filter((batch) => batch.sitting !== sitting.sitting);
    this.sitting = sitting;
    this.waiting = own.filter((action) => action.n > ack);
    this.last = Math.max(ack, ...own.map((action) => action.n));
  }

  // A field that is typed on replaces its own last action, so that nothing is sent twice.
  add(action, { replace = false } = {}) {
    const before = this.waiting[this.waiting.length - 1];
    if (replace && before && !before.sent && sameField(before, action)) this.waiting.pop();
    this.last += 1;
    this.waiting.push({ ...action, n: this.last });
  }

  get pending() {
    return this.waiting.length + this.left.length;
  }

  get unsent() {
    return [...this.left.flatMap((batch) => batch.actions), ...this.waiting].some((action) => !action.sent);
  }

  flush() {
    const batches = [...this.left, { ...this.sitting, actions: this.waiting }].filter((batch) => batch.actions.length);
    if (!batches.length) return;
    for (const batch of batches) for (const action of batch.actions) action.sent = true;
    this.send({
      at: Date.now(),
      batches: batches.map((batch) => ({ ...batch, actions: batch.actions.map(({ sent, ...action }) => action) })),
    });
  }

  acknowledge(ack, sitting) {
    this.waiting = this.waiting.filter((action) => action.n > ack);
    this.last = Math.max(this.last, ack);
    this.sitting = sitting;
  }

  // `heard` are the last numbers acknowledged of other sittings.
  acknowledgeLeft(heard) {
    if (this.sitting) this.waiting = this.waiting.filter((action) => action.n > (heard[this.sitting.sitting] ?? 0));
    this.left = this.left.filter((batch) => batch.actions.some((action) => action.n > (heard[batch.sitting] ?? 0)));
  }
}
