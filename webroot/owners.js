// Fetches the part of the page that owners have, once home says that this person is one.
import { load } from './parts.js';
import { visit } from './visit.js';

let first = null;

/** The role that home named first. Another owner may change it before that part is there. */
export const firstRole = () => first;

function look() {
  const { welcomed, role } = visit.view();
  if (!welcomed) return;
  first ??= role;
  if (role !== 'owner') return;
  visit.removeEventListener('change', look);
  load('owner');
}

visit.addEventListener('change', look);
look();
