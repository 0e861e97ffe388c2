// What happened with people, as owners read it beside the call. No document and no clock: `now` in ms since 1970.
import { pastWords } from './when.js';
import { isolated, locale, say } from './words.js';

/** What home has told and nobody has read yet. */
export class News {
  /** What is older did not happen just now: it says when it did, and stays until it is read. */
  static JUST_MS = 90_000;
  /** What happened just now goes by itself, so long after somebody could see it. */
  static SHOWN_MS = 15_000;
  /** So many fit beside the picture, the newest; the visit log has all. */
  static MOST = 3;
  static #KNOWN = 200;

  #items = [];
  // Everything may be said twice.
  #known = new Set();

  /** Takes what home says; false if it is about something else. */
  hear(message, now) {
    if (message.type !== 'news') return false;
    for (const item of Array.isArray(message.news) ? message.news : []) this.#take(item, now);
    return true;
  }

  #take(item, now) {
    if (!Number.isFinite(item?.at) || !sentence(item)) return;
    const key = JSON.stringify([item.what, item.person, item.at]);
    if (this.#known.has(key)) return;
    this.#known.add(key);
    if (this.#known.size > News.#KNOWN) this.#known.delete(this.#known.values().next().value);
    this.#items.push({ ...item, just: Math.abs(now - item.at * 1000) < News.JUST_MS, seenAt: null });
  }

  /** The person has read it. */
  read() {
    this.#items = [];
  }

  /** Time has passed, in which it could be `seen` or not. */
  look(now, seen) {
    if (seen) for (const item of this.#items) item.seenAt ??= now;
    this.#items = this.#items.filter(({ just, seenAt }) => !just || seenAt === null || now - seenAt < News.SHOWN_MS);
  }

  /** In how many ms something of it goes by itself, or null. */
  wait(now) {
    const left = this.#items.filter(({ just, seenAt }) => just && seenAt !== null).map(({ seenAt }) => seenAt + News.SHOWN_MS - now);
    return left.length ? Math.max(0, Math.min(...left)) : null;
  }

  /** The lines to show, the oldest first; null for none. */
  words(now) {
    if (!this.#items.length) return null;
    const rows = this.#items.slice(-News.MOST).map((item) => [...(item.just ? [] : [whenWords(item.at, now)]), sentence(item)].join(' · '));
    const more = this.#items.length - rows.length;
    return [...rows, ...(more ? [say('news.more', { n: more.toLocaleString(locale()) })] : [])].join('\n');
  }
}

function whenWords(at, now) {
  const { day, time } = pastWords(at, now, locale());
  return day ? `${day} ${time}` : time;
}

/** 'Anna has a new device'; null for what only a newer home knows. */
function sentence({ what, name }) {
  if (!['device', 'owner', 'rights', 'removed'].includes(what)) return null;
  const known = typeof name === 'string' && name.trim();
  return known ? say(`news.${what}`, { name: isolated(name.trim()) }) : say(`news.${what}-nobody`);
}
