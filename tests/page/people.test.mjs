// The owner's page without a browser: what it tells home and when, and whose word counts where two change the same.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ANNA, ME, again, opened, said } from './family.mjs';
import { page } from './webroot.mjs';

const { DEFAULTS, People, ROLES, hoursFrom } = await page('people.js');
const { Door } = await page('door.js');
const { QUIET, qrPath } = await page('qr.js');
const words = await page('words.js');
const { defaultWords, doorWords, hoursWords, linkWords, nameWords, otherHours, roleWords, rowWords, whyWords } = await page('peoplewords.js');

test('nobody is asked for before the page about people is open', () => {
  const people = new People();
  people.hear({ type: 'welcome', resumed: false }, 0);
  assert.deepEqual(people.due(0), []);
  assert.equal(people.list, null);
});

test('owners come first, then names; who has none comes last', () => {
  const more = ['Zoë', null, 'Ägidius', 'Bert'].map((name, at) => ({ ...ANNA, number: 20 + at, name, role: at === 0 ? 'owner' : 'guest' }));
  const people = opened({ ...said(), people: [...more, ANNA, ME] });
  assert.deepEqual(people.list.map(({ name }) => name), ['Me', 'Zoë', 'Anna', 'Ägidius', 'Bert', null]);
});

test('a change is told as the whole person, when it is saved and not before', () => {
  const people = opened();
  people.edit(12, { name: ' Anna Maria ' });
  people.edit(12, { role: 'guest' });
  assert.deepEqual(people.due(0), []);
  assert.deepEqual([people.person(12).name, people.person(12).changed], [' Anna Maria ', true]);
  assert.equal(people.save(12), true);
  assert.deepEqual(people.due(0), [{ type: 'person', person: 12, name: 'Anna Maria', role: 'guest', entering: null, in_quiet_hours: null, quiet_hours: null }]);
  assert.deepEqual([people.person(12).changed, people.person(12).saving, people.person(12).role], [false, true, 'guest']);
  people.hear(said({ name: 'Anna Maria', role: 'guest' }), 100);
  assert.deepEqual([people.person(12).saving, people.person(12).saved], [false, true]);
  assert.deepEqual([people.due(100), people.wait(100)], [[], null]);
});

test('what is as before again is no change', () => {
  const people = opened({ ...said(), people: [ME, ANNA, { ...ANNA, number: 13, name: null, quiet_hours: '20:00-08:00' }] });
  const changed = (number) => people.person(number).changed;
  people.edit(12, { role: 'guest', name: 'Anna ' });
  people.edit(12, { role: 'family' });
  assert.equal(changed(12), true, 'a name that is still being typed');
  people.edit(12, { name: 'Anna' });
  assert.equal(changed(12), false);
  people.edit(13, { name: '', entering: null, hours: { on: true, from: '20:00', to: '08:00' } });
  assert.equal(changed(13), false);
  people.edit(13, { hours: { on: false, from: '20:00', to: '08:00' } });
  assert.equal(changed(13), true);
  people.edit('home', { hours: { on: true, from: '22:00', to: '07:00' } });
  assert.equal(people.home.changed, false);
});

test('a role of a newer home comes last', () => {
  const people = opened({ ...said(), people: [{ ...ANNA, role: 'neighbour' }, ME] });
  assert.deepEqual(people.list.map(({ role }) => role), ['owner', 'neighbour']);
});

test('an emptied name is none', () => {
  const people = opened();
  people.edit(12, { name: '  ' });
  people.save(12);
  assert.equal(people.due(0)[0].name, null);
});

test('what another owner changes comes through, and does not touch what this one is typing', () => {
  const people = opened();
  people.edit(12, { name: 'Ann' });
  people.hear(said({ name: 'Grandma', role: 'guest', devices: 3 }), 50);
  const { name, role, devices } = people.person(12);
  assert.deepEqual([name, role, devices], ['Ann', 'guest', 3]);
  people.save(12);
  assert.deepEqual(people.due(60), [{ type: 'person', person: 12, name: 'Ann', role: 'guest', entering: null, in_quiet_hours: null, quiet_hours: null }]);
});

test('a change that fell between two sockets is said again, over what home says by then', () => {
  const people = opened();
  people.edit(12, { entering: 'preview' });
  people.save(12);
  assert.equal(people.due(0).length, 1);
  const [first, second] = again(people, false, said({ name: 'Grandma' }));
  assert.deepEqual(first, [{ type: 'people' }]);
  assert.deepEqual(second, [{ type: 'person', person: 12, name: 'Grandma', role: 'family', entering: 'preview', in_quiet_hours: null, quiet_hours: null }]);
  // Home had heard it after all: then there is nothing to say.
  assert.deepEqual(again(people, true, said({ entering: 'preview' }))[1], []);
  assert.equal(people.person(12).saved, true);
});

