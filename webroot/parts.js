// What comes behind first light: the other parts of the page, each one script that brings its style and markup along. It stands at
// the document's end.
import { begun, firstLook } from './first.js';
import { reloadForVersion } from './reloads.js';

// Until home has answered, nothing stands beside the offer; and then nothing beside the picture, unless it takes long.
const OFFER_MS = 4000;
const PICTURE_MS = 3000;
const LOOK_MS = 100;
// A path that carries little more than a voice needs this long.
const LIMIT_MS = 60000;
const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 60000;

const arrived = new Set();

/** Begins a part, which calls it as the first thing: its style, and its markup, each `<template>` into what its `data-into` names. */
export function place(name, style, markup) {
  arrived.add(name);
  if (style) document.head.append(Object.assign(document.createElement('style'), { textContent: style }));
  const holder = document.createElement('div');
  holder.innerHTML = markup;
  for (const template of holder.querySelectorAll('template')) document.querySelector(template.dataset.into).append(template.content);
}

/** Gets the part `name`, however often it takes. Home has it no more where it was updated: then the page is loaded again, once. */
export async function load(name, { ask = askHome, gone = isGone, wait = pause, reload = reloadForVersion } = {}) {
  const address = addressOf(name);
  for (let [tries, ms] = [0, FIRST_PAUSE_MS]; !arrived.has(name); [tries, ms] = [tries + 1, Math.min(2 * ms, LONGEST_PAUSE_MS)]) {
    // Not the same address again: a cache may keep what was cut off.
    await ask(tries ? `${address}?${tries}` : address);
    if (arrived.has(name)) return;
    console.warn('intercom: a part of the page is missing:', address);
    if ((await gone(address)) && reload()) return;
    await wait(ms);
  }
}

/** Whether it is time for the rest, `ms` after first light, though there is neither a picture nor something to say: see above. */
export class Due {
  #answeredAt = null;

  step({ answered, soundOnly }, ms) {
    if (answered) this.#answeredAt ??= ms;
    // No picture is to be waited for.
    if (soundOnly) return true;
    return ms >= (this.#answeredAt === null ? OFFER_MS : this.#answeredAt + PICTURE_MS);
  }
}

/** The build has put the name of the part's script there. */
function addressOf(name) {
  const addresses = [...document.querySelectorAll('meta[name="part"]')].map((meta) => meta.content);
  return addresses.find((address) => address.startsWith(`/${name}-`));
}

/** Resolves once it ran, or will not run, or takes too long. It may run then, too: the one that comes second does nothing. */
function askHome(address) {
  return new Promise((resolve) => {
    setTimeout(resolve, LIMIT_MS);
    const script = Object.assign(document.createElement('script'), { src: address, onload: resolve, onerror: resolve });
    document.head.append(script);
  });
}

async function isGone(address) {
  try {
    return (await fetch(address, { method: 'HEAD', cache: 'no-store' })).status === 404;
  } catch {
    return false;
  }
}

async function pause(ms) {
  // A picture that has stopped is not to look like one that lives.
  if (begun && begun.peer.media !== 'connected') delete document.documentElement.dataset.seen;
  await new Promise((resolve) => {
    setTimeout(resolve, ms);
    addEventListener('online', resolve, { once: true });
  });
}

/** Resolves when it is time for the rest. */
function restIsDue() {
  const due = new Due();
  const began = performance.now();
  return new Promise((resolve) => {
    firstLook.then(resolve);
    const timer = setInterval(() => {
      if (begun && !due.step(begun.peer, performance.now() - began)) return;
      clearInterval(timer);
      resolve();
    }, LOOK_MS);
  });
}

if (globalThis.document) {
  // For first.js, which would load the document again.
  document.documentElement.dataset.whole = '';
  restIsDue().then(() => load('rest'));
}
