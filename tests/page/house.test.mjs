// Home on an owner's page, without a browser: when it is asked how it is, what is set of it, and what is said of it.
process.env.TZ = 'Europe/Berlin';
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { page } from './webroot.mjs';

const { ENGLISH } = await page('english.js');
const { House, SETTINGS } = await page('house.js');
const { TONGUES, chimeHint, faultWords, fileChoice, loudnessWords, reachWords, settingNote, verdictWords } = await page('housewords.js');
const { Mail } = await page('mailbox.js');
const words = await page('words.js');

const ASKS = { type: 'home', language: 'de' };
const CAMERA = { about: 'camera', kind: 'absent', wrong: true, what: 'No camera was found.', remedy: 'Plug one in.' };
const NOTHING = { name: null, volume: null, chime: null, language: null };

/** What home says of itself. */
const said = (set = {}, holds = {}, more = {}) => ({
  type: 'home',
  set: { ...NOTHING, ...set },
  holds: { name: 'Home', volume: 100, chime: 70, language: 'en', ...holds },
  volume_least: 20,
  volume_most: 100,
  version: '0.19.0',
  looked: true,
  findings: [],
  notices: [],
  reach: { port: 8443, addresses: ['192.168.1.5'], public: null, outside: null, you: 'home' },
  ...more,
});

/** Home's own page, open, after its first words with home. */
function opened(answer = said()) {
  const house = new House(() => 'de');
  house.watch(true);
  house.show(true);
  house.hear({ type: 'welcome', resumed: false }, 0);
  assert.deepEqual(house.due(0), [ASKS]);
  house.hear(answer, 0);
  return house;
}

/** `what` is set, and told as soon as nothing more comes. */
function set(house, what, value, now = 0) {
  house.set(what, value, now);
  return house.due(now + House.PAUSE_MS);
}
const refuse = (house, why) => house.hear({ type: 'not_done', about: 'home', request: null, person: null, why }, 1000);
const values = (house) => SETTINGS.map((what) => house.setting(what).value);

beforeEach(() => words.speak({}, 'en-GB'));
afterEach(() => words.speak({}));

test('home is asked while somebody may see how it is, once a socket, and again only while its page is open', () => {
  const house = new House(() => 'de');
  house.hear({ type: 'welcome', resumed: false }, 0);
  assert.deepEqual([house.due(0), house.wait(0)], [[], null]);
  house.watch(true);
  assert.deepEqual([house.due(0), house.due(0), house.wait(0)], [[ASKS], [], null], 'the list of people has a line for it');
  house.hear(said(), 0);
  assert.deepEqual(house.due(100_000), []);
  house.show(true);
  assert.deepEqual([house.due(100_000), house.wait(110_000)], [[ASKS], 20_000]);
  assert.deepEqual([house.due(129_999), house.due(130_000)], [[], [ASKS]]);
  house.lost();
  assert.deepEqual(house.due(200_000), [], 'nobody hears it');
  house.hear({ type: 'welcome', resumed: true }, 200_000);
  assert.deepEqual(house.due(200_000), [ASKS]);
  house.watch(false);
  assert.deepEqual([house.due(900_000), house.wait(900_000), house.known], [[], null, false]);
});

test('what home said an hour ago is not shown as how it is', () => {
  const house = opened();
  assert.equal(house.known, true);
  house.watch(false);
  house.watch(true);
  assert.equal(house.known, false);
  house.hear(said(), 0);
  assert.equal(house.known, true);
});

test('“Look again” asks at once, and is busy for a moment', () => {
  const house = opened();
  house.again(5000);
  assert.deepEqual([house.due(5000), house.looking(5000)], [[ASKS], true]);
  house.hear(said(), 5010);
  assert.deepEqual([house.looking(5010), house.wait(5010)], [true, House.LOOKS_MS - 10], 'home has only said what it knew');
  assert.equal(house.looking(7000), false);
  house.hear(said({}, {}, { looked: false }), 8000);
  assert.equal(house.looking(8000), true, 'it has not looked at itself yet');
  house.hear(said(), 9000);
  house.lost();
  house.again(9000);
  assert.deepEqual([house.wrongAt('look'), house.looking(9000)], ['lost', false]);
  house.hear({ type: 'welcome', resumed: true }, 9500);
  assert.equal(house.wrongAt('look'), null);
});

