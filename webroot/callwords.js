// What the page says of calls that were missed. No document and no clock: `now` in ms since 1970.
import { pastWords } from './when.js';
import { locale, say } from './words.js';

/** 'Home called at 14:05', with the day if that is another one. */
export function missedWords(seconds, now) {
  const { day, time } = pastWords(seconds, now, locale());
  return day ? say('missed.day', { day, time }) : say('missed.today', { time });
}
