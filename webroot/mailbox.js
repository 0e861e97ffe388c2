// What home says beside the call, for whoever reads it: those parts of the page arrive last, and read then what came before.

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

/** Sorts what home says beside the call by who reads it. A `welcome` is for each of them. */
export class Mail {
  static #READERS = {
    owners: ['people', 'invited', 'not_done', 'not_allowed', 'door', 'visits', 'news', 'home'],
    everybody: ['call', 'call_over', 'missed_call', 'quiet_hours'],
  };

  owners = new Mailbox();
  everybody = new Mailbox();

  /** Takes `message`; false if it is for nobody here. */
  post(message) {
    const readers = Object.entries(Mail.#READERS).filter(([, types]) => message.type === 'welcome' || types.includes(message.type));
    for (const [reader] of readers) this[reader].post(message);
    return readers.length > 0;
  }
}