test('a setting is told with all others as home has them, and null leaves it to the settings file', () => {
  const house = opened(said({ name: 'Oma', volume: 80 }, { name: 'Oma', volume: 80 }));
  assert.deepEqual(set(house, 'chime', 0), [{ type: 'set_home', name: 'Oma', volume: 80, chime: 0, language: null }]);
  const { value, own, saving } = house.setting('chime');
  assert.deepEqual([value, own, saving], [0, true, true]);
  house.hear(said({ name: 'Oma', volume: 80, chime: 0 }, { name: 'Oma', volume: 80, chime: 0 }), 600);
  assert.deepEqual([house.setting('chime').saving, house.setting('chime').saved, house.due(600)], [false, true, []]);
  assert.deepEqual(set(house, 'volume', null, 1000)[0], { type: 'set_home', name: 'Oma', volume: null, chime: 0, language: null });
  assert.equal(house.setting('volume').own, false);
});

test('a slider tells home where it was let go, not each step on the way', () => {
  const house = opened();
  for (const percent of [90, 80, 70]) house.edit('volume', percent);
  assert.deepEqual([house.due(0), house.setting('volume').value, house.setting('volume').changed], [[], 70, true]);
  house.edit('volume', 100);
  assert.equal(house.setting('volume').changed, false, 'back where it was');
  house.set('volume', 70, 0);
  house.set('volume', 65, 200);
  assert.deepEqual([house.due(400), house.wait(400)], [[], 200], 'keys move it step by step');
  assert.deepEqual(house.due(600).map(({ volume }) => volume), [65]);
});

test('what another owner sets comes through, and does not move what this one is holding', () => {
  const house = opened();
  house.edit('volume', 50);
  house.edit('name', 'Om');
  house.hear(said({ volume: 90, chime: 20, name: 'Barn' }, { volume: 90, chime: 20, name: 'Barn' }), 100);
  assert.deepEqual(values(house), ['Om', 50, 20, 'en']);
  assert.deepEqual(set(house, 'volume', 50, 100), [{ type: 'set_home', name: 'Barn', volume: 50, chime: 20, language: null }]);
});

test('a setting that fell between two sockets is said again, unless home has it', () => {
  const house = opened();
  assert.equal(set(house, 'language', 'hi').length, 1);
  house.lost();
  house.hear({ type: 'welcome', resumed: false }, 1000);
  assert.deepEqual(house.due(1000), [ASKS], 'not before home has said how it is');
  house.hear(said({ chime: 10 }), 1100);
  assert.deepEqual(house.due(1100), [{ type: 'set_home', name: null, volume: null, chime: 10, language: 'hi' }]);
  house.lost();
  house.hear({ type: 'welcome', resumed: true }, 2000);
  house.due(2000);
  house.hear(said({ chime: 10, language: 'hi' }), 2100);
  assert.deepEqual([house.due(2100), house.setting('language').saved], [[], true]);
});

test('what is set just before the page closes is told all the same', () => {
  const house = opened();
  house.set('chime', 30, 0);
  house.edit('name', 'only typed');
  house.watch(false);
  assert.equal(house.wait(0), House.PAUSE_MS);
  assert.deepEqual(house.due(400).map(({ name, chime }) => [name, chime]), [[null, 30]]);
});

test('a setting that home neither grants nor refuses is not said for ever', () => {
  const house = opened();
  set(house, 'volume', 33);
  house.hear(said({ volume: 35 }, { volume: 35 }), 500);
  assert.deepEqual([house.setting('volume').value, house.wait(500)], [33, 2900]);
  house.look(400 + House.SETTLED_MS);
  assert.deepEqual([house.setting('volume').value, house.due(4000)], [35, []]);
});

test('no setting counts as saved before home has answered, however long that takes', () => {
  const house = opened();
  const told = set(house, 'chime', 0);
  // The socket is dead, and nobody knows it yet.
  for (const now of [4000, 60_000]) house.look(now);
  assert.deepEqual([house.setting('chime').saved, house.setting('chime').saving], [false, true]);
  house.lost();
  house.hear({ type: 'welcome', resumed: false }, 61_000);
  house.due(61_000);
  house.hear(said(), 61_010);
  assert.deepEqual([house.setting('chime').saved, house.due(61_010)], [false, told], 'said again');
  house.hear(said({ chime: 0 }, { chime: 0 }), 61_100);
  assert.deepEqual([house.setting('chime').saved, house.setting('chime').saving], [true, false]);
});

