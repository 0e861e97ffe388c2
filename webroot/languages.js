// Languages beside English: which one the browser wants, and how its words come onto the page. They come behind the first
// picture, and nothing waits for them.

/** Each has its sentences in `words-LANGUAGE.json`. */
export const LANGUAGES = ['de', 'es', 'fr', 'hi', 'zh'];

// What a browser picks fonts and hyphens by, where that says more than the language alone.
const TAGS = { zh: 'zh-Hans' };

const FIRST_PAUSE_MS = 5000;
const LONGEST_PAUSE_MS = 60000;
// A path that carries little more than a voice needs this long.
const LIMIT_MS = 60000;

/** The first language of the list `wanted` (tags like 'de-CH') that the page has; English if there is none. */
export function chooseLanguage(wanted) {
  const names = wanted.map((tag) => tag.toLowerCase().split('-')[0]);
  return names.find((name) => name === 'en' || LANGUAGES.includes(name)) ?? 'en';
}

/** How dates are written where the person is: the first tag of the list `wanted` that is of `language`, or the language alone. */
export function localeOf(language, wanted) {
  const tag = wanted.find((one) => one.toLowerCase().split('-')[0] === language);
  try {
    return Intl.getCanonicalLocales(tag)[0] ?? language;
  } catch {
    // A browser may be set to anything.
    return language;
  }
}

/** The catalogue of `language`, however often it takes to get it. */
export async function fetchWords(language, { ask = askHome, wait = pause } = {}) {
  for (let ms = FIRST_PAUSE_MS; ; ms = Math.min(2 * ms, LONGEST_PAUSE_MS)) {
    try {
      return await ask(`/words-${language}.json`);
    } catch (error) {
      console.warn('intercom: no words of this language yet:', error);
    }
    await wait(ms);
  }
}

async function askHome(address) {
  const answer = await fetch(address, { signal: AbortSignal.timeout?.(LIMIT_MS) });
  if (!answer.ok) throw new Error(`${address}: ${answer.status}`);
  const words = await answer.json();
  if (words === null || typeof words !== 'object') throw new Error(`${address}: not a catalogue`);
  return words;
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Gets the words of the browser's language, if that is not English, and gives them to `take`, with the locale of its dates. */
export async function learnLanguage(take) {
  const wanted = navigator.languages ?? [navigator.language];
  const language = chooseLanguage(wanted);
  if (language === 'en') return take({}, localeOf(language, wanted));
  const words = await fetchWords(language);
  document.documentElement.lang = TAGS[language] ?? language;
  take(words, localeOf(language, wanted));
}

/**
 * Writes all words again that stand in the document: `data-words` names the key of an element's text, `data-words-title` that
 * of its title, and so on. What `find` does not know stays as it is. `write` puts a sentence into an element, `root` is a part of the document.
 */
export function putWords(find, write = writeText, root = document) {
  const put = (name, set) => {
    for (const element of root.querySelectorAll(`[${name}]`)) {
      const sentence = find(element.getAttribute(name));
      if (sentence) set(element, sentence);
    }
  };
  put('data-words', write);
  for (const attribute of ['alt', 'aria-label', 'title', 'placeholder', 'content']) {
    put(`data-words-${attribute}`, (element, sentence) => element.setAttribute(attribute, sentence));
  }
}

function writeText(element, sentence) {
  element.textContent = sentence;
}
