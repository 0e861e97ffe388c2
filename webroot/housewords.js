// What an owner's page says of home itself. No document and no clock: `now` in ms since 1970.
import { pastWords } from './when.js';
import { count, isolated, locale, say } from './words.js';

/** The languages of the TV, each by its own name. */
export const TONGUES = { en: 'English', de: 'Deutsch', es: 'Español', fr: 'Français', hi: 'हिन्दी', zh: '中文' };

/** In one line how home is. */
export function verdictWords({ looked, wrong, notices }) {
  if (!looked) return say('house.looking');
  if (wrong.length) return count('house.needs', wrong.length);
  // What home tells besides may be grave.
  return say(notices.length ? 'house.well-devices' : 'house.well');
}

/** A finding: what it is about, and what is wrong and helps, `{ title, text }`. */
export function faultWords({ about, kind }) {
  return {
    title: say(`about.${about}`) ?? say('about.other'),
    text: say(`fault.${about}.${kind}`) ?? say(`fault.${kind}`) ?? say('fault.other'),
  };
}

/** How loud something is; a chime at 0 is none. */
export function loudnessWords(what, percent, spoken = false) {
  if (what === 'chime' && percent === 0) return say('house.chime-none');
  return say(spoken ? 'volume.spoken' : 'volume.percent', { n: percent });
}

/** What a chime of that loudness means at the door, or nothing. */
export const chimeHint = (percent) => (percent === 0 ? say('house.chime-silent') : '');

/** Whose a setting is that nobody changes right now, or what became of a change. */
export function settingNote({ own, saving, saved }) {
  if (saving) return say('people.saving');
  if (saved) return say('people.saved');
  return own ? '' : say('house.file');
}

/** The choice that leaves the language to the settings file, with the one that counts then if it is known. */
export function fileChoice({ own, value }) {
  return own ? say('house.file') : say('house.file-value', { value: TONGUES[value] ?? value });
}

/** How home is reached, a sentence each. */
export function reachWords(reach, now) {
  if (!reach) return [];
  const { port, addresses, outside = null, you } = reach;
  const sentences = [say(`house.you-${you}`)];
  if (outside === null) sentences.push(say('house.outside-never'));
  else {
    const { day, time } = pastWords(outside, now, locale());
    sentences.push(day ? say('house.outside-day', { day, time }) : say('house.outside-today', { time }));
  }
  sentences.push(reach.public ? say('house.public', { address: isolated(reach.public) }) : say('house.public-none', { port }));
  if (addresses?.length) sentences.push(say('house.addresses', { addresses: addresses.map(isolated).join(', '), port }));
  return sentences.filter(Boolean);
}
