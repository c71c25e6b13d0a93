// Which key means what. Nothing here destroys by a single bare key; removing needs Ctrl (or ⌘) and Delete.

const CLASS_KEYS = ["place", "person", "office", "date", "work", "other"];

const BARE_KEYS = {
  n: "next",
  p: "previous",
  w: "entity_next",
  b: "entity_previous",
  ".": "item_next",
  ",": "item_previous",
  a: "accept",
  x: "reject",
  A: "accept_all",
  e: "mark",
  m: "mark_all",
  r: "relate",
  v: "vertical",
  g: "guidelines",
  t: "texts",
  i: "inspect",
  j: "jump",
  "[": "start_back",
  "{": "start_on",
  "]": "end_on",
  "}": "end_back",
  "?": "help",
  Escape: "leave",
};

const FULL_WIDTH = { "。": ".", "，": ",", "？": "?", "【": "[", "】": "]", "「": "{", "」": "}" };

// An input method is at work: its keys are its own.
function isComposing(event) {
  return event.isComposing || event.keyCode === 229 || event.key === "Process";
}

function isTyping(target) {
  return Boolean(target && target.closest && target.closest("input, textarea, select, [contenteditable=true]"));
}

// The command of a key press, or null when the key is not the desk's.
function commandOf(event) {
  if (isComposing(event)) return null;
  const typing = isTyping(event.target);
  const control = event.ctrlKey || event.metaKey;
  if (control && event.key === "Enter") return event.shiftKey ? "approve_next" : "approve";
  if (control && !event.altKey && !typing) {
    const key = event.key.toLowerCase();
    if (key === "z") return event.shiftKey ? "redo" : "undo";
    if (key === "y") return "redo";
    if (key === "delete" || key === "backspace") return event.shiftKey ? "remove_entity" : "remove_mention";
  }
  if (typing) return event.key === "Escape" ? "leave" : null;
  if (control || event.altKey) return null;
  if (/^[1-6]$/.test(event.key)) return `class_${CLASS_KEYS[Number(event.key) - 1]}`;
  return BARE_KEYS[FULL_WIDTH[event.key] ?? event.key] ?? null;
}

// The step of an arrow key in the passage: "on", "back", "line_on", "line_back"; null for another key.
function caretStep(key, vertical) {
  const steps = vertical
    ? { ArrowDown: "on", ArrowUp: "back", ArrowLeft: "line_on", ArrowRight: "line_back" }
    : { ArrowRight: "on", ArrowLeft: "back", ArrowDown: "line_on", ArrowUp: "line_back" };
  return { ...steps, Home: "home", End: "end" }[key] ?? null;
}
