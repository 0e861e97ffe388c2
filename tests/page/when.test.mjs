// Moments as people write them, in a zone where clocks change.
process.env.TZ = 'Europe/Berlin';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { page } from './webroot.mjs';

const { dayWords, momentWords, timeWords } = await page('when.js');
const ms = (text) => new Date(text).getTime();
const moment = (then, now, locale = 'en-GB') => momentWords(ms(then) / 1000, ms(now), locale);
const day = (then, now, locale = 'en-GB') => dayWords(ms(then) / 1000, ms(now), locale);

test('the time alone where it is today, and the day where it is not', () => {
  assert.equal(moment('2026-11-30T08:00', '2026-11-30T02:00'), '08:00');
  assert.equal(moment('2026-12-01T08:00', '2026-11-30T23:59'), 'Tuesday 08:00');
  assert.equal(moment('2026-12-07T08:00', '2026-11-30T23:59'), '7 December at 08:00', 'a week later the weekday would be today’s');
  assert.equal(moment('2026-12-01T08:00', '2026-11-30T22:00', 'de-DE').replace('um ', ''), 'Dienstag, 08:00');
  assert.match(moment('2026-11-30T20:00', '2026-11-30T02:00', 'en-US'), /^08:00\sPM$/);
});

test('a night of 23 or 25 hours is one night', () => {
  assert.equal(moment('2026-03-29T08:00', '2026-03-28T23:00'), 'Sunday 08:00');
  assert.equal(moment('2026-10-26T00:10', '2026-10-25T00:10'), 'Monday 00:10');
  assert.equal(day('2026-11-01T12:00', '2026-10-25T00:10'), '1 November');
});

test('an invite ends on a day, or at a time today; and one that ended has a date', () => {
  assert.equal(day('2026-12-01T08:00', '2026-11-30T10:00'), 'Tuesday');
  assert.equal(day('2026-11-30T18:30', '2026-11-30T10:00'), '18:30');
  assert.equal(day('2026-12-24T18:30', '2026-11-30T10:00', 'de'), '24. Dezember');
  assert.equal(day('2026-11-29T18:30', '2026-11-30T10:00'), '29 November');
});

test('hours are written as people write them there', () => {
  assert.equal(timeWords('22:00', 'de'), '22:00');
  assert.match(timeWords('22:00', 'en-US'), /^10:00\sPM$/);
});

test('what is no moment harms nothing', () => {
  for (const seconds of [NaN, Infinity, 1e300]) assert.equal(momentWords(seconds, ms('2026-11-30T10:00'), 'en'), '');
});
