// A browser that lost the page's storage: home remembers its key.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { page } from './webroot.mjs';

const { Remembered } = await page('remembered.js');
const KEY = 'abc_DEF-1234567890xyzQ';
const OTHER = 'zyx_DEF-1234567890abcA';

/** A home that answers so, and what it was asked. */
function home(answers = {}) {
  const asked = [];
  const ask = async (wish) => {
    asked.push(wish);
    return wish in answers ? answers[wish] : '';
  };
  return { asked, remembered: new Remembered(ask) };
}

test('a key that home has welcomed is kept once, and again if that failed', async () => {
  const { asked, remembered } = home({ [OTHER]: null });
  await remembered.keep(null);
  await remembered.keep(KEY);
  await remembered.keep(KEY);
  assert.deepEqual(asked, [KEY]);
  await remembered.keep(OTHER);
  await remembered.keep(OTHER);
  assert.deepEqual(asked, [KEY, OTHER, OTHER]);
});

test('a page without a key is told the one that home remembers, once', async () => {
  const { asked, remembered } = home({ restore: KEY });
  assert.equal(await remembered.restore(null), KEY);
  assert.equal(await remembered.restore(null), null);
  assert.deepEqual(asked, ['restore']);
});

test('a remembered key that was tried in vain is not tried again', async () => {
  assert.equal(await home({ restore: KEY }).remembered.restore(KEY), null);
  assert.equal(await home({ restore: '' }).remembered.restore(null), null, 'nothing is remembered');
  assert.equal(await home({ restore: null }).remembered.restore(null), null, 'home does not answer');
});

test('a device that was removed is forgotten, and its key does not come back', async () => {
  const { asked, remembered } = home({ restore: KEY });
  await remembered.keep(KEY);
  await remembered.forget();
  assert.equal(await remembered.restore(null), null);
  assert.deepEqual(asked, [KEY, 'forget']);
});
