// Home remembers this browser by a cookie that no script can read: for browsers that delete what a page has stored, as Safari does
// after seven days without a visit. The cookie restores this device's key, and does nothing else.

/** Asks home: a key is kept, 'restore' is answered with the key that is kept, 'forget' ends it. The answer's text, or null. */
async function askHome(wish) {
  try {
    const answer = await fetch('/device', { headers: { 'Intercom-Device': wish }, cache: 'no-store', redirect: 'error' });
    return answer.ok ? await answer.text() : null;
  } catch {
    // Without it the page works as before.
    return null;
  }
}

export class Remembered {
  #ask;
  // The key that the cookie has, as far as this page knows.
  #kept = null;
  #restored = false;

  constructor(ask = askHome) {
    this.#ask = ask;
  }

  /** Home has welcomed this key: it is to know the browser by it. */
  async keep(key) {
    if (!key || key === this.#kept) return;
    this.#kept = key;
    if ((await this.#ask(key)) === null) this.#kept = null;
  }

  /** No key here opens home; `failed` is the one that was tried last. The key that home remembers, or null; once for each page. */
  async restore(failed) {
    if (this.#restored) return null;
    this.#restored = true;
    const key = await this.#ask('restore');
    return key && key !== failed ? key : null;
  }

  /** Home does not know this device any more. */
  forget() {
    this.#kept = null;
    this.#restored = true;
    return this.#ask('forget');
  }
}
