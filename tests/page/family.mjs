// An open page about people for the tests: what home says of all, and how a socket ends and another one begins.
import assert from 'node:assert/strict';
import { page } from './webroot.mjs';

const { People } = await page('people.js');

export const ANNA = { number: 12, name: 'Anna', role: 'family', entering: null, in_quiet_hours: null, quiet_hours: null, devices: 2, here: true, you: false, invited_until: null, links_left: 0 };
export const ME = { ...ANNA, number: 1, name: 'Me', role: 'owner', you: true };

/** What home says of all. */
export const said = (changes = {}, more = {}) => ({ type: 'people', people: [ME, { ...ANNA, ...changes }], code_shown: Boolean(more.code), code: null, quiet_hours: '22:00-07:00', ...more });

/** The same, with a code on the TV for `person` or, with null, for somebody new. */
export const showing = (person, role = 'family') => said({}, { code: { person, role } });

/** An open page about people, after its first words with home. */
export function opened(list = said()) {
  const people = new People();
  people.watch(true);
  people.hear({ type: 'welcome', resumed: false }, 0);
  assert.deepEqual(people.due(0), [{ type: 'people' }]);
  people.hear(list, 0);
  assert.deepEqual(people.due(0), [], 'asked once on a socket');
  return people;
}

/** The socket dies, and comes back. */
export function again(people, resumed, list = said()) {
  people.lost();
  assert.deepEqual(people.due(0), [], 'nobody hears it');
  people.hear({ type: 'welcome', resumed }, 0);
  const first = people.due(0);
  people.hear(list, 0);
  return [first, people.due(0)];
}
