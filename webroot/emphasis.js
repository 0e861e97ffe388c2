// Sentences with emphasis in them, on the page about home's certificate. A catalogue is data: it makes no other elements.

/** Writes `sentence` into `element`, with its `<b>` and `<code>` as elements. */
export function writeEmphasis(element, sentence) {
  element.replaceChildren(...parts(sentence).map(node));
}

/** A sentence piece by piece: texts, and `{ tag, text }` for its `<b>` and `<code>`. Any other tag is text. */
export function parts(sentence) {
  const found = [];
  const pieces = sentence.split(/<(b|code)>(.*?)<\/\1>/);
  for (let at = 0; at < pieces.length; at += 3) {
    if (pieces[at]) found.push(pieces[at]);
    if (pieces[at + 1]) found.push({ tag: pieces[at + 1], text: pieces[at + 2] });
  }
  return found;
}

function node(part) {
  return part.tag ? Object.assign(document.createElement(part.tag), { textContent: part.text }) : part;
}
