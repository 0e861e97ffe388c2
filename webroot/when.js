// Moments, days and hours as people write them. No clock of its own: `now` in ms since 1970, other moments in seconds.

const DAY_MS = 86_400_000;
// A weekday alone says which day up to here.
const WEEK_DAYS = 6;

const dayOf = (ms) => new Date(ms).setHours(0, 0, 0, 0);

/** How many midnights lie between now and then. Days differ in length where clocks change. */
const daysUntil = (ms, now) => Math.round((dayOf(ms) - dayOf(now)) / DAY_MS);

/** The time of day, with the day if that is another one: '08:00', 'Tuesday 08:00'. */
export function momentWords(seconds, now, locale) {
  const time = { hour: '2-digit', minute: '2-digit' };
  return write(seconds * 1000, locale, { ...dayParts(daysUntil(seconds * 1000, now)), ...time });
}

/** The day alone, or the time if that is today: '18:30', 'Tuesday', '4 May'. */
export function dayWords(seconds, now, locale) {
  const days = daysUntil(seconds * 1000, now);
  return write(seconds * 1000, locale, days === 0 ? { hour: '2-digit', minute: '2-digit' } : dayParts(days));
}

/** A moment that was: `{ day, time }`, where `day` is null for today, 'Monday' in the week before, and else a date. */
export function pastWords(seconds, now, locale) {
  const days = daysUntil(seconds * 1000, now);
  const parts = days < 0 && days >= -WEEK_DAYS ? { weekday: 'long' } : { day: 'numeric', month: 'long' };
  return { day: days === 0 ? null : write(seconds * 1000, locale, parts), time: timeOfDay(seconds, locale) };
}

/** A day that was: 'Today', 'Yesterday', 'Monday', '4 May', '31 December 2025'. */
export const pastDay = (seconds, now, locale) => capital(dayThatWas(seconds, now, locale), locale);

/** The time, if that was today, or the day within a sentence: '14:05', 'yesterday', 'Monday', '4 May', '31 December 2025'. */
export function agoWords(seconds, now, locale) {
  return daysUntil(seconds * 1000, now) === 0 ? timeOfDay(seconds, locale) : dayThatWas(seconds, now, locale);
}

function dayThatWas(seconds, now, locale) {
  const ms = seconds * 1000;
  const days = daysUntil(ms, now);
  if (days === 0 || days === -1) return new Intl.RelativeTimeFormat(locale, { numeric: 'auto' }).format(days, 'day');
  const year = new Date(ms).getFullYear() === new Date(now).getFullYear() ? {} : { year: 'numeric' };
  const near = days < 0 && days >= -WEEK_DAYS;
  return write(ms, locale, near ? { weekday: 'long' } : { day: 'numeric', month: 'long', ...year });
}

const capital = (text, locale) => text.slice(0, 1).toLocaleUpperCase(locale) + text.slice(1);

/** The time of day alone. */
export const timeOfDay = (seconds, locale) => write(seconds * 1000, locale, { hour: '2-digit', minute: '2-digit' });

/** How long something took: '5 minutes', '1 hour 5 minutes'; null for less than one. */
export function spanWords(seconds, locale) {
  const minutes = Math.round(seconds / 60);
  if (!(minutes >= 1)) return null;
  const parts = [[Math.floor(minutes / 60), 'hour'], [minutes % 60, 'minute']].filter(([n]) => n > 0);
  return parts.map(([n, unit]) => new Intl.NumberFormat(locale, { style: 'unit', unit, unitDisplay: 'long' }).format(n)).join(' ');
}

function dayParts(days) {
  if (days === 0) return {};
  return days > 0 && days <= WEEK_DAYS ? { weekday: 'long' } : { day: 'numeric', month: 'long' };
}

/** A time of day like '22:00' as people of `locale` write it. */
export function timeWords(time, locale) {
  const [hour, minute] = time.split(':').map(Number);
  return write(new Date(2000, 0, 1, hour, minute).getTime(), locale, { hour: '2-digit', minute: '2-digit' });
}

/** What is no moment is said as nothing: home may send anything. */
function write(ms, locale, parts) {
  const date = new Date(ms);
  return Number.isNaN(date.getTime()) ? '' : new Intl.DateTimeFormat(locale, parts).format(date);
}
