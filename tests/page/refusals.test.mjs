// Home's computer answers, and no socket opens: what the page makes of it.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Refusals } from '../../webroot/refusals.js';

/** Failures in a row at a home that answers the page's question with `status`; what the last one said, and what is known then. */
async function fail(status, count = 4) {
  const asked = [];
  globalThis.location = { origin: 'https://home.example:9443' };
  globalThis.fetch = async (url) => {
    asked.push(url);
    return { status, ok: status >= 200 && status < 300 };
  };
  const refusals = new Refusals();
  let untrusted = false;
  for (let n = 0; n < count; n += 1) {
    untrusted = refusals.lost(true, n * 1000);
    await new Promise(setImmediate);
  }
  return { asked, untrusted, refusals };
}

test('a page that home takes for another site’s is told apart from a certificate that is not trusted', async () => {
  const trusted = await fail(204);
  assert.ok(trusted.asked.every((url) => url === '/origin?https%3A%2F%2Fhome.example%3A9443'));
  assert.deepEqual([trusted.untrusted, trusted.refusals.misdirected], [true, false]);
  const misdirected = await fail(403);
  assert.deepEqual([misdirected.untrusted, misdirected.refusals.misdirected], [false, true]);
  misdirected.refusals.opened();
  assert.equal(misdirected.refusals.misdirected, false, 'the proxy was mended');
  assert.deepEqual((await fail(404)).refusals.misdirected, false);
});

test('a proxy is blamed no longer than it answers', async () => {
  const lost = async (refusals, quick = true) => {
    refusals.lost(quick, 9000);
    await new Promise(setImmediate);
    return refusals.misdirected;
  };
  const off = await fail(403);
  globalThis.fetch = () => Promise.reject(new TypeError('nothing answers'));
  assert.equal(await lost(off.refusals), false, 'home and the proxy went off');

  const slow = await fail(403);
  assert.equal(await lost(slow.refusals, false), false, 'what takes its time to fail was not refused');

  const { refusals } = await fail(403);
  refusals.restart();
  assert.equal(refusals.misdirected, false, 'another visit begins');

  // The answer to the last question comes only after the socket has opened.
  const late = await fail(403, 1);
  late.refusals.lost(true, 9000);
  late.refusals.opened();
  await new Promise(setImmediate);
  assert.equal(late.refusals.misdirected, false);
});
