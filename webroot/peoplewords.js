// What the owner's page says of people, links and hours. No document and no clock: `now` in ms since 1970.
import { DEFAULTS } from './people.js';
import { agoWords, dayWords, momentWords, timeWords } from './when.js';
import { count, isolated, locale, say } from './words.js';

/** A name by itself, or words for none. */
export const nameWords = ({ name }) => name?.trim() || say('people.no-name');

/** What is said below a name in the list: `{ role, facts }`, the facts from the most to the least urgent. */
export function rowWords(person, now) {
  const facts = [];
  if (person.changed) facts.push(say('people.unsaved'));
  if (person.here) facts.push(say('people.here'));
  if (person.devices > 0) facts.push(count('people.devices', person.devices));
  if (person.invited_until > now / 1000) facts.push(say('people.invited-until', { day: dayWords(person.invited_until, now, locale()) }));
  else if (!(person.devices > 0)) facts.push(say('people.no-device'));
  if (!person.here && person.last_visit > 0) facts.push(say('people.last-visit', { time: agoWords(person.last_visit, now, locale()) }));
  return { role: roleWords(person.role), facts };
}

/** A role by its name. One of a newer home has only its own. */
export const roleWords = (role) => say(`role.${role}`) ?? String(role);

/** '22:00-07:00' in words, or that there are none (null). */
export function hoursWords(text) {
  const [from, to] = text?.split('-') ?? [];
  return to ? say('hours.range', { from: timeWords(from, locale()), to: timeWords(to, locale()) }) : say('hours.none');
}

/** Below the switch for hours of one's own: which others count. */
export const otherHours = (text) => (text ? say('person.home-hours', { hours: hoursWords(text) }) : say('person.no-hours'));

/** What a role means where a person has no rule of their own for `what`, 'entering' or 'in_quiet_hours': 'As family: comes in at once'. */
export function defaultWords(role, what) {
  const rule = say(`${what === 'entering' ? 'entering' : 'quiet'}.${DEFAULTS[role]?.[what]}`);
  return rule ? say(`as.${role}`, { rule: rule[0].toLocaleLowerCase(locale()) + rule.slice(1) }) : '';
}

/** Over a link and below: whose it is, until when and for how many devices. */
export function linkWords({ name = null, until, devices }, now) {
  return {
    title: name ? say('link.title', { name: isolated(name) }) : say('link.title-nobody'),
    text: count('link.text', devices, { time: momentWords(until, now, locale()) }),
  };
}

/** Why home did not do something. */
export const whyWords = (why) => say(`why.${why}`) ?? say('why.other');

/** Who is at the door. */
export function doorWords({ name, preview }) {
  const act = preview ? 'comes' : 'knocks';
  return name ? say(`door.${act}`, { name: isolated(name) }) : say(`door.someone-${act}`);
}
