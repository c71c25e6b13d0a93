// Around the passage: the bar above, what has to be said, the class buttons, the buttons below, the list of keys.

function drawBar(desk) {
  const { data, say } = desk;
  const late = desk.unsavedSince !== undefined && Date.now() - desk.unsavedSince > UNSAVED_WARNING;
  const waiting = desk.outbox.pending > 0;
  const saved = late
    ? h("span.saved.late", { role: "alert" }, say("unsaved"))
    : h("span.saved", { "aria-live": "polite" }, waiting ? say("saving") : data.saved);
  const { position, count, next, previous } = data.queue;
  return [
    h("span.citation", { lang: "zh" }, data.citation),
    h(`span.status.${data.status}`, {}, say(`status_${data.status}`)),
    saved,
    h("span.break"),
    button("←", () => desk.run("previous"), { key: "p", title: say("previous"), disabled: !previous }),
    h("span.position", { title: say("position_help") }, say("position", { position, count })),
    button("→", () => desk.run("next"), { key: "n", title: say("next"), disabled: !next }),
    jumpField(desk),
    h("span.space"),
    button("↶", () => desk.run("undo"), { title: `${say("undo")} [Ctrl+Z]`, disabled: !data.undo }),
    button("↷", () => desk.run("redo"), { title: `${say("redo")} [Ctrl+Y]`, disabled: !data.redo }),
    button(say(desk.vertical ? "horizontal" : "vertical"), () => desk.run("vertical"), { key: "v" }),
    button(say("guidelines"), () => desk.run("guidelines"), { key: "g" }),
    button(say("keys"), () => desk.run("help"), { key: "?" }),
  ];
}

function jumpField(desk) {
  const field = h("input.jump", {
    type: "text",
    inputMode: "numeric",
    placeholder: `#${desk.data.passage}`,
    title: `${desk.say("jump")} [j]`,
    "aria-label": desk.say("jump"),
    "data-field": "jump",
    value: desk.jumpTyped ?? "",
  });
  field.addEventListener("input", () => {
    desk.jumpTyped = field.value;
  });
  field.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || isComposing(event)) return;
    const to = Number.parseInt(field.value.replace("#", ""), 10);
    desk.jumpTyped = "";
    field.value = "";
    if (to > 0) desk.go(to);
  });
  return field;
}

function drawNotices(desk) {
  const { data, say } = desk;
  const parts = [];
  if (data.conflict) parts.push(conflictPanel(desk, data.conflict));
  for (const aside of data.conflict ? [] : data.unmerged) {
    parts.push(
      h("p.notice", {}, aside.text, " ", button(say("compare_merge"), () => desk.send({ do: "open_unmerged", id: aside.id }))),
    );
  }
  for (const note of data.notes) parts.push(h("p.notice", {}, note));
  if (desk.picking) parts.push(pickPanel(desk));
  return parts;
}

function pickPanel(desk) {
  const { data, say, picking } = desk;
  const subject = desk.value.entities.find((one) => one.id === picking.subject)?.name ?? "";
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
    button(say("cancel"), () => desk.run("leave"), { key: "Esc" }),
  );
}

function conflictPanel(desk, conflict) {
  const { say } = desk;
  const decided = (point) => desk.choices[point.key] ?? (point.only === "both" ? null : point.only);
  const rows = conflict.points.map((point) => {
    const pick = (side, text) => {
      const box = h("input", {
        type: "radio",
        name: `conflict-${point.key}`,
        checked: decided(point) === side,
        onchange: () => {
          desk.choices[point.key] = side;
          desk.drawNotices();
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
      button(open ? say("merge_open", { count: open }) : say("merge"), () => desk.resolve(choices()), { kind: "primary", disabled: open > 0 }),
      button(say("take_theirs"), () => desk.resolve(null)),
      desk.data.merging ? button(say("later"), () => desk.send({ do: "close_unmerged" })) : null,
    ),
  );
}

function drawTools(desk) {
  const { data, say, span } = desk;
  const words = span ? data.characters.slice(...span).join("") : "";
  const short = codePoints(words).length > 12 ? `${codePoints(words).slice(0, 12).join("")}…` : words;
  return [
    h("span.selection", { "aria-live": "polite" }, span ? h("b", { lang: "zh" }, short) : say("select_hint"), span ? ` ${span[0] + 1}–${span[1]}` : ""),
    h(
      "span.classes",
      {},
      data.classes.map(([kind, label], index) =>
        button(label, () => desk.addEntity(kind), { key: String(index + 1), kind: `class.${kind}`, disabled: !span }),
      ),
    ),
  ];
}

function drawNote(desk) {
  const field = line(desk.value.note, (text) => desk.later({ do: "set_note", value: text }), { "data-field": "note-of-passage" });
  return [h("label.note", {}, h("span", {}, desk.say("passage_note")), field)];
}

function drawFooter(desk) {
  const { data, say } = desk;
  const open = data.items.filter((item) => item.state === "undecided").length;
  const merge = () => desk.parts.notices.scrollIntoView({ block: "start" });
  return [
    // Said where the person works, whatever part of the desk she looks at.
    data.error ? h("p.notice.bad", { role: "alert" }, data.error) : null,
    data.conflict ? h("p.notice.bad", { role: "alert" }, data.conflict.short, " ", button(say("compare_merge"), merge)) : null,
    data.status === "approved" && open
      ? h("p.notice.quiet", { role: "status" }, say("left_open", { count: open }), data.undo ? button(say("undo"), () => desk.run("undo"), { key: "Ctrl+Z", kind: "quiet" }) : null)
      : null,
    h(
      "div.row-of-buttons",
      {},
      data.suggestions.length > 1 || (data.suggestions.length && !data.suggestion)
        ? choice(data.suggestions.map((one) => [String(one.id), one.label]), String(data.suggestion?.id ?? ""), (id) => desk.send({ do: "compare", suggestion: Number(id) }), { "data-field": "suggestion", title: say("compare_help") })
        : data.suggestion
          ? h("span.made-by", {}, data.suggestion.label)
          : null,
      data.asks.length > 1
        ? choice([["", say("ask")], ...data.asks], "", (who) => who && desk.send({ do: "suggest", who }), { "data-field": "ask" })
        : button(say("ask"), () => desk.send({ do: "suggest", who: "offline" })),
      h("span.space"),
      open ? button(say(open === data.items.length ? "accept_every" : "accept_all", { count: open }), () => desk.run("accept_all"), { key: "A" }) : null,
      button(say("discard"), () => desk.send({ do: "discard" }), { disabled: data.status === "discarded" }),
      button(say("submit"), () => desk.send({ do: "submit" }), { disabled: data.status === "submitted" }),
      open && data.untouched
        ? button(say("approve_all"), () => desk.send({ do: "approve", accept_all: true }), { kind: "primary" })
        : button(say("approve"), () => desk.run("approve"), { key: "Ctrl+Enter", kind: "primary", disabled: data.status === "approved" }),
    ),
  ].filter(Boolean);
}

function drawHelp(desk) {
  return [
    h("div.heading", {}, h("h3", {}, desk.say("keys")), button("✕", () => desk.run("help"), { kind: "small", title: desk.say("cancel") })),
    h("dl", {}, desk.data.keys.flatMap(([keys, meaning]) => [h("dt", {}, keys.split(" ").map((key) => h("kbd", {}, key))), h("dd", {}, meaning)])),
  ];
}
