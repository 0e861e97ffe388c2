// The owner's page about people, without a document: what home says of them, what this owner changes, and what home is yet to hear.
import { Wish } from './wish.js';

export const ROLES = ['owner', 'family', 'guest'];

/** What a role means for whoever has no rule of their own. */
export const DEFAULTS = {
  owner: { entering: 'at_once', in_quiet_hours: 'enter' },
  family: { entering: 'at_once', in_quiet_hours: 'knock' },
  guest: { entering: 'knock', in_quiet_hours: 'refuse' },
};

/** Why home did not do something. It counts changes, too: only who makes somebody new can mend that by removing others. */
export function reasonOf({ about = null, why }) {
  return why === 'too_many' && about !== null && !['invite', 'show_code'].includes(about) ? 'too_often' : why;
}

/** Proposed where nobody has chosen any. */
const USUAL_HOURS = '22:00-07:00';

/** '22:00-07:00' as `{ on, from, to }`. Without hours (null) it is off, and proposes those of `other`. */
export function hoursFrom(text, other = null) {
  const shape = /^(\d\d:\d\d)-(\d\d:\d\d)$/;
  const found = shape.exec(text ?? '');
  const [, from, to] = found ?? shape.exec(other ?? '') ?? shape.exec(USUAL_HOURS);
  return { on: Boolean(found), from, to };
}

const hoursText = ({ on, from, to }) => (on ? `${from}-${to}` : null);
const areHours = ({ on, from, to }) => !on || (/^\d\d:\d\d$/.test(from) && /^\d\d:\d\d$/.test(to) && from !== to);

/**
 * Knows people by their number. `home` stands for what belongs to home itself: its quiet hours, and `code` for the code on the TV.
 *
 * A draft holds only what this owner has touched, so whatever others change beside it comes through. Saving makes a wish of it. Wishes are
 * states: home hears them again on a new socket, laid over what it says of the person then. Times are in ms.
 */
export class People {
  #open = false;
  #watched = false;
  #asked = false;
  #denied = false;
  #allowed = true;
  // What home said last, and whether on this socket.
  #said = null;
  #fresh = false;
  #drafts = new Map();
  #wishes = new Map();
  #removals = new Set();
  #wrong = new Map();
  #saved = new Set();
  #requests = 0;
  #invite = null;

  /** The page about people opens or closes. */
  watch(watched) {
    this.#watched = watched;
    if (watched) return;
    this.#drafts.clear();
    this.#wrong.clear();
    this.#saved.clear();
    this.#invite = null;
    this.#forgetCode();
  }

