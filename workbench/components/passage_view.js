// Draws a passage with marked spans and reports selections in Unicode code points, end exclusive.

function pieces(length, marks) {
  const borders = new Set([0, length]);
  for (const mark of marks) {
    borders.add(mark.start);
    borders.add(mark.end);
  }
  const sorted = [...borders].filter((at) => at >= 0 && at <= length).sort((a, b) => a - b);
  return sorted.slice(0, -1).map((start, i) => ({
    start,
    end: sorted[i + 1],
    marks: marks.filter((mark) => mark.start <= start && mark.end >= sorted[i + 1]),
  }));
}

function codePointsBefore(root, node, offset) {
  const range = document.createRange();
  range.selectNodeContents(root);
  range.setEnd(node, offset);
  return Array.from(range.toString()).length;
}

function selectedSpan(root) {
  const selection = document.getSelection();
  if (!selection || selection.rangeCount === 0 || selection.isCollapsed) return null;
  const range = selection.getRangeAt(0);
  if (!root.contains(range.startContainer) || !root.contains(range.endContainer)) return null;
  const start = codePointsBefore(root, range.startContainer, range.startOffset);
  const end = codePointsBefore(root, range.endContainer, range.endOffset);
  return start < end ? [start, end] : null;
}

export default function (component) {
  const { data, parentElement, setStateValue } = component;
  let root = parentElement.querySelector(".songclip-passage");
  if (!root) {
    root = document.createElement("div");
    root.className = "songclip-passage";
    root.lang = "zh";
    root.tabIndex = 0;
    parentElement.appendChild(root);
  }
  const drawn = JSON.stringify(data);
  if (root.dataset.drawn !== drawn) {
    root.dataset.drawn = drawn;
    const characters = Array.from(data.text);
    root.replaceChildren(
      ...pieces(characters.length, data.marks).map((piece) => {
        const span = document.createElement("span");
        span.textContent = characters.slice(piece.start, piece.end).join("");
        if (piece.marks.length) {
          const inner = piece.marks.reduce((a, b) => (b.end - b.start < a.end - a.start ? b : a));
          span.className = `mark ${inner.kind}${piece.marks.length > 1 ? " nested" : ""}`;
          span.title = piece.marks.map((mark) => mark.name).join("\n");
        }
        return span;
      }),
    );
  }
  const report = () => {
    const span = selectedSpan(root);
    if (span) setStateValue("selection", span);
  };
  root.onmouseup = report;
  root.onkeyup = (event) => {
    if (event.shiftKey || event.key === "Shift") report();
  };
}
