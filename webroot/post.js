// Signaling where no WebSocket comes through: some browsers refuse one on a certificate that was only clicked through, and some proxies break it.
// Signaling is state, so each POST says hello and what there is to say, and home answers at once with how things stand.

/** Most bytes and messages of a POST. Home takes a little more. */
const MOST_BYTES = 60000;
const MOST_MESSAGES = 60;

/** What a page that is welcome already hears of home in a further welcome. */
const toldIn = ({ home, camera, muted, volume, role, entry, curtain }) => [
  { type: 'name', home },
  { type: 'camera', camera },
  { type: 'microphone', muted },
  { type: 'volume', volume },
  { type: 'role', role },
  { type: 'entry', entry },
  { type: 'curtain', drawn: curtain },
];

/** Looks like a WebSocket, which opens once home answers for its page. Pings carry the words that home has by itself. */
export class PostSocket {
  onopen = null;
  onmessage = null;
  onclose = null;
  readyState = 0;
  #hello = null;
  #welcomed = false;
  #told = new Map();
  #queue = [];
  #busy = false;

  constructor() {
    fetch(`/origin?${encodeURIComponent(location.origin)}`, { cache: 'no-store' }).then(
      ({ ok }) => (ok ? this.#opened() : this.#over()),
      () => this.#over(),
    );
  }

  send(text) {
    const message = JSON.parse(text);
    if (message.type === 'hello') {
      this.#hello = message;
      this.#welcomed = false;
    }
    this.#queue.push(message);
    // What is said in one breath goes together.
    queueMicrotask(() => this.#say());
  }

  /** What was sent still goes out. */
  close() {
    const open = this.readyState === 1;
    this.readyState = 3;
    if (open && this.#queue.length) this.#fetch({ keepalive: true }).catch(() => {});
  }

  #opened() {
    if (this.readyState !== 0) return;
    this.readyState = 1;
    this.onopen?.();
  }

  #over() {
    if (this.readyState === 3) return;
    this.readyState = 3;
    this.onclose?.();
  }

  async #say() {
    if (this.readyState !== 1 || this.#busy || !this.#queue.length) return;
    this.#busy = true;
    try {
      const response = await this.#fetch();
      const answer = response.ok ? await response.text() : '';
      if (!answer) return this.#over();
      for (const line of answer.split('\n')) this.#hear(line);
    } catch {
      this.#over();
    } finally {
      this.#busy = false;
    }
    this.#say();
  }

  /** Sends as much of the queue as one POST holds. */
  #fetch(options = {}) {
    const lines = [];
    let bytes = 0;
    // A token is exchanged before there is anything to say hello with.
    if (this.#hello && this.#queue[0].type !== 'hello') this.#queue.unshift(this.#hello);
    while (this.#queue.length && lines.length < MOST_MESSAGES) {
      const line = JSON.stringify(this.#queue[0]);
      // A letter has up to three bytes.
      if (lines.length > 1 && bytes + 3 * line.length > MOST_BYTES) break;
      bytes += 3 * line.length;
      lines.push(line);
      this.#queue.shift();
    }
    return fetch('/signal', { method: 'POST', body: lines.join('\n'), cache: 'no-store', ...options });
  }

  #hear(line) {
    if (this.readyState !== 1) return;
    let message = null;
    try {
      message = JSON.parse(line);
    } catch {
      // Whoever reads it says so.
    }
    if (message?.type !== 'welcome') return this.onmessage?.({ data: line });
    // The visit that this page is in is over at home: a new one begins as on a new socket.
    if (this.#welcomed && !message.resumed) return this.#over();
    this.#hello = { ...this.#hello, resume: message.session };
    if (!this.#welcomed) this.onmessage?.({ data: line });
    for (const told of toldIn(message)) {
      const data = JSON.stringify(told);
      if (this.#welcomed && this.#told.get(told.type) !== data) this.onmessage?.({ data });
      this.#told.set(told.type, data);
    }
    this.#welcomed = true;
  }
}
