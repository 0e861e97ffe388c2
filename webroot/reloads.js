// Loading the page again by itself: where that helps, and never without end.
import { brief, kept } from './first.js';

const MAX_RELOADS = 2;

/** How often in a row this tab was loaded again for want of an address. */
const reloads = () => Number(brief.get('intercom.addressless'));

/** Whether loading again for want of an address may help, and loses nothing. */
export const mayReload = () => reloads() < MAX_RELOADS && kept.lasts('intercom.key');

/** The browser finds no address of its own on this page. */
export function reloadForAddress() {
  console.warn('intercom: the browser finds no address of its own, loading again');
  brief.set('intercom.addressless', String(reloads() + 1));
  location.reload();
}

/** Home was updated under an open page, or a cache gave an old page. Helps once: false if that was already tried. */
export function reloadForVersion() {
  if (brief.get('intercom.reloaded')) return false;
  brief.set('intercom.reloaded', '1');
  // Where nothing can be kept, it would go on for ever.
  if (!brief.lasts('intercom.reloaded')) return false;
  location.reload();
  return true;
}
