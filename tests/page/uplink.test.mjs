// What the page sends over a thin path.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { page } from './webroot.mjs';

const { Uplink, readUplink } = await page('uplink.js');

const fine = { available: 2_000_000, lost: 0, roundTripMs: 60 };
/** More is sent than fits: packets wait, and many do not fit into the queue. */
const thin = { available: 40_000, lost: 0.5, roundTripMs: 650 };
/** Packets get lost whatever is sent. */
const lossy = { available: 40_000, lost: 0.3, roundTripMs: 65 };

/** One reading a second and a report in five, `path` of the plan and the second; the changes. */
function run(uplink, from, to, path) {
  const changes = [];
  let lost = 0;
  for (let second = from; second < to; second++) {
    const now = path(uplink.plan, second);
    if (second % 5 === 0) lost = now.lost;
    const plan = uplink.step({ ...now, lost, report: Math.floor(second / 5) }, second * 1000);
    if (plan) changes.push(`${plan}@${second}`);
  }
  return changes;
}

test('a path that is fine is sent everything, also where it loses a little or its estimate is low', () => {
  for (const path of [fine, { ...fine, lost: 0.05 }, { ...fine, available: 60_000 }, { ...fine, lost: 0.2 }, { ...fine, available: null }]) {
    assert.deepEqual(run(new Uplink(), 0, 600, () => path), [], JSON.stringify(path));
  }
});

test('two bad seconds are not believed', () => {
  const uplink = new Uplink();
  assert.deepEqual(run(uplink, 0, 100, (_, s) => (s % 10 < 2 ? thin : fine)), []);
});

test('on a thin path little is sent, and once in a while it is tried whether more fits', () => {
  const uplink = new Uplink();
  const path = (plan, s) => (s < 5 ? fine : plan === 'full' ? thin : { ...fine, available: 60_000 });
  const changes = run(uplink, 0, 300, path);
  assert.deepEqual(changes, ['thin@7', 'full@22', 'thin@25', 'full@55', 'thin@58', 'full@118', 'thin@121', 'full@241', 'thin@244']);
});

test('when the path is wide again everything is sent, and the next narrow one is left as soon as the first', () => {
  const uplink = new Uplink();
  const path = (plan, s) => (s >= 5 && s < 30 && plan === 'full' ? thin : fine);
  assert.deepEqual(run(uplink, 0, 200, path), ['thin@7', 'full@22', 'thin@25', 'full@55']);
  assert.deepEqual(run(uplink, 200, 220, (plan) => (plan === 'full' ? thin : fine)), ['thin@202', 'full@217']);
});

test('where words get lost whatever is sent, the voice is better than on a thin path', () => {
  const uplink = new Uplink();
  const changes = run(uplink, 0, 14, (_, s) => (s < 3 ? fine : lossy));
  assert.deepEqual(changes, ['lossy@7']);
});

test('a thin path that loses words of its own gets the better voice once nothing waits, and not when that fills it', () => {
  const uplink = new Uplink();
  const path = (plan, s) => (s < 3 ? fine : plan === 'thin' ? lossy : thin);
  assert.deepEqual(run(uplink, 0, 26, path), ['thin@5', 'lossy@15', 'thin@25']);
});

test('a browser that estimates nothing goes by what is lost while packets wait', () => {
  const uplink = new Uplink();
  const blind = { ...thin, available: null };
  assert.deepEqual(run(uplink, 0, 10, (_, s) => (s < 3 ? { ...fine, available: null } : blind)), ['thin@7']);
  const far = new Uplink();
  assert.deepEqual(run(far, 0, 60, () => ({ available: null, lost: 0.3, roundTripMs: 300 })), [], 'far away is not late');
});

test('a new connection begins with everything', () => {
  const uplink = new Uplink();
  run(uplink, 0, 10, (_, s) => (s < 3 ? fine : thin));
  assert.equal(uplink.plan, 'thin');
  uplink.begin(10_000);
  assert.equal(uplink.plan, 'full');
});

test('a report is read, and one that says nothing yet is none', () => {
  const entries = (list) => new Map(list.map((entry, n) => [n, entry]));
  const pair = { type: 'candidate-pair', nominated: true, availableOutgoingBitrate: 90_000, currentRoundTripTime: 0.05 };
  const told = { type: 'remote-inbound-rtp', kind: 'audio', fractionLost: 0.25, roundTripTime: 0.4, timestamp: 7 };
  const silent = { available: 90_000, lost: null, roundTripMs: 50, report: null };
  assert.deepEqual(readUplink(entries([pair])), silent);
  assert.equal(new Uplink().step(silent, 0), null);
  assert.deepEqual(readUplink(entries([pair, told])), { available: 90_000, lost: 0.25, roundTripMs: 400, report: 7 });
  const bare = { type: 'remote-inbound-rtp', kind: 'audio', fractionLost: 0, timestamp: 8 };
  assert.deepEqual(readUplink(entries([bare])), { available: null, lost: 0, roundTripMs: null, report: 8 });
});

test('a path that is full from the first packet on is known by its estimate', () => {
  const uplink = new Uplink();
  assert.deepEqual(run(uplink, 0, 10, () => ({ available: 80_000, lost: 0.6, roundTripMs: 300 })), ['thin@2']);
});