test('what home said before it heard of a setting is no answer to it', () => {
  const house = opened();
  set(house, 'volume', 33);
  house.lost();
  house.hear({ type: 'welcome', resumed: true }, 5000);
  house.due(5000);
  house.hear(said(), 5010);
  house.look(9000);
  assert.equal(house.setting('volume').saved, false);
  assert.equal(house.due(9000).find(({ type }) => type === 'set_home').volume, 33);
  house.hear(said({ volume: 35 }, { volume: 35 }), 9100);
  house.look(9000 + House.SETTLED_MS);
  assert.deepEqual([house.setting('volume').value, house.setting('volume').saved], [35, true]);
});

test('what is set back before home has answered is told all the same', () => {
  const house = opened(said({ chime: 70 }));
  assert.equal(set(house, 'chime', 10)[0].chime, 10);
  assert.deepEqual(set(house, 'chime', 70, 500), [], 'home is still to answer');
  house.hear(said({ chime: 10 }, { chime: 10 }), 1000);
  assert.deepEqual(house.due(1000).map(({ chime }) => chime), [70]);
});

test('a refusal takes back what home had heard, and nothing that was set since', () => {
  const house = opened();
  assert.equal(set(house, 'chime', 10).length, 1);
  house.set('volume', 50, 500);
  house.set('language', 'de', 600);
  refuse(house, 'storage');
  assert.deepEqual(['chime', 'volume', 'language'].map((what) => house.setting(what).wrong), ['storage', null, null]);
  assert.deepEqual(values(house), ['Home', 50, 70, 'de']);
  house.hear(said(), 1010);
  assert.deepEqual(house.due(1010), [{ type: 'set_home', ...NOTHING, volume: 50, language: 'de' }]);
  // The same setting, moved on since.
  const other = opened();
  set(other, 'chime', 10);
  other.set('chime', 20, 900);
  refuse(other, 'storage');
  assert.deepEqual([other.setting('chime').value, other.setting('chime').wrong], [20, null]);
  assert.deepEqual(other.due(1300).map(({ chime }) => chime), [20]);
});

test('a name that was mended while home refused it is told, with all that was set beside it', () => {
  const house = opened();
  house.set('name', 'x'.repeat(99), 0);
  house.set('chime', 10, 0);
  house.due(400);
  house.set('name', 'Oma', 900);
  refuse(house, 'name');
  assert.deepEqual([house.setting('name').wrong, house.setting('chime').wrong], [null, null]);
  assert.deepEqual(house.due(1300), [{ type: 'set_home', ...NOTHING, name: 'Oma', chime: 10 }]);
});

test('the list and then the part of home are one look, so “Look again” is left', () => {
  const house = new House(() => 'de');
  house.hear({ type: 'welcome', resumed: false }, 0);
  house.watch(true);
  assert.deepEqual(house.due(0), [ASKS]);
  house.show(true);
  assert.deepEqual(house.due(10), [], 'the answer is on its way');
  house.hear(said(), 50);
  house.show(false);
  house.show(true);
  assert.deepEqual([house.due(2000), house.wait(2000)], [[], House.AGAIN_MS - 2000], 'and there by now');
  house.again(3000);
  assert.deepEqual(house.due(3000), [ASKS]);
  house.show(false);
  house.show(true);
  assert.deepEqual(house.due(3000 + House.AGAIN_MS), [ASKS], 'what is old is asked anew');
});

test('a setting that is still on its way asks for no look when the page closes', () => {
  const house = opened();
  house.set('chime', 30, 0);
  house.watch(false);
  assert.deepEqual(house.due(400).map(({ type }) => type), ['set_home']);
});

test('what was not done is told beside it, and the control shows what holds', () => {
  const house = opened(said({ volume: 80 }, { volume: 80 }));
  set(house, 'volume', 40);
  refuse(house, 'storage');
  const { value, wrong, saving } = house.setting('volume');
  assert.deepEqual([value, wrong, saving, house.setting('chime').wrong], [80, 'storage', false, null]);
  house.edit('volume', 60);
  assert.equal(house.setting('volume').wrong, null, 'until it is touched again');
  set(house, 'language', 'zh', 2000);
  refuse(house, 'too_many');
  assert.deepEqual([house.setting('language').value, house.setting('language').wrong], ['en', 'too_often']);
});

