// Codes on the TV, as the page about people has them: whose they are, and which one was asked for.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { again, opened, said, showing } from './family.mjs';

test('a code on the TV is shown and taken away, also the one that another owner asked for', () => {
  const people = opened();
  people.showCode(true, { name: ' Ben ', role: 'guest' });
  assert.deepEqual(people.due(0), [{ type: 'show_code', shown: true, name: 'Ben', role: 'guest' }]);
  assert.equal(people.home.codeShown, true);
  people.hear(showing(null, 'guest'), 10);
  people.hear(said(), 600000);
  assert.equal(people.home.codeShown, false, 'ten minutes later');
  people.hear(showing(null), 700000);
  people.showCode(false);
  assert.deepEqual(people.due(700000)[0].shown, false);
  people.hear(said(), 700000);
  people.showCode(true, { name: 'x'.repeat(99) });
  people.due(700000);
  people.hear({ type: 'not_done', request: null, person: null, why: 'name' }, 700010);
  assert.deepEqual(people.home.codeWrong, { why: 'name', at: 'name', person: null });
});

test('a code for a further device of a person names them and nothing else', () => {
  const people = opened();
  people.showCode(true, { person: 12 });
  assert.deepEqual(people.due(0), [{ type: 'show_code', shown: true, person: 12 }]);
  people.hear({ type: 'not_done', about: 'show_code', request: null, person: 12, why: 'storage' }, 10);
  assert.deepEqual(people.home.codeWrong, { why: 'storage', at: 'all', person: 12 });
  assert.deepEqual([people.home.codeShown, people.person(12).wrong], [false, null], 'nothing is wrong with the person');
  people.closeCode();
  assert.equal(people.home.codeWrong, null);
});

test('a code is shown on the page of whom it is for, and nowhere else but in the list', () => {
  const shown = (people) => [people.home.codeShown, ...[null, 1, 12].map((whom) => people.showsCodeFor(whom))];
  assert.deepEqual(shown(opened(said())), [false, false, false, false]);
  assert.deepEqual(shown(opened(showing(12))), [true, false, false, true]);
  assert.deepEqual(shown(opened(showing(1, 'owner'))), [true, false, true, false]);
  assert.deepEqual(shown(opened(showing(null, 'guest'))), [true, true, false, false]);
  assert.deepEqual(shown(opened(said({}, { code_shown: true, code: undefined }))), [true, false, false, false], 'nobody knows whose it is');
  const people = opened(showing(null));
  people.showCode(true, { person: 12 });
  assert.deepEqual(shown(people), [true, false, false, true], 'what is asked for now goes before what was there');
  people.due(0);
  people.hear(showing(12), 10);
  people.showCode(false);
  assert.deepEqual([shown(people), people.due(20).length], [[false, false, false, false], 1]);
});

test('a code for somebody else is not the one that was asked for', () => {
  const asks = (list, wanted) => {
    const people = opened(list);
    people.showCode(true, wanted);
    const [message] = people.due(0);
    people.hear(list, 10);
    return [message, people.home.saving, people.showsCodeFor(wanted.person ?? null)];
  };
  const anna = { type: 'show_code', shown: true, person: 12 };
  const guest = { type: 'show_code', shown: true, name: 'Ben', role: 'guest' };
  for (const other of [showing(1, 'owner'), showing(null), showing(null, 'guest')]) assert.deepEqual(asks(other, { person: 12 }), [anna, false, true]);
  assert.deepEqual(asks(showing(12), { name: 'Ben', role: 'guest' }), [guest, false, true]);
  assert.deepEqual(asks(showing(null, 'owner'), { name: 'Ben', role: 'guest' })[0], guest, 'a guest does not become an owner');
  assert.deepEqual(asks(showing(null, 'guest'), { name: 'Ben', role: 'guest' })[0], guest, 'it may be for another name');
});

test('a code that home has not shown is asked for again on the next socket, whatever other code is there', () => {
  const people = opened();
  people.showCode(true, { person: 12 });
  const asked = people.due(0);
  assert.deepEqual(again(people, true, showing(null, 'owner'))[1], asked);
  assert.deepEqual(again(people, true, showing(12))[1], [], 'home had heard it');
  const other = opened();
  other.showCode(true, { name: 'Ben', role: 'guest' });
  const ben = other.due(0);
  assert.deepEqual(again(other, true, showing(null, 'owner'))[1], ben, 'a guest does not become an owner');
  assert.deepEqual(again(other, true, showing(null, 'guest'))[1], []);
  people.hear(said(), 5000);
  people.lost();
  people.showCode(true, { name: 'Ben', role: 'guest' });
  people.hear({ type: 'welcome', resumed: true }, 6000);
  people.due(6000);
  people.hear(showing(null, 'guest'), 6000);
  // Ben would become who stands in the other code. Home tells by itself only what has changed.
  assert.deepEqual(people.due(6000).map(({ type }) => type), ['show_code', 'people']);
});

test('a code that nobody waits for any more is not shown later', () => {
  const people = opened();
  people.lost();
  people.showCode(true);
  people.edit(12, { name: 'Saved' });
  people.save(12);
  people.watch(false);
  const [first, second] = again(people, false);
  assert.deepEqual([first, second.map(({ type }) => type)], [[{ type: 'people' }], ['person']], 'but what was saved is');
});

test('a code that was on its way when the page closed is not shown on a later socket, but one that was taken away stays so', () => {
  const people = opened();
  people.showCode(true);
  people.due(0);
  people.watch(false);
  assert.equal(people.home.codeShown, true, 'home has most likely heard it');
  assert.deepEqual(again(people, true), [[], []]);
  const other = opened();
  other.showCode(true);
  other.due(0);
  other.showCode(false);
  assert.deepEqual(other.due(5), [], 'home is still to answer');
  other.watch(false);
  other.hear(showing(null), 10);
  assert.deepEqual(other.due(10).map(({ shown }) => shown), [false]);
  assert.deepEqual(again(other, true, showing(null))[1].map(({ shown }) => shown), [false]);
});
