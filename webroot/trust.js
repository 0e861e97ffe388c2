import { writeEmphasis } from './emphasis.js';
import { learnLanguage, putWords } from './languages.js';

// The page is one document, and this stands in its head: the rest is not there yet.
document.addEventListener('DOMContentLoaded', () => {
  warn();
  openSteps();
  // What stands in the document is the English catalogue of this page.
  learnLanguage((words) => putWords((key) => words[key], writeEmphasis));
});

// Says first if home's CA is one that could sign for every site: it has no name constraints (RFC 5280, 4.2.1.10; 2.5.29.30).
const NAME_CONSTRAINTS = [0x06, 0x03, 0x55, 0x1d, 0x1e];
const isLimited = (der) => der.some((_, at) => NAME_CONSTRAINTS.every((byte, n) => der[at + n] === byte));

async function warn() {
  try {
    const answer = await fetch('/ca.crt');
    if (!answer.ok || isLimited(new Uint8Array(await answer.arrayBuffer()))) return;
  } catch {
    return; // Home is away: so is what the button would get.
  }
  document.getElementById('unlimited').hidden = false;
  for (const id of ['get', 'before']) document.getElementById(id).hidden = true;
}

// Opens the steps for the device at hand.
function openSteps() {
  const agent = navigator.userAgent;
  const apple = /iPhone|iPad|iPod/.test(agent) || (/Macintosh/.test(agent) && navigator.maxTouchPoints > 1);
  const kinds = { ios: apple, android: /Android/.test(agent), windows: /Windows/.test(agent), mac: /Macintosh/.test(agent), linux: /Linux|X11/.test(agent) };
  const mine = document.getElementById(Object.keys(kinds).find((kind) => kinds[kind]) ?? 'ios');
  mine.open = true;
  mine.parentElement.insertBefore(mine, document.querySelector('details'));
}
