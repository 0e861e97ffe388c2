// The title of the tab: what the page shows, or what waits for a person who is elsewhere.

let usual = '';
// By who asks for it, the most urgent first.
const urgent = { call: null, door: null };

/** What the page shows now. */
export function setTitle(words) {
  usual = words;
  write();
}

/** What somebody waits for at the 'door', or with a 'call'; or that nobody does any more (null). */
export function callTitle(kind, words) {
  urgent[kind] = words;
  write();
}

function write() {
  const title = urgent.call ?? urgent.door ?? usual;
  if (title && document.title !== title) document.title = title;
}
