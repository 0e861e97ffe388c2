// A page's first words go ahead in a POST, on the connection that brought the page. The WebSocket opens beside that, and goes on with the visit.

// A POST that nobody answers keeps an open WebSocket waiting for no longer.
const PATIENCE_MS = 3000;

/**
 * Looks like a WebSocket. What home says to the POST comes first, as if over the socket; only then does it open, so that the first word on it can be which
 * visit it goes on with.
 */
export class Line {
  onopen = null;
  onmessage = null;
  onclose = null;
  /** The visit that the POST has begun, or null. */
  session = null;
  #socket;
  #waits = true;
  #posted = false;
  #timer = 0;
  #post = new AbortController();

  constructor(url) {
    this.#socket = new WebSocket(url);
    this.#socket.onopen = () => {
      if (this.#waits) this.#timer = setTimeout(() => this.release(), PATIENCE_MS);
      else this.onopen?.();
    };
    this.#socket.onmessage = (event) => this.onmessage?.(event);
    this.#socket.onclose = () => this.#waits || this.onclose?.();
  }

  get readyState() {
    return this.#waits ? 0 : this.#socket.readyState;
  }

  send(text) {
    this.#socket.send(text);
  }

  close() {
    this.#settle();
    this.#socket.close();
  }

  /** Says the first words. If they do not get through, the socket opens as if there had been none. */
  async post(messages) {
    this.#posted = true;
    const body = messages.map((message) => JSON.stringify(message)).join('\n');
    let lines = [];
    try {
      const response = await fetch('/signal', { method: 'POST', body, cache: 'no-store', signal: this.#post.signal });
      if (response.ok) lines = (await response.text()).split('\n');
    } catch {
      // Home says it over the socket, if it is there.
    }
    if (!this.#waits) return;
    this.session = sessionIn(lines);
    // Home has refused, and said why: there is nothing to open for.
    if (lines.length && this.session === null) this.#socket.close();
    for (const data of lines) this.onmessage?.({ data });
    this.release();
  }

  /** Whoever goes on with it sends no first words any more. */
  handOver() {
    if (!this.#posted) this.release();
  }

  /** There is no POST to wait for. */
  release() {
    if (!this.#waits) return;
    this.#settle();
    if (this.#socket.readyState === WebSocket.OPEN) this.onopen?.();
    else if (this.#socket.readyState > WebSocket.OPEN) this.onclose?.();
  }

  #settle() {
    this.#waits = false;
    clearTimeout(this.#timer);
    this.#post.abort();
  }
}

function sessionIn(lines) {
  for (const line of lines) {
    try {
      const message = JSON.parse(line);
      if (message.type === 'welcome') return message.session;
    } catch {
      // Not home's.
    }
  }
  return null;
}
