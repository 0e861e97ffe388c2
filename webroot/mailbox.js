// What home says to owners, for whoever reads it: that part of the page arrives last, and reads then what came before.

/** Keeps messages until somebody reads, and hands them on from then on. */
export class Mailbox {
  /** With a `welcome` home says everything anew. Between two it says little to a page that has asked for nothing. */
  static ROOM = 16;

  #kept = [];
  #read = null;

  post(message) {
    if (this.#read) return this.#read(message);
    if (message.type === 'welcome') this.#kept = [];
    // The oldest is the welcome, which counts.
    else if (this.#kept.length >= Mailbox.ROOM) this.#kept.splice(1, 1);
    this.#kept.push(message);
  }

  /** From now on `read` gets each message, those that were kept at once. */
  open(read) {
    this.#read = read;
    for (const message of this.#kept.splice(0)) read(message);
  }
}
