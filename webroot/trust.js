// Opens the steps for the device at hand.
const agent = navigator.userAgent;
const apple = /iPhone|iPad|iPod/.test(agent) || (/Macintosh/.test(agent) && navigator.maxTouchPoints > 1);
const kinds = { ios: apple, android: /Android/.test(agent), windows: /Windows/.test(agent), mac: /Macintosh/.test(agent), linux: /Linux|X11/.test(agent) };
const mine = document.getElementById(Object.keys(kinds).find((kind) => kinds[kind]) ?? 'ios');
mine.open = true;
mine.parentElement.insertBefore(mine, document.querySelector('details'));
