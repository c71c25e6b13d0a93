// The passage on the desk: marks, caret, selection, and borders that can be dragged.

// Everything that is marked: the scholar's entities, and what is suggested and not decided yet.
function marksOf(value, items, chosen, itemKey, say) {
  const marks = [];
  for (const entity of value.entities) {
    for (const [start, end] of entity.mentions) {
      const here = chosen && chosen.entity === entity.id;
      marks.push({
        start,
        end,
        kind: entity.kind,
        entity: entity.id,
        doubt: entity.certainty !== "certain",
        chosen: Boolean(here),
        name: `${entity.name} · ${say(`class_${entity.kind}`)}`,
      });
    }
  }
  for (const item of items) {
    if (item.part !== "entity" || item.state !== "undecided") continue;
    for (const [start, end] of item.entity.mentions) {
      marks.push({
        start,
        end,
        kind: item.entity.kind,
        item: item.key,
        ghost: true,
        chosen: item.key === itemKey,
        name: `${item.entity.name} · ${say(`class_${item.entity.kind}`)} · ${say("suggested")}`,
      });
    }
  }
  return marks;
}

class PassageView {
  // `on`: select(span), choose({entity, span} | {item} | null), move(entity, span, to).
  constructor(on) {
    this.on = on;
    this.box = document.createElement("div");
    this.box.className = "desk-passage-box";
    this.text = document.createElement("div");
    this.text.className = "songclip-passage";
    this.text.lang = "zh";
    this.text.tabIndex = 0;
    this.text.setAttribute("role", "textbox");
    this.text.setAttribute("aria-readonly", "true");
    this.text.setAttribute("aria-multiline", "true");
    this.caret = document.createElement("div");
    this.caret.className = "desk-caret";
    this.grips = ["start", "end"].map((side) => {
      const grip = document.createElement("div");
      grip.className = `desk-grip ${side}`;
      grip.onpointerdown = (event) => this.drag(event, side);
      return grip;
    });
    this.box.append(this.text, this.caret, ...this.grips);
    this.anchor = 0;
    this.focus = 0;
    this.marks = [];
    this.stops = [0];
    this.text.addEventListener("mousedown", () => this.selecting());
    this.text.addEventListener("keydown", (event) => this.step(event));
    this.text.addEventListener("focus", () => this.place());
    this.text.addEventListener("blur", () => this.place());
    this.text.addEventListener("scroll", () => this.place());
    this.resized = new ResizeObserver(() => this.place());
    this.resized.observe(this.box);
  }

  // What is selected and seen to be: a selection that has gone from the screen is none.
  get span() {
    const span = selectedSpan(this.text);
    return span && span[0] < span[1] ? span : null;
  }

  // While one selects, the grips let the pointer through; the mouse may be let go anywhere.
  selecting() {
    this.box.classList.add("selecting");
    const done = () => {
      window.removeEventListener("mouseup", done);
      this.box.classList.remove("selecting");
      this.picked();
    };
    window.addEventListener("mouseup", done);
  }

  show(text, marks, vertical, chosen) {
    const drawn = JSON.stringify([text, marks.map(({ chosen: _, ...mark }) => mark), vertical]);
    this.chosen = chosen;
    if (drawn === this.drawn) {
      marks.forEach((mark, index) => {
        this.marks[index].chosen = mark.chosen;
      });
      drawChosen(this.text);
    } else {
      const other = text !== this.shown;
      const kept = selectedSpan(this.text);
      this.drawn = drawn;
      this.shown = text;
      this.vertical = vertical;
      this.marks = marks;
      this.text.classList.toggle("vertical", vertical);
      drawMarked(this.text, text, marks, { vertical });
      if (other) {
        this.stops = caretStops(text);
        this.anchor = this.focus = 0;
        this.text.scrollTop = 0;
        this.text.scrollLeft = 0;
      } else if (kept) {
        this.selectInTree();
      }
    }
    this.place();
  }

  // Put the caret or selection at code points, as the keyboard or another part of the desk says.
  select(anchor, focus, { look = true } = {}) {
    this.anchor = anchor;
    this.focus = focus;
    this.selectInTree();
    if (look) this.lookAt(focus);
    this.place();
    this.on.select(this.span);
  }

  selectInTree() {
    const [from, fromOffset] = placeOf(this.text, this.anchor);
    const [to, toOffset] = placeOf(this.text, this.focus);
    document.getSelection()?.setBaseAndExtent(from, fromOffset, to, toOffset);
  }

  lookAt(at) {
    const rect = this.rectAt(Math.max(0, Math.min(at, this.stops[this.stops.length - 1] - 1)));
    if (!rect) return;
    const box = this.text.getBoundingClientRect();
    if (rect.bottom > box.bottom) this.text.scrollTop += rect.bottom - box.bottom + 24;
    if (rect.top < box.top) this.text.scrollTop -= box.top - rect.top + 24;
    if (rect.left < box.left) this.text.scrollLeft -= box.left - rect.left + 24;
    if (rect.right > box.right) this.text.scrollLeft += rect.right - box.right + 24;
  }

