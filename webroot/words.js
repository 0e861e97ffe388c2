// Every sentence that the page says, in one place. Short and plain: the family reads them.

/** What a state is called and what it means: `{ title, text }`. `view` is the visit's, `online` the device's network. */
export function stateWords(view, online) {
  const home = view.home ?? 'Home';
  switch (view.state) {
    case 'live':
      return { title: home, text: `You are at home. ${home} is live.` };
    case 'sound':
      if (view.snapshot) return { title: home, text: `You can hear home and talk. ${SNAPSHOTS}` };
      return view.late ? NO_CODEC : CODEC_COMES;
    case 'tap':
      return { title: home, text: 'Your browser waits for you: tap, click or press Enter, and home plays.' };
    case 'connecting':
      if (view.thin) return THIN;
      if (view.stuck) return NO_PICTURE;
      if (view.barred) return BARRED;
      return { title: 'On the way home', text: 'One moment, the picture is coming.' };
    case 'reconnecting':
      if (!online) return DEVICE_OFFLINE;
      if (view.restarting) return { title: 'One moment', text: 'Home is restarting. The picture comes back by itself.' };
      if (view.thin) return THIN;
      if (view.stuck) return NO_PICTURE;
      if (view.barred) return BARRED;
      return { title: 'One moment', text: 'The connection was lost. It comes back by itself.' };
    case 'offline':
      if (!online) return DEVICE_OFFLINE;
      if (view.misdirected) return MISDIRECTED;
      if (view.refused) return REFUSED;
      return {
        title: 'Home is offline',
        text: 'It does not answer right now. Leave this page open: it connects by itself as soon as home is back.',
      };
    case 'full':
      if (view.busy) {
        return {
          title: 'Your link is in use elsewhere',
          text: 'Close the page on another device or in another tab. This page tries again by itself every 15 seconds.',
        };
      }
      return {
        title: 'The house is full',
        text: 'As many people as home allows are visiting. This page tries again by itself every 15 seconds.',
      };
    case 'blocked':
      return {
        title: 'One step is missing',
        text: 'Your browser shows this page, but it does not trust home’s certificate enough for picture and sound.',
      };
    case 'wrong-link':
      if (view.reason === 'no-key') {
        return {
          title: 'The link is not complete',
          text: 'Open the whole link that home gave you, or paste it here.',
        };
      }
      if (view.reason === 'code') {
        return {
          title: 'This link or code has expired',
          text: 'A link works for some days, on a few devices. A code on the TV works once, within ten minutes. Ask someone at home for a new one.',
        };
      }
      return {
        title: 'This link does not open home',
        text: 'It may be old. Ask someone at home for a new one and open it, or paste it here.',
      };
    case 'revoked':
      return {
        title: 'This link was withdrawn',
        text: 'Home no longer lets it in. Ask someone at home for a new one.',
      };
    case 'left':
      return { title: 'You have left', text: 'Home no longer sees or hears you.' };
    default:
      return UNSUPPORTED[view.reason] ?? UNSUPPORTED['no-webrtc'];
  }
}

const DEVICE_OFFLINE = {
  title: 'You are offline',
  text: 'This device has no network right now. The page connects by itself as soon as it has.',
};
const NO_PICTURE = {
  title: 'No picture yet',
  text: 'You are connected, but home’s picture does not come through. The page keeps trying.',
};
const THIN = {
  title: 'Sound comes first',
  text: 'This connection is very slow. You can hear home already, and the picture follows as soon as it gets through.',
};
const CODEC_COMES = {
  title: 'You can hear home',
  text: 'You can talk, too. The picture is not there yet: this browser is still without H.264, the video format of home.',
};
const NO_CODEC = {
  title: 'You can hear home and talk',
  text: 'There is no video on either side, because this browser has no H.264. If it gets that, the picture comes by itself. Another browser may have it already.',
};
const SNAPSHOTS = 'A new picture comes every second or two: this browser has no H.264 video.';
const REFUSED = {
  title: 'Home does not let this page in',
  text: 'Load it again: your browser may ask once more whether you trust home. If it says that it cannot connect, home is off, and you can try later.',
};
const MISDIRECTED = {
  title: 'The way home is set up wrongly',
  text: 'A reverse proxy in front of home hides the address that you opened, so home refuses this page. Whoever set it up must pass the header “Host” on. The log at home says more.',
};
const BARRED = {
  title: 'No connection yet',
  text: 'Home answers, but its picture cannot reach you. A network on the way may block it. The page keeps trying.',
};
const UNSUPPORTED = {
  'no-webrtc': {
    title: 'This browser does not support video calls',
    text: 'Please use another browser, or a newer version of this one.',
  },
  version: {
    title: 'This page is too old',
    text: 'Home was updated. Close this page, and open it again in a minute.',
  },
};

/** Labels of the buttons below a state's sentence. */
export const ACTIONS = {
  return: 'Come back',
  again: 'Try again',
  reload: 'Load again',
  trust: 'Show me how',
};

/** What the one tap does that the browser waits for: is there a `picture`, and has the person not turned off the `sound`? */
export function tapWords({ picture, sound }) {
  if (!picture) return 'Tap to hear home';
  return sound ? 'Tap to see and hear home' : 'Tap to see home';
}

/** The question for a device or both. */
export const QUESTIONS = {
  both: {
    title: 'Turn on your microphone and camera?',
    text: 'Home then hears and sees you. Your browser asks first. Sound and picture go to home only, and only while this page is open.',
  },
  mic: {
    title: 'Turn on your microphone?',
    text: 'Home then hears you. Your browser asks first. Sound goes to home only, and only while this page is open.',
  },
  cam: {
    title: 'Turn on your camera, too?',
    text: 'Home then sees you. Your browser asks first. The picture goes to home only, and only while this page is open.',
  },
};

