// What the visit log says of a visit. No document and no clock: `now` in ms since 1970.
import { pastDay, spanWords, timeOfDay } from './when.js';
import { locale, say } from './words.js';

/** `visits` by days, in their order: `[{ day: 'Today', visits }]`. */
export function byDays(visits, now) {
  const days = [];
  for (const visit of visits) {
    const day = pastDay(visit.began, now, locale());
    if (days.at(-1)?.day !== day) days.push({ day, visits: [] });
    days.at(-1).visits.push(visit);
  }
  return days;
}

/** A line of the log: `{ time, who, unnamed, what, here }`. `unnamed`: home has no name for them. */
export function visitWords(visit) {
  const name = visit.name?.trim();
  return {
    time: timeOfDay(visit.began, locale()),
    who: name || nobody(visit),
    unnamed: !name && visit.person !== 0,
    what: outcome(visit),
    here: visit.here === true,
  };
}

function nobody({ person, outcome }) {
  if (person !== 0) return say('people.no-name');
  return say(outcome === 'called' ? 'visits.everybody' : 'visits.trial');
}

/** What became of it. Nothing, if a newer home knows something else. */
function outcome({ outcome, here, began, ended }) {
  if (outcome !== 'visited') return say(`visits.${outcome}`) ?? '';
  if (here) return say('people.here');
  if (!Number.isFinite(ended)) return say('visits.unknown');
  return spanWords(ended - began, locale()) ?? say('visits.short');
}
