// The visit log without a browser: when an owner's page asks for it, how it is erased, and what its lines say.
process.env.TZ = 'Europe/Berlin';
import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { page } from './webroot.mjs';

const { Visits } = await page('visits.js');
const { byDays, visitWords } = await page('visitwords.js');
const words = await page('words.js');

const seconds = (text) => new Date(text).getTime() / 1000;
const NOW = new Date('2026-11-30T15:00').getTime();
const ANNA = { person: 12, name: 'Anna', began: seconds('2026-11-30T14:05'), ended: seconds('2026-11-30T14:17'), here: false, outcome: 'visited' };
const ASKS = [{ type: 'visits' }];

/** A page of the log that is open, and home's first answer. */
function opened() {
  const visits = new Visits();
  visits.hear({ type: 'welcome', resumed: false });
  visits.watch(true);
  assert.deepEqual(visits.due(), ASKS);
  assert.equal(visits.list, null);
  visits.hear({ type: 'visits', visits: [ANNA] });
  return visits;
}

afterEach(() => words.speak({}));

test('the log is asked for when its page opens, not before, and anew when it opens again', () => {
  const visits = new Visits();
  visits.hear({ type: 'welcome', resumed: false });
  assert.deepEqual(visits.due(), []);
  visits.watch(true);
  assert.deepEqual([visits.due(), visits.due()], [ASKS, []]);
  visits.hear({ type: 'visits', visits: [ANNA] });
  assert.equal(visits.list.length, 1);
  visits.watch(false);
  assert.deepEqual(visits.due(), []);
  visits.watch(true);
  assert.deepEqual([visits.list, visits.due()], [null, ASKS], 'and no old one is seen meanwhile');
});

test('on a new socket, and when people come or go, it is asked for again', () => {
  const visits = opened();
  visits.lost();
  assert.deepEqual([visits.due(), visits.list.length], [[], 1]);
  visits.hear({ type: 'welcome', resumed: true });
  assert.deepEqual(visits.due(), ASKS);
  assert.equal(visits.hear({ type: 'people', people: [] }), false, 'others read it, too');
  assert.deepEqual(visits.due(), ASKS);
});

test('the log is erased once, and home says what is left', () => {
  const visits = opened();
  visits.erase();
  assert.deepEqual([visits.erasing, visits.due(), visits.due()], [true, [{ type: 'erase_visits' }], []]);
  visits.hear({ type: 'visits', visits: [] });
  assert.deepEqual([visits.erasing, visits.list, visits.wrong], [false, [], null]);
});

test('it is not erased later than the owner pressed it', () => {
  const visits = opened();
  visits.lost();
  visits.erase();
  assert.equal(visits.wrong, 'lost');
  visits.hear({ type: 'welcome', resumed: true });
  assert.deepEqual(visits.due(), ASKS);
  visits.erase();
  visits.lost();
  visits.hear({ type: 'welcome', resumed: true });
  assert.deepEqual([visits.due(), visits.erasing], [ASKS, false]);
});

test('a log that home could not erase says why, until it is tried again', () => {
  const visits = opened();
  visits.erase();
  visits.due();
  assert.equal(visits.hear({ type: 'not_done', about: 'quiet_hours', why: 'storage' }), false, 'others read that');
  assert.equal(visits.erasing, true);
  assert.equal(visits.hear({ type: 'not_done', about: 'erase_visits', request: null, person: null, why: 'storage' }), true);
  assert.deepEqual([visits.erasing, visits.wrong], [false, 'storage']);
  visits.erase();
  assert.equal(visits.wrong, null);
});

test('what is no list changes nothing', () => {
  const visits = opened();
  for (const rubbish of [undefined, null, 'none', {}]) visits.hear({ type: 'visits', visits: rubbish });
  assert.equal(visits.list.length, 1);
});

test('days stand above their visits, as people call them', () => {
  words.speak({}, 'en-GB');
  const on = (text) => ({ ...ANNA, began: seconds(text) });
  const days = (locale) => {
    words.speak({}, locale);
    const moments = ['2026-11-30T14:05', '2026-11-30T00:01', '2026-11-29T23:59', '2026-11-25T10:00', '2026-11-23T10:00', '2025-12-31T10:00'];
    return byDays(moments.map(on), NOW).map(({ day, visits }) => [day, visits.length]);
  };
  assert.deepEqual(days('en-GB'), [['Today', 2], ['Yesterday', 1], ['Wednesday', 1], ['23 November', 1], ['31 December 2025', 1]]);
  assert.deepEqual(days('de').map(([day]) => day), ['Heute', 'Gestern', 'Mittwoch', '23. November', '31. Dezember 2025']);
  assert.deepEqual(byDays([], NOW), []);
});

test('a line says who, at what time, and what became of it', () => {
  words.speak({}, 'en-GB');
  const line = (more) => {
    const { time, who, what } = visitWords({ ...ANNA, ...more });
    return [time, who, what].join(' · ');
  };
  assert.equal(line({}), '14:05 · Anna · 12 minutes');
  assert.equal(line({ ended: null, here: true }), '14:05 · Anna · Here now');
  assert.equal(line({ ended: null }), '14:05 · Anna · End not known', 'a power cut');
  assert.equal(line({ ended: ANNA.began + 20 }), '14:05 · Anna · Less than a minute');
  assert.equal(line({ ended: ANNA.began + 3900 }), '14:05 · Anna · 1 hour 5 minutes');
  assert.equal(line({ ended: ANNA.began + 7200 }), '14:05 · Anna · 2 hours');
  assert.equal(line({ ended: ANNA.began - 3600 }), '14:05 · Anna · Less than a minute', 'a clock that was set back');
  assert.equal(line({ outcome: 'missed' }), '14:05 · Anna · Knocked, nobody answered');
  assert.equal(line({ outcome: 'declined' }), '14:05 · Anna · Was not let in');
  assert.equal(line({ outcome: 'resting' }), '14:05 · Anna · Came in quiet hours');
  assert.equal(line({ outcome: 'called' }), '14:05 · Anna · Home called, nobody answered');
  assert.equal(line({ outcome: 'called', person: 0, name: null }), '14:05 · Everybody · Home called, nobody answered');
  assert.equal(line({ person: 0, name: null }), '14:05 · Trial key · 12 minutes');
  assert.equal(line({ name: ' ' }), '14:05 · No name · 12 minutes');
  const noted = (outcome) => line({ outcome, ended: null });
  assert.deepEqual(['device', 'owner', 'rights', 'removed'].map(noted), ['Has a new device', 'Is an owner now', 'What they may do was changed', 'May not come in any more'].map((what) => `14:05 · Anna · ${what}`));
  assert.equal(line({ outcome: 'waved' }), '14:05 · Anna · ', 'of a newer home');
  assert.equal(line({ began: 'soon', ended: null }), ' · Anna · End not known');
});
