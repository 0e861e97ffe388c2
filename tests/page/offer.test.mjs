// When the page offers to put home on the home screen, without a browser.
import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { page } from './webroot.mjs';

const { Offer } = await page('offer.js');

let memory;
let seconds;
const SEEN = { live: true, able: true, busy: false };

/** A visit that goes on for `ms`, some time after the one before: whether it was offered. */
function visits(ms = 60000, { after = 86400, seen = SEEN } = {}) {
  seconds += after;
  const offer = new Offer(memory);
  let offered = false;
  for (let now = 0; now <= ms; now += 5000) offered = offer.step(typeof seen === 'function' ? seen(now) : seen, now, seconds + now / 1000) || offered;
  return offered;
}

beforeEach(() => {
  const kept = new Map();
  memory = { get: (key) => kept.get(key) ?? null, set: (key, value) => kept.set(key, value) };
  seconds = 1790000000;
});

test('it is offered after two visits, and not in the first seconds of the third', () => {
  assert.deepEqual([visits(), visits(), visits(25000), visits(30000)], [false, false, false, true]);
});

test('a glance is no visit, and a page that is loaded again is the same one', () => {
  for (let n = 0; n < 5; n += 1) assert.equal(visits(20000), false);
  for (let n = 0; n < 5; n += 1) assert.equal(visits(60000, { after: 120 }), false, `${n}`);
  assert.deepEqual([visits(), visits()], [false, true]);
});

test('it waits while home is not seen, and while something else is to be answered', () => {
  visits();
  visits();
  assert.equal(visits(200000, { seen: (now) => ({ ...SEEN, live: now % 25000 > 0 }) }), false);
  assert.equal(visits(200000, { seen: { ...SEEN, busy: true } }), false);
  assert.equal(visits(200000, { seen: { ...SEEN, able: false } }), false);
  assert.equal(visits(60000, { seen: (now) => ({ ...SEEN, busy: now < 50000 }) }), true);
});

test('whoever has answered is not asked again', () => {
  for (let n = 0; n < 3; n += 1) visits();
  new Offer(memory).answered();
  for (let n = 0; n < 3; n += 1) assert.equal(visits(), false);
});

test('what else stands in the memory harms nothing', () => {
  memory.set('intercom.visits', 'many');
  assert.deepEqual([visits(), visits(), visits()], [false, false, true]);
});
