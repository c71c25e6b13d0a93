// What is drawn again and again stays where it has not changed: a passage of ten thousand characters has a thousand
// marks and rows, and one key changes a few of them.

// Give a box these children; one that is there already keeps its place, its scrolling and the keyboard.
function place(box, nodes) {
  const wanted = new Set(nodes);
  for (const child of [...box.childNodes]) if (!wanted.has(child)) child.remove();
  let at = box.firstChild;
  for (const node of nodes) {
    if (node === at) at = at.nextSibling;
    else box.insertBefore(node, at);
  }
}

// Give a box a child for each [key, make]. A key says all that its child shows; known ones are not made again.
function keep(box, children) {
  const known = box.known ?? new Map();
  box.known = new Map(children.map(([key, make]) => [key, known.get(key) ?? make()]));
  place(box, [...box.known.values()]);
}
