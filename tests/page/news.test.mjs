// What happened with people, without a browser: what an owner reads of it, how long, and what is not said twice.
process.env.TZ = 'Europe/Berlin';
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { page } from './webroot.mjs';

const { News } = await page('news.js');
const { Mail } = await page('mailbox.js');
const words = await page('words.js');

const NOW = new Date('2026-11-30T15:00').getTime();
const ago = (minutes) => NOW / 1000 - minutes * 60;
const item = (more) => ({ what: 'device', person: 12, name: 'Anna', at: ago(0), ...more });
const plain = (text) => text?.replace(/[\u2068\u2069]/g, '') ?? null;

/** What is read of `items` as they come. */
function heard(...items) {
  const news = new News();
  assert.equal(news.hear({ type: 'news', news: items }, NOW), true);
  return news;
}

beforeEach(() => words.speak({}, 'en-GB'));
afterEach(() => words.speak({}));

test('each thing is said as the TV says it, also of somebody without a name', () => {
  const said = (what, name) => plain(heard(item({ what, name })).words(NOW));
  assert.deepEqual(['device', 'owner', 'rights', 'removed'].map((what) => said(what, 'Anna')), ['Anna has a new device', 'Anna is an owner now', 'What Anna may do was changed', 'Anna may not come in any more']);
  for (const nobody of [null, undefined, ' ', 7]) assert.equal(said('rights', nobody), 'What somebody may do was changed');
});

test('what happened while the owner was away is one list with its times, the oldest first', () => {
  const news = heard(item({ at: ago(3 * 24 * 60) }), item({ what: 'owner', person: 13, name: 'Ben', at: ago(55) }));
  assert.equal(plain(news.words(NOW)), 'Friday 15:00 · Anna has a new device\n14:05 · Ben is an owner now');
});

test('of many the newest are shown, and how many more there are', () => {
  const news = heard(...Array.from({ length: 9 }, (_, at) => item({ name: `P${at}`, at: ago(60 - at) })));
  const rows = plain(news.words(NOW)).split('\n');
  assert.deepEqual([rows.length, rows[0], rows.at(-1)], [4, '14:06 · P6 has a new device', 'And 6 more, under “People”, “Visits”']);
});

test('what happens just now goes by itself, once somebody could see it; the rest stays until it is read', () => {
  const news = heard(item({ at: ago(60) }), item({ name: 'Ben' }));
  news.look(NOW + 60000, false);
  assert.equal(news.wait(NOW + 60000), null, 'nobody looks');
  news.look(NOW + 60000, true);
  assert.equal(news.wait(NOW + 61000), News.SHOWN_MS - 1000);
  news.look(NOW + 60000 + News.SHOWN_MS, true);
  assert.deepEqual([plain(news.words(NOW)), news.wait(NOW)], ['14:00 · Anna has a new device', null]);
  news.read();
  assert.equal(news.words(NOW), null);
});

test('what is said twice is read once', () => {
  const news = heard(item({ at: ago(60) }), item({ at: ago(60) }));
  assert.equal(news.words(NOW).split('\n').length, 1);
  news.read();
  news.hear({ type: 'news', news: [item({ at: ago(60) })] }, NOW);
  assert.equal(news.words(NOW), null);
  news.hear({ type: 'news', news: [item({ at: ago(30) })] }, NOW);
  assert.ok(news.words(NOW), 'a second device is another thing');
});

/** What home hears of it now. */
const told = (news) => news.due().map(({ type, number }) => (type === 'news_read' ? number : type));
/** The socket is gone; another one is there, and home says again what it does not know to be read. */
function again(news, ...items) {
  news.lost();
  assert.deepEqual(news.due(), [], 'nobody hears it');
  assert.equal(news.hear({ type: 'welcome', resumed: true }, NOW), false, 'a welcome is for others, too');
  news.hear({ type: 'news', news: items }, NOW);
}

test('home hears up to which number an owner has closed the list, once', () => {
  const items = [item({ number: 4, at: ago(90) }), item({ number: 7, name: 'Ben', at: ago(60) })];
  const news = heard();
  again(news, ...items);
  assert.deepEqual(told(news), [], 'nobody has read it');
  news.read();
  assert.deepEqual([told(news), told(news)], [[7], []]);
  again(news, ...items, item({ number: 5, at: ago(70) }));
  assert.equal(news.words(NOW), null, 'nothing that was read is shown again');
  assert.deepEqual(told(news), [7], 'it may have been lost with the socket');
  news.hear({ type: 'news', news: [item({ number: 8, at: ago(1) })] }, NOW);
  assert.deepEqual([plain(news.words(NOW)), told(news)], ['Anna has a new device', []]);
});

test('what was closed while home was away is told with the next welcome', () => {
  const news = heard();
  again(news, item({ number: 3, at: ago(90) }));
  news.lost();
  news.read();
  assert.deepEqual(told(news), []);
  news.hear({ type: 'welcome', resumed: false }, NOW);
  assert.deepEqual(told(news), [3]);
});

test('what went by itself was read, if somebody could see it', () => {
  const news = heard();
  again(news, item({ number: 5 }));
  news.look(NOW + 60_000, false);
  assert.deepEqual(told(news), []);
  news.look(NOW + 60_000, true);
  assert.deepEqual(told(news), [], 'it is still there');
  news.look(NOW + 60_000 + News.SHOWN_MS, true);
  assert.deepEqual([news.words(NOW), told(news)], [null, [5]]);
});

test('what went by itself does not count what is still there before it as read', () => {
  const items = [item({ number: 4, at: ago(90) }), item({ number: 5, name: 'Ben' })];
  const news = heard();
  again(news, ...items);
  news.look(NOW, true);
  news.look(NOW + News.SHOWN_MS, true);
  assert.equal(plain(news.words(NOW)), '13:30 · Anna has a new device');
  assert.deepEqual(told(news), [], 'number 4 is not read');
  again(news, ...items);
  assert.equal(plain(news.words(NOW)), '13:30 · Anna has a new device', 'neither comes a second time');
  news.read();
  assert.deepEqual(told(news), [5]);
});

test('what nobody could see behind others does not go by itself with them', () => {
  const news = heard();
  again(news, ...Array.from({ length: 5 }, (_, at) => item({ number: 11 + at, name: `P${at}` })));
  news.look(NOW, true);
  news.look(NOW + News.SHOWN_MS, true);
  assert.equal(plain(news.words(NOW)), 'P0 has a new device\nP1 has a new device');
  assert.deepEqual(told(news), []);
  news.look(NOW + 2 * News.SHOWN_MS, true);
  assert.deepEqual([news.words(NOW), told(news)], [null, [15]]);
});

test('two things at once are two, and the same one is one, whatever else it says', () => {
  const news = heard();
  again(news, item({ number: 1 }), item({ number: 2 }), item({ number: 2, name: 'Anna Maria' }));
  assert.equal(news.words(NOW).split('\n').length, 2);
});

test('what this page does not understand is left out', () => {
  const news = heard(null, 7, {}, item({ what: 'moved' }), item({ at: 'soon' }), item({ what: 'device-nobody' }));
  for (const rubbish of [undefined, null, 'none', {}]) news.hear({ type: 'news', news: rubbish }, NOW);
  assert.equal(news.words(NOW), null);
  assert.equal(news.hear({ type: 'people' }, NOW), false);
});

test('news that come before this part of the page are kept for it', () => {
  const mail = new Mail();
  const read = [];
  assert.equal(mail.post({ type: 'news', news: [] }), true);
  mail.owners.open(({ type }) => read.push(type));
  assert.deepEqual(read, ['news']);
});
