// The title of the tab: what the page shows, or what waits for a person who is elsewhere.

let usual = '';
let urgent = null;

/** What the page shows now. */
export function setTitle(words) {
  usual = words;
  write();
}

/** What somebody waits for, or that nobody does any more (null). */
export function callTitle(words) {
  urgent = words;
  write();
}

function write() {
  const title = urgent ?? usual;
  if (title && document.title !== title) document.title = title;
}
