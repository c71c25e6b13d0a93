// Marked text in Unicode code points, end exclusive, as the database counts them.

function codePoints(text) {
  return Array.from(text);
}

// The stretches between all borders of the marks, each with the marks that cover it.
function pieces(length, marks) {
  const inside = marks.filter((mark) => mark.start >= 0 && mark.start < mark.end && mark.end <= length);
  const borders = new Set([0, length]);
  for (const mark of inside) {
    borders.add(mark.start);
    borders.add(mark.end);
  }
  const sorted = [...borders].sort((a, b) => a - b);
  const opening = [...inside].sort((a, b) => a.start - b.start || b.end - a.end);
  const result = [];
  let open = [];
  let next = 0;
  for (let i = 0; i + 1 < sorted.length; i += 1) {
    open = open.filter((mark) => mark.end > sorted[i]);
    while (next < opening.length && opening[next].start <= sorted[i]) {
      open.push(opening[next]);
      next += 1;
    }
    result.push({ start: sorted[i], end: sorted[i + 1], marks: [...open] });
  }
  return result;
}

// Marks that overlap are drawn on different lines below the text: the lane of each mark, by its place in the list.
function lanes(marks) {
  const order = marks.map((mark, index) => ({ mark, index }));
  order.sort((a, b) => a.mark.start - b.mark.start || b.mark.end - a.mark.end);
  const free = [];
  const result = new Array(marks.length).fill(0);
  for (const { mark, index } of order) {
    let lane = free.findIndex((end) => end <= mark.start);
    if (lane < 0) lane = free.push(0) - 1;
    free[lane] = mark.end;
    result[index] = lane;
  }
  return result;
}

// Where a caret may stand: a character and its variation selector or combining mark are one step.
function caretStops(text) {
  const stops = [0];
  if (typeof Intl !== "undefined" && Intl.Segmenter) {
    for (const part of new Intl.Segmenter("zh", { granularity: "grapheme" }).segment(text)) {
      stops.push(stops[stops.length - 1] + codePoints(part.segment).length);
    }
  } else {
    codePoints(text).forEach((_, index) => stops.push(index + 1));
  }
  return stops;
}

function stopAfter(stops, at) {
  return stops.find((stop) => stop > at) ?? stops[stops.length - 1];
}

function stopBefore(stops, at) {
  let found = 0;
  for (const stop of stops) {
    if (stop >= at) break;
    found = stop;
  }
  return found;
}

// Code points between the start of `root` and a place in its tree.
function codePointsBefore(root, node, offset) {
  const range = document.createRange();
  range.selectNodeContents(root);
  range.setEnd(node, offset);
  return codePoints(range.toString()).length;
}

// The place in the tree below `root` that stands before the code point `at`.
function placeOf(root, at) {
  const walk = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  let left = at;
  let last = null;
  while (walk.nextNode()) {
    const node = walk.currentNode;
    last = node;
    let unit = 0;
    while (left > 0 && unit < node.data.length) {
      unit += node.data.codePointAt(unit) > 0xffff ? 2 : 1;
      left -= 1;
    }
    if (left === 0 && unit < node.data.length) return [node, unit];
  }
  return last ? [last, last.data.length] : [root, 0];
}

function selectedSpan(root) {
  const selection = document.getSelection();
  if (!selection || selection.rangeCount === 0) return null;
  const range = selection.getRangeAt(0);
  if (!root.contains(range.startContainer) || !root.contains(range.endContainer)) return null;
  return [
    codePointsBefore(root, range.startContainer, range.startOffset),
    codePointsBefore(root, range.endContainer, range.endOffset),
  ];
}

// The code point under a place of the screen; null outside the text.
function codePointAt(root, x, y) {
  let node;
  let offset;
  if (document.caretPositionFromPoint) {
    const place = document.caretPositionFromPoint(x, y);
    [node, offset] = place ? [place.offsetNode, place.offset] : [null, 0];
  } else {
    const range = document.caretRangeFromPoint(x, y);
    [node, offset] = range ? [range.startContainer, range.startOffset] : [null, 0];
  }
  return node && root.contains(node) ? codePointsBefore(root, node, offset) : null;
}

// Fill `root` with the text, its marks drawn as lines in their lanes: solid, dashed where `ghost`, dotted where `doubt`.
function drawMarked(root, text, marks, { vertical = false } = {}) {
  const characters = codePoints(text);
  const laneOf = lanes(marks);
  const lane = new Map(marks.map((mark, index) => [mark, laneOf[index]]));
  const found = pieces(characters.length, marks);
  keep(
    root,
    found.map((piece) => {
      const words = characters.slice(piece.start, piece.end).join("");
      const lines = piece.marks.map((mark) => [mark.kind, mark.ghost, mark.doubt, mark.name, lane.get(mark), mark.end === piece.end]);
      return [JSON.stringify([piece.start, words, lines, vertical]), () => drawPiece(piece, words, lane, vertical)];
    }),
  );
  const spans = [...root.children];
  found.forEach((piece, index) => {
    spans[index].marks = piece.marks;
  });
  drawChosen(root);
}

function drawPiece(piece, words, lane, vertical) {
  const span = document.createElement("span");
  span.textContent = words;
  if (piece.marks.length) {
    const inner = piece.marks.reduce((a, b) => (b.end - b.start < a.end - a.start ? b : a));
    const names = ["mark", inner.kind];
    if (piece.marks.length > 1) names.push("nested");
    if (piece.marks.every((mark) => mark.ghost)) names.push("ghost");
    span.className = names.join(" ");
    span.title = piece.marks.map((mark) => mark.name).join("\n");
    drawLines(span, piece, lane, vertical);
  }
  return span;
}

// Show which of the marks are chosen now.
function drawChosen(root) {
  for (const span of root.children) {
    const chosen = span.marks.some((mark) => mark.chosen);
    if (chosen !== span.classList.contains("chosen")) span.classList.toggle("chosen", chosen);
  }
}

function drawLines(span, { marks, end }, lane, vertical) {
  const direction = vertical ? "180deg" : "90deg";
  const images = [];
  const positions = [];
  const sizes = [];
  for (const mark of marks) {
    const color = `var(--class-${mark.kind})`;
    const pattern = mark.ghost ? "0 5px, transparent 5px 9px" : mark.doubt ? "0 2px, transparent 2px 5px" : "0 100%";
    images.push(`repeating-linear-gradient(${direction}, ${color} ${pattern})`);
    const away = 5 * lane.get(mark);
    positions.push(vertical ? `${away}px 0` : `0 calc(100% - ${away}px)`);
    // Two names side by side are two lines.
    const long = mark.end === end ? "calc(100% - 3px)" : "100%";
    sizes.push(vertical ? `3px ${long}` : `${long} 3px`);
  }
  span.style.backgroundImage = images.join(", ");
  span.style.backgroundSize = sizes.join(", ");
  span.style.backgroundPosition = positions.join(", ");
  const room = `${5 * Math.max(...marks.map((mark) => lane.get(mark))) + 4}px`;
  span.style[vertical ? "paddingLeft" : "paddingBottom"] = room;
}