  picked() {
    const span = selectedSpan(this.text);
    if (!span) return;
    [this.anchor, this.focus] = span;
    if (span[0] === span[1]) this.chooseAt(span[0]);
    this.place();
    this.on.select(this.span);
  }

  // A click chooses the innermost mark; another click on the same place the one around it.
  chooseAt(at) {
    const here = this.marks
      .filter((mark) => mark.start <= at && at <= mark.end)
      .sort((a, b) => a.end - a.start - (b.end - b.start));
    const now = here.findIndex((mark) => mark.chosen);
    const mark = here.length ? here[(now + 1) % here.length] : null;
    if (!mark) this.on.choose(null);
    else if (mark.item) this.on.choose({ item: mark.item });
    else this.on.choose({ entity: mark.entity, span: [mark.start, mark.end] });
  }

  step(event) {
    if (isComposing(event) || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Enter" && this.on.enter()) {
      event.preventDefault();
      return;
    }
    const step = caretStep(event.key, this.vertical);
    if (!step) return;
    event.preventDefault();
    event.stopPropagation();
    const last = this.stops[this.stops.length - 1];
    const line = (far) => this.lineStep(far);
    const target = {
      on: () => stopAfter(this.stops, this.focus),
      back: () => stopBefore(this.stops, this.focus),
      line_on: () => line(1),
      line_back: () => line(-1),
      home: () => 0,
      end: () => last,
    }[step]();
    this.select(event.shiftKey ? this.anchor : target, target);
  }

  lineStep(far) {
    const rect = this.rectAt(this.focus);
    if (!rect) return this.focus;
    const line = parseFloat(getComputedStyle(this.text).lineHeight) || 32;
    const x = this.vertical ? rect.left + rect.width / 2 - far * line : rect.left + 1;
    const y = this.vertical ? rect.top + 1 : rect.top + rect.height / 2 + far * line;
    const at = codePointAt(this.text, x, y);
    if (at !== null) return at;
    return far > 0 ? this.stops[this.stops.length - 1] : 0;
  }

  // Where a code point stands on the screen; behind the last one, a rectangle without width.
  rectAt(at) {
    const length = this.stops[this.stops.length - 1];
    if (!length) return null;
    const behind = at >= length;
    const range = document.createRange();
    range.setStart(...placeOf(this.text, behind ? length - 1 : at));
    range.setEnd(...placeOf(this.text, behind ? length : at + 1));
    const rects = [...range.getClientRects()].filter((one) => one.width && one.height);
    const rect = rects[rects.length - 1];
    if (!rect || !behind) return rect ?? null;
    return this.vertical
      ? new DOMRect(rect.left, rect.bottom, rect.width, 0)
      : new DOMRect(rect.right, rect.top, 0, rect.height);
  }

  // Draw the caret while the keyboard is here, and the grips of the chosen mention.
  place() {
    const box = this.box.getBoundingClientRect();
    const inside = (rect) => {
      const view = this.text.getBoundingClientRect();
      return rect.bottom > view.top && rect.top < view.bottom && rect.right > view.left && rect.left < view.right;
    };
    const put = (element, rect, atEnd) => {
      element.hidden = !rect || !inside(rect);
      if (element.hidden) return;
      const long = this.vertical ? rect.width : rect.height;
      element.style.left = `${(this.vertical || !atEnd ? rect.left : rect.right) - box.left}px`;
      element.style.top = `${(this.vertical && atEnd ? rect.bottom : rect.top) - box.top}px`;
      element.style[this.vertical ? "width" : "height"] = `${long}px`;
      element.style[this.vertical ? "height" : "width"] = "";
    };
    const typing = document.activeElement === this.text && this.anchor === this.focus;
    put(this.caret, typing ? this.rectAt(this.focus) : null, false);
    const span = this.chosen?.span;
    put(this.grips[0], span ? this.rectAt(span[0]) : null, false);
    put(this.grips[1], span ? this.rectAt(span[1] - 1) : null, true);
    this.box.classList.toggle("vertical", Boolean(this.vertical));
  }

  drag(event, side) {
    event.preventDefault();
    const { entity, span } = this.chosen;
    let to = span;
    const follow = (moved) => {
      const at = codePointAt(this.text, moved.clientX, moved.clientY);
      if (at === null) return;
      const next = side === "start" ? [Math.min(at, span[1] - 1), span[1]] : [span[0], Math.max(at, span[0] + 1)];
      to = next;
      this.anchor = next[0];
      this.focus = next[1];
      this.selectInTree();
    };
    const drop = () => {
      window.removeEventListener("pointermove", follow);
      window.removeEventListener("pointerup", drop);
      this.focus = this.anchor;
      if (to[0] !== span[0] || to[1] !== span[1]) this.on.move(entity, span, to);
    };
    window.addEventListener("pointermove", follow);
    window.addEventListener("pointerup", drop);
  }
}
