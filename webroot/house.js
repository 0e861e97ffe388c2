// Home itself, as an owner's page has it: how it is, and what owners set of it. No document and no clock of its own: `now` in ms.
import { reasonOf } from './people.js';
import { Wish } from './wish.js';

/** What an owner sets of home. Each may be null: then the settings file counts. */
export const SETTINGS = ['name', 'volume', 'chime', 'language'];

/**
 * Home is asked how it is while somebody may see that. What is set is a wish for all settings at once: those that this owner has not touched
 * are as home says them. A wish is over when home has answered it, as it does in any case; on a new socket home hears it again.
 */
export class House {
  /** So often home is asked again while its page is open. */
  static AGAIN_MS = 30_000;
  /** So long "Look again" is busy at least: home answers at once, and again when it has looked. */
  static LOOKS_MS = 2000;
  /** Keys move a slider step by step: home hears where it stands then. */
  static PAUSE_MS = 400;
  static SETTLED_MS = Wish.SETTLED_MS;

  #language;
  #open = false;
  #allowed = true;
  #denied = false;
  #watched = false;
  #shown = false;
  #askedAt = null;
  #busyUntil = -Infinity;
  // What home said last; whether on this socket; and whether since somebody looks.
  #said = null;
  #fresh = false;
  #current = false;
  #drafts = {};
  #wish = null;
  #wrong = null;
  #saved = new Set();

  /** `language()` is the one in which home's notices are to come. */
  constructor(language) {
    this.#language = language;
  }

  /** A place from which one sees how home is opens or closes. */
  watch(watched) {
    this.#watched = watched;
    this.#askedAt = null;
    // What somebody sees next must not be of an hour ago.
    this.#current = false;
    if (!watched) this.show(false);
  }

  /** Home's own page opens or closes: what the list has asked for counts. What is only typed is forgotten then. */
  show(shown) {
    this.#shown = shown;
    if (shown) return;
    this.#drafts = {};
    this.#wrong = null;
    this.#saved.clear();
  }

