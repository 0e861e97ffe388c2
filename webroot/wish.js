// Something that an owner wants to be so: what home is yet to hear of it, and whether home has answered. Times are in ms.

/**
 * A wish is a state, so home may hear it again on a new socket. One message of it is on its way at a time: then it is clear which one home
 * refuses, and what home says afterwards is the answer to it.
 */
export class Wish {
  /** Home has answered, and still has it otherwise by then: it keeps it in its own way, or somebody else has wished later. */
  static SETTLED_MS = 3000;

  change = {};
  /** When it was changed last. */
  since = null;
  /** Whether home was ever told of it. */
  tried = false;
  // What of it was told on this socket, and when; and whether home has answered that. A socket may be dead for a while before one knows.
  #told = {};
  #at = null;
  #answered = false;
  #untold = true;

  /** Wishes more, or something else. */
  add(change, now = null) {
    this.change = { ...this.change, ...change };
    this.since = now;
    this.#untold = true;
    return this;
  }

  /** Whether home is to be told now. */
  get due() {
    return this.#untold && (this.#at === null || this.#answered);
  }

  /** Whether something of it was told on this socket. */
  get told() {
    return this.#at !== null;
  }

  tell(now) {
    this.tried = true;
    this.#told = this.change;
    this.#at = now;
    this.#answered = this.#untold = false;
  }

  /** Home says how things are. */
  answer() {
    this.#answered = true;
  }

  /** The socket is gone, and perhaps with it what was told. */
  lost() {
    this.#told = {};
    this.#at = null;
    this.#answered = false;
    this.#untold = true;
  }

  /** Home refused what it was `told`: returns that, and what of it is still wished so. What was changed since is still to be told. */
  refuse() {
    const told = this.#told;
    const changes = Object.entries(this.change);
    const isRefused = ([what, value]) => what in told && told[what] === value;
    this.change = Object.fromEntries(changes.filter((change) => !isRefused(change)));
    this.#told = {};
    this.#answered = this.#untold = true;
    return { told, refused: Object.fromEntries(changes.filter(isRefused)) };
  }

  get empty() {
    return !Object.keys(this.change).length;
  }

  /** Whether it is as home has it, or as home wants it. `granted`: home has it so. */
  isOver(granted, now) {
    return !this.#untold && this.#answered && (granted || this.isOld(now));
  }

  isOld(now) {
    return this.#at !== null && now - this.#at >= Wish.SETTLED_MS;
  }

  /** When it is over at the latest, or null as long as home owes an answer. */
  get settles() {
    return !this.#untold && this.#answered ? this.#at + Wish.SETTLED_MS : null;
  }
}
