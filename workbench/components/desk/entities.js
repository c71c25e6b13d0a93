// The list of entities: the scholar's and the suggested ones in the order of the text, with what can be decided.

const STATE_SIGNS = { accepted: "✓", edited: "≠", rejected: "✗", undecided: "?" };

function firstMention(entity) {
  return entity.mentions.length ? entity.mentions[0][0] : Infinity;
}

// The scholar's entities and the suggested ones in the order of the text, as rows.
function entityRows(value, items) {
  const about = new Map();
  const open = [];
  for (const item of items) {
    if (item.part !== "entity") continue;
    if (item.of) about.set(item.of, [...(about.get(item.of) ?? []), item]);
    else open.push(item);
  }
  const rows = value.entities.map((entity) => ({ entity, items: about.get(entity.id) ?? [], at: firstMention(entity) }));
  for (const item of open) rows.push({ item, at: firstMention(item.entity) });
  return rows.sort((a, b) => a.at - b.at);
}

function drawEntities(desk) {
  const { value, data, say } = desk;
  const rows = entityRows(value, data.items).filter((row) => !row.item || row.item.state !== "rejected" || desk.showRejected);
  const hidden = data.items.filter((item) => item.part === "entity" && item.state === "rejected").length;
  const findings = new Map();
  for (const { where, text } of data.findings) findings.set(where, [...(findings.get(where) ?? []), text]);
  keep(
    desk.rows,
    rows.map((row) => (row.item ? suggestedRow(desk, row.item) : entityRow(desk, row, findings.get(row.entity.id) ?? []))),
  );
  return [
    h(
      "div.heading",
      {},
      h("h3", {}, say("entities"), h("span.count", {}, String(value.entities.length))),
      hidden
        ? button(say("rejected_count", { count: hidden }), () => desk.toggleRejected(), { kind: "quiet", pressed: desk.showRejected })
        : null,
    ),
    rows.length ? desk.rows : h("p.empty", {}, say("no_entities")),
  ];
}

// The row of an entity, for keep(): all that it shows, and how it is made.
function entityRow(desk, { entity, items }, findings) {
  const { data, say, act } = desk;
  const item = items[0];
  const type = kindName(desk, entity);
  const make = () => {
    const row = h(
      `div.row.${entity.kind}`,
      { role: "listitem", onclick: () => desk.chooseEntity(entity.id), "data-entity": entity.id },
      h("span.name", {}, entity.name),
      h("span.type", {}, type),
      h("span.count", { title: say("mentions") }, String(entity.mentions.length)),
      entity.certainty === "certain" ? null : h("span.doubt", {}, say(`certainty_${entity.certainty}`)),
      item
        ? h(`span.state.${item.state}`, { title: say(`state_${item.state}`) + (item.says ? `: ${item.says}` : "") }, STATE_SIGNS[item.state])
        : null,
      findings.length ? h("span.warn", { title: findings.join("\n") }, "⚠") : null,
    );
    if (item?.state === "edited") {
      row.append(
        h("span.says", {}, item.says),
        button("↩", () => act({ do: "accept", key: item.key }), { kind: "small", title: say("take_suggestion") }),
      );
    }
    return row;
  };
  const { id, name, kind, certainty, mentions } = entity;
  const shown = [data.language, id, name, kind, type, certainty, mentions.length, item?.key, item?.state, item?.says, findings];
  return [JSON.stringify(shown), make];
}

// The row of a suggested entity, likewise.
function suggestedRow(desk, item) {
  const { data, say, act } = desk;
  const { name, kind, mentions } = item.entity;
  const type = kindName(desk, item.entity);
  const make = () =>
    h(
      `div.row.ghost.${kind}`,
      { role: "listitem", onclick: () => desk.chooseItem(item.key), "data-item": item.key },
      h("span.name", {}, name),
      h("span.type", {}, type),
      h("span.count", { title: say("mentions") }, String(mentions.length)),
      decideButtons(item, say, act),
    );
  return [JSON.stringify([data.language, item.key, item.state, name, kind, type, mentions.length]), make];
}

function kindName({ data, say }, entity) {
  return entity.kind === "place" ? typeName(data, entity.type) : say(`class_${entity.kind}`);
}

function decideButtons(item, say, act) {
  if (item.state === "rejected") {
    return h(
      "span.decide",
      {},
      button("↶", () => act({ do: "undecide", key: item.key }), { kind: "small", title: say("undecide") }),
    );
  }
  return h(
    "span.decide",
    {},
    button("✓", () => act({ do: "accept", key: item.key }), { kind: "small.accept", title: `${say("accept")} [a]` }),
    button("✗", () => act({ do: "reject", key: item.key }), { kind: "small.reject", title: `${say("reject")} [x]` }),
  );
}

function typeName(data, code) {
  return data.types.find(([known]) => known === code)?.[1] ?? code;
}