test('what is saved while home is away is told when it is back, and what is only typed is kept', () => {
  const people = opened();
  people.lost();
  people.edit(12, { name: 'Typed' });
  people.edit('home', { hours: { on: false, from: '22:00', to: '07:00' } });
  people.save('home');
  people.showCode(true);
  people.hear({ type: 'welcome', resumed: true }, 0);
  assert.deepEqual(people.due(0), [{ type: 'people' }]);
  people.hear(said(), 0);
  assert.deepEqual(people.due(0), [{ type: 'quiet_hours', hours: null }, { type: 'show_code', shown: true, name: null, role: 'family' }]);
  assert.equal(people.person(12).name, 'Typed');
});

test('a wish that home neither grants nor refuses is not said for ever', () => {
  const people = opened();
  people.edit(12, { name: 'Anna  Maria' });
  people.save(12);
  people.due(0);
  // Home writes it in its own way.
  people.hear(said({ name: 'Anna Maria' }), 100);
  assert.deepEqual([people.person(12).name, people.person(12).saving, people.wait(100)], ['Anna  Maria', true, 2900]);
  people.look(3000);
  assert.deepEqual([people.person(12).name, people.person(12).saving, people.wait(3000)], ['Anna Maria', false, null]);
  assert.deepEqual(again(people, true, said({ name: 'Grandma' }))[1], [], 'and does not undo what another owner does later');
});

test('what home does not take stays in the fields, with the reason beside them', () => {
  const people = opened();
  people.edit(12, { name: 'x'.repeat(99), role: 'guest' });
  people.save(12);
  people.due(0);
  people.hear({ type: 'not_done', request: null, person: 12, why: 'name' }, 100);
  const { name, role, changed, saving, wrong } = people.person(12);
  assert.deepEqual([name.length, role, changed, saving, wrong], [99, 'guest', true, false, { why: 'name', at: 'name' }]);
  people.edit(12, { name: 'Anna' });
  assert.equal(people.person(12).wrong, null);
});

test('the last owner stays one: beside the role, or beside the button that removes', () => {
  const people = opened();
  people.edit(1, { role: 'guest' });
  people.save(1);
  people.due(0);
  people.hear({ type: 'not_done', request: null, person: 1, why: 'last_owner' }, 10);
  assert.deepEqual([people.person(1).wrong, people.person(1).role], [{ why: 'last_owner', at: 'role' }, 'guest']);
  people.edit(1, { role: 'owner' });
  assert.deepEqual([people.person(1).wrong, people.person(1).role], [null, 'owner']);
  people.remove(1);
  assert.deepEqual(people.due(20), [{ type: 'remove', person: 1 }]);
  people.hear({ type: 'not_done', request: null, person: 1, why: 'last_owner' }, 30);
  assert.deepEqual(people.person(1).wrong, { why: 'last_owner', at: 'remove' });
});

test('removing is for now or not at all', () => {
  const people = opened();
  people.remove(12);
  people.lost();
  assert.deepEqual(people.remove(12), false);
  assert.deepEqual(people.person(12).wrong, { why: 'lost', at: 'remove' });
  people.hear({ type: 'welcome', resumed: true }, 0);
  people.due(0);
  people.hear(said(), 0);
  assert.deepEqual(people.due(0), []);
  people.remove(12);
  assert.deepEqual(people.due(0), [{ type: 'remove', person: 12 }]);
  people.hear({ ...said(), people: [ME] }, 50);
  assert.equal(people.person(12), null);
});

test('who is no owner any more asks and wishes nothing, and begins anew when made an owner again', () => {
  const people = opened();
  people.edit(12, { role: 'guest' });
  people.save(12);
  people.remove(12);
  people.allow(false);
  // What was on its way is refused by then.
  people.hear({ type: 'not_allowed' }, 10);
  assert.deepEqual([people.due(10), people.list, people.denied], [[], null, false]);
  people.allow(true);
  assert.deepEqual(people.due(20), [{ type: 'people' }]);
  people.hear(said(), 30);
  assert.deepEqual([people.due(30), people.person(12).role], [[], 'family']);
});

