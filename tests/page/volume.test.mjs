// The slider for the volume at home: it follows home, but never jerks under the hand.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { page } from './webroot.mjs';

const { Volume } = await page('volume.js');
const home = (percent, least = 20, most = 100) => ({ percent, least, most });

function fresh(percent = 80) {
  const volume = new Volume();
  volume.hear(home(percent));
  return volume;
}

test('it shows what home says, however often home says it', () => {
  const volume = fresh();
  assert.deepEqual(volume.shown(0), home(80));
  volume.hear(home(40));
  volume.hear(home(40));
  assert.equal(volume.shown(0).percent, 40);
  assert.equal(volume.due(0), null);
  assert.equal(volume.wait(0), null);
});

test('where home sets limits they hold, and where it allows nothing there is no slider', () => {
  const volume = fresh();
  volume.set(5, 1000);
  assert.equal(volume.due(1000), 20);
  volume.set(250, 2000);
  assert.equal(volume.due(2000), 100);
  for (const word of [null, home(60, 60, 60)]) {
    volume.hear(word);
    assert.equal(volume.shown(9000), null);
    volume.set(70, 9000);
    volume.step(10, 9000);
    assert.equal(volume.due(9000), null);
  }
});

test('while the hand moves it, echoes from before do not move it back', () => {
  const volume = fresh();
  const told = [];
  for (let now = 0; now <= 640; now += 20) {
    volume.set(80 - now / 20, now);
    const percent = volume.due(now);
    if (percent !== null) told.push(percent);
    // Home answers 100 ms late.
    if (now >= 100) volume.hear(home(80 - (now - 100) / 20));
    assert.equal(volume.shown(now).percent, Math.round(80 - now / 20));
  }
  assert.ok(told.length <= 6, `${told.length} messages in 0.64 s`);
  assert.equal(volume.wait(640), 80);
  assert.equal(volume.due(720), 48, 'the last place is told');
  assert.equal(volume.due(900), null, 'once');
  volume.hear(home(48));
  assert.equal(volume.shown(5000).percent, 48);
});

test('what home never heard is forgotten after a moment', () => {
  const volume = fresh();
  volume.set(30, 0);
  assert.equal(volume.due(0), 30);
  assert.equal(volume.shown(500).percent, 30);
  assert.equal(volume.wait(500), 500);
  assert.equal(volume.shown(1000).percent, 80);
  assert.equal(volume.wait(1000), null);
});

test('keys step from where the slider stands', () => {
  const volume = fresh(90);
  for (let n = 0; n < 4; n += 1) volume.step(-5, n);
  assert.equal(volume.shown(4).percent, 70);
  volume.step(500, 5);
  assert.equal(volume.shown(5).percent, 100);
});
