// The parts of the desk around the passage, each drawn from what it shows; nothing here talks to the server.

// Draw a part anew; a field in it that has the keyboard keeps it, and one that composes is left alone: then the answer
// is false.
function redraw(box, children, otherwise) {
  const active = box.contains(document.activeElement) ? document.activeElement : null;
  if (active?.composing) return false;
  const field = active?.getAttribute("data-field");
  const at = active && "selectionStart" in active ? [active.selectionStart, active.selectionEnd] : null;
  const lists = [...box.querySelectorAll(".rows, .scroll")].map((one) => [one.scrollTop, one.scrollLeft]);
  place(box, children());
  [...box.querySelectorAll(".rows, .scroll")].forEach((one, index) => {
    [one.scrollTop, one.scrollLeft] = lists[index] ?? [0, 0];
  });
  if (!active || box.contains(active)) return true;
  const again = field ? box.querySelector(`[data-field="${field}"]`) : null;
  if (!again) {
    otherwise.focus({ preventScroll: true });
    return true;
  }
  again.focus({ preventScroll: true });
  if (at && again.type === "text") again.setSelectionRange(...at);
  return true;
}

// An element: h("button.small", { onclick }, "text", child). Text is always text, never HTML.
function h(name, properties = {}, ...children) {
  const [tag, ...classes] = name.split(".");
  const element = document.createElement(tag);
  if (classes.length) element.className = classes.join(" ");
  for (const [key, value] of Object.entries(properties)) {
    if (value === undefined || value === null) continue;
    if (key.includes("-") || key === "for" || key === "role") element.setAttribute(key, value);
    else element[key] = value;
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

function button(label, onclick, { key, kind = "", title, disabled = false, pressed } = {}) {
  const hint = [title, key && `[${key}]`].filter(Boolean).join(" ");
  return h(
    `button${kind ? `.${kind}` : ""}`,
    { type: "button", onclick, disabled, title: hint || undefined, "aria-pressed": pressed },
    label,
    key ? h("kbd", {}, key) : null,
  );
}

function choice(options, value, onchange, properties = {}) {
  const select = h("select", { onchange: (event) => onchange(event.target.value), ...properties });
  offer(select, options, value);
  return select;
}

function offer(select, options, value) {
  const known = options.some(([code]) => code === value);
  const list = known ? options : [[value, value || "—"], ...options];
  select.replaceChildren(...list.map(([code, label]) => h("option", { value: code, selected: code === value }, label)));
}

// A choice among many, which are listed when somebody goes there: hundreds of names in each of a hundred rows are more
// than a browser draws in a second.
function longChoice(options, value, label, onchange, properties = {}) {
  const select = choice([[value, label]], value, onchange, properties);
  const fill = () => {
    if (select.options.length === 1) offer(select, options(), value);
  };
  select.addEventListener("pointerdown", fill);
  select.addEventListener("focus", fill);
  return select;
}

// A one-line field; `onedit` is called while one types, never in the middle of a composition.
function line(value, onedit, properties = {}) {
  const field = h("input", { type: "text", value, autocomplete: "off", spellcheck: false, ...properties });
  whileTyping(field, onedit);
  return field;
}

function whileTyping(field, onedit) {
  field.addEventListener("input", (event) => {
    if (!event.isComposing && !field.composing) onedit(field.value);
  });
  field.addEventListener("compositionstart", () => {
    field.composing = true;
  });
  field.addEventListener("compositionend", () => {
    field.composing = false;
    onedit(field.value);
  });
}

function drawInspector(desk) {
  const { value, data, say, act, type } = desk;
  const entity = value.entities.find((one) => one.id === desk.chosen?.entity);
  if (!entity) return [h("p.empty", {}, say("inspect_hint"))];
  const set = (field) => (typed) => act({ do: "set_entity", entity: entity.id, field, value: typed });
  const typed = (field) => (text) => type({ do: "set_entity", entity: entity.id, field, value: text });
  const field = (name, control) => h("label", {}, h("span", {}, say(name)), control);
  const { span } = desk.chosen;
  const others = () => [["", say("merge_into")], ...desk.value.entities.filter((one) => one.id !== entity.id).map((one) => [one.id, one.name])];
  return [
    h(
      "div.fields",
      {},
      field("name", line(entity.name, typed("name"), { "data-field": "name" })),
      field("class", choice(data.classes, entity.kind, set("kind"), { "data-field": "kind" })),
      entity.kind === "place"
        ? field("type", choice(data.types, entity.type, set("type"), { "data-field": "type" }))
        : null,
      field("source_label", line(entity.source_label, typed("source_label"), { "data-field": "source_label" })),
      field("certainty", choice(data.certainties, entity.certainty, set("certainty"), { "data-field": "certainty" })),
      field("note", line(entity.note, typed("note"), { "data-field": "note" })),
      field("called_modern", line(entity.modern, typed("modern"), { "data-field": "modern" })),
      field("called_english", line(entity.english, typed("english"), { "data-field": "english" })),
    ),
    h(
      "div.tools",
      {},
      button(say("mark_all"), () => act({ do: "mark_all", entity: entity.id }), { key: "m" }),
      desk.span ? button(say("add_mention"), () => act({ do: "add_mention", entity: entity.id, span: desk.span })) : null,
      span ? button(say("remove_mention"), () => desk.run("remove_mention"), { key: "Ctrl+Del" }) : null,
      button(say("relate"), () => desk.run("relate"), { key: "r" }),
      value.entities.length > 1
        ? longChoice(others, "", say("merge_into"), (into) => into && act({ do: "merge_entity", entity: entity.id, into }), { "data-field": "merge" })
        : null,
      button(say("remove_entity"), () => desk.run("remove_entity"), { key: "Ctrl+Shift+Del", kind: "danger" }),
    ),
  ];
}

// All that is seen of the relations' table; it is drawn anew when that has changed.
function relationsShown({ value, data, span, showRejected }) {
  const ends = new Set(value.relations.flatMap((relation) => [relation.subject, relation.object]));
  const names = value.entities.filter((entity) => ends.has(entity.id)).map((entity) => [entity.id, entity.name]);
  const items = data.items.filter((item) => item.part === "relation");
  const findings = data.findings.filter((finding) => finding.where.startsWith("relation:"));
  return [data.language, data.text_id, value.relations, names, items, findings, Boolean(span), showRejected];
}

function drawRelationsHead(desk) {
  const { value, chosen, say } = desk;
  const add = value.entities.length
    ? button(say("add_relation"), () => desk.run("relate"), { key: "r", disabled: !chosen?.entity, title: say("relate_hint") })
    : null;
  return [h("div.heading", {}, h("h3", {}, say("relations"), h("span.count", {}, String(value.relations.length))), add)];
}

function drawRelations(desk) {
  const { value, data, say, act, type } = desk;
  const { span } = desk;
  const names = () => desk.value.entities.map((entity) => [entity.id, entity.name]);
  const called = new Map(value.entities.map((entity) => [entity.id, entity.name]));
  const open = data.items.filter((item) => item.part === "relation" && item.state !== "accepted" && (item.state !== "rejected" || desk.showRejected));
  const heads = ["subject", "relation", "object", "distance", "unit", "evidence", "certainty", "note", ""];
  const rows = value.relations.map((relation, index) => {
    const was = [relation.subject, relation.code, relation.object];
    const set = (field) => (given) => act({ do: "set_relation", index, was, field, value: given });
    const typed = (field) => (text) => type({ do: "set_relation", index, was, field, value: text });
    const key = (field) => ({ "data-field": `relation-${index}-${field}` });
    const findings = data.findings.filter((finding) => finding.where === `relation:${index}`);
    return h(
      `tr${findings.some((finding) => finding.grave) ? ".grave" : ""}`,
      { "data-relation": index },
      h("td", {}, longChoice(names, relation.subject, called.get(relation.subject), set("subject"), key("subject"))),
      h("td", {}, longChoice(() => data.relations, relation.code, relationName(data, relation.code), set("code"), key("code"))),
      h("td", {}, longChoice(names, relation.object, called.get(relation.object), set("object"), key("object"))),
      h("td.narrow", {}, line(relation.distance, typed("distance"), key("distance"))),
      h("td.narrow", {}, line(relation.unit, typed("unit"), { list: undefined, ...key("unit") })),
      h(
        "td.evidence",
        {},
        h("span", { lang: "zh" }, relation.evidence ? data.characters.slice(...relation.evidence).join("") : "—"),
        span
          ? button("⇤", () => act({ do: "set_relation", index, was, field: "evidence", value: desk.span }), { kind: "small", title: say("use_selection") })
          : null,
      ),
      h("td", {}, choice(data.certainties, relation.certainty, set("certainty"), key("certainty"))),
      h("td", {}, line(relation.note, typed("note"), key("note"))),
      h(
        "td",
        {},
        findings.length ? h("span.warn", { title: findings.map((finding) => finding.text).join("\n") }, "⚠") : null,
        button("✕", () => act({ do: "remove_relation", index, was }), { kind: "small", title: say("remove_relation") }),
      ),
    );
  });
  const suggested = open.map((item) =>
    h(
      "tr.ghost",
      { onclick: () => desk.chooseItem(item.key), "data-item": item.key },
      h("td", {}, item.subject),
      h("td", {}, relationName(data, item.relation.code)),
      h("td", {}, item.object),
      h("td", {}, item.relation.distance),
      h("td", {}, item.relation.unit),
      h("td.evidence", { lang: "zh" }, item.relation.evidence ? data.characters.slice(...item.relation.evidence).join("") : ""),
      h("td", {}, item.state === "edited" ? say("state_edited") : ""),
      h("td", {}),
      h("td", {}, decideButtons(item, say, act)),
    ),
  );
  const table = rows.length || suggested.length
    ? h("table", {}, h("thead", {}, h("tr", {}, heads.map((head) => h("th", {}, head ? say(head) : "")))), h("tbody", {}, rows, suggested))
    : h("p.empty", {}, say("no_relations"));
  return [h("div.scroll", {}, table)];
}

function relationName(data, code) {
  return data.relations.find(([known]) => known === code)?.[1] ?? code;
}

const SVG = "http://www.w3.org/2000/svg";

function svg(name, attributes, ...children) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

// Who is north of whom: east is right, north is up; what contradicts is red.
function drawSpace(desk) {
  const { data, say } = desk;
  const { nodes, edges } = data.drawing;
  if (!nodes.length) return [];
  const broad = (name) => Math.max(44, codePoints(name).length * 15 + 14);
  const step = Math.max(...nodes.map((node) => broad(node.name))) + 58;
  const rise = 66;
  const xs = nodes.map((node) => node.x);
  const ys = nodes.map((node) => node.y);
  const left = Math.min(...xs);
  const top = Math.max(...ys);
  const width = (Math.max(...xs) - left) * step + 170;
  const height = (top - Math.min(...ys)) * rise + 70;
  const place = new Map(nodes.map((node) => [node.id, [(node.x - left) * step + 85, (top - node.y) * rise + 35]]));
  const figure = svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": say("drawing") });
  for (const edge of edges) {
    const [x1, y1] = place.get(edge.from);
    const [x2, y2] = place.get(edge.to);
    const line = svg("line", { x1, y1, x2, y2, class: edge.bad ? "edge bad" : "edge" });
    const label = svg("text", { x: (x1 + x2) / 2, y: (y1 + y2) / 2 - 3, class: edge.bad ? "label bad" : "label" });
    label.textContent = edge.label;
    figure.append(line, label);
  }
  for (const node of nodes) {
    const [x, y] = place.get(node.id);
    const group = svg("g", { class: "node", "data-entity": node.id });
    const long = broad(node.name);
    const name = svg("text", { x, y: y + 5 });
    name.textContent = node.name;
    group.append(svg("rect", { x: x - long / 2, y: y - 13, width: long, height: 26, rx: 5 }), name);
    group.addEventListener("click", () => desk.chooseEntity(node.id));
    figure.append(group);
  }
  return [
    h("div.heading", {}, h("h3", {}, say("drawing")), h("span.compass", {}, say("north_up"))),
    data.contradictions.length ? h("p.grave", { role: "alert" }, say("contradiction"), " ", data.contradictions.join("; ")) : null,
    h("div.scroll.canvas", {}, figure),
  ].filter(Boolean);
}
