// Lets Node import the page's modules, which end in .js and belong to no package, as the ES modules that they are.
import { register } from 'node:module';

const hook = `
  export async function load(url, context, next) {
    return next(url, url.includes('/webroot/') ? { ...context, format: 'module' } : context);
  }`;
register(`data:text/javascript,${encodeURIComponent(hook)}`);

export const webroot = new URL('../../webroot/', import.meta.url);

/** Imports `name` out of webroot. */
export const page = (name) => import(new URL(name, webroot));