test('hours of one’s own begin as those of home, and need two times that differ', () => {
  const people = opened(said({}, { quiet_hours: '21:30-06:00' }));
  assert.deepEqual(people.person(12).hours, { on: false, from: '21:30', to: '06:00' });
  people.edit(12, { hours: { on: true } });
  people.edit(12, { hours: { on: true, from: '21:30', to: '' } });
  assert.equal(people.save(12), false);
  assert.deepEqual([people.person(12).wrong, people.due(0)], [{ why: 'hours', at: 'hours' }, []]);
  people.edit(12, { hours: { on: true, from: '21:30', to: '21:30' } });
  assert.equal(people.save(12), false);
  people.edit(12, { hours: { on: true, from: '20:00', to: '08:15' } });
  assert.equal(people.save(12), true);
  assert.equal(people.due(0)[0].quiet_hours, '20:00-08:15');
  assert.deepEqual(hoursFrom('rubbish'), { on: false, from: '22:00', to: '07:00' });
});

test('home’s own hours, refused and mended', () => {
  const people = opened();
  people.edit('home', { hours: { on: true, from: '23:00', to: '05:00' } });
  people.save('home');
  assert.deepEqual(people.due(0), [{ type: 'quiet_hours', hours: '23:00-05:00' }]);
  people.hear({ type: 'not_done', request: null, person: null, why: 'storage' }, 10);
  assert.deepEqual([people.home.wrong, people.home.changed, people.home.hours.from], [{ why: 'storage', at: 'all' }, true, '23:00']);
  people.save('home');
  people.due(20);
  people.hear(said({}, { quiet_hours: '23:00-05:00' }), 30);
  assert.deepEqual([people.home.saved, people.home.quietHours], [true, '23:00-05:00']);
});

test('an invite is asked for once, and its link comes to the request that asked', () => {
  const people = opened();
  assert.equal(people.invite({ name: ' Anna ', role: 'guest' }), true);
  assert.deepEqual(people.due(0), [{ type: 'invite', request: 1, name: 'Anna', role: 'guest' }]);
  assert.deepEqual([people.due(0), people.invited.asking], [[], true]);
  people.hear({ type: 'invited', request: 7, link: 'of another' }, 5);
  assert.equal(people.invited.asking, true);
  people.hear({ type: 'invited', request: 1, person: 13, link: 'https://home/#p=x', until: 1, devices: 3, qr: [] }, 10);
  assert.deepEqual([people.invited.asking, people.invited.answer.link], [false, 'https://home/#p=x']);
  people.closeInvite();
  people.invite({ person: 12 });
  assert.deepEqual(people.due(0), [{ type: 'invite', request: 2, person: 12 }]);
});

test('a sent invite is said again to the same visit only; to another it is given up', () => {
  const people = opened();
  people.invite({ name: null, role: 'family' });
  const asked = people.due(0);
  assert.deepEqual(again(people, true)[0], [{ type: 'people' }, ...asked], 'the same request');
  assert.deepEqual(again(people, false)[0], [{ type: 'people' }]);
  assert.deepEqual([people.invited.asking, people.invited.wrong.why], [false, 'given-up']);
  people.invite({ name: null, role: 'family' });
  people.due(0);
  people.hear({ type: 'invited', request: 2, link: 'x' }, 0);
  assert.deepEqual(again(people, false)[0], [{ type: 'people' }], 'one that is answered stays as it is');
  assert.equal(people.invited.answer.link, 'x');
});

test('an invite that home refuses says why, and one while home is away is not made', () => {
  const people = opened();
  people.invite({ name: 'x'.repeat(99), role: 'guest' });
  people.due(0);
  people.hear({ type: 'not_done', request: 1, person: null, why: 'name' }, 10);
  assert.deepEqual([people.invited.asking, people.invited.wrong], [false, { why: 'name', at: 'name' }]);
  people.lost();
  assert.equal(people.invite({ name: null, role: 'guest' }), false);
  assert.equal(people.invited.wrong.why, 'lost');
});

test('nothing counts as saved before home has answered, however long that takes', () => {
  const people = opened();
  people.edit(12, { role: 'guest' });
  people.save(12);
  people.edit('home', { hours: { on: false } });
  people.save('home');
  const told = people.due(0);
  // The socket is dead, and nobody knows it yet.
  people.look(60_000);
  assert.deepEqual([12, 'home'].map((key) => (key === 'home' ? people.home : people.person(key)).saving), [true, true]);
  assert.deepEqual([people.person(12).saved, people.home.saved, people.wait(60_000)], [false, false, null]);
  assert.deepEqual(again(people, false)[1], told, 'said again');
  people.hear(said({ role: 'guest' }, { quiet_hours: null }), 60_100);
  assert.deepEqual([people.person(12).saved, people.home.saved], [true, true]);
});

