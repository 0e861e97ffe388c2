// Who knocks, as an owner inside sees it. No document and no clock: `now` in ms.

/** Keeps what home said last of those at the door. What it said too long ago to be true counts no more. */
export class Door {
  #knocks = [];

  /** Takes what home says; false if it is about something else. Behind a `welcome` home says it anew. */
  hear(message, now) {
    if (message.type === 'welcome') this.#knocks = [];
    else if (message.type !== 'door') return false;
    else this.#knocks = (message.knocks ?? []).map((knock) => fromHome(knock, now));
    return true;
  }

  /** The visit that an owner answers, which home hears of: it is off the list at once, and comes back if home says so. */
  answer(visit, letIn) {
    this.#knocks = this.#knocks.filter((knock) => knock.visit !== visit);
    return { type: letIn ? 'let_in' : 'decline', visit };
  }

  /** Those who wait: `{ visit, name, preview }`. */
  waiting(now) {
    return this.#knocks.filter(({ until }) => until > now);
  }

  /** In how many ms the next one has waited too long, or null. */
  wait(now) {
    const left = this.waiting(now).map(({ until }) => until - now);
    return left.length ? Math.min(...left) : null;
  }
}

const fromHome = ({ visit, name = null, preview, left_ms }, now) => ({ visit, name, preview: Boolean(preview), until: now + left_ms });
