// What happened with people, as owners read it beside the call. No document and no clock: `now` in ms since 1970.
import { pastWords } from './when.js';
import { isolated, locale, say } from './words.js';

/**
 * What home has told and nobody has read yet. Its numbers grow. Home says it again with each welcome until it hears up to which number this
 * device has read: that is told when something is read, and again on each new socket, for it may have been lost.
 */
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
  // What is gone while something before it is not; up to which number all is read; and up to which one home was told so on this socket.
  #gone = [];
  #read = 0;
  #told = 0;
  #open = false;

  /** The socket is gone. */
  lost() {
    this.#open = false;
  }

  /** Takes what home says; false if others read it, too. */
  hear(message, now) {
    if (message.type === 'welcome') {
      this.#open = true;
      this.#told = 0;
    }
    if (message.type !== 'news') return false;
    for (const item of Array.isArray(message.news) ? message.news : []) this.#take(item, now);
    return true;
  }

  #take(item, now) {
    if (!Number.isFinite(item?.at) || !sentence(item)) return;
    if (item.number <= this.#read) return;
    const key = item.number ?? JSON.stringify([item.what, item.person, item.at]);
    if (this.#known.has(key) || this.#items.some((one) => one.key === key)) return;
    this.#known.add(key);
    if (this.#known.size > News.#KNOWN) this.#known.delete(this.#known.values().next().value);
    this.#items.push({ ...item, key, just: Math.abs(now - item.at * 1000) < News.JUST_MS, seenAt: null });
  }

  /** The person has read it. */
  read() {
    this.#keep(() => false);
  }

  /** What to tell home now, each once on a socket. */
  due() {
    if (!this.#open || this.#told >= this.#read) return [];
    this.#told = this.#read;
    return [{ type: 'news_read', number: this.#read }];
  }

  #keep(stays) {
    const numbers = (items) => items.map(({ number }) => number).filter(Number.isFinite);
    this.#gone.push(...numbers(this.#items.filter((item) => !stays(item))));
    this.#items = this.#items.filter(stays);
    const first = Math.min(...numbers(this.#items));
    this.#read = Math.max(this.#read, ...this.#gone.filter((number) => number < first));
    this.#gone = this.#gone.filter((number) => number > this.#read);
  }

  /** Time has passed, in which it could be `seen` or not. */
  look(now, seen) {
    this.#keep(({ just, seenAt }) => !just || seenAt === null || now - seenAt < News.SHOWN_MS);
    if (seen) for (const item of this.#shown) item.seenAt ??= now;
  }

  /** In how many ms something of it goes by itself, or null. */
  wait(now) {
    const left = this.#items.filter(({ just, seenAt }) => just && seenAt !== null).map(({ seenAt }) => seenAt + News.SHOWN_MS - now);
    return left.length ? Math.max(0, Math.min(...left)) : null;
  }

  /** The lines to show, the oldest first; null for none. */
  words(now) {
    if (!this.#items.length) return null;
    const rows = this.#shown.map((item) => [...(item.just ? [] : [whenWords(item.at, now)]), sentence(item)].join(' · '));
    const more = this.#items.length - rows.length;
    return [...rows, ...(more ? [say('news.more', { n: more.toLocaleString(locale()) })] : [])].join('\n');
  }

  get #shown() {
    return this.#items.slice(-News.MOST);
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