test('what is changed back before home has answered is told all the same', () => {
  const people = opened();
  const save = (role) => {
    people.edit(12, { role });
    people.save(12);
    return people.due(0).map((message) => message.role);
  };
  assert.deepEqual(save('guest'), ['guest']);
  assert.deepEqual(save('family'), [], 'home is still to answer');
  people.hear(said({ role: 'guest' }), 10);
  assert.deepEqual([people.due(10).map(({ role }) => role), people.person(12).role], [['family'], 'family']);
  people.hear(said(), 20);
  assert.deepEqual([people.person(12).saved, people.due(20)], [true, []]);
});

test('a refusal takes back what home had heard, and nothing that was saved since', () => {
  const people = opened();
  people.edit(12, { name: 'x'.repeat(99) });
  people.save(12);
  people.due(0);
  people.edit(12, { role: 'guest' });
  people.save(12);
  assert.deepEqual(people.due(5), []);
  people.hear({ type: 'not_done', about: 'person', request: null, person: 12, why: 'name' }, 10);
  const { name, changed, wrong } = people.person(12);
  assert.deepEqual([name.length, changed, wrong], [99, true, { why: 'name', at: 'name' }]);
  assert.deepEqual(people.due(10).map((message) => [message.name, message.role]), [['Anna', 'guest']]);
});

test('what home did not do is told where it was asked for, whatever else is on its way', () => {
  const people = opened();
  people.edit('home', { hours: { on: false } });
  people.save('home');
  people.showCode(true);
  people.edit(12, { role: 'guest' });
  people.save(12);
  people.due(0);
  people.hear({ type: 'not_done', about: 'show_code', request: null, person: null, why: 'too_many' }, 10);
  assert.deepEqual([people.home.codeWrong.why, people.home.wrong, people.home.saving], ['too_many', null, true]);
  people.hear({ type: 'not_done', about: 'quiet_hours', request: null, person: null, why: 'storage' }, 20);
  assert.deepEqual([people.home.wrong, people.home.saving], [{ why: 'storage', at: 'all' }, false]);
  people.hear({ type: 'not_done', about: 'remove', request: null, person: 12, why: 'last_owner' }, 30);
  assert.deepEqual([people.person(12).wrong, people.person(12).saving], [{ why: 'last_owner', at: 'remove' }, true], 'the change is another matter');
  people.hear({ type: 'not_done', about: 'person', request: null, person: 12, why: 'last_owner' }, 40);
  assert.deepEqual(people.person(12).wrong, { why: 'last_owner', at: 'role' });
});

test('whoever changes too much at once is told to wait, and whoever makes too many people to remove some', () => {
  const people = opened();
  const why = (about) => {
    people.edit(12, { role: 'guest' });
    people.save(12);
    people.invite({ name: null, role: 'family' });
    const request = people.due(0).find(({ type }) => type === 'invite').request;
    people.hear({ type: 'not_done', about, request: about === 'invite' ? request : null, person: about === 'invite' ? null : 12, why: 'too_many' }, 10);
    return (about === 'invite' ? people.invited : people.person(12)).wrong.why;
  };
  assert.deepEqual([why('person'), why('remove'), why('invite')], ['too_often', 'too_often', 'too_many']);
});

test('an invite of another page that home refused is not this one’s', () => {
  const people = opened();
  people.showCode(true);
  people.invite({ name: null, role: 'family' });
  people.due(0);
  people.hear({ type: 'not_done', about: 'invite', request: null, person: null, why: 'too_many' }, 10);
  people.hear({ type: 'not_done', about: 'invite', request: 9, person: null, why: 'too_many' }, 10);
  assert.deepEqual([people.invited.asking, people.home.codeWrong], [true, null]);
});

test('whoever is no owner any more is told so, and says nothing more', () => {
  const people = opened();
  people.edit(12, { role: 'guest' });
  people.save(12);
  people.due(0);
  people.hear({ type: 'not_allowed' }, 10);
  assert.equal(people.denied, true);
  people.invite({ name: null, role: 'guest' });
  assert.deepEqual(people.due(20), []);
  const other = new People();
  other.hear({ type: 'welcome', resumed: false }, 0);
  other.hear({ type: 'not_allowed' }, 0);
  assert.equal(other.denied, false, 'it was about something else');
});

test('each role has a rule for coming in and for quiet hours', () => {
  for (const role of ROLES) assert.ok(DEFAULTS[role].entering && DEFAULTS[role].in_quiet_hours, role);
});

