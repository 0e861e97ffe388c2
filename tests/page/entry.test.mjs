// With what a page goes in: which of key and code counts, and what is left when home knows neither.
import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { page } from './webroot.mjs';

const KEY = 'abc_DEF-1234567890xyzQ';
const OTHER = 'zyx_DEF-1234567890abcA';

let storages;

/** A page at this address, in a browser that keeps what it was given. */
function opened(hash) {
  globalThis.location = { hash, search: '', pathname: '/', host: 'home' };
  return new Entry();
}

const storage = () => {
  const items = new Map();
  return { getItem: (key) => items.get(key) ?? null, setItem: (key, value) => items.set(key, value), removeItem: (key) => items.delete(key) };
};

globalThis.history = { state: null, replaceState: () => (globalThis.location.hash = '') };
const { Entry } = await page('entry.js');
const { brief, kept } = await page('first.js');

beforeEach(() => {
  // What a page remembers beside the browser's storage.
  for (const store of [brief, kept]) for (const name of ['key', 'code', 'trying']) store.remove(`intercom.${name}`);
  storages = { localStorage: storage(), sessionStorage: storage() };
  for (const [name, value] of Object.entries(storages)) Object.defineProperty(globalThis, name, { value, configurable: true });
});

test('a key out of the address leaves it, and is kept once home has welcomed it', () => {
  const entry = opened(`#k=${KEY}`);
  assert.equal(entry.take(), true);
  assert.deepEqual([entry.key, entry.pairing, location.hash], [KEY, null, '']);
  assert.equal(storages.localStorage.getItem('intercom.key'), null);
  entry.works();
  assert.equal(storages.localStorage.getItem('intercom.key'), KEY);
  assert.equal(entry.hello('token').resume, 'token');
});

test('a key that home does not know gives way to the one of this device', () => {
  storages.localStorage.setItem('intercom.key', OTHER);
  const entry = opened(`#k=${KEY}`);
  entry.take();
  assert.deepEqual([entry.failed(), entry.key], [null, OTHER]);
  assert.equal(entry.failed(), 'wrong-key', 'and there is no third');
});

test('a code comes first, and is exchanged once', () => {
  const entry = opened(`#p=${KEY}`);
  assert.equal(entry.take(), true);
  assert.equal(entry.pairing.token, KEY);
  assert.equal(entry.paired(OTHER), true);
  assert.deepEqual([entry.key, entry.pairing], [OTHER, null]);
  assert.equal(entry.paired(KEY), false, 'said a second time');
  assert.equal(entry.key, OTHER);
});

test('a code that has expired takes nothing away from a device that was here before', () => {
  storages.localStorage.setItem('intercom.key', OTHER);
  const known = opened(`#p=${KEY}`);
  known.take();
  assert.deepEqual([known.failed(), known.key, known.pairing], [null, OTHER, null]);
  kept.remove('intercom.key');
  const stranger = opened(`#p=${KEY}`);
  stranger.take();
  assert.equal(stranger.failed(), 'code');
});

test('what was pasted is for the next start, and rubbish is not', () => {
  const entry = opened('');
  assert.equal(entry.take(), false);
  assert.equal(entry.paste('hello'), false);
  assert.equal(entry.paste(`Come: https://home/#k=${KEY}`), true);
  assert.equal(entry.take(), true);
  assert.equal(entry.key, KEY);
});