/** The way to turn nothing on. With `sends`, home gets something of the person already. */
export function declineWords({ sends, soundOnly }) {
  if (sends) return 'Not now';
  return soundOnly ? 'Just listen' : 'Just watch';
}

/** Names of the controls, for eyes and for screen readers; the letter is the key that does the same. */
export const CONTROLS = {
  mic: { on: 'Turn your microphone off (M)', off: 'Turn your microphone on (M)' },
  cam: { on: 'Turn your camera off (C)', off: 'Turn your camera on (C)' },
  switch: 'Use the other camera (X)',
  sound: { on: 'Mute home (S)', off: 'Hear home (S)' },
  volume: 'How loud you are at home (+ and −)',
  fullscreen: { on: 'Leave full screen (F)', off: 'Full screen (F)' },
  self: { on: 'Hide your own picture (V)', off: 'Show your own picture (V)' },
};

/** What the little bars mean. */
export const QUALITY = {
  good: 'Good connection',
  weak: 'Weak connection',
  poor: 'Poor connection',
};

/** Small notices over the picture. */
export const NOTES = {
  snapshots: SNAPSHOTS,
  unplugged: 'Home’s camera is unplugged. You can still talk.',
  muted: 'Home has muted its microphone.',
  'both-on': 'Home hears and sees you',
  'mic-on': 'Home hears you',
  'mic-off': 'Your microphone is off',
  'cam-on': 'Home sees you',
  'cam-off': 'Your camera is off',
  'sound-off': 'Home’s sound is off',
  'mic-paused': 'Your device has paused the microphone, perhaps for a phone call.',
  'cam-paused': 'Your device has paused the camera.',
  'mic-lost': 'The microphone is gone. Plug it in again, or choose another one in your device’s settings.',
  'cam-lost': 'The camera is gone. Plug it in again and turn it on here.',
  'mic-missing': 'This device has no microphone, so home cannot hear you.',
  'cam-missing': 'This device has no camera, so home cannot see you.',
  'mic-busy': 'The microphone does not start. Perhaps another program is using it.',
  'cam-busy': 'The camera does not start. Perhaps another program is using it.',
  'bad-link': 'There is no key in that. Paste the whole link, with all letters behind the # sign.',
};

/** What to show when the browser refuses; `devices` is 'microphone', 'camera' or 'both'. With `soundOnly` nobody sees anybody. */
export function blockedWords(devices, browser, soundOnly = false) {
  const what = { microphone: 'Your microphone is', camera: 'Your camera is', both: 'Microphone and camera are' }[devices];
  const still = soundOnly ? 'You still hear home.' : 'You still see and hear home.';
  const text = `${still} ${{ microphone: 'To be heard:', camera: 'To be seen:', both: 'To be heard and seen:' }[devices]}`;
  return { title: `${what} blocked`, text, steps: UNBLOCK[browser] ?? UNBLOCK.other };
}

/** The ways to allow a microphone and a camera again, browser by browser. */
const UNBLOCK = {
  'ios-safari': [
    'Tap the page menu at the left end of the address bar, then “⋯” or “Website Settings”.',
    'Set Microphone and Camera to “Allow”.',
    'Not there? Open Settings › Apps › Safari › Camera and Microphone.',
  ],
  'ios-other': [
    'Open your iPhone’s Settings › Apps and choose this browser.',
    'Turn on Microphone and Camera.',
    'Come back here and tap “Try again”.',
  ],
  'android-chrome': [
    'Tap the symbol at the left end of the address bar, then “Permissions”.',
    'Allow Microphone and Camera.',
    'Not there? Open Android’s Settings › Apps › this browser › Permissions.',
  ],
  'android-firefox': [
    'Tap the lock in the address bar.',
    'Tap Camera and Microphone until they say “Allowed”.',
    'Not there? Open Android’s Settings › Apps › Firefox › Permissions.',
  ],
  chrome: [
    'Click the symbol at the left end of the address bar.',
    'Turn on Microphone and Camera.',
    'Then press “Try again” here.',
  ],
  firefox: [
    'Click the crossed-out microphone or camera in the address bar.',
    'Remove “Blocked”.',
    'Then press “Try again” and allow both.',
  ],
  safari: [
    'Open the menu Safari › Settings for This Website.',
    'Set Camera and Microphone to “Allow”.',
    'Then press “Try again” here.',
  ],
  system: [
    'It is the device itself that does not let your browser use them.',
    'Open the system’s privacy settings and allow Microphone and Camera for your browser.',
    'Then come back and press “Try again”.',
  ],
  other: [
    'Open the settings for this page, usually at the left end of the address bar.',
    'Allow Microphone and Camera.',
    'Then press “Try again” here.',
  ],
};

/** Which of the ways above fits, out of the browser's name for itself. */
export function browserKind(agent, touchPoints = 0) {
  const apple = /iPhone|iPad|iPod/.test(agent) || (/Macintosh/.test(agent) && touchPoints > 1);
  if (apple) return /CriOS|FxiOS|EdgiOS|OPiOS|DuckDuckGo/.test(agent) ? 'ios-other' : 'ios-safari';
  if (/Android/.test(agent)) return /Firefox/.test(agent) ? 'android-firefox' : 'android-chrome';
  if (/Firefox/.test(agent)) return 'firefox';
  if (/Chrome|Chromium|Edg/.test(agent)) return 'chrome';
  return /Safari/.test(agent) ? 'safari' : 'other';
}