test('a name that home does not take stays in its field, and holds nothing else up', () => {
  const house = opened();
  house.set('name', 'x'.repeat(99), 0);
  house.set('chime', 10, 0);
  house.due(400);
  refuse(house, 'name');
  const { value, changed, wrong } = house.setting('name');
  assert.deepEqual([value.length, changed, wrong, house.setting('chime').wrong], [99, true, 'name', null]);
  assert.deepEqual(house.due(1000), [{ type: 'set_home', ...NOTHING, chime: 10 }]);
  house.hear(said({ chime: 10 }), 1100);
  assert.equal(set(house, 'name', ' Oma ', 2000)[0].name, 'Oma');
  assert.equal(set(opened(), 'name', '  ')[0], undefined, 'an emptied name is what the settings file has');
});

test('a look that home refused says why beside its button, and refusals of others are not home’s', () => {
  const house = opened();
  refuse(house, 'too_many');
  assert.equal(house.wrongAt('look'), 'too_often');
  house.set('chime', 10, 0);
  refuse(house, 'storage');
  assert.deepEqual([house.wrongAt('look'), house.setting('chime').wrong], ['storage', null], 'home has not heard of the chime');
  assert.deepEqual(house.due(400).map(({ chime }) => chime), [10]);
  for (const about of ['quiet_hours', 'person', undefined]) assert.equal(house.hear({ type: 'not_done', about, why: 'storage' }, 0), false);
});

test('whoever is no owner any more is asked for nothing and tells nothing', () => {
  const house = opened();
  house.set('chime', 10, 0);
  house.hear({ type: 'not_allowed' }, 0);
  assert.deepEqual([house.due(100_000), house.wait(100_000)], [[], null]);
  house.hear({ type: 'welcome', resumed: true }, 0);
  assert.deepEqual(house.due(0), [ASKS]);
  house.allow(false);
  assert.deepEqual([house.due(100_000), house.known], [[], false]);
  house.allow(true);
  assert.deepEqual(house.due(100_000), [ASKS]);
});

test('what this page does not understand changes nothing', () => {
  const house = opened();
  for (const rubbish of [{}, { set: null, holds: {} }, { set: {} }]) assert.equal(house.hear({ type: 'home', ...rubbish }, 0), true);
  assert.equal(house.setting('chime').value, 70);
  house.hear(said({}, {}, { findings: 'none', notices: [null, '', 7, 'Wi-Fi'], reach: undefined, volume_least: undefined }), 0);
  assert.deepEqual(house.health, { looked: true, wrong: [], good: [], notices: ['Wi-Fi'] });
  assert.deepEqual([house.volumeLimits, reachWords(house.reach, 0)], [null, []]);
});

test('a volume whose limits leave nothing to choose cannot be set', () => {
  assert.deepEqual(opened().volumeLimits, { least: 20, most: 100 });
  assert.equal(opened(said({}, {}, { volume_least: 60, volume_most: 60 })).volumeLimits, null);
});

test('the verdict counts what is wrong, and nothing that is only good to know', () => {
  const verdict = (findings, more = {}) => verdictWords(opened(said({}, {}, { findings, ...more })).health);
  const name = { about: 'network', kind: 'name', wrong: false };
  assert.equal(verdict([name, { about: 'house', kind: 'house', wrong: false }]), 'Everything is well');
  assert.equal(verdict([CAMERA]), '1 thing needs you');
  assert.equal(verdict([CAMERA, name, { ...CAMERA, about: 'speaker' }]), '2 things need you');
  assert.equal(verdict([], { notices: ['The disk is nearly full'] }), 'Camera, sound and network are well', 'not everything');
  assert.equal(verdict([], { looked: false }), 'Home is looking at itself …');
  const { good } = opened(said({}, {}, { findings: [name, { about: 'house', kind: 'house', wrong: false }] })).health;
  assert.deepEqual(good.map(({ kind }) => kind), ['name'], 'an owner knows what an owner set');
});

