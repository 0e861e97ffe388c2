// The first words of a page, over whatever carries them.

/** The signaling version this page speaks (src/core/call/protocol.rs). */
const VERSION = 1;

let attempt;

/** 96 bits that nobody else has. */
export function random() {
  return [...crypto.getRandomValues(new Uint8Array(12))].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** A new try to be with home: all words until the next one are of one visit, whichever way they go and however late they come. */
export function beginAttempt() {
  attempt = random();
}

/** The first message on every socket and of every POST. `session` names a visit to go on with, or is null. */
export function hello(key, session) {
  const message = { type: 'hello', v: VERSION, key, attempt };
  if (session !== null) message.resume = session;
  return message;
}

/** The first message of a page that has a code instead of a key. */
export const pair = ({ token, nonce }) => ({ type: 'pair', v: VERSION, token, nonce });