test('whoever knocks stands at the door until home says otherwise, or their time is over', () => {
  const door = new Door();
  const knocks = [{ visit: 12, name: 'Anna', preview: false, left_ms: 60000 }, { visit: 13, name: null, preview: true, left_ms: 10000 }];
  assert.equal(door.hear({ type: 'people' }, 0), false);
  assert.equal(door.hear({ type: 'door', knocks }, 1000), true);
  assert.deepEqual(door.waiting(1000).map(({ visit, name, preview }) => [visit, name, preview]), [[12, 'Anna', false], [13, null, true]]);
  assert.equal(door.wait(1000), 10000);
  assert.deepEqual(door.waiting(11000).map(({ visit }) => visit), [12], 'also while the socket is away');
  assert.deepEqual(door.answer(12, true), { type: 'let_in', visit: 12 });
  assert.deepEqual([door.waiting(11000), door.wait(11000)], [[], null]);
  door.hear({ type: 'door', knocks }, 12000);
  assert.deepEqual(door.answer(13, false), { type: 'decline', visit: 13 });
  door.hear({ type: 'welcome', resumed: true }, 13000);
  assert.deepEqual(door.waiting(13000), []);
});

test('a code is drawn module by module, with room around it', () => {
  const { size, path } = qrPath(['101', '010', '111']);
  assert.equal(size, 3 + 2 * QUIET);
  const dark = new Set();
  for (const [, x, y, run] of path.matchAll(/M(\d+) (\d+)h(\d+)v1h-\d+z/g)) for (let n = 0; n < run; n += 1) dark.add(`${Number(x) + n},${y}`);
  assert.deepEqual([...dark].sort(), ['4,4', '6,4', '5,5', '4,6', '5,6', '6,6'].sort());
  for (const rows of [[], undefined, null, ['10', '1'], ['12', '00'], 'ab', [1], Array(178).fill('1'.repeat(178))]) assert.equal(qrPath(rows), null);
});

test('a line of the list says what an owner wants to know of somebody', () => {
  const now = new Date(2026, 10, 30, 12).getTime();
  const until = new Date(2026, 11, 1, 12).getTime() / 1000;
  const facts = (more) => rowWords({ ...ANNA, here: false, ...more }, now).facts;
  assert.deepEqual(facts({ here: true }), ['Here now', '2 devices']);
  assert.deepEqual(facts({ devices: 1 }), ['1 device']);
  assert.deepEqual(facts({ devices: 0, invited_until: until }), ['Invited until Tuesday']);
  assert.deepEqual(facts({ devices: 0, invited_until: until - 7 * 86400 }), ['No device yet'], 'a link that has run out');
  assert.deepEqual(facts({ changed: true }), ['Not saved yet', '2 devices']);
  words.speak({}, 'en-GB');
  const visited = (days) => new Date(2026, 10, 30 - days, 12, 0).getTime() / 1000;
  assert.deepEqual([0, 1, 3, 30].map((days) => facts({ last_visit: visited(days) }).at(-1)), ['Last visit: 12:00', 'Last visit: yesterday', 'Last visit: Friday', 'Last visit: 31 October']);
  assert.deepEqual([facts({ here: true, last_visit: visited(0) }).length, facts({ last_visit: null }).length], [2, 1]);
  assert.equal(nameWords({ name: null }), 'No name');
  assert.equal(roleWords('neighbour'), 'neighbour');
});

test('rules, hours and reasons have words, also those that this page does not know', () => {
  assert.equal(defaultWords('family', 'entering'), 'As family: comes in at once');
  assert.equal(defaultWords('guest', 'in_quiet_hours'), 'As a guest: stays outside');
  assert.equal(defaultWords('neighbour', 'entering'), '');
  words.speak({}, 'en-GB');
  assert.equal(hoursWords('22:00-07:00'), '22:00 to 07:00');
  assert.equal(otherHours('22:00-07:00'), 'The quiet hours of home count: 22:00 to 07:00');
  assert.deepEqual([hoursWords(null), otherHours(null)], ['None', 'Home has no quiet hours.']);
  const until = new Date(2026, 11, 1, 12).getTime() / 1000;
  const { title, text } = linkWords({ name: 'Anna', until, devices: 1 }, new Date(2026, 10, 30, 12).getTime());
  assert.deepEqual([title, text], ['A link for \u2068Anna\u2069', 'It works until Tuesday 12:00, on 1 device. Send it to nobody else.']);
  words.speak({});
  for (const why of ['name', 'hours', 'last_owner', 'unknown', 'storage', 'too_many', 'lost', 'given-up']) assert.notEqual(whyWords(why), whyWords('other'), why);
  assert.equal(whyWords('flood'), whyWords('other'));
  assert.equal(doorWords({ name: 'Anna', preview: false }), '\u2068Anna\u2069 knocks');
  assert.equal(doorWords({ name: null, preview: true }), 'Somebody is coming in');
});