test('each finding has a name and a sentence of its own that says what to do', () => {
  const devices = ['camera', 'microphone', 'speaker', 'display'].flatMap((about) => ['absent', 'stand_in', 'busy', 'forbidden', 'unsupported', 'fails'].map((kind) => [about, kind]));
  const all = [...devices, ['microphone', 'silent'], ['microphone', 'muted'], ['speaker', 'muted'], ['network', 'no_address'], ['network', 'name'], ['certificate', 'certificate']];
  const other = words.say('fault.other');
  for (const [about, kind] of all) {
    const { title, text } = faultWords({ about, kind });
    assert.ok(title && title !== words.say('about.other') && text && text !== other, `${about} ${kind}`);
  }
  assert.match(faultWords({ about: 'display', kind: 'absent' }).text, /switched on/);
  assert.notEqual(faultWords({ about: 'camera', kind: 'absent' }).text, faultWords({ about: 'display', kind: 'absent' }).text);
  assert.deepEqual(faultWords({ about: 'garage', kind: 'flooded' }), { title: 'Home', text: other }, 'of a newer home');
});

test('a look that hangs, and a TV without letters, say what to do', () => {
  const hangs = { about: 'house', kind: 'hangs', wrong: true };
  assert.equal(faultWords(hangs).title, 'Home');
  assert.match(faultWords(hangs).text, /camera and other USB devices one after the other.*off and on/);
  assert.match(faultWords({ about: 'display', kind: 'font' }).text, /speaks English.*another language/);
  const house = opened(said({}, {}, { looked: false, findings: [hangs] }));
  assert.equal(verdictWords(house.health), '1 thing needs you', 'not “looking” for ever');
  assert.deepEqual([house.looking(0), house.health.wrong.length], [false, 1]);
});

test('no sentence sends a family to a shell or to a file', () => {
  for (const [key, text] of Object.entries(ENGLISH)) if (key.startsWith('fault.')) assert.doesNotMatch(text, /`|sudo|\.toml|type|amixer|doctor/i, key);
});

test('a chime at zero is none, and a volume is a number', () => {
  assert.deepEqual([loudnessWords('chime', 0), loudnessWords('chime', 0, true), loudnessWords('chime', 5)], ['No chime', 'No chime', '5 %']);
  assert.match(chimeHint(0), /Knocking is silent/);
  assert.deepEqual([5, 100, null, undefined].map(chimeHint), ['', '', '', '']);
  assert.deepEqual([loudnessWords('volume', 0), loudnessWords('volume', 80, true)], ['0 %', '80 percent']);
});

test('whose setting it is stands beside it', () => {
  assert.deepEqual([settingNote({ own: false }), settingNote({ own: true }), settingNote({ own: true, saving: true }), settingNote({ own: false, saved: true })], ['As the settings file has it', '', 'Saving …', 'Saved']);
  assert.deepEqual([fileChoice({ own: false, value: 'hi' }), fileChoice({ own: true, value: 'hi' })], ['हिन्दी, as the settings file has it', 'As the settings file has it']);
  assert.deepEqual(Object.keys(TONGUES), ['en', 'de', 'es', 'fr', 'hi', 'zh']);
});

test('how home is reached is said in sentences', () => {
  const now = new Date('2026-11-30T15:00').getTime();
  const at = (text) => new Date(text).getTime() / 1000;
  const plain = (reach) => reachWords({ ...said().reach, ...reach }, now).map((one) => one.replace(/[\u2068\u2069]/g, ''));
  assert.deepEqual(plain({}), [
    'You are on home’s own network.',
    'Nobody has come from the internet since home was started.',
    'No public address is set: only its own network reaches home, unless the router forwards port 8443 (TCP and UDP).',
    'On its own network: 192.168.1.5, port 8443.',
  ]);
  assert.deepEqual(plain({ you: 'outside', outside: at('2026-11-30T14:05'), public: '203.0.113.5:8443', addresses: [] }), [
    'You come from the internet.',
    'Home was reached from the internet today at 14:05.',
    'The public address of home is 203.0.113.5:8443.',
  ]);
  assert.equal(plain({ outside: at('2026-11-27T14:05') })[1], 'Home was last reached from the internet on Friday at 14:05.');
  assert.equal(plain({ you: 'from the moon' })[0], 'Nobody has come from the internet since home was started.');
});

test('what home says of itself is for owners', () => {
  const mail = new Mail();
  const read = [];
  mail.post({ type: 'home' });
  mail.owners.open(({ type }) => read.push(type));
  assert.deepEqual(read, ['home']);
});
