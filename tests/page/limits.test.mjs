// Which sentence says why home's picture is less sharp, and what the page asks for on a device that saves data.
import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { page } from './webroot.mjs';

const { LimitLine, narrowSide } = await page('limits.js');
const { freshFacts, hearHome, hearWelcome, shownFacts } = await page('policy.js');
const { savesData, takeFull } = await page('offered.js');

const browserHas = (connection) => Object.defineProperty(globalThis, 'navigator', { value: { connection }, configurable: true });
const old = Object.getOwnPropertyDescriptor(globalThis, 'navigator');
afterEach(() => {
  takeFull(false);
  if (old) Object.defineProperty(globalThis, 'navigator', old);
  else delete globalThis.navigator;
});

test('home’s word counts, and the browser’s where home cannot tell', () => {
  const fast = { effectiveType: '4g', downlink: 10 };
  for (const [by, kbps, browser, side] of [
    [null, 0, fast, null],
    [undefined, 0, fast, null],
    ['home', 400, undefined, 'home'],
    ['home', 400, { effectiveType: '2g', downlink: 0.1 }, 'home'],
    ['viewer', 400, fast, 'mine'],
    ['between', 400, undefined, 'path'],
    ['between', 400, {}, 'path'],
    ['between', 400, fast, 'home'],
    ['between', 0, fast, 'path'],
    // Not three times as much.
    ['between', 2000, { effectiveType: '4g', downlink: 5 }, 'path'],
    // What a browser says that has measured nothing.
    ['between', 100, { effectiveType: '4g', downlink: 2.65 }, 'path'],
    ['between', 60, { effectiveType: '2g', downlink: 0.1 }, 'mine'],
    ['between', 400, { effectiveType: '3g', downlink: 0.7 }, 'path'],
    // The internet has no part in it.
    ['near', 400, fast, 'path'],
    ['something-new', 400, fast, 'path'],
  ]) {
    assert.equal(narrowSide({ by, kbps }, browser), side, `${by} ${kbps} ${JSON.stringify(browser)}`);
  }
});

test('the same word again changes nothing, whatever the browser says by then, and a new visit begins without', () => {
  const facts = freshFacts(0);
  const narrow = () => shownFacts(facts).narrow;
  browserHas({ effectiveType: '4g', downlink: 10 });
  assert.equal(hearHome(facts, { type: 'limit', by: 'between', kbps: 500 }), true);
  assert.equal(narrow(), 'home');
  browserHas({ effectiveType: '4g', downlink: 1 });
  hearHome(facts, { type: 'limit', by: 'between', kbps: 500 });
  assert.equal(narrow(), 'home');
  hearHome(facts, { type: 'limit', by: 'viewer', kbps: 500 });
  assert.equal(narrow(), 'mine');
  hearWelcome(facts, { resumed: true });
  assert.equal(narrow(), 'mine');
  hearHome(facts, { type: 'limit', by: null, kbps: 5000 });
  assert.equal(narrow(), null);
  hearHome(facts, { type: 'limit', by: 'home', kbps: 500 });
  hearWelcome(facts, { resumed: false });
  assert.equal(narrow(), null);
});

test('a line that was closed comes again for another reason only', () => {
  const line = new LimitLine();
  const seen = (narrow, saves = false) => line.step({ seen: true, saves, narrow });
  assert.deepEqual([seen(null), seen('path'), seen('path')], [null, 'path', 'path']);
  line.close();
  assert.deepEqual([seen('path'), line.step({ seen: false, saves: false, narrow: null }), seen('path')], [null, null, null]);
  assert.deepEqual([seen('home'), seen('path')], ['home', 'path']);
  line.close();
  assert.deepEqual([seen(null), seen('path')], [null, 'path'], 'it was over meanwhile');
  assert.deepEqual([line.step({ seen: false, saves: true, narrow: 'home' }), seen('home', true)], [null, 'saving'], 'that explains it');
  line.close();
  assert.deepEqual([seen('home', true), seen(null, true)], [null, null]);
});

test('a device saves data if its browser says so, until the person takes the full picture', () => {
  for (const connection of [undefined, {}, { saveData: false }, { saveData: 'yes' }]) {
    browserHas(connection);
    assert.equal(savesData(), false);
  }
  browserHas({ saveData: true });
  assert.equal(savesData(), true);
  takeFull(true);
  assert.equal(savesData(), false);
  takeFull(false);
  assert.equal(savesData(), true);
});
