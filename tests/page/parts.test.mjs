// What comes behind first light: when it is asked for, and how often.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { page } from './webroot.mjs';

const { Due, load, place } = await page('parts.js');

globalThis.document = {
  head: { append() {} },
  createElement: () => ({ querySelectorAll: () => [] }),
  querySelectorAll: () => ['/rest-0a.js', '/owner-1b.js', '/late-2c.js'].map((content) => ({ content })),
};
console.warn = () => {};

/** Asks for `name`, which comes with the try number `comes`, and is gone by the try number `gone`. */
async function asked(name, { comes = Infinity, gone = Infinity, mayReload = true } = {}) {
  const log = [];
  let tries = 0;
  const ask = async (address) => {
    log.push(address);
    tries += 1;
    if (tries === comes) place(name, '', '');
  };
  const wait = async (ms) => log.push(ms);
  const isGone = async () => tries >= gone;
  const reload = () => {
    log.push('again');
    return mayReload;
  };
  await load(name, { ask, gone: isGone, wait, reload });
  return log;
}

test('a part that does not come is asked for again, ever less often, and never by the same address', async () => {
  assert.deepEqual(await asked('rest', { comes: 3 }), ['/rest-0a.js', 1000, '/rest-0a.js?1', 2000, '/rest-0a.js?2']);
  const pauses = (await asked('owner', { comes: 9 })).filter(Number.isInteger);
  assert.deepEqual(pauses, [1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000]);
});

test('where home has another version by now the page is loaded again', async () => {
  assert.deepEqual(await asked('late', { gone: 2 }), ['/late-2c.js', 1000, '/late-2c.js?1', 'again']);
});

test('and asks on where that was done before', async () => {
  assert.deepEqual(await asked('late', { gone: 1, comes: 2, mayReload: false }), ['/late-2c.js', 'again', 1000, '/late-2c.js?1']);
});

test('the rest stands neither beside the offer nor beside the picture, and waits for none that does not come', () => {
  const waiting = { answered: false, soundOnly: false };
  const due = new Due();
  assert.deepEqual([0, 400, 3900].map((ms) => due.step(waiting, ms)), [false, false, false]);
  assert.deepEqual([3950, 6900, 6950].map((ms) => due.step({ ...waiting, answered: true }, ms)), [false, false, true]);
  assert.equal(new Due().step(waiting, 4000), true, 'home does not answer');
  assert.equal(new Due().step({ answered: true, soundOnly: true }, 500), true, 'there will be no picture');
});