  /** An owner made this viewer an owner, or something less: then nothing of it is known or wished any more. */
  allow(allowed) {
    if (this.#allowed === allowed) return;
    this.#allowed = allowed;
    this.#denied = false;
    this.#asked = false;
    this.#fresh = false;
    if (allowed) return;
    this.#said = null;
    this.#give();
    for (const kept of [this.#wrong, this.#saved]) kept.clear();
  }

  /** The socket is gone. */
  lost() {
    this.#open = false;
    this.#fresh = false;
    for (const wish of this.#wishes.values()) wish.lost();
    this.#removals.clear();
    if (!this.#watched) this.#forgetCode();
  }

  /** Takes what home says; false if it is about something else. */
  hear(message, now) {
    switch (message.type) {
      case 'welcome':
        this.#welcomed(message.resumed);
        return true;
      case 'people':
        if (!Array.isArray(message.people)) return true;
        this.#said = message;
        this.#fresh = true;
        for (const number of this.#removals) if (!this.#find(number)) this.#removals.delete(number);
        for (const wish of this.#wishes.values()) wish.answer();
        this.#settle(now);
        return true;
      case 'invited':
        if (message.request === this.#invite?.request) this.#invite.answer = message;
        return true;
      case 'not_done':
        this.#refused(message);
        return true;
      case 'not_allowed':
        this.#forbidden();
        return true;
      default:
        return false;
    }
  }

  /** What to tell home now, each once. */
  due(now) {
    if (!this.#open || this.#denied || !this.#allowed) return [];
    const messages = [];
    const waiting = [...this.#wishes].filter(([, wish]) => wish.due);
    if (!this.#asked && (this.#watched || waiting.length)) {
      this.#asked = true;
      messages.push({ type: 'people' });
    }
    if (this.#fresh) {
      for (const [key, wish] of waiting) {
        const message = this.#compose(key, wish);
        if (!message) continue;
        wish.tell(now);
        messages.push(message);
        // Home says nothing by itself where the new code is like the one before.
        if (key === 'code' && this.#granted(key, wish.change)) messages.push({ type: 'people' });
      }
    }
    const invite = this.#invite;
    if (invite && !invite.sent) {
      invite.sent = true;
      messages.push(invite.message);
    }
    for (const number of this.#removals) messages.push({ type: 'remove', person: number });
    this.#removals.clear();
    return messages;
  }

  /** In how many ms to look again, or null if only home or the person can change anything. */
  wait(now) {
    const answered = [...this.#wishes.values()].map(({ settles }) => settles).filter((at) => at !== null);
    return answered.length ? Math.max(0, Math.min(...answered) - now) : null;
  }

  /** Time has passed: what home has answered and did not refuse is settled. */
  look(now) {
    this.#settle(now);
  }

  /** The owner changes something of a person (by number), or of 'home'; nothing is told yet. What is as before again is no change. */
  edit(key, change) {
    const draft = { ...this.#drafts.get(key), ...change };
    const before = { ...this.#find(key), ...this.#wishes.get(key)?.change, hours: this.#hours(key) };
    for (const [field, value] of Object.entries(draft)) if (same(value, before[field])) delete draft[field];
    if (Object.keys(draft).length) this.#drafts.set(key, draft);
    else this.#drafts.delete(key);
    this.#wrong.delete(key);
    this.#saved.delete(key);
  }

  /** Saves what was changed; false if that cannot be saved, with the reason in the view. */
  save(key) {
    const draft = this.#drafts.get(key);
    if (!draft) return true;
    const { hours, ...change } = draft;
    if (hours) {
      const whole = { ...this.#hours(key), ...hours };
      if (!areHours(whole)) return this.#fail(key, 'hours', 'hours');
      change[key === 'home' ? 'hours' : 'quiet_hours'] = hoursText(whole);
    }
    if ('name' in change) change.name = change.name?.trim() || null;
    this.#drafts.delete(key);
    this.#wrong.delete(key);
    this.#want(key, change);
    return true;
  }

  /** Shows a code on the TV, for somebody new (`{ name, role }`) or for a further device of a `person`; or takes it away. */
  showCode(shown, { person = null, name = null, role = 'family' } = {}) {
    this.#wrong.delete('code');
    this.#want('code', { code: { shown, person, name: name?.trim() || null, role } });
  }

  /** Why there is no code has been read. */
  closeCode() {
    this.#wrong.delete('code');
  }

  /** Asks for a link: for somebody new (`{ name, role }`) or for a further device of a `person`. Only while home hears it. */
  invite(who) {
    if (!this.#open) return this.#fail('invite', 'lost', 'all');
    this.#wrong.delete('invite');
    this.#requests += 1;
    const wanted = 'person' in who ? { person: who.person } : { name: who.name?.trim() || null, role: who.role };
    this.#invite = { request: this.#requests, message: { type: 'invite', request: this.#requests, ...wanted }, sent: false, answer: null };
    return true;
  }

  /** The link has been seen. */
  closeInvite() {
    this.#invite = null;
    this.#wrong.delete('invite');
  }

  /** Ends what a person may do here. Only while home hears it: later it may surprise. */
  remove(number) {
    if (!this.#open) return this.#fail(number, 'lost', 'remove');
    this.#removals.add(number);
    this.#wrong.delete(number);
    return true;
  }

  /** Everybody, owners first, then by name; null before home has said. */
  get list() {
    if (!this.#said) return null;
    const rank = ({ role }) => (ROLES.includes(role) ? ROLES.indexOf(role) : ROLES.length);
    const byName = (a, b) => (a.name === null) - (b.name === null) || (a.name ?? '').localeCompare(b.name ?? '') || a.number - b.number;
    return [...this.#said.people].sort((a, b) => rank(a) - rank(b) || byName(a, b)).map(({ number }) => this.person(number));
  }

  /**
   * A person as this owner sees them, with what is changed and saved already; null if home does not know them. `changed`: something is to be
   * saved; `saving`, `saved`; `wrong`: null or `{ why, at }`, where `at` is 'name', 'role', 'hours', 'remove' or 'all'.
   */
  person(number) {
    const said = this.#find(number);
    if (!said) return null;
    const { hours, ...draft } = this.#drafts.get(number) ?? {};
    const wish = this.#wishes.get(number)?.change;
    return { ...said, ...wish, ...draft, hours: { ...this.#hours(number), ...hours }, ...this.#state(number) };
  }

  /** Whether the TV shows a code that is for `person`, by number, or for somebody new (null). */
  showsCodeFor(person) {
    const wish = this.#wishedCode;
    return isFor(wish ? wish.shown && wish : this.#said?.code, person);
  }

  /** Home itself: `{ hours, quietHours, codeShown }`, and the same as of a person; `codeWrong` says whose code it was, too: a `person`, or null. */
  get home() {
    const code = this.#wishedCode;
    return {
      hours: { ...this.#hours('home'), ...this.#drafts.get('home')?.hours },
      quietHours: this.#quietHours,
      codeShown: code ? code.shown : Boolean(this.#said?.code_shown),
      codeWrong: this.#wrong.get('code') ?? null,
      ...this.#state('home'),
    };
  }

  /** The invite at hand: `{ asking, lost, wrong, answer }`, or null. */
  get invited() {
    const wrong = this.#wrong.get('invite') ?? null;
    if (!this.#invite) return wrong && { asking: false, answer: null, wrong };
    return { asking: !this.#invite.answer && !wrong, answer: this.#invite.answer, wrong };
  }

  /** Whether home hears this page now; and whether it lets it change anything. */
  get open() {
    return this.#open;
  }
  get denied() {
    return this.#denied;
  }

  #state(key) {
    return {
      changed: this.#drafts.has(key),
      saving: this.#wishes.has(key),
      saved: this.#saved.has(key),
      wrong: this.#wrong.get(key) ?? null,
    };
  }

  #find(number) {
    return this.#said?.people.find((person) => person.number === number) ?? null;
  }

  get #wishedCode() {
    return this.#wishes.get('code')?.change.code ?? null;
  }

  get #quietHours() {
    const wish = this.#wishes.get('home')?.change;
    return wish ? wish.hours : (this.#said?.quiet_hours ?? null);
  }

  #hours(key) {
    if (key === 'home') return hoursFrom(this.#quietHours);
    const wish = this.#wishes.get(key)?.change ?? {};
    return hoursFrom('quiet_hours' in wish ? wish.quiet_hours : this.#find(key)?.quiet_hours, this.#quietHours);
  }

  #welcomed(resumed) {
    this.#open = true;
    this.#asked = false;
    this.#fresh = false;
    this.#denied = false;
    const invite = this.#invite;
    if (!invite?.sent || invite.answer) return;
    // The same visit knows the request again; another one would invite a second time.
    if (resumed) invite.sent = false;
    else this.#fail('invite', 'given-up', 'all');
  }

  /** A code that comes onto the TV later than anybody waits for it would stand there for nobody. */
  #forgetCode() {
    if (this.#wishedCode?.shown && !this.#wishes.get('code').told) this.#wishes.delete('code');
  }

  #want(key, change) {
    this.#saved.delete(key);
    this.#wishes.set(key, (this.#wishes.get(key) ?? new Wish()).add(change));
  }

  /** The message for a wish, over what home says now; null, and the wish is over, if home has it so already or knows nobody like that. */
  #compose(key, { change, tried }) {
    // A code that was there before looks the same, and may be for another name.
    if (this.#granted(key, change) && (tried || !change.code?.shown)) return this.#done(key);
    if (key === 'home') return { type: 'quiet_hours', hours: change.hours };
    if (key === 'code') {
      const { shown, person, name, role } = change.code;
      return { type: 'show_code', shown, ...(person === null ? { name, role } : { person }) };
    }
    const said = this.#find(key);
    if (!said) {
      this.#wishes.delete(key);
      return null;
    }
    const { name, role, entering, in_quiet_hours, quiet_hours } = { ...said, ...change };
    return { type: 'person', person: key, name, role, entering, in_quiet_hours, quiet_hours };
  }

  #granted(key, change) {
    if (key === 'home') return this.#said.quiet_hours === change.hours;
    if (key === 'code') {
      const { shown, person, role } = change.code;
      if (!shown) return !this.#said.code_shown;
      return isFor(this.#said.code, person) && (person !== null || this.#said.code.role === role);
    }
    const said = this.#find(key);
    return Boolean(said) && Object.entries(change).every(([name, value]) => said[name] === value);
  }

  #settle(now) {
    if (!this.#fresh) return;
    for (const [key, wish] of this.#wishes) {
      if (wish.isOver(this.#granted(key, wish.change), now)) this.#done(key);
    }
  }

  #done(key) {
    this.#wishes.delete(key);
    this.#saved.add(key);
    return null;
  }

  #refused(message) {
    const { about = null, request = null, person = null } = message;
    const why = reasonOf(message);
    const invite = this.#invite;
    if (request !== null || about === 'invite') {
      if (request !== null && request === invite?.request) this.#fail('invite', why, why === 'name' ? 'name' : 'all');
      return;
    }
    const key = this.#meant(about, person, why);
    const places = { name: 'name', hours: 'hours', last_owner: 'role' };
    const wish = this.#wishes.get(key);
    const place = about === 'remove' || (!wish && why === 'last_owner') ? 'remove' : (places[why] ?? 'all');
    if (about === 'remove') return this.#fail(key, why, place);
    this.#saved.delete(key);
    // Not what was wished since: home has not heard that.
    const { refused } = wish?.refuse() ?? { refused: {} };
    if (wish?.empty) this.#wishes.delete(key);
    if (key === 'code') return this.#fail(key, why, place, { person: person ?? refused.code?.person ?? null });
    // What home did not take stays in the fields, to be mended there.
    const draft = { ...asDraft(key, refused), ...this.#drafts.get(key) };
    if (Object.keys(draft).length) this.#drafts.set(key, draft);
    this.#fail(key, why, place);
  }

  /** What home did not do: 'home', 'code' or a person's number. A home that does not say what it is `about` leaves it to what was asked. */
  #meant(about, person, why) {
    const known = { quiet_hours: 'home', show_code: 'code' }[about];
    return known ?? person ?? (this.#wishes.has('home') && why !== 'name' ? 'home' : 'code');
  }

  #forbidden() {
    if (!this.#asked && !this.#wishes.size && !this.#invite) return;
    this.#denied = true;
    this.#give();
  }

  /** Gives up what home is not to hear any more. */
  #give() {
    for (const wanted of [this.#wishes, this.#drafts, this.#removals]) wanted.clear();
    this.#invite = null;
  }

  #fail(key, why, at, more = {}) {
    this.#wrong.set(key, { why, at, ...more });
    return false;
  }
}

/** Whether a code is for `person`, by number, or for somebody new (null). */
const isFor = (code, person) => Boolean(code) && (code.person ?? null) === person;

/** Whether a field has the same value. A field knows no name as an empty one, and hours as three values. */
function same(value, before) {
  if (typeof value !== 'object' || value === null) return (value || null) === (before || null);
  return Object.entries(value).every(([name, one]) => before?.[name] === one);
}

/** A wish's change as the fields have it. */
function asDraft(key, { hours, quiet_hours, ...change }) {
  const text = key === 'home' ? hours : quiet_hours;
  return text === undefined ? change : { ...change, hours: hoursFrom(text) };
}