  /** An owner made this viewer an owner, or something less: then nothing of it is known or wished any more. */
  allow(allowed) {
    if (this.#allowed === allowed) return;
    this.#allowed = allowed;
    this.#denied = false;
    this.#askedAt = null;
    this.#said = this.#wish = null;
    this.#fresh = this.#current = false;
  }

  /** The socket is gone. */
  lost() {
    this.#open = this.#fresh = false;
    this.#busyUntil = -Infinity;
    this.#wish?.lost();
  }

  /** Takes what home says; false if others read it, too. */
  hear(message, now) {
    switch (message.type) {
      case 'welcome':
        this.#open = true;
        this.#fresh = this.#denied = false;
        this.#askedAt = null;
        if (this.#wrong?.why === 'lost') this.#wrong = null;
        return false;
      case 'not_allowed':
        if (!this.#watched && !this.#wish) return false;
        this.#denied = true;
        this.#wish = null;
        return false;
      case 'home':
        if (!message.set || !message.holds) return true;
        this.#said = message;
        this.#fresh = this.#current = true;
        this.#wish?.answer();
        this.#settle(now);
        return true;
      case 'not_done':
        if (message.about !== 'home') return false;
        this.#refused(reasonOf(message));
        return true;
      default:
        return false;
    }
  }

  /** What to tell home now, each once. */
  due(now) {
    if (!this.#hears || !(this.#watched || this.#wish)) return [];
    const messages = [];
    const asks = this.#askedAt === null && (this.#watched || !this.#fresh);
    if (asks || (this.#shown && now - this.#askedAt >= House.AGAIN_MS)) {
      this.#askedAt = now;
      messages.push({ type: 'home', language: this.#language() });
    }
    const wish = this.#wish;
    if (!wish?.due || !this.#fresh || now - wish.since < House.PAUSE_MS) return messages;
    if (this.#granted) this.#done();
    else {
      wish.tell(now);
      const whole = { ...this.#said.set, ...wish.change };
      messages.push({ type: 'set_home', ...Object.fromEntries(SETTINGS.map((what) => [what, whole[what] ?? null])) });
    }
    return messages;
  }

  /** In how many ms to look again, or null if only home or the person can change anything. */
  wait(now) {
    const moments = [];
    if (this.#hears && this.#shown && this.#askedAt !== null) moments.push(this.#askedAt + House.AGAIN_MS);
    if (this.#busyUntil > now) moments.push(this.#busyUntil);
    const wish = this.#wish;
    if (wish?.due && this.#fresh) moments.push(wish.since + House.PAUSE_MS);
    if (wish && wish.settles !== null) moments.push(wish.settles);
    return moments.length ? Math.max(0, Math.min(...moments) - now) : null;
  }

  /** Time has passed: what home has answered and did not refuse is settled. */
  look(now) {
    this.#settle(now);
  }

  /** Home is to look at itself again. Only while it hears this. */
  again(now) {
    this.#wrong = this.#open ? null : { why: 'lost', at: ['look'] };
    if (!this.#open) return;
    this.#askedAt = null;
    this.#busyUntil = now + House.LOOKS_MS;
  }

  /** The owner is changing `what` of `SETTINGS`; nothing is told yet. What is as before again is no change. */
  edit(what, value) {
    this.#touched(what);
    delete this.#drafts[what];
    if (value !== this.setting(what).value) this.#drafts[what] = value;
  }

  /** Sets `what`, or leaves it to the settings file (null). A name without letters is none. */
  set(what, value, now) {
    this.#touched(what);
    delete this.#drafts[what];
    const wished = what === 'name' ? value?.trim() || null : value;
    this.#wish = (this.#wish ?? new Wish()).add({ [what]: wished }, now);
  }

  /** Whether home has said how it is. */
  get known() {
    return this.#current;
  }

  /** Whether it is looking at itself. */
  looking(now) {
    return !this.health.looked || this.#busyUntil > now;
  }

  /** How it is: `{ looked, wrong, good, notices }`, where `wrong` needs somebody and `good` is only good to know. */
  get health() {
    const { looked, findings, notices } = this.#said ?? {};
    const list = (Array.isArray(findings) ? findings : []).filter((finding) => typeof finding?.about === 'string');
    const wrong = list.filter((finding) => finding.wrong === true);
    return {
      // What is found before that, counts: the look may hang.
      looked: looked !== false || wrong.length > 0,
      wrong,
      good: list.filter(({ wrong, kind }) => wrong !== true && kind !== 'house'),
      notices: (Array.isArray(notices) ? notices : []).filter((notice) => typeof notice === 'string' && notice.trim()),
    };
  }

  /**
   * One of `SETTINGS`: its `value` as this owner sees it; `own` if an owner has set it; `changed` if it is to be saved; `saving`, `saved`; and
   * why it was not done (`wrong`), or null.
   */
  setting(what) {
    const { set = {}, holds = {} } = this.#said ?? {};
    const wished = this.#wish?.change[what];
    const held = wished ?? holds[what] ?? null;
    return {
      value: this.#drafts[what] ?? held,
      own: (wished === undefined ? (set[what] ?? null) : wished) !== null,
      changed: what in this.#drafts,
      saving: wished !== undefined,
      saved: this.#saved.has(what),
      wrong: this.wrongAt(what),
    };
  }

  /** Why `what` of `SETTINGS`, or the 'look', was not done; or null. */
  wrongAt(what) {
    return this.#wrong?.at.includes(what) ? this.#wrong.why : null;
  }

  /** The limits of the volume, `{ least, most }`; null if it cannot be set. */
  get volumeLimits() {
    const { volume_least: least, volume_most: most } = this.#said ?? {};
    return least < most ? { least, most } : null;
  }

  /** How it is reached, as home says it; and its version. */
  get reach() {
    return this.#said?.reach ?? null;
  }
  get version() {
    return this.#said?.version ?? null;
  }

  /** Whether home hears this owner now. */
  get #hears() {
    return this.#open && this.#allowed && !this.#denied;
  }

  #touched(what) {
    this.#saved.delete(what);
    if (this.#wrong?.at.includes(what)) this.#wrong = null;
  }

  get #granted() {
    return Object.entries(this.#wish.change).every(([what, value]) => (this.#said.set[what] ?? null) === value);
  }

  #settle(now) {
    if (this.#wish && this.#fresh && this.#wish.isOver(this.#granted, now)) this.#done();
  }

  #done() {
    for (const what of Object.keys(this.#wish.change)) this.#saved.add(what);
    this.#wish = null;
  }

  #refused(why) {
    const wish = this.#wish;
    if (!wish?.told) {
      this.#wrong = { why, at: ['look'] };
      return;
    }
    const { told, refused } = wish.refuse();
    // A name that home does not take holds nothing else up.
    const isName = why === 'name' && 'name' in told;
    const at = Object.keys(refused).filter((what) => !isName || what === 'name');
    const rest = Object.entries(refused).filter(([what]) => !at.includes(what));
    wish.add(Object.fromEntries(rest), wish.since);
    if (wish.empty) this.#wish = null;
    // It stays in its field, to be mended there; whatever else was not done is as it was.
    if (at.includes('name')) this.#drafts = { name: refused.name ?? '', ...this.#drafts };
    if (at.length) this.#wrong = { why, at };
  }
}
